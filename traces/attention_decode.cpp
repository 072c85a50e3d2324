// Decode attention: how the tokens are split, the block program of the split kernel and that of the combine kernel.
#include "traces/attention_decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>

#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kUnsplitTokens = 512;  // FlashAttention-3 does not split up to four tiles of 128.
constexpr std::uint64_t kTileRows = 64;        // Queries of a block's tensor tile: four warps of 16 rows, or one warp group.

/// What both kernels must agree on.
struct Shape {
  AttentionProblem p;
  DecodeTiling tiling;
  std::uint64_t first = 0;            ///< First token read.
  std::uint64_t first_tile = 0;       ///< Its tile; tiles count from token 0.
  std::uint64_t tiles_per_split = 1;  ///< The last split may have fewer.
  std::uint64_t workspace = 0;

  Shape(const AttentionProblem& problem, const DecodeTiling& t, std::uint64_t space) : p(problem), tiling(t), workspace(space) {
    first = decode_first_token(p);
    first_tile = first / t.tile_tokens;
    const std::uint64_t tiles = tile_end() - first_tile;
    tiles_per_split = (tiles + t.splits - 1) / t.splits;
  }

  [[nodiscard]] std::uint64_t tile_end() const { return (p.kv_len + tiling.tile_tokens - 1) / tiling.tile_tokens; }
  [[nodiscard]] std::uint64_t split_begin(std::uint64_t split) const { return std::min(tile_end(), first_tile + split * tiles_per_split); }
  [[nodiscard]] std::uint64_t parts() const { return tiling.alternate ? 2 : 1; }  ///< Steps of a tile.
  /// Query heads of a block, and blocks of one split of a sequence.
  [[nodiscard]] std::uint32_t group() const { return tiling.heads == 0 ? p.q_heads / p.kv_heads : tiling.heads; }
  [[nodiscard]] std::uint32_t blocks() const { return p.q_heads / group(); }
  [[nodiscard]] std::uint64_t heads() const { return std::uint64_t{p.batch} * p.q_heads; }  ///< (sequence, head) pairs.
  [[nodiscard]] std::uint64_t partial_bytes() const { return std::uint64_t{p.head_dim} * 4; }
  [[nodiscard]] std::uint64_t sums() const { return workspace + tiling.splits * heads() * partial_bytes(); }
};

std::uint64_t head_bytes(const AttentionProblem& p, const Matrix& matrix) {
  return static_cast<std::uint64_t>(static_cast<double>(p.head_dim) * bytes_per_element(matrix.type));
}

class SplitProgram final : public BlockProgram {
 public:
  explicit SplitProgram(const Shape& shape) : s_(shape) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override {
    const std::uint64_t split = block % s_.tiling.splits;
    return static_cast<std::uint32_t>(1 + (s_.split_begin(split + 1) - s_.split_begin(split)) * s_.parts());
  }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const AttentionProblem& p = s_.p;
    const std::uint64_t split = block % s_.tiling.splits;
    const std::uint64_t above = block / s_.tiling.splits;
    const std::uint64_t group = s_.group();
    const std::uint64_t first_head = above % s_.blocks() * group;
    const auto kv_head = static_cast<std::uint32_t>(first_head / (p.q_heads / p.kv_heads));
    const auto sequence = static_cast<std::uint32_t>(above / s_.blocks());
    const std::uint64_t begin = s_.split_begin(split);
    const std::uint64_t end = s_.split_begin(split + 1);
    const std::uint64_t tile_tokens = s_.tiling.tile_tokens;
    if (step == 0) {
      const std::uint64_t head = head_bytes(p, p.q);
      out.loads.push_back(run_access(p.q.address + sequence * p.q.pitch + first_head * head, group * head, AccessOp::load, p.q));
      p.kv.append_table(sequence, std::max(s_.first, begin * tile_tokens), std::min(p.kv_len, end * tile_tokens), out.loads);
    } else {
      const std::uint64_t tile = begin + (step - 1) / s_.parts();
      const std::uint64_t first = std::max(s_.first, tile * tile_tokens);
      const std::uint64_t last = std::min(p.kv_len, (tile + 1) * tile_tokens);
      const bool k = !s_.tiling.alternate || step % 2 == 1, v = !s_.tiling.alternate || step % 2 == 0;
      if (k) p.kv.append(KvPart::k, sequence, kv_head, first, last, AccessOp::load, out.loads);
      if (v) p.kv.append(KvPart::v, sequence, kv_head, first, last, AccessOp::load, out.loads);
      const auto pairs = static_cast<double>(group * (last - first));
      const double flop = (k && v ? 4.0 : 2.0) * p.head_dim;
      out.work[static_cast<std::size_t>(Pipe::tensor)] = flop * pairs;
      const std::uint64_t rows = (group + kTileRows - 1) / kTileRows * kTileRows;
      const auto empty = static_cast<double>((rows - group) * (last - first));
      out.tensor_padding = flop * empty;
      if (v) {  // The softmax runs when V is there, beside the load of the next K.
        out.work[static_cast<std::size_t>(Pipe::sfu)] = pairs;
        out.tensor_padding += s_.tiling.exposed * s_.tiling.exp_flop * empty;
      }
    }
    if (step != (end - begin) * s_.parts()) return;
    if (s_.tiling.splits == 1) {
      const std::uint64_t head = head_bytes(p, p.o);
      out.stores.push_back(run_access(p.o.address + sequence * p.o.pitch + first_head * head, group * head, AccessOp::store, p.o));
      return;
    }
    const std::uint64_t slot = (split * p.batch + sequence) * p.q_heads + first_head;
    out.stores.push_back(run_access(s_.workspace + slot * s_.partial_bytes(), group * s_.partial_bytes(), AccessOp::store, Matrix{}));
    out.stores.push_back(run_access(s_.sums() + slot * 4, group * 4, AccessOp::store, Matrix{}));
  }

 private:
  Shape s_;
};

