#include "sim/app/sweep_point.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <new>
#include <set>

#include "analysis/summary.hpp"
#include "sim/app/model_choice.hpp"
#include "sim/app/peaks.hpp"
#include "sim/app/version.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

StageNumbers numbers_of(const Scenario& scenario, const StageResult& result) {
  constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
  const bool timed = scenario.fidelity == Fidelity::des;
  const StageSummary summary = summarize(result.kernels, peaks_of(scenario.machine), result.tokens, timed ? result.latency : 0);
  StageNumbers numbers;
  const auto& binding = summary.total.roofline.binding;
  numbers.binding = static_cast<std::uint8_t>(binding ? static_cast<int>(*binding) : kResources);
  numbers.columns = {timed ? to_seconds(summary.latency) : kMissing,
                     summary.tokens_per_second().value_or(kMissing),
                     summary.bound,
                     summary.ceiling_tokens_per_second().value_or(kMissing),
                     summary.ceiling,
                     summary.bound_reached().value_or(kMissing),
                     summary.ceiling_reached().value_or(kMissing),
                     static_cast<double>(summary.tokens),
                     summary.total.demand.flop()};
  std::size_t cell = 0;
  for (const auto& level : summary.total.q.bytes) {
    for (const auto& role : level) {
      std::uint64_t bytes = 0;
      for (const auto& direction : role) {
        for (const std::uint64_t cause : direction) bytes += cause;
      }
      numbers.q[cell++] = static_cast<double>(bytes);
    }
  }
  return numbers;
}

}  // namespace

std::string_view name(PointStatus status) {
  constexpr std::array<std::string_view, kPointStatuses> kNames = {"not_run", "left_out", "done", "failed"};
  return kNames.at(static_cast<std::size_t>(status));
}

PointRunner::PointRunner(const SweepSpec& spec, ConfigPaths paths, std::size_t kept, bool reuse)
    : spec_(spec), paths_(std::move(paths)), reuse_(kept, reuse) {
  paths_.remember_files();
}

Scenario PointRunner::load(std::uint64_t point) const {
  Options options;
  options.verb = "simulate";
  options.arguments = {paths_.find(ConfigKind::scenario, spec_.base, spec_.folder).path};
  options.sets = spec_.sets;
  for (std::string& assignment : spec_.assignments(point)) options.sets.push_back(std::move(assignment));
  return load_scenario(options, paths_);
}

PointRecord PointRunner::run(std::uint64_t point) {
  PointRecord record;
  try {
    const Scenario scenario = load(point);
    std::set<std::string> used;
    for (const WorkloadOptions& stage : scenario.stages) {
      StageNumbers numbers = numbers_of(scenario, *reuse_.run(scenario, stage));
      const std::string kind{name(stage.stage)};
      numbers.stage = kind;
      for (int i = 2; !used.insert(numbers.stage).second; ++i) numbers.stage = fmt::format("{}_{}", kind, i);
      record.stages.push_back(std::move(numbers));
    }
    record.status = PointStatus::done;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    record = {PointStatus::failed, error.what(), {}};
    for (char& c : record.message) {
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
  }
  return record;
}

std::vector<const SweepAxis*> PointRunner::idle_axes() const {
  constexpr std::size_t kTried = 3;
  std::vector<const SweepAxis*> idle;
  if (spec_.sampled || spec_.points() == 0) return idle;
  std::uint64_t stride = spec_.points();  // Between neighbours along the axis: the last axis is the fastest.
  for (const SweepAxis& axis : spec_.axes) {
    stride /= axis.size();
    if (axis.size() < 2) continue;
    try {
      const std::string first = load(0).config;
      bool changes = false;
      for (std::size_t i = 1; i <= kTried && !changes; ++i) changes = load(stride * (i * (axis.size() - 1) / kTried)).config != first;
      if (!changes) idle.push_back(&axis);
    } catch (const UserError&) {
      continue;  // Running the point will say what is wrong with it.
    }
  }
  return idle;
}

std::string PointRunner::identity_text() const {
  const ConfigFile base = paths_.find(ConfigKind::scenario, spec_.base, spec_.folder);
  const ConfigDocument document = paths_.document(base.path);
  std::string text = fmt::format("{} {}\n{}\n{}\n", version(), commit(), spec_.text, document.canonical());
  for (const std::string& filter : spec_.where) text += "where " + filter + "\n";
  const std::string base_folder = std::filesystem::path(base.path).parent_path().string();

  const auto add = [&](ConfigKind kind, const std::string& word, const std::string& folder) {
    const ConfigFile file = paths_.find(kind, word, folder);
    text += kind == ConfigKind::hardware ? paths_.document(file.path).canonical() : model_yaml(paths_.model({file.path, ""}));
  };
  const std::pair<const char*, ConfigKind> named[] = {{"hardware", ConfigKind::hardware}, {"model", ConfigKind::model}};
  for (const auto& [key, kind] : named) {
    const std::string prefix = std::string(key) + "=";
    bool replaced = false;
    for (const std::string& set : spec_.sets) {
      if (!set.starts_with(prefix)) continue;
      add(kind, set.substr(prefix.size()), "");
      replaced = true;
    }
    for (const SweepKey* axis : spec_.keys()) {
      if (axis->key != key) continue;
      std::set<std::string> words;
      for (std::size_t i = 0; i < axis->labels.size(); ++i) words.emplace(axis->setting(i));
      for (const std::string& word : words) {
        if (!word.empty()) add(kind, word, "");
      }
      replaced = true;
    }
    const auto own = document.root().find(key);
    if (replaced || !own) continue;
    if (!own->is_map()) {
      add(kind, own->string(), base_folder);
    } else if (const auto extended = own->find(kind == ConfigKind::hardware ? "extends" : "name")) {
      add(kind, extended->string(), base_folder);
    }
  }
  return text;
}

}  // namespace rooftrace
