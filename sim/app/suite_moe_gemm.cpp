// moe_gemm: bytes of a fused-MoE GEMM, the tiles of all experts in one grid, in Triton's grouped order.
//
// A tile is rows_per_tile rows of one expert's tokens times block_n of that expert's outputs. Row tiles of all experts are numbered
// expert by expert; blocks walk them group_m at a time as in Triton's matmul tutorial. Four blocks per SM and four stages, as the measured
// kernel had (its launch parameters are not columns of the suite). Gathered rows are taken as distinct: a token that two experts share is
// read twice, under 0.1 % of the bytes. Simulated with slices: what is measured is how far blocks that share tiles drift apart, and only
// the contention of single lines says so.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "sim/app/suite_kernels.hpp"
#include "traces/moe_gemm.hpp"

namespace rooftrace {
namespace {

constexpr std::uint32_t kBlocksPerSm = 4;
constexpr std::uint32_t kStages = 4;

struct Grouped {
  std::uint64_t experts, tiles, rows, n, k, block_n, block_k, group_m;
  DataType type;

  [[nodiscard]] std::uint64_t row_tiles() const { return experts * tiles; }
  [[nodiscard]] std::uint64_t column_tiles() const { return (n + block_n - 1) / block_n; }
  struct Place {
    std::uint64_t row, column;
  };
  [[nodiscard]] Place place(std::uint64_t block) const {
    const std::uint64_t per_group = group_m * column_tiles();
    const std::uint64_t first = block / per_group * group_m;
    const std::uint64_t height = std::min(row_tiles() - first, group_m);
    const std::uint64_t inside = block % per_group;
    return {first + inside % height, inside / height};
  }
};

/// Every expert has its own rows, one behind the other.
std::shared_ptr<const ExpertRouting> routing_of(const Grouped& s) {
  auto routing = std::make_shared<ExpertRouting>();
  routing->experts = static_cast<std::uint32_t>(s.experts);
  routing->per_token = 1;
  routing->tokens = s.row_tiles() * s.rows;
  for (std::uint64_t expert = 0; expert <= s.experts; ++expert) routing->begin.push_back(expert * s.tiles * s.rows);
  routing->slots.resize(routing->tokens);
  std::iota(routing->slots.begin(), routing->slots.end(), 0U);
  return routing;
}

Trace grouped_trace(const Grouped& s, const DeviceShape& gpu) {
  Operands operands;
  MoeGemmProblem problem;
  problem.a = operands.matrix(s.row_tiles() * s.rows, s.k, s.type);
  problem.b = operands.matrix(s.experts * s.n, s.k, s.type, TensorRole::weights);
  problem.c = operands.matrix(s.row_tiles() * s.rows, s.n, s.type);
  problem.list = operands.take(s.row_tiles() * s.rows * 4);
  problem.routing = routing_of(s);
  problem.tensor_type = s.type;
  GemmTiling tiling;
  tiling.block_m = static_cast<std::uint32_t>(s.rows);
  tiling.block_n = static_cast<std::uint32_t>(s.block_n);
  tiling.block_k = static_cast<std::uint32_t>(s.block_k);
  tiling.stages = kStages;
  tiling.blocks_per_sm = kBlocksPerSm;
  tiling.raster = Raster::grouped;
  tiling.group_m = static_cast<std::uint32_t>(s.group_m);
  return trace_of({make_moe_gemm(gpu, problem, tiling)}, operands);
}

/// The baseline: blocks run in waves of all that are resident, in lock step; inside a wave every tile is fetched once, between waves
/// nothing survives.
double wave_bytes(const Grouped& s, std::uint32_t sms) {
  const std::uint64_t resident = std::uint64_t{sms} * kBlocksPerSm;
  const std::uint64_t blocks = s.row_tiles() * s.column_tiles();
  double bytes = 0;
  const double deep = static_cast<double>(s.k) * bytes_per_element(s.type);
  for (std::uint64_t begin = 0; begin < blocks; begin += resident) {
    std::set<std::uint64_t> rows, columns;
    for (std::uint64_t block = begin; block < std::min(begin + resident, blocks); ++block) {
      const auto [row, column] = s.place(block);
      rows.insert(row);
      columns.insert(row / s.tiles * s.column_tiles() + column);
    }
    bytes += (static_cast<double>(rows.size() * s.rows) + static_cast<double>(columns.size() * s.block_n)) * deep;
  }
  return bytes;
}

}  // namespace

Prediction predict_moe_gemm(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  Grouped s{};
  s.experts = row.integer("experts", 1, 4096);
  s.tiles = row.integer("tiles_per_expert", 1, 4096);
  s.rows = row.integer("rows_per_tile", 1, 4096);
  s.n = row.integer("n", 1, 1 << 24);
  s.k = row.integer("k", 1, 1 << 24);
  if (s.rows > row.integer("block_m", 1, 4096)) throw RowSkipped("rows_per_tile exceeds block_m");
  s.block_n = row.integer("block_n", 1, 4096);
  s.block_k = row.integer("block_k", 1, 4096);
  s.group_m = row.integer("group_m", 1, 4096);
  s.type = row.data_type("dtype");
  if (row.text("l2_state") != "cold") unknown_word(row, "l2_state", "cold");
  if (s.row_tiles() * s.rows > 1U << 24) throw RowSkipped("too long: more than 2^24 rows");
  if (s.row_tiles() * s.column_tiles() > 100'000'000) throw RowSkipped("too long: more than 1e8 tiles");
  Experiment e;
  e.key = fmt::format("moe {} {}x{}x{} {}x{} {}x{} group {}", row.text("dtype"), s.experts, s.tiles, s.rows, s.n, s.k, s.block_n, s.block_k,
                      s.group_m);
  e.contention = Contention::slices;
  e.trace = [s](const DeviceShape& gpu) { return grouped_trace(s, gpu); };
  const Outcome& outcome = bench.run(machine, e);
  // At least the weights: gathered activation rows may be shared between experts.
  const double weights = static_cast<double>(s.experts * s.n * s.k) * bytes_per_element(s.type);
  const std::string& quantity = row.text("quantity");
  Prediction p;
  if (quantity == "hbm_read_bytes") {
    p = bytes_prediction(outcome, outcome.q.total(LevelId::hbm, Direction::read), static_cast<std::uint64_t>(weights));
    p.wave = wave_bytes(s, machine.sm.count);
  } else if (quantity == "l2_read_bytes") {
    p = bytes_prediction(outcome, outcome.q.total(LevelId::l2, Direction::read), static_cast<std::uint64_t>(weights));
  } else {
    unknown_word(row, "quantity", "hbm_read_bytes, l2_read_bytes");
  }
  p.group = fmt::format("{} n={}", quantity == "hbm_read_bytes" ? "HBM" : "L2", s.n);
  p.goal = s.n > s.k ? "3 %" : "8 %";
  return p;
}

}  // namespace rooftrace
