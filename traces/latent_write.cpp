// The block program: one step per token.
#include "traces/latent_write.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "traces/tile_access.hpp"

namespace rooftrace {
namespace {

double work_per_token(const LatentWriteProblem& p) {
  return 3.0 * (p.q_heads + 1.0) * p.rope_dim;
}

class LatentWriteProgram final : public BlockProgram {
 public:
  explicit LatentWriteProgram(const LatentWriteProblem& problem)
      : p_(problem),
        latent_(problem.latent, AccessOp::load),
        q_(problem.q, AccessOp::load),
        cos_sin_(problem.cos_sin, AccessOp::load),
        k_up_(problem.k_up, AccessOp::load),
        out_(problem.out, AccessOp::store),
        k_(problem.k, AccessOp::store) {}

  [[nodiscard]] std::uint32_t steps(std::uint32_t) const override { return 1; }

  void fill(std::uint32_t block, std::uint32_t, Step& out) const override {
    const auto sequence = static_cast<std::uint32_t>(block / p_.q_len);
    const std::uint64_t position = p_.first_position + block % p_.q_len;
    latent_.push(out.loads, block, 1, 0, p_.latent.cols);
    q_.push_strided(out.loads, q_.address_of(block, 0), p_.q_stride, p_.q_heads, q_.run_bytes(p_.rope_dim));
    cos_sin_.push(out.loads, position, 1, 0, p_.cos_sin.cols);
    if (p_.k_up.rows > 0) k_up_.push(out.loads, block, 1, 0, p_.k_up.cols);
    p_.kv.append_table(sequence, position, position + 1, out.loads);
    out.work[static_cast<std::size_t>(Pipe::cuda)] = work_per_token(p_);
    out_.push_strided(out.stores, out_.address_of(block, 0), p_.out_stride, p_.q_heads, out_.run_bytes(p_.rope_dim));
    if (p_.k_up.rows > 0) k_.push(out.stores, block, 1, 0, p_.k.cols);
    p_.kv.append_token(KvPart::k, sequence, position, AccessOp::store, out.stores);
  }

 private:
  LatentWriteProblem p_;
  TileOperand latent_, q_, cos_sin_, k_up_, out_, k_;
};

}  // namespace

Kernel make_latent_write(const DeviceShape& gpu, const LatentWriteProblem& problem) {
  const LatentWriteProblem& p = problem;
  const std::uint64_t tokens = p.batch * p.q_len;
  if (tokens == 0 || tokens > UINT32_MAX) throw std::invalid_argument(fmt::format("latent write: {} tokens are not a grid", tokens));
  if (!p.kv.latent || p.kv.kv_heads != 1) throw std::invalid_argument("latent write: the cache is not latent");
  Kernel kernel;
  kernel.label = p.k_up.rows > 0 ? "rope + latent write + k" : "rope + latent write";
  kernel.kernel_class = KernelClass::rope_kv_write;
  kernel.grid = static_cast<std::uint32_t>(tokens);
  kernel.blocks_per_sm = std::min(8U, gpu.max_blocks_per_sm);  // 256 threads each, as RoPE.
  kernel.depth = 1;
  kernel.work[static_cast<std::size_t>(Pipe::cuda)] = work_per_token(p) * static_cast<double>(tokens);
  const auto rotated = static_cast<std::uint64_t>(static_cast<double>(p.q_heads) * p.rope_dim * bytes_per_element(p.q.type));
  kernel.footprint.push_back(read_footprint(p.latent));
  kernel.footprint.push_back({p.q.role, p.q.home, tokens * rotated, tokens * rotated, true});
  kernel.footprint.push_back({p.cos_sin.role, p.cos_sin.home, p.q_len * p.cos_sin.row_bytes(), 0, p.cos_sin.produced});
  if (p.k_up.rows > 0) {
    kernel.footprint.push_back(read_footprint(p.k_up));
    kernel.footprint.push_back(write_footprint(p.k));
  }
  if (p.kv.paged()) {
    const std::uint64_t entries = p.batch * p.kv.table_span(p.first_position, p.first_position + p.q_len);
    kernel.footprint.push_back({TensorRole::tables, Home::local, entries, 0, false});
  }
  const Home home = p.kv.paged() ? Home::local : p.kv.k.home;
  kernel.footprint.push_back({TensorRole::kv, home, 0, tokens * p.kv.token_bytes(), true});
  kernel.program = std::make_shared<LatentWriteProgram>(p);
  return kernel;
}

}  // namespace rooftrace
