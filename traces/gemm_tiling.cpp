// The visible rule that picks a GEMM tiling for a machine: a list of candidates, an estimate of each one's time, the smallest wins.
//
// It stands for what a tuned library does with its heuristics, not for one library's table. The estimate is in SM clocks and knows of the
// GPU only what DeviceShape says; the few rates in it are round numbers that hold within a factor for every GPU since V100, good enough to
// rank tiles and used for nothing else.
#include <algorithm>
#include <array>
#include <vector>

#include "traces/gemm.hpp"

namespace rooftrace {
namespace {

// Per SM and clock. L2: 5.4 TB/s on 108 SMs at 1.41 GHz and 6.9 TB/s on 114 SMs at 1.755 GHz are 35 B each. HBM: 2.0 TB/s on the former
// and 3.35 TB/s on 132 SMs at 1.75 GHz are 13 and 14.5 B.
constexpr double kL2Rate = 35;
constexpr double kHbmRate = 14;
constexpr double kSharedRate = 128;
constexpr double kLatency = 1000;          // Clocks from load to use under load; bytes in flight / latency bounds what an SM gets (Little).
constexpr double kBlockOverhead = 1500;    // Clocks of a block's first load and of its epilogue, hidden by a second resident block.
constexpr double kReduceOverhead = 4000;   // Clocks of the second kernel of split-K: about 2.3 us of launch and drain.
constexpr double kImperfectOverlap = 0.2;  // Share of the shorter of two overlapping activities that is not hidden by the longer.

/// Shared memory that a pipeline of warp-group kernels takes, the rest being the epilogue's: 128x256, 128x128, 64x128 and 64x32 tiles of 64
/// elements of 16 bit have 4, 6, 8 and 16 stages (names of cuBLAS kernels: nvjet ..._128x256_64x4, ..._64x32_64x16).
constexpr std::uint64_t kWarpGroupPipeline = 192 * 1024;

constexpr std::uint32_t kSkinny = 64;              // Up to this m a GEMM streams its weights.
constexpr std::uint64_t kReservedPerBlock = 1024;  // Shared memory that the driver keeps of each block.

struct Tile {
  std::uint32_t m, n;
};
constexpr std::array kLargeTiles{Tile{128, 256}, Tile{256, 128}, Tile{128, 192}, Tile{128, 160}, Tile{128, 224},
                                 Tile{128, 128}, Tile{128, 64},  Tile{64, 128},  Tile{64, 64}};
constexpr std::array<std::uint32_t, 3> kSkinnyColumns{32, 64, 128};
constexpr std::array<std::uint32_t, 8> kSplits{1, 2, 3, 4, 6, 8, 12, 16};

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

class Rule {
 public:
  Rule(const DeviceShape& gpu, std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights, DataType activations,
       GemmLibrary library)
      : gpu_(gpu),
        m_(m),
        n_(n),
        k_(k),
        weights_(weights),
        activations_(activations),
        old_(library == GemmLibrary::of_2023),
        bytes_a_(bytes_per_element(activations)),
        bytes_b_(bytes_per_element(weights)),
        shared_per_sm_(gpu.shared_memory_per_sm != 0 ? gpu.shared_memory_per_sm : 96 * 1024),
        shared_per_block_(gpu.shared_memory_per_block != 0 ? gpu.shared_memory_per_block : 48 * 1024) {
    // Eight-bit operands on both sides run at twice the 16-bit rate, four-bit ones at four times.
    tensor_rate_ = tensor_flop_per_clock(gpu);
    if (bytes_a_ < 1 && bytes_b_ < 1 && gpu.fp4_tensor) {
      tensor_rate_ *= 4;
    } else if (bytes_a_ <= 1 && bytes_b_ <= 1 && gpu.fp8_tensor) {
      tensor_rate_ *= 2;
    }
  }

