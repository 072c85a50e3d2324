// The document of report_json.hpp.
//
// Promises: prints only what analysis/summary.hpp computed; the schema is in the header.
#include "sim/app/report_json.hpp"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "analysis/summary.hpp"
#include "sim/app/peaks.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kAllPipes = {Pipe::tensor, Pipe::cuda, Pipe::sfu};
constexpr std::array kAllLevels = {LevelId::l2, LevelId::hbm, LevelId::nvlink, LevelId::pcie};

template <typename Word>
std::string word(Word value) {
  return std::string(name(value));
}

Json or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json or_null(const std::optional<Resource>& value) {
  return value ? Json(word(*value)) : Json(nullptr);
}

Json finite_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

/// Below fidelity des times are 0, which here means "not simulated".
Json simulated(Time time) {
  return time > 0 ? Json(to_seconds(time)) : Json(nullptr);
}

void put_work(Json& out, const Demand& demand) {
  out["flop"] = demand.flop();
  out["tensor_flop"] = demand.work[static_cast<std::size_t>(Pipe::tensor)];
  out["cuda_flop"] = demand.work[static_cast<std::size_t>(Pipe::cuda)];
  out["sfu_op"] = demand.work[static_cast<std::size_t>(Pipe::sfu)];
}

void put_bytes(Json& out, const Demand& demand) {
  for (LevelId level : kAllLevels) {
    for (Direction direction : {Direction::read, Direction::write}) {
      out[word(level) + "_" + word(direction) + "_bytes"] =
          demand.bytes[static_cast<std::size_t>(level)][static_cast<std::size_t>(direction)];
    }
  }
}

void put_roofline(Json& out, const Roofline& roof, double bound, Time time) {
  out["pi_flop_per_s"] = roof.pi;
  for (LevelId id : kAllLevels) {
    const LevelRoofline& level = roof.level(id);
    out["levels"][word(id)] = {{"serial_bytes", level.bytes},
                               {"intensity_flop_per_byte", finite_or_null(level.intensity)},
                               {"ceiling_flop_per_s", level.ceiling},
                               {"time_s", roof.seconds_of(resource_of(id))},
                               {"memory_bound", level.memory_bound}};
  }
  for (Pipe pipe : kAllPipes) out["pipes"][word(pipe)] = {{"time_s", roof.seconds_of(resource_of(pipe))}};
  out["binding"] = or_null(roof.binding);
  out["bound_s"] = bound;
  out["simulated_s"] = simulated(time);
  out["bound_reached"] = time > 0 ? Json(bound / to_seconds(time)) : Json(nullptr);
}

void put_cache(Json& out, const CacheCounts& cache, const std::optional<double>& hit_rate) {
  out["l2_sectors_read"] = cache.sectors_read;
  out["l2_sectors_hit"] = cache.sectors_hit;
  out["l2_hit_rate"] = or_null(hit_rate);
  out["l2_fabric_bytes"] = cache.fabric_bytes;
}

Json sum_json(const KernelSum& sum, double bound, Time time, const std::string& kernel_class) {
  Json out;
  out["kernel_class"] = kernel_class;
  out["kernels"] = sum.kernels;
  put_work(out, sum.demand);
  put_bytes(out, sum.demand);
  put_cache(out, sum.cache, sum.hit_rate());
  put_roofline(out, sum.roofline, bound, time);
  return out;
}

Json byte_counts(const ByteCounts& q) {
  Json out = Json::array();
  for (int level = 0; level < kLevels; ++level) {
    for (int role = 0; role < kTensorRoles; ++role) {
      for (int direction = 0; direction < kDirections; ++direction) {
        for (int cause = 0; cause < kCauses; ++cause) {
          const auto l = static_cast<LevelId>(level);
          const auto r = static_cast<TensorRole>(role);
          const auto d = static_cast<Direction>(direction);
          const auto c = static_cast<Cause>(cause);
          const std::uint64_t bytes = q.at(l, r, d, c);
          if (bytes == 0) continue;
          out.push_back({{"level", word(l)}, {"role", word(r)}, {"direction", word(d)}, {"cause", word(c)}, {"bytes", bytes}});
        }
      }
    }
  }
  return out;
}