/// One block per (sequence, head): reads its partial of every split, scales and adds, stores O.
class CombineProgram final : public BlockProgram {
 public:
  explicit CombineProgram(const Shape& shape) : s_(shape) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }

  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    const AttentionProblem& p = s_.p;
    Access sums = run_access(s_.sums() + block * 4ULL, 4, AccessOp::load, Matrix{});
    sums.rows = s_.tiling.splits;
    sums.pitch = s_.heads() * 4;
    Access partials = run_access(s_.workspace + block * s_.partial_bytes(), s_.partial_bytes(), AccessOp::load, Matrix{});
    partials.rows = s_.tiling.splits;
    partials.pitch = s_.heads() * s_.partial_bytes();
    out.loads.push_back(sums);
    out.loads.push_back(partials);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = 2.0 * s_.tiling.splits * p.head_dim;
    out.work[static_cast<std::size_t>(Pipe::sfu)] = s_.tiling.splits;
    const std::uint64_t head = head_bytes(p, p.o);
    out.stores.push_back(run_access(p.o.address + block / p.q_heads * p.o.pitch + block % p.q_heads * head, head, AccessOp::store, p.o));
  }

 private:
  Shape s_;
};

/// FlashAttention-2: a block of some (sequence, head) rows reads the sums of all splits, then its partials split by split. Each load is
/// guarded by the number of rows and lands in the same registers, so none goes out before the one before it is added (one in flight).
class SerialCombineProgram final : public BlockProgram {
 public:
  explicit SerialCombineProgram(const Shape& shape) : s_(shape) {}

  [[nodiscard]] std::uint32_t grid() const {
    return static_cast<std::uint32_t>((s_.heads() + s_.tiling.combine_rows - 1) / s_.tiling.combine_rows);
  }
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1 + s_.tiling.splits; }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const AttentionProblem& p = s_.p;
    const std::uint64_t first = std::uint64_t{block} * s_.tiling.combine_rows;
    const std::uint64_t rows = std::min<std::uint64_t>(s_.tiling.combine_rows, s_.heads() - first);
    if (step == 0) {
      Access sums = run_access(s_.sums() + first * 4, rows * 4, AccessOp::load, Matrix{});
      sums.rows = s_.tiling.splits;
      sums.pitch = s_.heads() * 4;
      out.loads.push_back(sums);
      out.work[static_cast<std::size_t>(Pipe::sfu)] = static_cast<double>(rows * s_.tiling.splits);
      return;
    }
    const std::uint64_t slot = (step - 1) * s_.heads() + first;
    out.loads.push_back(run_access(s_.workspace + slot * s_.partial_bytes(), rows * s_.partial_bytes(), AccessOp::load, Matrix{}));
    out.work[static_cast<std::size_t>(Pipe::cuda)] = 2.0 * static_cast<double>(rows) * p.head_dim;
    if (step != s_.tiling.splits) return;
    const std::uint64_t head = head_bytes(p, p.o);
    for (std::uint64_t row = first; row < first + rows; ++row) {
      out.stores.push_back(run_access(p.o.address + row / p.q_heads * p.o.pitch + row % p.q_heads * head, head, AccessOp::store, p.o));
    }
  }

 private:
  Shape s_;
};

/// Splits that are left when `tiles` are dealt out `per_split` at a time.
std::uint64_t splits_of(std::uint64_t tiles, std::uint64_t per_split) {
  return (tiles + per_split - 1) / per_split;
}