  /// The best of each tile shape, best first.
  std::vector<GemmTiling> choose(std::size_t count) {
    if (m_ <= kSkinny) {
      const auto rows = static_cast<std::uint32_t>(ceil_div(std::max<std::uint64_t>(m_, 1), 16) * 16);
      for (const std::uint32_t columns : kSkinnyColumns) try_tile({rows, columns}, true);
    } else {
      for (const Tile tile : kLargeTiles) {
        if (tile.m * tile.n > 128 * 128 && !gpu_.async_copy) continue;  // Without them tiles pass through registers, which are full.
        if (tile.n % 128 != 0 && tile.n > 64 && (old_ || gpu_.max_cluster < 2))
          continue;  // Warp-group instructions take any multiple of 8 columns.
        try_tile(tile, false);
      }
    }
    std::stable_sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) { return a.cost < b.cost; });
    if (found_.size() > count) found_.resize(count);
    std::vector<GemmTiling> tilings;
    for (const Found& found : found_) tilings.push_back(found.tiling);
    if (tilings.empty()) tilings.push_back(smallest());
    return tilings;
  }

 private:
  /// When no candidate fits the shared memory.
  static GemmTiling smallest() {
    GemmTiling t;
    t.block_m = 16;
    t.block_n = 32;
    t.block_k = 32;
    t.stages = 2;
    return t;
  }

  void try_tile(Tile tile, bool skinny) {
    const bool clusters = !skinny && gpu_.max_cluster >= 2;
    for (const std::uint32_t resident : {2U, 1U}) {
      if (resident > gpu_.max_blocks_per_sm) continue;
      if (resident > 1 && clusters) continue;                     // A pipeline that fills the shared memory.
      if (resident > 1 && tile.m * tile.n > 128 * 128) continue;  // The fp32 accumulators alone fill half of the registers.
      GemmTiling t;
      t.block_m = tile.m;
      t.block_n = tile.n;
      t.blocks_per_sm = resident;
      if (!(skinny ? size_skinny_pipeline(t) : size_large_pipeline(t))) continue;
      for (const Tile cluster : {Tile{1, 1}, Tile{2, 1}, Tile{1, 2}, Tile{2, 2}}) {
        if (cluster.m * cluster.n > 1 && !clusters) break;
        if (cluster.m * cluster.n > gpu_.max_cluster) break;
        if (cluster.m * cluster.n > 2 && old_) break;
        t.cluster_m = cluster.m;
        t.cluster_n = cluster.n;
        for (const std::uint32_t split : kSplits) {
          if (split > 1 && clusters && old_) break;
          if (split > 1 && (tiles_fill_sms(t) || ceil_div(k_, t.block_k) < 4ULL * split)) break;
          t.split_k = split;
          consider(t, skinny);
        }
      }
    }
  }

  [[nodiscard]] bool tiles_fill_sms(const GemmTiling& t) const { return ceil_div(m_, t.block_m) * ceil_div(n_, t.block_n) >= gpu_.sms; }

  [[nodiscard]] std::uint32_t stages_that_fit(const GemmTiling& t) const {
    const std::uint64_t share = shared_per_sm_ / t.blocks_per_sm;
    const std::uint64_t budget = std::min(shared_per_block_, share - std::min(share, kReservedPerBlock));
    return static_cast<std::uint32_t>(budget / gemm_stage_bytes(t, activations_, weights_));
  }

  /// A step's weights are 32 KiB, 16 KiB where that leaves room for too few stages; as many stages as keep 96 KiB of weights in flight per
  /// SM.
  [[nodiscard]] bool size_skinny_pipeline(GemmTiling& t) const {
    for (const std::uint32_t step_bytes : {32U << 10, 16U << 10, 8U << 10}) {
      t.block_k = static_cast<std::uint32_t>(step_bytes / (t.block_n * bytes_b_));
      while (t.block_k > 64 && t.block_k / 2 >= k_) t.block_k /= 2;
      const auto wanted = static_cast<std::uint32_t>(ceil_div(96U << 10, std::uint64_t{step_bytes} * t.blocks_per_sm));
      t.stages = std::min(stages_that_fit(t), gpu_.async_copy ? std::max(2U, wanted) : 2U);
      if (t.stages >= 2) return true;
    }
    return false;
  }

