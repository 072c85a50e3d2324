// Where configs live, and from a name or a path to the file.
//
// Folders are searched in this order: --configs DIR, $ROOFTRACE_CONFIGS, ../share/rooftrace/configs beside the program, the source tree the
// program was built from. A name found in an earlier folder hides the same name in a later one. Promise: a name that is nowhere is a
// UserError with the closest known name and the list of all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/app/config_cache.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {

enum class ConfigKind { hardware, model, scenario };

/// A config file and what to call it in reports.
struct ConfigFile {
  std::string path;
  std::string name;  ///< The name that was asked for; for a path, the path itself.
};

class ConfigPaths {
 public:
  /// `configs_option` is --configs ("" when not given: must be a folder otherwise); `program` the path of the running program, "" when
  /// unknown; `environment` the value of ROOFTRACE_CONFIGS or "".
  ConfigPaths(const std::string& configs_option, const std::string& environment, const std::string& program);
  /// From the process: the environment variable and /proc/self/exe.
  static ConfigPaths of_process(const std::string& configs_option);

  /// A word with a slash, or that ends in .yaml, .yml or .json, is a path (relative to `base`, a folder, when `base` is not empty); any
  /// other word is a name. A path that does not exist is left to the reader to complain about, except that a folder holding a
  /// config.json stands for that file. `where` is put before the message of an unknown name.
  [[nodiscard]] ConfigFile find(ConfigKind kind, const std::string& word, const std::string& base = "",
                                const SourceLocation& where = {}) const;
  [[nodiscard]] std::vector<std::string> names(ConfigKind kind) const;  ///< Sorted, each once.
  [[nodiscard]] const std::vector<std::string>& folders() const { return folders_; }

  /// From now on a file is read once, however often it is asked for (a sweep asks for the same few at every point).
  void remember_files() { cache_ = std::make_shared<ConfigCache>(); }
  [[nodiscard]] ConfigDocument document(const std::string& path) const;
  [[nodiscard]] ModelSpec model(const ConfigFile& file) const;

 private:
  [[nodiscard]] std::string file_of(ConfigKind kind, const std::string& name) const;  ///< "" when there is none.
  std::vector<std::string> folders_;
  std::shared_ptr<ConfigCache> cache_;  ///< Null: every call reads.
};

}  // namespace rooftrace
