// Latent decode attention: the schedule, the block program that walks its pieces, and the kernel that joins partial sums.
#include "traces/attention_latent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

// FlashMLA's scheduler: what a sequence costs a part beside its tiles, in tiles.
constexpr std::uint64_t kOverheadTiles = 5;

// Exp and CUDA-core work beside the tensor work: two warp groups take turns as in FlashAttention-3, the value that prefill takes
// (attention.hpp), assumed to hold here; one warp group after the other: all of it. Reads of shared memory beside the tensor pipe: Q and K
// for the scores (1.0 of its time at 64 rows), V for the sum (0.5).
constexpr double kSharedShare = 0.75;

constexpr double kCudaPerPair = 7;    // As in prefill: maximum, scale and subtract, sum, half a conversion.
constexpr double kCudaPerOutput = 2;  // Rescaling an element of O, once per tile.

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

std::uint64_t features_bytes(std::uint32_t features, DataType type) {
  return static_cast<std::uint64_t>(static_cast<double>(features) * bytes_per_element(type));
}

/// What both kernels must agree on.
struct Layout {
  AttentionProblem p;
  LatentTiling tiling;
  std::uint64_t workspace = 0;

  [[nodiscard]] std::uint64_t row_tiles() const { return ceil_div(p.q_heads, tiling.q_rows); }
  [[nodiscard]] std::uint64_t partial_bytes() const { return std::uint64_t{p.v_dim()} * 4; }  ///< Of one head.
  [[nodiscard]] std::uint64_t partial(std::uint64_t slot, std::uint64_t head) const {
    return workspace + (slot * p.q_heads + head) * partial_bytes();
  }
  [[nodiscard]] std::uint64_t sum(std::uint64_t slot, std::uint64_t head) const {
    return partial(tiling.slots(), 0) + (slot * p.q_heads + head) * 4;
  }
};

class LatentProgram final : public BlockProgram {
 public:
  explicit LatentProgram(const Layout& layout) : l_(layout) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override {
    const std::uint64_t part = block / l_.row_tiles();
    std::uint64_t sum = 0;
    for (std::uint32_t i = l_.tiling.schedule->part_begin[part]; i < l_.tiling.schedule->part_begin[part + 1]; ++i)
      sum += steps_of(l_.tiling.schedule->pieces[i]);
    return static_cast<std::uint32_t>(sum);
  }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const AttentionProblem& p = l_.p;
    const LatentTiling& t = l_.tiling;
    const std::uint64_t first_head = block % l_.row_tiles() * t.q_rows;
    const std::uint64_t heads = std::min<std::uint64_t>(t.q_rows, p.q_heads - first_head);
    const std::vector<LatentPiece>& pieces = t.schedule->pieces;
    std::uint64_t index = t.schedule->part_begin[block / l_.row_tiles()];
    std::uint64_t left = step;
    for (; left >= steps_of(pieces[index]); ++index) left -= steps_of(pieces[index]);
    const LatentPiece& piece = pieces[index];
    if (left == 0) {
      const std::uint64_t head = features_bytes(p.head_dim, p.q.type);
      out.loads.push_back(run_access(p.q.address + piece.sequence * p.q.pitch + first_head * head, heads * head, AccessOp::load, p.q));
      p.kv.append_table(piece.sequence, piece.begin * t.tile_tokens, std::min(p.kv_len, piece.end * t.tile_tokens), out.loads);
      return;
    }
    const std::uint64_t first = (piece.begin + left - 1) * t.tile_tokens;
    const std::uint64_t last = std::min(p.kv_len, first + t.tile_tokens);
    p.kv.append(KvPart::k, piece.sequence, 0, first, last, AccessOp::load, out.loads);
    const auto pairs = static_cast<double>(heads * (last - first));
    const double flop = 2.0 * (p.head_dim + p.v_dim());
    out.work[static_cast<std::size_t>(Pipe::tensor)] = flop * pairs;
    out.work[static_cast<std::size_t>(Pipe::sfu)] = pairs;
    out.work[static_cast<std::size_t>(Pipe::cuda)] = kCudaPerPair * pairs + kCudaPerOutput * static_cast<double>(heads * p.v_dim());
    out.tensor_padding = flop * static_cast<double>((t.q_rows - heads) * (last - first));
    if (left + 1 == steps_of(piece)) store(piece, first_head, heads, out);
  }

 private:
  static std::uint64_t steps_of(const LatentPiece& piece) { return 1 + piece.end - piece.begin; }

  void store(const LatentPiece& piece, std::uint64_t first_head, std::uint64_t heads, Step& out) const {
    const AttentionProblem& p = l_.p;
    if (l_.tiling.schedule->splits[piece.sequence] == 1) {
      const std::uint64_t head = features_bytes(p.v_dim(), p.o.type);
      out.stores.push_back(run_access(p.o.address + piece.sequence * p.o.pitch + first_head * head, heads * head, AccessOp::store, p.o));
      return;
    }
    out.stores.push_back(run_access(l_.partial(piece.slot, first_head), heads * l_.partial_bytes(), AccessOp::store, Matrix{}));
    out.stores.push_back(run_access(l_.sum(piece.slot, first_head), heads * 4, AccessOp::store, Matrix{}));
  }

  Layout l_;
};

