// gemm: time and bytes of one GEMM, by a kernel of known tiles or by a library's best.
//
// `cublas` stands for the best of a library: of the tilings in library() the one that the simulation finds fastest. Operands start outside
// the cache: measured buffers rotate or other kernels run between. What a dtype stands for is one table, formats().
#include <fmt/format.h>

#include <charconv>

#include "sim/app/suite_kernels.hpp"
#include "sim/app/suite_protocol.hpp"
#include "traces/elementwise.hpp"
#include "traces/gemm.hpp"

namespace rooftrace {
namespace {

/// What runs before a GEMM whose activations are narrower than 16 bit, unless the measured call was handed narrow ones.
enum class Quantise : std::uint8_t { none, fixed, dynamic };

struct Format {
  DataType a, b, c, tensor;
  Quantise quantise = Quantise::none;
  std::uint32_t group = 0;  ///< Elements of a row of B that share a scale; 0: no scales, or too few to count.
  DataType scale = DataType::bf16;
};

/// fp8: one scale per tensor, found before: cleared, found, activations quantised in three kernels, as the measured calls do (TensorRT-LLM,
/// cudaFp8Utils.cu, dynamic, per tensor). With a scale that is known, or found per row or group while quantising, that is one kernel. Of
/// the scales only those of B are read, and not those of fp8_block (one of 16,384 elements); rates that block scales cost are not modeled.
const std::map<std::string, Format>& formats() {
  using enum DataType;
  static const std::map<std::string, Format> table = {{"w8a16", {bf16, int8, bf16, bf16}},
                                                      {"int8_wo", {bf16, int8, bf16, bf16}},
                                                      {"w4a16", {bf16, int4, bf16, bf16, Quantise::none, 128}},
                                                      {"int4_wo", {bf16, int4, bf16, bf16, Quantise::none, 128}},
                                                      {"w4a16g32", {bf16, int4, bf16, bf16, Quantise::none, 32}},
                                                      {"w4a16_mxfp4", {bf16, fp4, bf16, bf16, Quantise::none, 32, fp8}},
                                                      {"fp8", {fp8, fp8, bf16, fp8, Quantise::dynamic}},
                                                      {"fp8_static", {fp8, fp8, bf16, fp8, Quantise::fixed}},
                                                      {"fp8_block", {fp8, fp8, bf16, fp8, Quantise::fixed}},
                                                      {"fp8_ootb", {fp8, fp8, bf16, fp8, Quantise::dynamic}},
                                                      {"w4afp8", {fp8, int4, bf16, fp8, Quantise::fixed, 128}},
                                                      {"w4a8", {fp8, int4, bf16, fp8, Quantise::fixed, 128}},
                                                      {"int8", {int8, int8, bf16, int8, Quantise::fixed}},
                                                      {"w8a8", {int8, int8, bf16, int8, Quantise::fixed}},
                                                      {"sq", {int8, int8, bf16, int8, Quantise::fixed}},
                                                      {"fp4", {fp4, fp4, bf16, fp4, Quantise::fixed, 16, fp8}},
                                                      {"nvfp4", {fp4, fp4, bf16, fp4, Quantise::fixed, 16, fp8}},
                                                      {"mxfp4", {fp4, fp4, bf16, fp4, Quantise::fixed, 32, fp8}}};
  return table;
}

Format format_of(const SuiteRow& row) {
  const auto known = formats().find(row.text("dtype"));
  if (known != formats().end()) return known->second;
  const DataType type = row.data_type("dtype");
  return {type, type, bytes_per_element(type) < 2 ? DataType::bf16 : type, type};
}

struct Shape {
  std::uint64_t m, n, k;
  Format types;
};

GemmProblem problem_of(const Shape& s, const GemmTiling& tiling, Operands& operands) {
  GemmProblem p;
  p.a = operands.matrix(s.m, s.k, s.types.a);
  p.b = operands.matrix(s.n, s.k, s.types.b, TensorRole::weights);
  p.c = operands.matrix(s.m, s.n, s.types.c);
  if (s.types.group > 0) {
    p.b_scales = operands.matrix(s.n, (s.k + s.types.group - 1) / s.types.group, s.types.scale, TensorRole::weights);
    p.b_scales.role = TensorRole::scales;
  }
  if (tiling.split_k > 1) p.workspace = operands.matrix(s.m * tiling.split_k, s.n, DataType::fp32);
  p.workspace.produced = true;
  p.tensor_type = s.types.tensor;
  return p;
}

Trace gemm_trace(const DeviceShape& gpu, const Shape& s, const GemmTiling& tiling, Quantise quantise) {
  Operands operands;
  const GemmProblem problem = problem_of(s, tiling, operands);
  std::vector<Kernel> kernels;
  if (quantise == Quantise::fixed) {
    kernels.push_back(make_activation(gpu, operands.matrix(s.m, s.k, DataType::bf16), problem.a, Activation::relu));
    kernels.back().work = {};
    kernels.back().label = "quantise";
  } else if (quantise == Quantise::dynamic) {
    const Matrix wide = operands.matrix(s.m, 2 * s.k, s.types.a);  // 16 bit per element: two columns of eight.
    StreamProblem clear;
    clear.destinations = {operands.range(256)};
    kernels.push_back(make_stream(gpu, clear));
    kernels.back().label = "clear scale";
    StreamProblem largest;
    largest.sources = {{wide.address, wide.bytes()}};
    largest.step_bytes = 4096;
    largest.chunk_bytes = 16384;
    largest.blocks_per_sm = 8;
    kernels.push_back(make_stream(gpu, largest));
    kernels.back().label = "largest activation";
    // As many bytes as the gate and up halves that silu-mul reads in 8 bit.
    kernels.push_back(make_silu_mul(gpu, wide, problem.a));
    kernels.back().work = {};
    kernels.back().label = "quantise";
  }
  kernels.push_back(make_gemm(gpu, problem, tiling));
  if (tiling.split_k > 1) kernels.push_back(make_split_k_reduce(gpu, problem, tiling));
  return trace_of(std::move(kernels), operands);
}

GemmTiling tiled(const SuiteRow& row, const DeviceShape& gpu, const Format& types) {
  GemmTiling t;
  t.block_m = static_cast<std::uint32_t>(row.integer("block_m", 1, 4096));
  t.block_n = static_cast<std::uint32_t>(row.integer("block_n", 1, 4096));
  t.block_k = static_cast<std::uint32_t>(row.integer("block_k", 1, 4096));
  t.blocks_per_sm = static_cast<std::uint32_t>(row.integer("blocks_per_sm", 1, 64));
  t.persistent = row.integer_or("persistent", 0, 1, 0) == 1;
  const std::string& raster = row.text("raster");
  if (raster.starts_with("grouped:")) {
    t.raster = Raster::grouped;
    const auto [stop, error] = std::from_chars(raster.data() + 8, raster.data() + raster.size(), t.group_m);
    if (error != std::errc{} || stop != raster.data() + raster.size() || t.group_m == 0) unknown_word(row, "raster", "grouped:G");
  } else if (raster == "column_major") {
    t.raster = Raster::column_major;
  } else if (raster != "row_major") {
    unknown_word(row, "raster", "row_major, column_major, grouped:G");
  }
  // Double-buffered before asynchronous copies; with them four stages, fewer where shared memory is short.
  const std::uint64_t share = gpu.shared_memory_per_sm / t.blocks_per_sm;
  t.stages = gpu.async_copy ? 4 : 2;
  while (t.stages > 2 &&
         t.stages * gemm_stage_bytes(t, types.a, types.b) + 1024 > std::min<std::uint64_t>(share, gpu.shared_memory_per_block))
    --t.stages;
  return t;
}

/// The three best of the rule, each of another tile shape; the rule's choice alone where simulating more would take long.
std::vector<GemmTiling> library(const DeviceShape& gpu, const Shape& s, GemmLibrary kernels) {
  constexpr double kCheapFlop = 4e11;
  const double flop = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  return gemm_tiling_candidates(gpu, s.m, s.n, s.k, s.types.b, s.types.a, flop < kCheapFlop ? 3 : 1, kernels);
}

}  // namespace

Prediction predict_gemm(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  const DeviceShape gpu = machine.shape();
  const Shape s{row.integer("m", 1, kMostElements), row.integer("n", 1, kMostElements), row.integer("k", 1, kMostElements), format_of(row)};
  const std::string& word = row.text("dtype");
  const std::string& kernel = row.text("kernel");
  std::vector<GemmTiling> tilings;
  if (kernel == "tiled") {
    tilings.push_back(tiled(row, gpu, s.types));
  } else if (kernel == "cublas") {
    tilings = library(gpu, s, protocol_of(row).gemm_library);
  } else {
    unknown_word(row, "kernel", "tiled, cublas");
  }
  if (!machine.sm.tensor_peak.contains(s.types.tensor)) {
    throw RowSkipped(fmt::format("{}: the tensor cores of {} have no {}", word, machine.name, name(s.types.tensor)));
  }
  const Quantise quantise = kernel == "cublas" && !protocol_of(row).narrow_operands ? s.types.quantise : Quantise::none;
  const Outcome* best = nullptr;
  for (const GemmTiling& tiling : tilings) {
    Experiment e;
    e.key = fmt::format("gemm {} {} {} {}x{}x{} {} per SM {}", kernel, word, static_cast<int>(quantise), s.m, s.n, s.k, tiling.text(),
                        tiling.blocks_per_sm);
    e.trace = [=](const DeviceShape& shape) { return gemm_trace(shape, s, tiling, quantise); };
    const Outcome& outcome = bench.run(machine, e);
    if (best == nullptr || outcome.seconds < best->seconds) best = &outcome;
  }
  const std::string& quantity = row.text("quantity");
  Prediction p;
  if (quantity == "time_us") {
    const Protocol& protocol = protocol_of(row);
    const Matrix weights{0, s.n, s.k, 0, s.types.b};
    const double copies = protocol.rotates_weights ? weight_copies(machine.l2.capacity, s.n * weights.row_bytes()) : 1;
    p = time_prediction(*best, 1e6, protocol.per_replay / copies);
    const bool sixteen = word == "fp16" || word == "bf16";
    p.group = sixteen ? "time 16 bit" : "time " + word;
    p.goal = sixteen ? "6 %" : "12 %";
  } else if (quantity == "l2_read_bytes") {
    p = bytes_prediction(*best, best->q.total(LevelId::l2, Direction::read), best->footprint_read);
    p.group = "bytes";
    p.goal = "0.5 %";
  } else if (quantity == "hbm_read_bytes") {
    p = bytes_prediction(*best, best->q.total(LevelId::hbm, Direction::read), best->footprint_read);
    p.group = "bytes";
    p.goal = "0.5 %";
  } else if (quantity == "l2_read_hit_rate") {
    p = hit_rate_prediction(*best);
  } else {
    unknown_word(row, "quantity", "time_us, l2_read_bytes, hbm_read_bytes, l2_read_hit_rate");
  }
  return p;
}

}  // namespace rooftrace