/// What is FlashAttention's own: how its tile of 64 rows loads the pipes, and how version 2 joins splits (vllm-project/flash-attention,
/// csrc/flash_attn/src/flash_fwd_launch_template.h: 128 threads of four elements each make 4, 8 or 16 rows a block).
void take_flash_kernel(const DeviceShape& gpu, const AttentionProblem& problem, DecodeTiling& tiling) {
  constexpr double kExpPerClock = 16;  // CUDA C++ programming guide, arithmetic instruction throughput, 7.x to 9.0.
  const double faster = bytes_per_element(problem.tensor_type) < 2 ? 2 : 1;  // Tensor cores in 8 bit.
  tiling.exp_flop = faster * tensor_flop_per_clock(gpu) / kExpPerClock;
  tiling.exposed =
      kExposedByChance;  // Version 3, too: one warp group of 64 rows (use_one_mma_wg in vLLM's fork), with nobody to take turns.
  if (!tiling.alternate) {
    tiling.tensor_share = tensor_share_of(gpu, 0.75);
    return;
  }
  tiling.tensor_share = tensor_share_of(gpu, 1);
  tiling.combine_rows = problem.head_dim % 128 == 0 ? 4 : problem.head_dim % 64 == 0 ? 8 : 16;
}

}  // namespace

std::uint64_t decode_first_token(const AttentionProblem& problem) {
  if (problem.window_left < 0) return 0;
  const std::uint64_t seen = static_cast<std::uint64_t>(problem.window_left) + 1;
  return problem.kv_len > seen ? problem.kv_len - seen : 0;
}

DecodeTiling choose_decode_tiling(const DeviceShape& gpu, const AttentionProblem& problem, std::uint32_t splits, AttentionEngine engine) {
  DecodeTiling tiling;
  const std::uint32_t group = problem.q_heads / problem.kv_heads;
  if (const std::uint32_t heads = heads_per_block(engine, group); heads < group) tiling.heads = heads;
  tiling.alternate = gpu.max_cluster < 2;
  if ((tiling.alternate || engine == AttentionEngine::flash_attention_3) && problem.head_dim <= 128) tiling.tile_tokens = 128;
  const std::uint64_t tile_bytes = 2 * problem.kv.token_bytes() * tiling.tile_tokens;
  const std::uint64_t block_bytes =
      (tiling.alternate ? 1 : 2) * tile_bytes + problem.q_heads / problem.kv_heads * head_bytes(problem, problem.q) + 1024;
  const std::uint64_t fit = std::max<std::uint64_t>(1, gpu.shared_memory_per_sm / block_bytes);
  tiling.blocks_per_sm = static_cast<std::uint32_t>(std::min({fit, std::uint64_t{4}, std::uint64_t{gpu.max_blocks_per_sm}}));

  if (engine == AttentionEngine::flash_attention_3) tiling.blocks_per_sm = 1;  // Its shared memory is one block's.
  if (engine == AttentionEngine::automatic || engine == AttentionEngine::flash_attention_2 ||
      engine == AttentionEngine::flash_attention_3) {
    take_flash_kernel(gpu, problem, tiling);
  }

  const std::uint64_t tiles = splits_of(problem.kv_len, tiling.tile_tokens) - decode_first_token(problem) / tiling.tile_tokens;
  if (splits > 0) {
    tiling.splits = static_cast<std::uint32_t>(splits_of(tiles, splits_of(tiles, std::min<std::uint64_t>(splits, tiles))));
    return tiling;
  }
  if (engine != AttentionEngine::automatic) {
    SplitQuestion question;
    question.sms = gpu.sms;
    question.slots = std::uint64_t{gpu.sms} * tiling.blocks_per_sm;
    question.batch = problem.batch;
    question.q_heads = problem.q_heads;
    question.kv_heads = problem.kv_heads;
    question.tokens = problem.kv_len - decode_first_token(problem);
    question.page_tokens = std::max(1U, problem.kv.page_tokens);
    question.head_dim = problem.head_dim;
    const std::uint64_t tokens = std::min(tokens_per_split(engine, question), tiles * tiling.tile_tokens);
    tiling.splits = static_cast<std::uint32_t>(splits_of(tiles, splits_of(tokens, tiling.tile_tokens)));
    return tiling;
  }
  const double blocks = static_cast<double>(problem.batch) * problem.kv_heads;
  const double slots = static_cast<double>(gpu.sms) * tiling.blocks_per_sm;
  if (blocks >= 0.8 * slots || (!tiling.alternate && tiles * tiling.tile_tokens <= kUnsplitTokens)) return tiling;
  const auto efficiency = [&](std::uint64_t count) {
    const double waves = blocks * static_cast<double>(count) / slots;
    return waves / std::ceil(waves);
  };
  // From one split to the most: `per_split` tiles each, never below 128 tokens.
  const std::uint64_t least = std::min<std::uint64_t>(tiles, 128 / tiling.tile_tokens);
  double best = 0;
  for (std::uint64_t per_split = tiles; per_split >= least; --per_split) best = std::max(best, efficiency(splits_of(tiles, per_split)));
  for (std::uint64_t per_split = tiles; per_split >= least; --per_split) {
    const std::uint64_t count = splits_of(tiles, per_split);
    if (efficiency(count) < 0.85 * best) continue;
    tiling.splits = static_cast<std::uint32_t>(count);
    break;
  }
  return tiling;
}

