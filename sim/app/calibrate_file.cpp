#include "sim/app/calibrate_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/config.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kCommentColumn = 36;  ///< From 0, as in the files of configs/hardware.
constexpr const char* kRemedy = "cannot be rewritten here; write it as \"key: value\" on a line of its own";

/// Lines with their ends ("\n", "\r\n" or, the last one, nothing).
std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const std::size_t next = end == std::string::npos ? text.size() : end + 1;
    lines.push_back(text.substr(at, next - at));
    at = next;
  }
  return lines;
}

std::string line_end(const std::string& line) {
  return line.ends_with("\r\n") ? "\r\n" : line.ends_with('\n') ? "\n" : "";
}

std::size_t indent_of(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

bool is_content(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r\n");
  return first != std::string::npos && line[first] != '#';
}

/// "  key: value   # comment", the comment at `column` where there is room.
std::string dressed(std::string line, std::size_t column, const std::string& comment, const std::string& end) {
  line.resize(std::max(column, line.size() + 2), ' ');
  return line + "# " + comment + end;
}

/// Where the comment of a line begins, after the value that begins at `from`; npos: none.
std::size_t comment_of(const std::string& line, std::size_t from) {
  for (std::size_t at = line.find('#', from); at != std::string::npos; at = line.find('#', at + 1)) {
    if (at > 0 && (line[at - 1] == ' ' || line[at - 1] == '\t')) return at;
  }
  return std::string::npos;
}

void replace_own(std::vector<std::string>& lines, const SourceLocation& where, const NewValue& value) {
  if (where.line == 0 || where.line > lines.size() || where.column == 0) throw UserError(where, value.key + " " + kRemedy);
  std::string& line = lines[where.line - 1];
  const std::size_t column = comment_of(line, where.column - 1);
  line = dressed(line.substr(0, where.column - 1) + value.value, column == std::string::npos ? kCommentColumn : column, value.comment,
                 line_end(line));
}

void add_override(std::vector<std::string>& lines, const std::string& path, const NewValue& value) {
  const std::size_t dot = value.key.find('.');
  const std::string section = value.key.substr(0, dot), key = value.key.substr(dot + 1);
  const std::string end = lines.empty() || lines.front().ends_with("\r\n") == false ? "\n" : "\r\n";
  if (!lines.empty() && line_end(lines.back()).empty()) lines.back() += end;
  const auto head = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) { return line.starts_with(section + ":"); });
  if (head == lines.end()) {
    lines.push_back(end);
    lines.push_back(section + ":" + end);
    lines.push_back(dressed("  " + key + ": " + value.value, kCommentColumn, value.comment, end));
    return;
  }
  const std::string rest = head->substr(section.size() + 1);
  if (is_content(rest)) {
    const SourceLocation where{path, static_cast<std::uint32_t>(head - lines.begin() + 1), 1};
    throw UserError(where, fmt::format("{} {}", value.key, kRemedy));
  }
  auto last = head;
  std::size_t indent = 2;
  for (auto line = head + 1; line != lines.end(); ++line) {
    if (!is_content(*line)) continue;
    if (indent_of(*line) == 0) break;
    if (last == head) indent = indent_of(*line);
    last = line;
  }
  lines.insert(last + 1, dressed(std::string(indent, ' ') + key + ": " + value.value, kCommentColumn, value.comment, end));
}

ConfigNode node_at(const ConfigDocument& document, const std::string& key) {
  const std::size_t dot = key.find('.');
  return document.root()[key.substr(0, dot)][key.substr(dot + 1)];
}

std::string with_value(const std::string& text, const std::string& path, const NewValue& value) {
  ConfigDocument wanted = ConfigDocument::parse(text, path);
  // A key that a memory kind stands for is in no file yet.
  const SourceLocation where = wanted.has(value.key) ? node_at(wanted, value.key).where() : SourceLocation{"", 0, 0};
  std::vector<std::string> lines = split_lines(text);
  if (where.file == path) {
    replace_own(lines, where, value);
  } else {
    add_override(lines, path, value);
  }
  const std::string result = fmt::format("{}", fmt::join(lines, ""));
  wanted.set(value.key + "=" + value.value);
  std::string reads;
  try {
    reads = ConfigDocument::parse(result, path).canonical();
  } catch (const UserError&) {
    reads.clear();  // Said below, at the place in the file that the user has.
  }
  if (reads != wanted.canonical()) throw UserError(where, fmt::format("{} {}", value.key, kRemedy));
  return result;
}

}  // namespace

std::string with_values(const std::string& text, const std::string& path, const std::vector<NewValue>& values) {
  std::string result = text;
  for (const NewValue& value : values) result = with_value(result, path, value);
  return result;
}

}  // namespace rooftrace
