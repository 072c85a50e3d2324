#include "tests/architecture/include_rules.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>

namespace rooftrace {
namespace {

constexpr std::size_t kMaxLines = 400;

/// A room of the house and the rooms (or single headers of rooms) it may include besides itself. The first room that fits a path is its.
struct Room {
  std::string_view folder;
  std::vector<std::string_view> may_include;
};

/// A file of a room that includes a header that starts with `prefix` must have a path that matches `allowed`.
struct LibraryRule {
  std::string_view prefix;
  std::string_view library;
  std::string_view allowed;
};

struct Include {
  std::string target;
  std::size_t line = 0;
  bool quoted = false;
};

const std::vector<Room>& rooms() {
  static const std::vector<Room> kRooms = {
      {"sim/core/", {}},
      {"sim/engine/", {"sim/core/"}},
      {"sim/machine/", {"sim/core/", "sim/engine/"}},
      {"traces/capture/", {}},  // Also compiled on machines that have nothing else of this project.
      {"traces/file/", {"sim/core/", "traces/"}},
      {"traces/import/", {"sim/core/", "traces/", "traces/file/", "traces/capture/capture_format.hpp"}},
      {"traces/", {"sim/core/", "traces/capture/capture_format.hpp"}},
      {"analysis/", {"sim/core/"}},
      {"sim/app/", {"sim/core/", "sim/engine/", "sim/machine/", "traces/", "traces/file/", "traces/import/", "analysis/"}},
  };
  return kRooms;
}

const std::vector<LibraryRule>& library_rules() {
  static const std::vector<LibraryRule> kRules = {
      {"boost/graph/", "Boost.Graph", R"(sim/machine/topology\.cpp|sim/engine/kernel_graph\.cpp)"},
      {"boost/program_options", "Boost.Program_options", R"(sim/app/[^/]*\.(cpp|hpp))"},
      {"hdf5", "HDF5", R"(sim/app/report_hdf5[a-z0-9_]*\.cpp|traces/file/(column_file_read|column_file_write|hdf5_calls)\.cpp)"},
      {"H5", "HDF5", R"(sim/app/report_hdf5[a-z0-9_]*\.cpp|traces/file/(column_file_read|column_file_write|hdf5_calls)\.cpp)"},
      {"tbb/", "TBB", R"(sim/app/(run_stages|sweep_run|validate_run)\.cpp|traces/file/chunk_pipeline\.cpp)"},
      {"oneapi/tbb", "TBB", R"(sim/app/(run_stages|sweep_run|validate_run)\.cpp|traces/file/chunk_pipeline\.cpp)"},
      {"zlib.h", "zlib", R"(traces/file/chunk_codec\.cpp|traces/import/gzip_source\.cpp)"},
      {"yaml-cpp/", "yaml-cpp", R"(sim/core/config[a-z0-9_]*\.cpp)"},
      {"nlohmann/", "nlohmann-json", R"((sim/app|traces|traces/import)/[^/]*\.cpp)"},
      {"lzma.h", "liblzma", R"(traces/import/byte_source\.cpp)"},
      {"zstd.h", "zstd", R"(traces/import/accelsim_tracez\.cpp)"},
      {"spdlog/", "spdlog", R"(sim/app/[^/]*\.cpp)"},
      {"cuda", "CUDA", R"(traces/capture/.*)"},
      {"sanitizer.h", "the Sanitizer API", R"(traces/capture/inject/inject\.cpp)"},
      {"gtest/", "GoogleTest", "tests/.*"},
      {"gmock/", "GoogleTest", "tests/.*"},
      {"benchmark/", "Google Benchmark", "tests/.*"},
  };
  return kRules;
}

/// The innermost: rooms inside rooms stand before them in the list.
const Room* room_of(std::string_view path) {
  for (const Room& room : rooms()) {
    if (path.starts_with(room.folder)) return &room;
  }
  return nullptr;
}

bool is_header(std::string_view path) {
  return path.ends_with(".hpp");
}

std::vector<Include> includes_of(const std::string& text) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*([<"])([^">]+)[">].*$)re");
  std::vector<Include> found;
  std::istringstream lines(text);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    std::smatch match;
    if (line.find('#') != std::string::npos && std::regex_match(line, match, kInclude)) {
      found.push_back({match[2], number, match[1] == "\""});
    }
  }
  return found;
}

