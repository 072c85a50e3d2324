// Reading a file that a user named, with every way it can fail told apart.
//
// Promises: reads by pieces up to the limit, never by the size the file system states (pipes and /proc state 0, devices never end).
#include "sim/core/text_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

constexpr int kNamesLookedAt = 10000;  // A folder with more is no folder of configs.

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw UserError(SourceLocation{path, 0, 0}, why);
}

[[noreturn]] void refuse_missing(const std::string& path) {
  std::error_code ignored;
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, ignored))
    refuse(path, "no such file: there is no folder " + quoted_word(folder.string()));
  refuse(path, "no such file" + similar_file(path));
}

}  // namespace

std::string similar_file(const std::string& path) {
  const fs::path wanted(path);
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entry(wanted.has_parent_path() ? wanted.parent_path() : fs::path("."), error);
  for (; !error && entry != fs::directory_iterator() && names.size() < kNamesLookedAt; entry.increment(error)) {
    std::error_code ignored;
    const fs::file_status status = entry->status(ignored);  // Of the target; a link that points nowhere is no suggestion.
    if (fs::exists(status) && !fs::is_directory(status)) names.push_back(entry->path().filename().string());
  }
  return did_you_mean(wanted.filename().string(), names);
}

std::string read_text_file(const std::string& path, std::size_t limit) {
  if (path.empty()) throw UserError("a file name is needed, not \"\"");
  if (path.find('\0') != std::string::npos) throw UserError(quoted_word(path) + " is not a file name");
  std::error_code error;
  if (fs::is_directory(path, error)) refuse(path, "is a folder; a file is needed");
  errno = 0;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) {
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR) refuse_missing(path);
    refuse(path, std::string("cannot be read: ") + std::strerror(reason));
  }
  std::string text;
  std::vector<char> piece(64 * 1024);
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), file.get())) {
    text.append(piece.data(), got);
    if (text.size() > limit) refuse(path, "is larger than " + std::to_string(limit >> 10) + " KiB; no file of this kind is");
  }
  if (std::ferror(file.get()) != 0) refuse(path, std::string("cannot be read: ") + std::strerror(errno));
  return text;
}

}  // namespace rooftrace