/// One block per head of a sequence in several parts.
class JoinProgram final : public BlockProgram {
 public:
  explicit JoinProgram(const Layout& layout) : l_(layout) {
    std::uint32_t slot = 0;
    for (std::uint32_t sequence = 0; sequence < l_.p.batch; ++sequence) {
      if (l_.tiling.schedule->splits[sequence] < 2) continue;
      joined_.push_back({sequence, slot});
      slot += l_.tiling.schedule->splits[sequence];
    }
  }

  [[nodiscard]] std::uint64_t sequences() const { return joined_.size(); }
  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }

  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    const AttentionProblem& p = l_.p;
    const Joined& joined = joined_[block / p.q_heads];
    const std::uint64_t head = block % p.q_heads;
    const std::uint32_t splits = l_.tiling.schedule->splits[joined.sequence];
    Access sums = run_access(l_.sum(joined.slot, head), 4, AccessOp::load, Matrix{});
    sums.rows = splits;
    sums.pitch = std::uint64_t{p.q_heads} * 4;
    Access partials = run_access(l_.partial(joined.slot, head), l_.partial_bytes(), AccessOp::load, Matrix{});
    partials.rows = splits;
    partials.pitch = p.q_heads * l_.partial_bytes();
    out.loads.push_back(sums);
    out.loads.push_back(partials);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = 2.0 * splits * p.v_dim();
    out.work[static_cast<std::size_t>(Pipe::sfu)] = splits;
    const std::uint64_t bytes = features_bytes(p.v_dim(), p.o.type);
    out.stores.push_back(run_access(p.o.address + joined.sequence * p.o.pitch + head * bytes, bytes, AccessOp::store, p.o));
  }

 private:
  struct Joined {
    std::uint32_t sequence, slot;
  };
  Layout l_;
  std::vector<Joined> joined_;
};

/// Deals the tiles of all sequences to parts of equal cost, one sequence after the other.
void deal(LatentSchedule& t, std::uint32_t batch, std::uint64_t tiles, std::uint64_t parts) {
  const std::uint64_t payload = ceil_div(batch * (tiles + kOverheadTiles), parts) + kOverheadTiles;
  std::uint32_t sequence = 0;
  std::uint64_t begin = 0;
  while (sequence < batch) {
    t.part_begin.push_back(static_cast<std::uint32_t>(t.pieces.size()));
    for (std::uint64_t left = payload; sequence < batch && left > kOverheadTiles;) {
      const std::uint64_t taken = std::min(tiles - begin, left - kOverheadTiles);
      t.pieces.push_back({sequence, begin, begin + taken, 0});
      left -= taken + kOverheadTiles;
      begin += taken;
      if (begin < tiles) break;  // The part is full.
      begin = 0;
      ++sequence;
    }
  }
  t.part_begin.push_back(static_cast<std::uint32_t>(t.pieces.size()));
}

/// Every sequence in `splits` parts, whole tiles dealt out evenly.
void cut(LatentSchedule& t, std::uint32_t batch, std::uint64_t tiles, std::uint64_t splits) {
  const std::uint64_t each = ceil_div(tiles, std::min(splits, tiles));
  for (std::uint32_t sequence = 0; sequence < batch; ++sequence) {
    for (std::uint64_t begin = 0; begin < tiles; begin += each) {
      t.part_begin.push_back(static_cast<std::uint32_t>(t.pieces.size()));
      t.pieces.push_back({sequence, begin, std::min(tiles, begin + each), 0});
    }
  }
  t.part_begin.push_back(static_cast<std::uint32_t>(t.pieces.size()));
}

Layout layout_of(const AttentionProblem& p, const LatentTiling& tiling, std::uint64_t workspace) {
  if (!p.kv.latent || p.kv_heads != 1 || p.q_len != 1 || p.window_left >= 0) {
    throw std::invalid_argument("latent attention: one query per sequence, one latent for all heads, no window");
  }
  return {p, tiling, workspace};
}

}  // namespace

