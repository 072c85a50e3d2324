// The RoPE block program: one step per token.
#include "traces/rope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

Work work_per_token(const RopeProblem& p) {
  const double qk_heads = static_cast<double>(p.q_heads) + p.kv_heads;
  double flop = p.cos_sin.rows == 0 ? 0 : 3.0 * qk_heads * static_cast<double>(p.cos_sin.cols);
  if (p.bias.rows > 0) flop += (qk_heads + p.kv_heads) * p.head_dim;
  if (p.qk_gain.rows > 0) flop += 4.0 * qk_heads * p.head_dim;
  Work work{};
  work[static_cast<std::size_t>(Pipe::cuda)] = flop;
  work[static_cast<std::size_t>(Pipe::sfu)] = p.qk_gain.rows > 0 ? qk_heads : 0;
  return work;
}

class RopeProgram final : public BlockProgram {
 public:
  explicit RopeProgram(const RopeProblem& problem)
      : p_(problem),
        qkv_(problem.qkv, AccessOp::load),
        q_(problem.qkv, AccessOp::store),
        cos_sin_(problem.cos_sin, AccessOp::load),
        bias_(problem.bias, AccessOp::load),
        qk_gain_(problem.qk_gain, AccessOp::load),
        work_(work_per_token(problem)) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }

  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    const auto sequence = static_cast<std::uint32_t>(block / p_.q_len);
    const std::uint64_t position = p_.first_position + block % p_.q_len;
    qkv_.push(out.loads, block, 1, 0, p_.qkv.cols);
    if (p_.cos_sin.rows > 0) cos_sin_.push(out.loads, position, 1, 0, p_.cos_sin.cols);
    if (p_.qk_gain.rows > 0) qk_gain_.push(out.loads, 0, p_.qk_gain.rows, 0, p_.qk_gain.cols);
    if (p_.bias.rows > 0) bias_.push(out.loads, 0, 1, 0, p_.bias.cols);
    p_.kv.append_table(sequence, position, position + 1, out.loads);
    out.work = work_;
    q_.push(out.stores, block, 1, 0, std::uint64_t{p_.q_heads} * p_.head_dim);
    p_.kv.append_token(KvPart::k, sequence, position, AccessOp::store, out.stores);
    p_.kv.append_token(KvPart::v, sequence, position, AccessOp::store, out.stores);
  }

 private:
  RopeProblem p_;
  TileOperand qkv_, q_, cos_sin_, bias_, qk_gain_;
  Work work_;
};

}  // namespace

Kernel make_rope_kv_write(const DeviceShape& gpu, const RopeProblem& problem) {
  const RopeProblem& p = problem;
  const std::uint64_t tokens = p.batch * p.q_len;
  if (tokens == 0 || tokens > UINT32_MAX) throw std::invalid_argument(fmt::format("rope: {} tokens are not a grid", tokens));
  Kernel kernel;
  kernel.label = p.cos_sin.rows > 0 ? "rope + kv write" : "kv write";
  kernel.kernel_class = KernelClass::rope_kv_write;
  kernel.grid = static_cast<std::uint32_t>(tokens);
  kernel.blocks_per_sm = std::min(8U, gpu.max_blocks_per_sm);  // 256 threads each
  kernel.depth = 1;
  kernel.work = work_per_token(p);
  for (double& amount : kernel.work) amount *= static_cast<double>(tokens);
  kernel.footprint.push_back(read_footprint(p.qkv));
  if (p.cos_sin.rows > 0) {
    kernel.footprint.push_back({p.cos_sin.role, p.cos_sin.home, p.q_len * p.cos_sin.row_bytes(), 0, p.cos_sin.produced});
  }
  if (p.qk_gain.rows > 0) kernel.footprint.push_back(read_footprint(p.qk_gain));
  if (p.bias.rows > 0) kernel.footprint.push_back(read_footprint(p.bias));
  if (p.kv.paged()) {
    const std::uint64_t entries = p.batch * p.kv.table_span(p.first_position, p.first_position + p.q_len);
    kernel.footprint.push_back({TensorRole::tables, Home::local, entries, 0, false});
  }
  const auto q_bytes = static_cast<std::uint64_t>(static_cast<double>(p.q_heads) * p.head_dim * bytes_per_element(p.qkv.type));
  kernel.footprint.push_back({p.qkv.role, p.qkv.home, 0, tokens * q_bytes, true});
  const Home kv_home = p.kv.paged() ? Home::local : p.kv.k.home;
  // Attention reads them in this stage, so they may stay in L2; what is evicted or flushed later reaches HBM as a write-back.
  kernel.footprint.push_back({TensorRole::kv, kv_home, 0, 2 * tokens * p.kv.token_bytes() * p.kv_heads, true});
  kernel.program = std::make_shared<RopeProgram>(p);
  return kernel;
}

}  // namespace rooftrace