  /// k-tiles of 128 bytes of the wider operand (one shared-memory row), 64 bytes where that leaves fewer than three stages or the machine
  /// has no asynchronous copies, but never less than two sectors of the narrower one (lone sectors cost DRAM a row each: no library does
  /// it); up to four stages.
  [[nodiscard]] bool size_large_pipeline(GemmTiling& t) const {
    if (gpu_.max_cluster >= 2) {
      t.block_k = static_cast<std::uint32_t>(128 / std::max(bytes_a_, bytes_b_));
      const std::uint64_t budget = std::min(kWarpGroupPipeline, shared_per_block_);
      t.stages = static_cast<std::uint32_t>(budget / gemm_stage_bytes(t, activations_, weights_));
      return t.stages >= 2;
    }
    const std::uint32_t least = gpu_.async_copy ? 3 : 2;
    for (const std::uint32_t row_bytes : {128U, 64U}) {
      if (row_bytes > 64 && !gpu_.async_copy) continue;
      t.block_k = static_cast<std::uint32_t>(row_bytes / std::max(bytes_a_, bytes_b_));
      if (row_bytes == 64 && gpu_.async_copy && t.block_k * std::min(bytes_a_, bytes_b_) < 64) break;
      t.stages = std::min(stages_that_fit(t), gpu_.async_copy ? 4U : 2U);
      if (t.stages >= least) return true;
    }
    return false;
  }

  void consider(GemmTiling t, bool skinny) {
    const std::uint64_t tiles_m = ceil_div(m_, t.block_m), tiles_n = ceil_div(n_, t.block_n);
    if (t.cluster_m > tiles_m || t.cluster_n > tiles_n) return;
    const double cost = clocks(t);
    const auto same = std::find_if(found_.begin(), found_.end(),
                                   [&](const Found& f) { return f.tiling.block_m == t.block_m && f.tiling.block_n == t.block_n; });
    if (same != found_.end() && !(cost < same->cost)) return;
    if (tiles_m > 1 && tiles_n > 1) {
      // Blocks that run together share weights first (along m), in groups of eight rows of tiles.
      t.raster = Raster::grouped;
      t.group_m = 8;
    }
    const std::uint64_t slots = std::uint64_t{gpu_.sms} * t.blocks_per_sm;
    t.persistent = !skinny && gpu_.max_cluster >= 2 && t.split_k == 1 && tiles_m * tiles_n > slots;
    if (same != found_.end()) {
      *same = {cost, t};
    } else {
      found_.push_back({cost, t});
    }
  }

  static double overlapped(double a, double b) { return std::max(a, b) + kImperfectOverlap * std::min(a, b); }

  /// The estimate, in SM clocks; see choose_gemm_tiling.
  [[nodiscard]] double clocks(const GemmTiling& t) const {
    const double rows = static_cast<double>(std::min<std::uint64_t>(t.block_m, m_));
    const std::uint64_t wide_m = std::uint64_t{t.block_m} * t.cluster_m, wide_n = std::uint64_t{t.block_n} * t.cluster_n;
    const std::uint64_t items = ceil_div(m_, wide_m) * ceil_div(n_, wide_n) * t.cluster_m * t.cluster_n * t.split_k;
    const double k_part = static_cast<double>(ceil_div(ceil_div(k_, t.block_k), t.split_k) * t.block_k);
    const std::uint64_t per_sm = ceil_div(items, gpu_.sms);
    const double resident = static_cast<double>(std::min<std::uint64_t>(t.blocks_per_sm, per_sm));

    const double operand_bytes = rows * bytes_a_ / t.cluster_n + t.block_n * bytes_b_ / t.cluster_m;  // Asked of L2 per element of k.
    const double in_flight = resident * t.stages * t.block_k * operand_bytes;
    const double load = operand_bytes * k_part / std::min(kL2Rate, in_flight / kLatency);
    const double flop = 2.0 * t.block_m * t.block_n;  // Per element of k, padding included: the tensor cores do it all the same.
    const double shared = 2.0 * (t.block_m * bytes_a_ + t.block_n * bytes_b_);  // Warps share a tile: each operand is read about twice.
    const double compute = std::max(flop / tensor_rate_, shared / kSharedRate) * k_part;
    const double rounds = static_cast<double>(ceil_div(per_sm, t.blocks_per_sm));
    const double sm = static_cast<double>(per_sm) * overlapped(load, compute) + rounds * kBlockOverhead / resident;

    const double m = static_cast<double>(m_), n = static_cast<double>(n_), k = static_cast<double>(k_);
    const double hbm = (m * k * bytes_a_ + n * k * bytes_b_ + m * n * bytes_a_) / (kHbmRate * gpu_.sms);
    double sum = overlapped(sm, hbm);
    if (t.split_k > 1) sum += kReduceOverhead + 2.0 * t.split_k * m * n * 4 / (kL2Rate * gpu_.sms);
    return sum;
  }