std::uint64_t decode_workspace_bytes(const AttentionProblem& problem, const DecodeTiling& tiling) {
  if (tiling.splits == 1) return 0;
  return std::uint64_t{tiling.splits} * problem.batch * problem.q_heads * (std::uint64_t{problem.head_dim} + 1) * 4;
}

Kernel make_attention_decode(const AttentionProblem& problem, const DecodeTiling& tiling, std::uint64_t workspace) {
  const AttentionProblem& p = problem;
  if (p.kv_heads == 0 || p.q_heads % p.kv_heads != 0) throw std::invalid_argument("attention: kv_heads must divide q_heads");
  if (p.q_len != 1) throw std::invalid_argument("attention decode: one query per sequence");
  const Shape shape(p, tiling, workspace);
  if (tiling.heads != 0 && p.q_heads / p.kv_heads % tiling.heads != 0) {
    throw std::invalid_argument("attention: heads of a block must divide those of a KV head");
  }
  const std::uint64_t grid = std::uint64_t{tiling.splits} * shape.blocks() * p.batch;
  if (grid == 0 || grid > UINT32_MAX) throw std::invalid_argument(fmt::format("attention: {} blocks are not a grid", grid));

  Kernel kernel;
  kernel.label = fmt::format("attention decode splits {}", tiling.splits);
  kernel.kernel_class = KernelClass::attention;
  kernel.stage = Stage::decode;
  kernel.grid = static_cast<std::uint32_t>(grid);
  kernel.blocks_per_sm = tiling.blocks_per_sm;
  kernel.depth = tiling.alternate ? 1 : 2;
  kernel.first_step_leads = true;
  kernel.early_loads = tiling.alternate;
  kernel.tensor_share = tiling.tensor_share;
  kernel.exposed = tiling.exposed;
  kernel.tensor_type = p.tensor_type;
  const std::uint64_t seen = p.kv_len - shape.first;
  const double pairs = static_cast<double>(shape.heads()) * static_cast<double>(seen);
  kernel.work[static_cast<std::size_t>(Pipe::tensor)] = 4.0 * pairs * p.head_dim;
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = pairs;

  kernel.footprint.push_back({p.q.role, p.q.home, shape.heads() * head_bytes(p, p.q), 0, p.q.produced});
  append_kv_footprint(p, shape.first, p.kv_len, kernel.footprint);
  if (tiling.splits == 1) {
    kernel.footprint.push_back({p.o.role, p.o.home, 0, shape.heads() * head_bytes(p, p.o), p.o.produced});
  } else {
    kernel.footprint.push_back({TensorRole::activations, Home::local, 0, decode_workspace_bytes(p, tiling), true});
  }
  kernel.program = std::make_shared<SplitProgram>(shape);
  return kernel;
}

Kernel make_attention_combine(const AttentionProblem& problem, const DecodeTiling& tiling, std::uint64_t workspace) {
  const AttentionProblem& p = problem;
  const Shape shape(p, tiling, workspace);
  Kernel kernel;
  kernel.label = fmt::format("attention combine {} splits", tiling.splits);
  kernel.kernel_class = KernelClass::attention;
  kernel.stage = Stage::decode;
  kernel.grid = static_cast<std::uint32_t>(shape.heads());
  kernel.blocks_per_sm = 8;  // 128 threads each: registers would allow 16
  kernel.depth = 1;
  kernel.tensor_type = p.tensor_type;
  const double partials = static_cast<double>(shape.heads()) * tiling.splits;
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = 2.0 * partials * p.head_dim;
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = partials;
  kernel.footprint.push_back({TensorRole::activations, Home::local, decode_workspace_bytes(p, tiling), 0, true});
  kernel.footprint.push_back({p.o.role, p.o.home, 0, shape.heads() * head_bytes(p, p.o), p.o.produced});
  if (tiling.combine_rows == 0) {
    kernel.program = std::make_shared<CombineProgram>(shape);
    return kernel;
  }
  auto program = std::make_shared<SerialCombineProgram>(shape);
  kernel.grid = program->grid();
  kernel.program = std::move(program);
  return kernel;
}

}  // namespace rooftrace
