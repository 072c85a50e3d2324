// Reading a sweep file, key by key.
#include "sim/app/sweep_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "sim/app/config_text.hpp"
#include "sim/app/sweep_values.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kMostPoints = 1'000'000;

std::string plain_name(std::string key) {
  for (const char* prefix : {"hardware.", "model."}) {
    if (key.starts_with(prefix)) key = key.substr(std::string_view(prefix).size());
  }
  std::replace(key.begin(), key.end(), '.', '_');
  return key;
}

/// A value as YAML in one line: a scalar, or a list of them.
std::string one_line(const ConfigNode& node) {
  if (node.is_map()) node.fail("a mapping is no value of a sweep; give its keys axes of their own");
  if (node.is_list()) {
    std::string text;
    for (const ConfigNode& item : node.items()) text += (text.empty() ? "" : ", ") + one_line(item);
    return "[" + text + "]";
  }
  const std::string text = node.string();
  const bool safe = text.find_first_of(":#{}[],&*!|>'\"%@`\\") == std::string::npos && text != "null" && text != "~";
  return safe ? text : yaml_scalar(text);
}

/// Paths in a sweep file count from its folder, those of --set from the current one: turn the one into the other.
std::string placed(const std::string& key, const std::string& setting, const std::string& folder) {
  if (key != "hardware" && key != "model") return setting;
  const bool path = setting.find('/') != std::string::npos || setting.ends_with(".yaml") || setting.ends_with(".json");
  if (!path || folder.empty() || std::filesystem::path(setting).is_absolute()) return setting;
  return (std::filesystem::path(folder) / setting).string();
}

void find_numbers(SweepKey& key) {
  key.numeric = !key.labels.empty();
  key.numbers.reserve(key.labels.size());
  for (std::size_t i = 0; i < key.labels.size(); ++i) {
    const std::string label{key.labels[i]};
    double value = 0;
    std::string units;
    if (!read_number(label, value, units) || (!key.numbers.empty() && units != key.units)) {
      key.numeric = false;
      break;
    }
    key.units = units;
    key.whole = key.whole && units.empty() && label.find_first_not_of("-0123456789") == std::string::npos;
    key.numbers.push_back(value);
  }
  if (key.numeric) return;
  key.numbers = {};
  key.units.clear();
  key.whole = false;
}

SweepKey read_key(const ConfigNode& node, const std::string& folder, const std::vector<double>* shares) {
  SweepKey key;
  const ConfigNode name = node["key"];
  key.key = name.string();
  key.where = name.where();
  if (key.key.empty() || key.key.find_first_of("= \t") != std::string::npos) name.fail(quoted_word(key.key) + " is not a key");
  const auto own = node.find("name");
  key.name = own ? own->string() : plain_name(key.key);
  const auto values = node.find("values");
  const auto range = node.find("range");
  if (values.has_value() == range.has_value()) node.fail("an axis has either values or a range");
  if (range) {
    key.labels = shares == nullptr ? SweepLabels(range_values(*range)) : sampled_range(*range, *shares);
  } else {
    for (const ConfigNode& item : values->items()) {
      const bool keep = !item.is_map() && !item.is_list() && item.string().empty();
      key.labels.push_back(keep ? "" : one_line(item));
    }
    if (key.labels.empty()) values->fail("has no value");
    if (shares != nullptr) key.labels = sampled_list(key.labels, *shares);
    if (key.key == "hardware" || key.key == "model") {
      for (std::size_t i = 0; i < key.labels.size(); ++i) key.settings.push_back(placed(key.key, std::string(key.labels[i]), folder));
    }
  }
  find_numbers(key);
  return key;
}

void check_names(const std::vector<SweepAxis>& axes) {
  static const std::set<std::string> kTaken = {"stage",    "level",           "role",         "status",     "message",
                                               "point_id", "latency",         "bound",        "ceiling",    "ceiling_time",
                                               "q",        "binding",         "tokens_per_s", "message_id", "bound_reached",
                                               "tokens",   "ceiling_reached", "flop",         "q_l2",       "q_hbm",
                                               "q_nvlink", "q_pcie",          "and",          "or",         "not"};
  std::set<std::string> used, keys;
  const auto take = [&](const std::string& name, const SweepKey& key, bool sampled) {
    const bool plain = !name.empty() && std::isalpha(static_cast<unsigned char>(name.front())) != 0 &&
                       name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos;
    if (!plain) throw UserError(key.where, quoted_word(name) + " is no name for an axis: letters, digits and _ only");
    if (kTaken.contains(name) || (name == "point" && !sampled)) {
      throw UserError(key.where, quoted_word(name) + " is a variable of every sweep; give the axis another name");
    }
    if (!used.insert(name).second) throw UserError(key.where, "two axes are called " + quoted_word(name) + "; give one another name");
  };
  for (const SweepAxis& axis : axes) {
    for (const SweepKey& key : axis.keys) {
      take(key.name, key, false);
      if (!keys.insert(key.key).second) throw UserError(key.where, "the key " + quoted_word(key.key) + " is on two axes");
    }
  }
}

