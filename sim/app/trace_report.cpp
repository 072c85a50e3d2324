// trace info: totals by class and by role, as a table and as JSON.
#include "sim/app/trace_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "sim/app/table.hpp"
#include "traces/file/trace_totals.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, RecordTotals::kOps> kOpNames = {"load", "store", "reduce"};

struct StageTotals {
  RecordTotals all;
  std::map<KernelClass, RecordTotals> classes;
};

StageTotals totals_of(const TraceFileStage& stage) {
  StageTotals totals;
  const std::vector<RecordTotals> each = record_totals(stage);
  for (std::size_t k = 0; k < each.size(); ++k) {
    totals.all += each[k];
    totals.classes[stage.trace.kernels[k].kernel_class] += each[k];
  }
  return totals;
}

/// Bytes of one op over all roles and homes.
std::uint64_t bytes_of(const RecordTotals& totals, std::size_t op) {
  std::uint64_t sum = 0;
  for (const auto& role : totals.bytes) {
    for (const auto& home : role) sum += home[op];
  }
  return sum;
}

std::string class_table(const StageTotals& totals) {
  Table table(
      {{"", "class"}, {"", "kernels"}, {"", "blocks"}, {"", "steps"}, {"", "accesses"}, {"", "load"}, {"", "store"}, {"", "reduce"}});
  const auto row = [&](const std::string& title, const RecordTotals& sum) {
    table.row({title, fmt::to_string(sum.kernels), fmt::to_string(sum.blocks), fmt::to_string(sum.steps), fmt::to_string(sum.accesses),
               si_whole(bytes_of(sum, 0), "B", 4), si_whole(bytes_of(sum, 1), "B", 4), si_whole(bytes_of(sum, 2), "B", 4)});
  };
  for (const auto& [kernel_class, sum] : totals.classes) row(std::string(name(kernel_class)), sum);
  table.rule();
  row("all", totals.all);
  return table.text("  ");
}

std::string role_table(const RecordTotals& totals) {
  Table table({{"", "role"}, {"", "home"}, {"", "load"}, {"", "store"}, {"", "reduce"}});
  for (std::size_t role = 0; role < totals.bytes.size(); ++role) {
    for (std::size_t home = 0; home < RecordTotals::kHomes; ++home) {
      const auto& bytes = totals.bytes[role][home];
      if (bytes[0] + bytes[1] + bytes[2] == 0) continue;
      table.row({std::string(name(static_cast<TensorRole>(role))), std::string(name(static_cast<Home>(home))), si_whole(bytes[0], "B", 4),
                 si_whole(bytes[1], "B", 4), si_whole(bytes[2], "B", 4)});
    }
  }
  return table.text("  ");
}

/// One line of a note: long ones (a scenario) say how long they are.
std::string note_line(const std::string& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return text;
  return fmt::format("{} lines (--format json prints them)", std::count(text.begin(), text.end(), '\n'));
}

std::string stage_title(const TraceFileStage& stage) {
  const TraceStageInfo& i = stage.info;
  std::string out = fmt::format("{}: {} tokens", name(i.stage), i.tokens);
  if (!i.model.empty()) out += fmt::format(", {} (weights {}, KV {})", i.model, i.weights, i.kv);
  if (i.batch > 0) out += fmt::format(", batch {}", i.batch);
  if (i.context > 0) out += fmt::format(", context {}", i.context);
  if (i.prompt > 0) out += fmt::format(", prompt {}", i.prompt);
  if (i.gpus > 1) out += fmt::format(", one of {} GPUs", i.gpus);
  return out + "\n";
}

std::uint64_t stored_kernels(const TraceFileStage& stage) {
  std::uint64_t stored = 0;
  for (std::uint32_t k = 0; k < stage.kernels.size(); ++k) stored += stage.kernels[k].like == k ? 1 : 0;
  return stored;
}

std::string measured_line(const TraceFileStage& stage) {
  double sum = 0;
  std::uint64_t count = 0;
  for (const TraceFileKernel& kernel : stage.kernels) {
    if (!kernel.measured_ns) continue;
    sum += *kernel.measured_ns;
    ++count;
  }
  return count == 0 ? "" : fmt::format("  measured: {} kernels, {} together\n", count, si(sum * 1e-9, "s", 4));
}

