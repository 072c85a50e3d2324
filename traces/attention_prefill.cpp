// Prefill attention: which KV tiles a query tile visits, and the block program that walks them.
#include "traces/attention_prefill.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

constexpr double kCudaPerPair = 7;    // Maximum, scale and subtract, sum, half a conversion: 3.5 instructions of 2 FLOP.
constexpr double kCudaPerOutput = 2;  // Rescaling an element of O: one multiplication, an instruction.
constexpr double kCudaPerStored = 6;  // An element of O at the end: scale, half a conversion, shared memory and back, half a store.

/// Tokens [first, last) of K and V that one query tile loads; whole tiles, clipped to the keys that exist.
struct KvRange {
  std::uint64_t first = 0, last = 0;
};

std::uint64_t tiles_of(const KvRange& range, std::uint32_t rows) {
  return (range.last - range.first + rows - 1) / rows;
}

class PrefillProgram final : public BlockProgram {
 public:
  PrefillProgram(const AttentionProblem& problem, const PrefillTiling& tiling) : p_(problem), tiling_(tiling) {
    q_tiles_ = (p_.q_len + tiling.q_rows - 1) / tiling.q_rows;
  }

  [[nodiscard]] std::uint64_t q_tiles() const { return q_tiles_; }
  [[nodiscard]] std::uint64_t rows(std::uint64_t tile) const {
    return std::min<std::uint64_t>(tiling_.q_rows, p_.q_len - tile * tiling_.q_rows);
  }

  [[nodiscard]] KvRange range(std::uint64_t tile) const {
    const auto keys = static_cast<std::int64_t>(p_.kv_len);
    const std::int64_t shift = keys - static_cast<std::int64_t>(p_.q_len);
    const auto q_first = static_cast<std::int64_t>(tile * tiling_.q_rows);
    const std::int64_t q_last = q_first + static_cast<std::int64_t>(rows(tile)) - 1;
    const std::int64_t right = p_.causal ? 0 : p_.window_right;
    const std::int64_t low = p_.window_left < 0 ? 0 : std::max<std::int64_t>(0, q_first + shift - p_.window_left);
    const std::int64_t high = right < 0 ? keys : std::min(keys, q_last + shift + right + 1);
    if (low >= high) return {};
    const auto tile_rows = static_cast<std::int64_t>(tiling_.kv_rows);
    return {static_cast<std::uint64_t>(low / tile_rows * tile_rows),
            static_cast<std::uint64_t>(std::min(keys, (high + tile_rows - 1) / tile_rows * tile_rows))};
  }

  [[nodiscard]] std::uint32_t steps(std::uint32_t block) const override {
    return static_cast<std::uint32_t>(2 + 2 * tiles_of(range(q_tile(block)), tiling_.kv_rows));
  }

  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override {
    const std::uint64_t tile = q_tile(block);
    const std::uint64_t above = block / q_tiles_;
    const auto sequence = static_cast<std::uint32_t>(above % p_.batch);
    const auto head = static_cast<std::uint32_t>(above / p_.batch);
    const std::uint32_t kv_head = head / (p_.q_heads / p_.kv_heads);
    const KvRange span = range(tile);
    const std::uint64_t tiles = tiles_of(span, tiling_.kv_rows);
    if (step == 0) {
      out.loads.push_back(query_tile(p_.q, p_.head_dim, sequence, head, tile, AccessOp::load));
      p_.kv.append_table(sequence, span.first, span.last, out.loads);
    } else if (step > 2 * tiles) {
      out.work[static_cast<std::size_t>(Pipe::cuda)] = kCudaPerStored * static_cast<double>(rows(tile) * p_.v_dim());
      out.stores.push_back(query_tile(p_.o, p_.v_dim(), sequence, head, tile, AccessOp::store));
      if (p_.sums.rows > 0) {
        const std::uint64_t row = (std::uint64_t{sequence} * p_.q_heads + head) * p_.q_len + tile * tiling_.q_rows;
        out.stores.push_back(run_access(p_.sums.address + row * 4, rows(tile) * 4, AccessOp::store, p_.sums));
      }
    } else {
      const std::uint64_t kv_tile = tiles - 1 - (step - 1) / 2;
      const KvPart part = step % 2 == 1 ? KvPart::k : KvPart::v;
      const std::uint64_t first = span.first + kv_tile * tiling_.kv_rows;
      const std::uint64_t last = std::min(span.last, first + tiling_.kv_rows);
      p_.kv.append(part, sequence, kv_head, first, last, AccessOp::load, out.loads);
      const auto pairs = static_cast<double>(rows(tile) * (last - first));
      out.work[static_cast<std::size_t>(Pipe::tensor)] = 2.0 * pairs * (part == KvPart::k ? p_.head_dim : p_.v_dim());
      if (part == KvPart::k) {
        out.work[static_cast<std::size_t>(Pipe::sfu)] = pairs;
        out.work[static_cast<std::size_t>(Pipe::cuda)] =
            kCudaPerPair * pairs + kCudaPerOutput * static_cast<double>(rows(tile) * p_.v_dim());
      }
    }
  }

 private:
  [[nodiscard]] std::uint64_t q_tile(std::uint32_t block) const { return block % q_tiles_; }