  DeviceShape gpu_;
  std::uint64_t m_, n_, k_;
  DataType weights_, activations_;
  bool old_;
  double bytes_a_, bytes_b_;
  std::uint64_t shared_per_sm_, shared_per_block_;
  double tensor_rate_ = 0;
  struct Found {
    double cost;
    GemmTiling tiling;
  };
  std::vector<Found> found_;  ///< In the order in which their shapes were first tried.
};

}  // namespace

// Candidates:
//
// - m <= 64 (weight streaming): block_m is m rounded up to 16, block_n 32, 64 or 128; a k-step brings 32 KiB of weights (16 or 8 where
//   shared memory is short), and the pipeline is as deep as keeps 96 KiB of weights in flight per SM.
// - larger: 128x128, 128x64, 64x128, 64x64; with asynchronous copies 128x256 and 256x128 as well, with clusters 128x160, 128x192 and
//   128x224; k-tiles of 128 bytes (64 where that leaves fewer than three stages or copies are not asynchronous) and up to four stages (two
//   without asynchronous copies); with clusters, one block per SM whose pipeline takes 192 KiB, in clusters of two along m, n or both.
// - all: one or two blocks per SM (one above 128x128 and with clusters); where there are fewer tiles than SMs, split_k of 1, 2, 3, 4, 6, 8,
// 12 or 16 while
//   each part keeps four k-steps.
//
// Estimate, in clocks of one SM, where an item is a tile or one part of its k, and a ~ b means max(a, b) + 0.2 min(a, b):
//
// - load = (block_m / cluster_n * bytes_a + block_n / cluster_m * bytes_b) * k_part / min(35 B, bytes in flight / 1000)
// - compute = max(2 * block_m * block_n / tensor rate, 2 * (block_m * bytes_a + block_n * bytes_b) / 128 B of shared memory) * k_part
// - sm = ceil(items / SMs) * (load ~ compute) + rounds * 1500 / resident blocks
// - hbm = (A + B + C bytes) / (14 B * SMs)
// - cost = sm ~ hbm, and with split_k > 1 another 4000 + the time to write and read the partials through L2
//
// The first candidate with the least cost wins. So a skinny GEMM takes tiles that fill the SMs, and splits k only when the tiles leave SMs
// idle for longer than a second kernel costs: an SM takes up to 35/14 of its share of HBM, so 40 % of the SMs are enough. Tiles are walked
// in groups of eight along m; machines with clusters (H100) run persistent blocks when there is more than one round.
GemmTiling choose_gemm_tiling(const DeviceShape& gpu, std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights,
                              DataType activations) {
  return Rule(gpu, m, n, k, weights, activations, GemmLibrary::current).choose(1).front();
}

std::vector<GemmTiling> gemm_tiling_candidates(const DeviceShape& gpu, std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType weights,
                                               DataType activations, std::size_t count, GemmLibrary library) {
  return Rule(gpu, m, n, k, weights, activations, library).choose(std::max<std::size_t>(count, 1));
}

}  // namespace rooftrace