Json sum_json(const RecordTotals& totals) {
  Json out;
  out["kernels"] = totals.kernels;
  out["blocks"] = totals.blocks;
  out["steps"] = totals.steps;
  out["accesses"] = totals.accesses;
  out["bytes"] = Json::array();
  for (std::size_t role = 0; role < totals.bytes.size(); ++role) {
    for (std::size_t home = 0; home < RecordTotals::kHomes; ++home) {
      for (std::size_t op = 0; op < RecordTotals::kOps; ++op) {
        const std::uint64_t bytes = totals.bytes[role][home][op];
        if (bytes == 0) continue;
        out["bytes"].push_back({{"role", name(static_cast<TensorRole>(role))},
                                {"home", name(static_cast<Home>(home))},
                                {"op", kOpNames[op]},
                                {"bytes", bytes}});
      }
    }
  }
  return out;
}

Json kernel_json(const TraceFileStage& stage, std::uint32_t k) {
  const Kernel& kernel = stage.trace.kernels[k];
  const TraceFileKernel& extra = stage.kernels[k];
  Json out;
  out["index"] = k;
  out["label"] = kernel.label;
  out["kernel_class"] = name(kernel.kernel_class);
  out["layer"] = kernel.layer;
  out["stream"] = kernel.stream;
  out["grid"] = kernel.grid;
  out["blocks_per_sm"] = kernel.blocks_per_sm;
  out["depth"] = kernel.depth;
  out["repeats"] = extra.like == k ? Json(nullptr) : Json(extra.like);
  out["measured_ns"] = extra.measured_ns ? Json(*extra.measured_ns) : Json(nullptr);
  out["source_name"] = extra.source_name;
  return out;
}

Json stage_json(const TraceFileStage& stage) {
  const StageTotals totals = totals_of(stage);
  const TraceStageInfo& info = stage.info;
  Json out;
  out["stage"] = name(info.stage);
  out["tokens"] = info.tokens;
  out["gpus"] = info.gpus;
  out["batch"] = info.batch;
  out["context"] = info.context;
  out["prompt"] = info.prompt;
  out["model"] = info.model;
  out["weights"] = info.weights;
  out["kv"] = info.kv;
  out["seed"] = info.seed;
  out["layer_stride"] = info.layer_stride;
  out["address_end"] = stage.trace.address_end;
  out.update(sum_json(totals.all));
  out["classes"] = Json::array();
  for (const auto& [kernel_class, sum] : totals.classes) {
    Json one;
    one["kernel_class"] = name(kernel_class);
    one.update(sum_json(sum));
    out["classes"].push_back(one);
  }
  // "kernels" is the count above; the list has a name of its own.
  out["kernel_list"] = Json::array();
  for (std::uint32_t k = 0; k < stage.kernels.size(); ++k) out["kernel_list"].push_back(kernel_json(stage, k));
  return out;
}

}  // namespace

std::string trace_info_text(const TraceFile& file) {
  const std::uint64_t records = file.steps + file.accesses;
  std::string out = fmt::format("{}: trace, version {}, {}\n", file.path, 1, si_whole(file.bytes, "B", 4));
  out += fmt::format("stored: {} blocks, {} steps of {} kinds, {} accesses of {} shapes ({:.2f} bytes a record)\n", file.blocks, file.steps,
                     file.kinds, file.accesses, file.shapes,
                     records == 0 ? 0 : static_cast<double>(file.bytes) / static_cast<double>(records));
  for (const auto& [key, value] : file.notes) out += fmt::format("{}: {}\n", key, note_line(value));
  if (!file.tensors.empty()) out += fmt::format("tensors: {}\n", file.tensors.size());
  for (const TraceFileStage& stage : file.stages) {
    const StageTotals totals = totals_of(stage);
    out += "\n" + stage_title(stage);
    out += fmt::format("  {} kernels, {} of them stored, the others repeat one of these in another layer\n", stage.kernels.size(),
                       stored_kernels(stage));
    out += measured_line(stage);
    out += "\n" + class_table(totals) + "\n" + role_table(totals.all);
  }
  return out;
}

std::string trace_info_json(const TraceFile& file) {
  Json out;
  out["format"] = "rooftrace-trace-info";
  out["format_version"] = 1;
  out["file"] = file.path;
  out["bytes"] = file.bytes;
  out["notes"] = Json::object();
  for (const auto& [key, value] : file.notes) {
    if (!out["notes"].contains(key)) out["notes"][key] = value;
  }
  out["records"] = {
      {"blocks", file.blocks}, {"steps", file.steps}, {"accesses", file.accesses}, {"shapes", file.shapes}, {"kinds", file.kinds}};
  out["tensors"] = Json::array();
  for (const TraceTensor& tensor : file.tensors) {
    out["tensors"].push_back(
        {{"name", tensor.name}, {"base", tensor.base}, {"bytes", tensor.bytes}, {"role", name(tensor.role)}, {"home", name(tensor.home)}});
  }
  out["stages"] = Json::array();
  for (const TraceFileStage& stage : file.stages) out["stages"].push_back(stage_json(stage));
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace rooftrace
