// From what a user calls a model to the model: a name, a path to a config.json, or a mapping with changes, and `--set model.*` on top.
//
// Changes are to the fields of ModelSpec, under their own names (layers, window ...) or under the names that config.json has for them
// (num_hidden_layers, sliding_window ...); a key of config.json that moves no byte is no field and is refused. Promise: what comes out
// obeys the same limits as a file would (heads that divide, values in range).
#pragma once

#include <string>
#include <vector>

#include "sim/app/config_paths.hpp"
#include "sim/core/config.hpp"
#include "traces/model_spec.hpp"

namespace rooftrace {

/// `sets` are the assignments behind "model." ("window=1024"); `base` the folder that relative paths count from.
[[nodiscard]] ModelSpec choose_model(const std::string& word, const std::vector<std::string>& sets, const ConfigPaths& paths,
                                     const std::string& base = "", const SourceLocation& where = {});
/// A scenario's `model:` value: a word as above, or a mapping {name: WORD, changes ...}; a mapping with every field needs no file.
[[nodiscard]] ModelSpec choose_model(const ConfigNode& node, const std::vector<std::string>& sets, const ConfigPaths& paths,
                                     const std::string& base);

/// The complete model as the mapping that choose_model reads back: a block mapping that starts at column 1.
[[nodiscard]] std::string model_yaml(const ModelSpec& model);

}  // namespace rooftrace
