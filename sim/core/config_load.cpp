// Files to documents: `extends` resolved before anyone reads a value.
//
// Promises: `extends: NAME` is NAME.yaml beside the file that says so, or a path from there; the extending file lies on top of the extended
// one, mappings merged deeply, scalars and lists replaced; a chain that comes back to a file is refused with the whole loop in one line.
// One budget of values for the whole chain. Not supported: `extends` anywhere but at the top of a file, and several parents.
#include <filesystem>
#include <system_error>
#include <utility>

#include "sim/core/config.hpp"
#include "sim/core/config_tree.hpp"
#include "sim/core/text_file.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;
using detail::ConfigValue;

struct Chain {
  std::vector<std::string> shown;  ///< As messages print them.
  std::vector<fs::path> real;      ///< Without "..", links and the like: what decides whether two names are one file.
  std::size_t budget = detail::kConfigNodes;

  void add(const std::string& path) {
    std::error_code error;
    fs::path canonical = fs::weakly_canonical(path, error);
    shown.push_back(path);
    real.push_back(error ? fs::path(path).lexically_normal() : canonical);
  }
};

std::unique_ptr<ConfigValue> resolve(const std::string& text, const std::string& file, Chain& chain);

// The entry `extends`, taken out of the mapping (its place in the order goes with it).
std::unique_ptr<ConfigValue> take_extends(ConfigValue& root) {
  auto taken = std::make_unique<ConfigValue>();
  taken->kind = ConfigValue::Kind::map;
  taken->where = root.where;
  std::unique_ptr<ConfigValue> extends;
  for (auto& entry : root.entries) {
    if (entry.key == "extends") {
      extends = std::move(entry.value);
    } else {
      taken->add(entry.key, entry.where, std::move(entry.value));
    }
  }
  root = std::move(*taken);
  return extends;
}

std::string extended_path(const std::string& name, const std::string& file) {
  fs::path path(name);
  const bool bare = name.find('/') == std::string::npos && path.extension() != ".yaml" && path.extension() != ".json";
  if (bare) path += ".yaml";
  return (fs::path(file).parent_path() / path).lexically_normal().string();
}

std::unique_ptr<ConfigValue> load_extended(const ConfigValue& extends, const std::string& file, Chain& chain) {
  const auto fail = [&](const std::string& why) { throw UserError(extends.where, "extends: " + why); };
  if (extends.kind != ConfigValue::Kind::scalar || extends.scalar.empty()) {
    fail("the name of one file is needed, not " + detail::describe(extends));
  }
  if (extends.scalar.find('\0') != std::string::npos) fail(quoted_word(extends.scalar) + " is not a file name");
  const std::string path = extended_path(extends.scalar, file);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) fail(quoted_word(extends.scalar) + " is not there (" + path + ")" + similar_file(path));
  chain.add(path);
  for (std::size_t i = 0; i + 1 < chain.real.size(); ++i) {
    if (chain.real[i] != chain.real.back()) continue;
    if (i + 2 == chain.real.size()) fail(quoted_word(extends.scalar) + " is this file itself");
    std::string loop;
    for (std::size_t j = i; j < chain.shown.size(); ++j) loop += (j > i ? " -> " : "") + chain.shown[j];
    fail("goes round in a loop: " + loop);
  }
  if (chain.shown.size() > detail::kConfigExtends) fail("the chain is longer than " + std::to_string(detail::kConfigExtends) + " files");
  return resolve(read_text_file(path), path, chain);
}

std::unique_ptr<ConfigValue> resolve(const std::string& text, const std::string& file, Chain& chain) {
  std::unique_ptr<ConfigValue> root = detail::parse_yaml(text, file, false, chain.budget);
  if (!root || root->kind == ConfigValue::Kind::null) throw UserError(SourceLocation{file, 0, 0}, "is empty");
  if (root->kind != ConfigValue::Kind::map) {
    throw UserError(root->where, "a file holds \"key: value\" lines, not " + detail::describe(*root));
  }
  root->where = {file, 0, 0};
  const std::unique_ptr<ConfigValue> extends = take_extends(*root);
  if (!extends) return root;
  std::unique_ptr<ConfigValue> base = load_extended(*extends, file, chain);
  detail::overlay(*base, std::move(root));
  return base;
}

}  // namespace

ConfigDocument ConfigDocument::load(const std::string& path) {
  return parse(read_text_file(path), path);
}

ConfigDocument ConfigDocument::parse(const std::string& text, const std::string& file) {
  Chain chain;
  chain.add(file);
  std::unique_ptr<ConfigValue> root = resolve(text, file, chain);
  detail::name_paths(*root, "");
  return ConfigDocument(std::move(root));
}

}  // namespace rooftrace