Json kernel_json(const KernelRecord& kernel, const Peaks& peaks) {
  const Demand demand = demand_of(kernel, peaks);
  const Roofline roof = roofline(demand, peaks);
  Json out;
  out["label"] = kernel.label;
  out["kernel_class"] = word(kernel.kernel_class);
  out["layer"] = kernel.layer;
  out["stream"] = kernel.stream;
  out["waits_for"] = kernel.waits_for;
  out["grid"] = kernel.grid;
  out["blocks_per_sm"] = kernel.blocks_per_sm;
  out["tensor_type"] = word(kernel.tensor_type);
  out["replicated"] = kernel.replicated;
  out["start_s"] = kernel.end > 0 ? Json(to_seconds(kernel.start)) : Json(nullptr);
  out["end_s"] = simulated(kernel.end);
  put_work(out, demand);
  put_bytes(out, demand);
  KernelSum alone;
  alone.cache = kernel.cache;
  put_cache(out, kernel.cache, alone.hit_rate());
  put_roofline(out, roof, roof.bound, kernel.end - kernel.start);
  out["byte_counts"] = byte_counts(kernel.q);
  return out;
}

Json stage_json(const StageResult& stage, const StageSummary& summary, const Peaks& peaks, JsonKernels kernels) {
  Json out;
  out["stage"] = word(stage.stage);
  out["batch"] = stage.batch;
  out["length"] = stage.length;
  out["tokens"] = stage.tokens;
  out["latency_s"] = simulated(stage.latency);
  out["bound_s"] = summary.bound;
  out["bound_from"] = summary.bound_resource ? word(*summary.bound_resource) : "longest_path";
  out["longest_path_s"] = to_seconds(summary.longest_path);
  out["ceiling_s"] = summary.ceiling;
  out["ceiling_binding"] = or_null(summary.ceiling_binding);
  out["tokens_per_s"] = or_null(summary.tokens_per_second());
  out["ceiling_tokens_per_s"] = or_null(summary.ceiling_tokens_per_second());
  out["bound_reached"] = or_null(summary.bound_reached());
  out["ceiling_reached"] = or_null(summary.ceiling_reached());
  out["total"] = sum_json(summary.total, summary.bound, summary.latency, "all");
  out["classes"] = Json::array();
  for (const KernelSum& sum : summary.classes) out["classes"].push_back(sum_json(sum, sum.bound, sum.simulated, word(sum.kernel_class)));
  put_bytes(out["compulsory"], summary.compulsory);
  out["byte_counts"] = byte_counts(summary.total.q);
  if (kernels == JsonKernels::include) {
    out["kernels"] = Json::array();
    for (const KernelRecord& kernel : stage.kernels) out["kernels"].push_back(kernel_json(kernel, peaks));
  }
  return out;
}

/// Tensor rates of the types that the machine has itself, not those it widens to.
Json peaks_json(const Peaks& peaks, const MachineSpec& machine) {
  Json out;
  for (const auto& [type, rate] : machine.sm.tensor_peak) out["tensor_flop_per_s"][word(type)] = peaks.pi(Pipe::tensor, type);
  out["cuda_flop_per_s"] = peaks.cuda;
  out["sfu_op_per_s"] = peaks.sfu;
  for (LevelId level : kAllLevels) out[word(level) + "_bytes_per_s"] = peaks.beta_of(level);
  return out;
}

}  // namespace

std::string report_json(const RunResult& result, JsonKernels kernels) {
  const Peaks peaks = peaks_of(result.machine);
  Json out;
  out["format"] = "rooftrace-report";
  out["format_version"] = 1;
  out["rooftrace_version"] = result.version;
  out["rooftrace_commit"] = result.commit;
  out["command"] = result.command;
  out["seed"] = result.seed;
  out["hardware"] = result.hardware;
  out["hardware_title"] = result.machine.title;
  out["model"] = result.model;
  out["weights"] = result.weights;
  out["kv"] = result.kv;
  out["tp"] = result.tp;
  out["batch"] = result.batch;
  out["context"] = result.context;
  out["prompt"] = result.prompt;
  out["fidelity"] = word(result.fidelity);
  out["layers"] = result.layers;
  out["start_state"] = result.start_state;
  out["contention"] = result.contention;
  out["peaks"] = peaks_json(peaks, result.machine);
  out["stages"] = Json::array();
  std::vector<StageSummary> summaries;
  for (const StageResult& stage : result.stages) {
    summaries.push_back(summarize(stage.kernels, peaks, stage.tokens, stage.latency));
    out["stages"].push_back(stage_json(stage, summaries.back(), peaks, kernels));
  }
  const StepSummary step = whole_step(summaries, peaks);
  out["step"] = {{"bound_s", step.bound},
                 {"ceiling_s", step.ceiling},
                 {"latency_s", simulated(step.latency)},
                 {"binding", or_null(step.roofline.binding)}};
  out["config"] = result.config;
  // A path in the command line need not be UTF-8; it must not break the report.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace rooftrace
