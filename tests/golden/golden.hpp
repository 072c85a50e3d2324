// Golden texts: a printed report is compared, byte for byte, with the file that a person has read and approved.
//
// Promise: on any difference the new text is left as NAME.new beside the old file and the failure names both paths, so that approving is
// `mv NAME.new NAME`; on equality a stale NAME.new is removed. Not modeled: tolerance; texts that hold host times are not for goldens.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace rooftrace::golden {

inline std::optional<std::string> read_all(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// "" when `text` is what data/name holds; else one message with both paths and the first line that differs.
inline std::string mismatch(const std::filesystem::path& data, const std::string& name, const std::string& text) {
  const std::filesystem::path approved = data / name;
  const std::filesystem::path fresh = data / (name + ".new");
  const std::optional<std::string> old = read_all(approved);
  if (old == text) {
    std::filesystem::remove(fresh);
    return "";
  }
  std::ofstream(fresh, std::ios::binary) << text;
  if (!old) return "no golden text " + approved.string() + "; what it would be is in " + fresh.string();
  std::size_t line = 1;
  for (std::size_t i = 0; i < text.size() && i < old->size() && text[i] == (*old)[i]; ++i) line += text[i] == '\n';
  return "differs from line " + std::to_string(line) + " on: approved " + approved.string() + ", new " + fresh.string();
}

inline std::filesystem::path data_folder() {
  return std::filesystem::path(ROOFTRACE_SOURCE_DIR) / "tests/golden/data";
}

}  // namespace rooftrace::golden