/// Collects what is wrong with one tree.
class Checker {
 public:
  explicit Checker(const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files) includes_[file.path] = includes_of(file.text);
    for (const SourceFile& file : files) check_file(file);
    for (const auto& [path, includes] : includes_) find_cycles(path);
    std::sort(broken_.begin(), broken_.end());
  }

  [[nodiscard]] const std::vector<std::string>& broken() const { return broken_; }

 private:
  void complain(const std::string& path, std::size_t line, const std::string& what) {
    broken_.push_back(path + ":" + std::to_string(line) + ": " + what);
  }

  void check_file(const SourceFile& file) {
    const auto lines = static_cast<std::size_t>(std::count(file.text.begin(), file.text.end(), '\n'));
    if (lines > kMaxLines) {
      complain(file.path, kMaxLines + 1, "has " + std::to_string(lines) + " lines; at most " + std::to_string(kMaxLines));
    }
    if (is_header(file.path)) check_header(file);
    for (const Include& include : includes_[file.path]) {
      check_libraries(file.path, include);
      if (include.quoted) check_rooms(file.path, include);
    }
  }

  void check_header(const SourceFile& file) {
    if (!file.text.starts_with("//")) complain(file.path, 1, "a header starts with a comment that says what it is");
    static const std::regex kOnce(R"((//[^\n]*\n|\s)*#pragma once\n)");
    if (!std::regex_search(file.text, kOnce, std::regex_constants::match_continuous)) {
      complain(file.path, 1, "#pragma once must follow the comment, before anything else");
    }
  }

  void check_libraries(const std::string& path, const Include& include) {
    if (room_of(path) == nullptr) return;  // Tests use what they need.
    for (const LibraryRule& rule : library_rules()) {
      if (!include.target.starts_with(rule.prefix)) continue;
      if (!std::regex_match(path, std::regex(std::string(rule.allowed)))) {
        complain(path, include.line, std::string(rule.library) + " may only be included by " + std::string(rule.allowed));
      }
    }
    // The words and contracts stay free of libraries: a header with a slash that is not ours is somebody else's.
    const bool foreign = !include.quoted && include.target.find_first_of("/.") != std::string::npos;
    const bool allowed = include.target.starts_with("fmt/") || include.target.starts_with("yaml-cpp/");
    if (path.starts_with("sim/core/") && foreign && !allowed) {
      complain(path, include.line, "sim/core only uses the standard library and fmt, not <" + include.target + ">");
    }
  }

  void check_rooms(const std::string& path, const Include& include) {
    if (!includes_.contains(include.target)) {
      complain(path, include.line, "\"" + include.target + "\" is not a file of the tree; write the path from the repository root");
      return;
    }
    const Room* const from = room_of(path);
    if (from == nullptr) return;  // Tests and validation see everything.
    if (!is_header(include.target)) complain(path, include.line, "\"" + include.target + "\" is not a header");
    const Room* const to = room_of(include.target);
    if (to == from) return;
    const bool allowed = to != nullptr && std::any_of(from->may_include.begin(), from->may_include.end(), [&](std::string_view entry) {
                           return entry == to->folder || entry == include.target;
                         });
    if (!allowed) complain(path, include.line, std::string(from->folder) + " may not include \"" + include.target + "\"");
  }

  /// Depth first; a file that is met while it is being visited closes a circle, reported once at the include that closes it.
  void find_cycles(const std::string& path) {
    if (done_.contains(path)) return;
    visiting_.push_back(path);
    for (const Include& include : includes_[path]) {
      if (!include.quoted || !includes_.contains(include.target)) continue;
      const auto start = std::find(visiting_.begin(), visiting_.end(), include.target);
      if (start == visiting_.end()) {
        find_cycles(include.target);
        continue;
      }
      std::string circle;
      for (auto step = start; step != visiting_.end(); ++step) circle += *step + " -> ";
      complain(path, include.line, "include cycle: " + circle + include.target);
    }
    visiting_.pop_back();
    done_.insert(path);
  }

  std::map<std::string, std::vector<Include>> includes_;
  std::vector<std::string> visiting_;
  std::set<std::string> done_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> check_tree(const std::vector<SourceFile>& files) {
  return Checker(files).broken();
}

std::vector<SourceFile> read_tree(const std::string& root, const std::vector<std::string>& folders) {
  namespace fs = std::filesystem;
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!fs::is_directory(fs::path(root) / folder)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(fs::path(root) / folder)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() || (extension != ".hpp" && extension != ".cpp")) continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      files.push_back({fs::relative(entry.path(), root).generic_string(), text.str()});
    }
  }
  std::sort(files.begin(), files.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace rooftrace