LatentTiling choose_latent_tiling(const DeviceShape& gpu, const AttentionProblem& p, std::uint32_t splits) {
  struct Tile {
    std::uint32_t rows, tokens;
  };
  LatentTiling t;
  t.tensor_share = tensor_share_of(gpu, kSharedShare);
  t.exposed = gpu.max_cluster >= 2 ? kExposedInTurns : kExposedByChance;
  for (const Tile tile : {Tile{64, 64}, Tile{64, 32}, Tile{16, 64}, Tile{16, 32}, Tile{16, 16}}) {
    t.q_rows = tile.rows;
    t.tile_tokens = tile.tokens;
    const std::uint64_t bytes = tile.rows * features_bytes(p.head_dim, p.q.type) + 2 * tile.tokens * p.kv.token_bytes() + 1024;
    if (bytes > gpu.shared_memory_per_block) continue;
    t.blocks_per_sm = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(gpu.shared_memory_per_sm / bytes, 1, std::min(2U, gpu.max_blocks_per_sm)));  // 2: registers of O.
    break;
  }
  const std::uint64_t tiles = ceil_div(p.kv_len, t.tile_tokens);
  LatentSchedule schedule;
  if (splits > 0) {
    cut(schedule, p.batch, tiles, splits);
  } else {
    const std::uint64_t parts = std::uint64_t{gpu.sms} * t.blocks_per_sm / ceil_div(p.q_heads, t.q_rows);
    deal(schedule, p.batch, tiles, std::max<std::uint64_t>(1, parts));
  }
  schedule.splits.assign(p.batch, 0);
  for (const LatentPiece& piece : schedule.pieces) ++schedule.splits[piece.sequence];
  for (LatentPiece& piece : schedule.pieces) {
    if (schedule.splits[piece.sequence] > 1) piece.slot = schedule.slots++;
  }
  t.schedule = std::make_shared<const LatentSchedule>(std::move(schedule));
  return t;
}

std::uint64_t latent_workspace_bytes(const AttentionProblem& p, const LatentTiling& tiling) {
  return std::uint64_t{tiling.slots()} * p.q_heads * (std::uint64_t{p.v_dim()} + 1) * 4;
}

Kernel make_latent_decode(const AttentionProblem& p, const LatentTiling& tiling, std::uint64_t workspace) {
  const Layout layout = layout_of(p, tiling, workspace);
  const std::uint64_t grid = layout.row_tiles() * tiling.parts();
  if (grid == 0 || grid > UINT32_MAX) throw std::invalid_argument(fmt::format("latent attention: {} blocks are not a grid", grid));
  Kernel kernel;
  kernel.label = fmt::format("latent attention decode {}x{} parts {}", tiling.q_rows, tiling.tile_tokens, tiling.parts());
  kernel.kernel_class = KernelClass::attention;
  kernel.stage = Stage::decode;
  kernel.grid = static_cast<std::uint32_t>(grid);
  kernel.blocks_per_sm = tiling.blocks_per_sm;
  kernel.depth = tiling.depth;
  kernel.first_step_leads = true;
  kernel.tensor_type = p.tensor_type;
  kernel.tensor_share = tiling.tensor_share;
  kernel.exposed = tiling.exposed;
  const double heads = static_cast<double>(p.batch) * p.q_heads;
  const double pairs = heads * static_cast<double>(p.kv_len);
  const auto tiles = static_cast<double>(ceil_div(p.kv_len, tiling.tile_tokens));
  kernel.work[static_cast<std::size_t>(Pipe::tensor)] = 2.0 * pairs * (p.head_dim + p.v_dim());
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = pairs;
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = kCudaPerPair * pairs + kCudaPerOutput * heads * tiles * p.v_dim();
  kernel.footprint.push_back(
      {p.q.role, p.q.home, std::uint64_t{p.batch} * p.q_heads * features_bytes(p.head_dim, p.q.type), 0, p.q.produced});
  append_kv_footprint(p, 0, p.kv_len, kernel.footprint);
  const auto whole = static_cast<std::uint64_t>(std::count(tiling.schedule->splits.begin(), tiling.schedule->splits.end(), 1U));
  if (whole > 0) {
    kernel.footprint.push_back({p.o.role, p.o.home, 0, whole * p.q_heads * features_bytes(p.v_dim(), p.o.type), p.o.produced});
  }
  if (tiling.slots() > 0) kernel.footprint.push_back({TensorRole::activations, Home::local, 0, latent_workspace_bytes(p, tiling), true});
  kernel.program = std::make_shared<LatentProgram>(layout);
  return kernel;
}

Kernel make_latent_combine(const AttentionProblem& p, const LatentTiling& tiling, std::uint64_t workspace) {
  const auto program = std::make_shared<JoinProgram>(layout_of(p, tiling, workspace));
  const std::uint64_t grid = program->sequences() * p.q_heads;
  if (grid == 0 || grid > UINT32_MAX) throw std::invalid_argument(fmt::format("latent attention: {} blocks are not a grid", grid));
  Kernel kernel;
  kernel.label = fmt::format("latent attention combine {} parts", tiling.slots());
  kernel.kernel_class = KernelClass::attention;
  kernel.stage = Stage::decode;
  kernel.grid = static_cast<std::uint32_t>(grid);
  kernel.blocks_per_sm = 8;  // As the combine kernel of split-KV.
  kernel.depth = 1;
  kernel.tensor_type = p.tensor_type;
  const double partials = static_cast<double>(tiling.slots()) * p.q_heads;
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = 2.0 * partials * p.v_dim();
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = partials;
  kernel.footprint.push_back({TensorRole::activations, Home::local, latent_workspace_bytes(p, tiling), 0, true});
  kernel.footprint.push_back({p.o.role, p.o.home, 0, grid * features_bytes(p.v_dim(), p.o.type), p.o.produced});
  kernel.program = program;
  return kernel;
}

}  // namespace rooftrace