std::vector<SweepAxis> read_axes(const ConfigNode& list, const std::string& folder, SweepSample* sample) {
  std::vector<SweepAxis> axes;
  for (const ConfigNode& item : list.items()) {
    SweepAxis axis;
    std::vector<double> shares;
    if (sample != nullptr) shares = sample->next_axis();
    const std::vector<double>* const drawn = sample == nullptr ? nullptr : &shares;
    if (const auto zip = item.find("zip")) {
      for (const ConfigNode& one : zip->items()) axis.keys.push_back(read_key(one, folder, drawn));
      if (axis.keys.empty()) zip->fail("is empty");
      for (const SweepKey& key : axis.keys) {
        if (key.labels.size() == axis.size()) continue;
        zip->fail(fmt::format("zipped keys need equally many values: {} has {}, {} has {}", axis.keys.front().key, axis.size(), key.key,
                              key.labels.size()));
      }
      const auto own = item.find("name");
      if (own) axis.keys.front().name = own->string();
    } else {
      axis.keys.push_back(read_key(item, folder, drawn));
    }
    axis.name = axis.keys.front().name;
    axes.push_back(std::move(axis));
  }
  if (axes.empty()) list.fail("is empty");
  check_names(axes);
  return axes;
}

/// A sample is one axis, along which all keys change at once.
std::vector<SweepAxis> one_axis(std::vector<SweepAxis> axes) {
  SweepAxis point;
  point.name = "point";
  for (SweepAxis& axis : axes) {
    for (SweepKey& key : axis.keys) point.keys.push_back(std::move(key));
  }
  return {point};
}

}  // namespace

std::uint64_t SweepSpec::points() const {
  std::uint64_t product = 1;
  for (const SweepAxis& axis : axes) product *= axis.size();
  return product;
}

std::vector<std::size_t> SweepSpec::position(std::uint64_t point) const {
  std::vector<std::size_t> at(axes.size());
  for (std::size_t i = axes.size(); i-- > 0; point /= axes[i].size()) at[i] = static_cast<std::size_t>(point % axes[i].size());
  return at;
}

std::vector<std::string> SweepSpec::assignments(std::uint64_t point) const {
  const std::vector<std::size_t> at = position(point);
  std::vector<std::string> all;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    for (const SweepKey& key : axes[i].keys) {
      if (!key.labels[at[i]].empty()) all.push_back(fmt::format("{}={}", key.key, key.setting(at[i])));
    }
  }
  return all;
}

std::vector<const SweepKey*> SweepSpec::keys() const {
  std::vector<const SweepKey*> all;
  for (const SweepAxis& axis : axes) {
    for (const SweepKey& key : axis.keys) all.push_back(&key);
  }
  return all;
}

SweepSpec parse_sweep(const ConfigDocument& document, const std::string& folder, const std::vector<std::string>& more_where) {
  const ConfigNode root = document.root();
  SweepSpec spec;
  spec.folder = folder;
  spec.text = document.canonical();
  spec.base = root["base"].string();
  const auto title = root.find("title");
  spec.title = title ? title->string() : "sweep of " + spec.base;
  if (const auto set = root.find("set")) {
    for (const auto& [key, value] : set->entries()) spec.sets.push_back(key + "=" + placed(key, one_line(value), folder));
  }
  const auto sample_node = root.find("sample");
  if (sample_node) {
    SweepSample sample(*sample_node);
    spec.axes = one_axis(read_axes(root["axes"], folder, &sample));
    spec.sampled = true;
  } else {
    spec.axes = read_axes(root["axes"], folder, nullptr);
  }
  if (const auto where = root.find("where")) {
    if (where->is_list()) {
      for (const ConfigNode& item : where->items()) spec.where.push_back(item.string());
    } else {
      spec.where.push_back(where->string());
    }
  }
  document.check_all_read();
  spec.more_where = more_where;
  spec.where.insert(spec.where.end(), more_where.begin(), more_where.end());
  std::uint64_t points = 1;
  for (const SweepAxis& axis : spec.axes) {
    points *= axis.size();
    if (points > kMostPoints) root["axes"].fail(fmt::format("make more than {} points; sample them", kMostPoints));
  }
  return spec;
}

}  // namespace rooftrace
