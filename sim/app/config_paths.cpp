// The list of config folders and the search in them. Files are read by their readers, at most through the cache.
#include "sim/app/config_paths.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "sim/app/version.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_path(const std::string& word) {
  return word.find('/') != std::string::npos || word.ends_with(".yaml") || word.ends_with(".yml") || word.ends_with(".json");
}

std::string folder_name(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::hardware:
      return "hardware";
    case ConfigKind::model:
      return "models";
    case ConfigKind::scenario:
      break;
  }
  return "scenarios";
}

std::string noun(ConfigKind kind) {
  return kind == ConfigKind::hardware ? "hardware" : kind == ConfigKind::model ? "model" : "scenario";
}

}  // namespace

ConfigPaths::ConfigPaths(const std::string& configs_option, const std::string& environment, const std::string& program) {
  if (!configs_option.empty() && !is_folder(configs_option))
    throw UserError("--configs: " + quoted_word(configs_option) + " is not a folder");
  if (!environment.empty() && !is_folder(environment)) {
    throw UserError("ROOFTRACE_CONFIGS (environment): " + quoted_word(environment) + " is not a folder");
  }
  const fs::path installed = program.empty() ? fs::path() : fs::path(program).parent_path().parent_path() / "share/rooftrace/configs";
  for (const fs::path& folder : {fs::path(configs_option), fs::path(environment), installed, fs::path(source_configs())}) {
    if (!folder.empty() && is_folder(folder)) folders_.push_back(folder.string());
  }
}

ConfigPaths ConfigPaths::of_process(const std::string& configs_option) {
  const char* const variable = std::getenv("ROOFTRACE_CONFIGS");
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  return {configs_option, variable == nullptr ? "" : variable, failed ? "" : program.string()};
}

std::string ConfigPaths::file_of(ConfigKind kind, const std::string& name) const {
  for (const std::string& folder : folders_) {
    const fs::path place = fs::path(folder) / folder_name(kind);
    const fs::path file = kind == ConfigKind::model ? place / name / "config.json" : place / (name + ".yaml");
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return file.string();
  }
  return "";
}

std::vector<std::string> ConfigPaths::names(ConfigKind kind) const {
  std::set<std::string> found;
  for (const std::string& folder : folders_) {
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(folder) / folder_name(kind), failed)) {
      const std::string name = kind == ConfigKind::model ? entry.path().filename().string() : entry.path().stem().string();
      // The same test as finding it, so that every listed name can be used.
      if (!file_of(kind, name).empty()) found.insert(name);
    }
  }
  return {found.begin(), found.end()};
}

ConfigFile ConfigPaths::find(ConfigKind kind, const std::string& word, const std::string& base, const SourceLocation& where) const {
  if (is_path(word)) {
    fs::path path = word;
    if (path.is_relative() && !base.empty()) path = fs::path(base) / path;
    std::error_code ignored;
    if (kind == ConfigKind::model && fs::is_regular_file(path / "config.json", ignored)) path /= "config.json";
    return {path.string(), word};
  }
  if (!word.empty()) {
    if (const std::string file = file_of(kind, word); !file.empty()) return {file, word};
  }
  const std::vector<std::string> known = names(kind);
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  const std::string all = list.empty() ? "none is installed; --configs DIR says where they are" : "known: " + list;
  throw UserError(where, "no " + noun(kind) + " " + quoted_word(word) + did_you_mean(word, known) + " (" + all + ")");
}

ConfigDocument ConfigPaths::document(const std::string& path) const {
  return cache_ ? cache_->document(path) : ConfigDocument::load(path);
}

ModelSpec ConfigPaths::model(const ConfigFile& file) const {
  return cache_ ? cache_->model(file.path, file.name) : load_model(file.path, file.name);
}

}  // namespace rooftrace