  [[nodiscard]] Access query_tile(const Matrix& matrix, std::uint32_t features, std::uint32_t sequence, std::uint32_t head,
                                  std::uint64_t tile, AccessOp op) const {
    const auto row_bytes = static_cast<std::uint64_t>(static_cast<double>(features) * bytes_per_element(matrix.type));
    Access access;
    access.address = matrix.address + (sequence * p_.q_len + tile * tiling_.q_rows) * matrix.pitch + head * row_bytes;
    access.pitch = matrix.pitch;
    access.rows = static_cast<std::uint32_t>(rows(tile));
    access.row_bytes = static_cast<std::uint32_t>(row_bytes);
    access.op = op;
    access.hint = matrix.hint;
    access.role = matrix.role;
    access.home = matrix.home;
    return access;
  }

  AttentionProblem p_;
  PrefillTiling tiling_;
  std::uint64_t q_tiles_ = 0;
};

}  // namespace

PrefillTiling choose_prefill_tiling(const DeviceShape& gpu, std::uint32_t head_dim, DataType q_type, DataType kv_type) {
  PrefillTiling tiling;
  const bool in_turns = gpu.max_cluster >= 2;
  tiling.tensor_share = tensor_share_of(gpu, 0.5);
  tiling.exposed = in_turns ? kExposedInTurns : kExposedByChance;
  const double q_bytes = tiling.q_rows * head_dim * bytes_per_element(q_type);
  if (in_turns) {
    tiling.depth = 4;
    for (std::uint32_t rows : {128U, 64U, 32U}) {
      tiling.kv_rows = rows;
      if (q_bytes + 4.0 * rows * head_dim * bytes_per_element(kv_type) + 1024 <= gpu.shared_memory_per_block) return tiling;
    }
    tiling.depth = 1;
  }
  for (std::uint32_t blocks : {2U, 1U}) {
    for (std::uint32_t rows : {128U, 64U, 32U}) {
      const double bytes = q_bytes + 2.0 * rows * head_dim * bytes_per_element(kv_type) + 1024;
      tiling.kv_rows = rows;
      tiling.blocks_per_sm = blocks;
      if (bytes <= gpu.shared_memory_per_block && bytes * blocks <= gpu.shared_memory_per_sm && blocks <= gpu.max_blocks_per_sm) {
        return tiling;
      }
    }
  }
  return tiling;  // 128x32, one block: a machine with less shared memory than any that runs FlashAttention
}

Kernel make_attention_prefill(const AttentionProblem& problem, const PrefillTiling& tiling) {
  const AttentionProblem& p = problem;
  if (p.kv_heads == 0 || p.q_heads % p.kv_heads != 0) throw std::invalid_argument("attention: kv_heads must divide q_heads");
  auto program = std::make_shared<PrefillProgram>(p, tiling);
  const std::uint64_t per_tile = std::uint64_t{p.batch} * p.q_heads;
  const std::uint64_t grid = program->q_tiles() * per_tile;
  if (grid == 0 || grid > UINT32_MAX) throw std::invalid_argument(fmt::format("attention: {} blocks are not a grid", grid));

  double pairs = 0;
  double rescaled = 0;
  std::uint64_t first = UINT64_MAX;
  std::uint64_t last = 0;
  for (std::uint64_t tile = 0; tile < program->q_tiles(); ++tile) {
    const KvRange range = program->range(tile);
    if (range.first >= range.last) continue;
    pairs += static_cast<double>(program->rows(tile) * (range.last - range.first));
    rescaled += static_cast<double>(program->rows(tile) * tiles_of(range, tiling.kv_rows) * p.v_dim());
    first = std::min(first, range.first);
    last = std::max(last, range.last);
  }

  Kernel kernel;
  kernel.label = fmt::format("attention prefill {}x{}", tiling.q_rows, tiling.kv_rows);
  kernel.kernel_class = KernelClass::attention;
  kernel.stage = Stage::prefill;
  kernel.grid = static_cast<std::uint32_t>(grid);
  kernel.blocks_per_sm = tiling.blocks_per_sm;
  kernel.depth = tiling.depth;
  kernel.first_step_leads = true;
  kernel.early_loads = tiling.depth == 1;  // FlashAttention-2: one buffer of K, one of V.
  kernel.tensor_type = p.tensor_type;
  kernel.tensor_share = tiling.tensor_share;
  kernel.exposed = tiling.exposed;
  kernel.work[static_cast<std::size_t>(Pipe::tensor)] = 2.0 * pairs * (p.head_dim + p.v_dim()) * static_cast<double>(per_tile);
  kernel.work[static_cast<std::size_t>(Pipe::sfu)] = pairs * static_cast<double>(per_tile);
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] =
      (kCudaPerPair * pairs + kCudaPerOutput * rescaled + kCudaPerStored * static_cast<double>(p.q_len) * p.v_dim()) *
      static_cast<double>(per_tile);
  const std::uint64_t tokens = p.batch * p.q_len;
  const auto bytes_of_heads = [&](const Matrix& matrix, std::uint32_t features) {
    return static_cast<std::uint64_t>(static_cast<double>(p.q_heads) * features * bytes_per_element(matrix.type));
  };
  kernel.footprint.push_back({p.q.role, p.q.home, tokens * bytes_of_heads(p.q, p.head_dim), 0, p.q.produced});
  append_kv_footprint(p, first, last, kernel.footprint);  // query tiles slide: together they visit one run of tokens
  kernel.footprint.push_back({p.o.role, p.o.home, 0, tokens * bytes_of_heads(p.o, p.v_dim()), p.o.produced});
  if (p.sums.rows > 0) kernel.footprint.push_back({p.sums.role, p.sums.home, 0, tokens * p.q_heads * 4, p.sums.produced});
  kernel.program = std::move(program);
  return kernel;
}

}  // namespace rooftrace
