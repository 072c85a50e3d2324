// K and V of one layer, as attention reads and RoPE writes them: in pages behind a block table, or contiguous.
//
// Paged: K and V are two pools of pages; a page holds page_tokens tokens of all KV heads, [page][kv_head][token][dim], so that one head of
// one page is a contiguous run. Which physical page holds logical page p of sequence s is a seeded shuffle (a long-running server's pool
// is fragmented), the same for every layer. The first host_pages logical pages of each sequence have their home in host memory; kernels
// meet them in a local staging pool, oldest pages first, so that those a window still sees are its tail. Latent (MLA): one pool, whose rows
// are read once for K and for V; its accesses are those of K. Contiguous: matrices [sequence * token][kv_head * dim] with any pitch, as a
// plain FlashAttention call takes them. Promises: accesses cover exactly the asked tokens. Not
// modeled: prefix sharing between sequences, scales of a quantised cache (per-tensor scales: no bytes to speak of).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/core/kernel.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

enum class KvPart : std::uint8_t { k, v };

struct KvCache {
  std::uint32_t sequences = 1;
  std::uint32_t kv_heads = 1;
  std::uint32_t head_dim = 128;
  std::uint32_t value_dim = 0;  ///< Contiguous only: features of a head of V where they differ; 0: head_dim.
  bool latent = false;          ///< One vector of head_dim features is K and, its first features, V.
  std::uint64_t tokens = 0;     ///< Tokens of each sequence that have a place.
  DataType type = DataType::bf16;
  CacheHint hint = CacheHint::normal;
  TensorRole role = TensorRole::kv;  ///< activations: K and V that a prefill computed and no cache holds.

  std::uint32_t page_tokens = 0;  ///< 0: contiguous.
  std::uint64_t k_pool = 0, v_pool = 0;
  std::uint64_t staged = 0;      ///< Where the pages of host memory are met, [logical page][K, V][sequence]; used when host_pages > 0.
  std::uint32_t host_pages = 0;  ///< Logical pages 0 .. host_pages - 1 of each sequence.
  std::uint64_t table = 0;       ///< Block table: one int32 per (sequence, logical page).
  std::shared_ptr<const std::vector<std::uint32_t>> physical;  ///< [sequence * resident_pages() + logical - host_pages].

  Matrix k, v;  ///< Contiguous only.

  [[nodiscard]] bool paged() const { return page_tokens > 0; }
  [[nodiscard]] std::uint64_t token_bytes(KvPart part = KvPart::k) const;  ///< One token of one KV head, K or V alone.
  [[nodiscard]] std::uint64_t parts() const { return latent ? 1 : 2; }
  [[nodiscard]] std::uint64_t both_bytes() const {  ///< One token of one KV head, K and V, or the latent.
    return token_bytes(KvPart::k) + (latent ? 0 : token_bytes(KvPart::v));
  }
  [[nodiscard]] std::uint64_t pages() const;  ///< Logical pages per sequence.
  [[nodiscard]] std::uint64_t resident_pages() const { return pages() - host_pages; }
  [[nodiscard]] std::uint64_t page_bytes() const { return token_bytes() * kv_heads * page_tokens; }  ///< K or V alone.
  [[nodiscard]] std::uint64_t pool_bytes() const { return sequences * resident_pages() * page_bytes(); }
  [[nodiscard]] std::uint64_t table_bytes() const { return sequences * pages() * 4; }
  [[nodiscard]] std::uint64_t page_address(KvPart part, std::uint32_t sequence, std::uint64_t page) const;

  /// Accesses to tokens [first, last) of one KV head of one sequence.
  void append(KvPart part, std::uint32_t sequence, std::uint32_t head, std::uint64_t first, std::uint64_t last, AccessOp op,
              std::vector<Access>& out) const;
  /// One access to one token of all KV heads.
  void append_token(KvPart part, std::uint32_t sequence, std::uint64_t token, AccessOp op, std::vector<Access>& out) const;
  /// One load of the table entries of tokens [first, last); nothing when contiguous or empty.
  void append_table(std::uint32_t sequence, std::uint64_t first, std::uint64_t last, std::vector<Access>& out) const;
  /// Bytes of those entries.
  [[nodiscard]] std::uint64_t table_span(std::uint64_t first, std::uint64_t last) const;
};

/// The seeded shuffle: the same on every platform (see traces/random.hpp).
[[nodiscard]] std::shared_ptr<const std::vector<std::uint32_t>> shuffled_pages(std::uint64_t count, std::uint64_t seed);

/// A contiguous cache over two matrices of sequences * tokens rows.
[[nodiscard]] KvCache contiguous_kv(const Matrix& k, const Matrix& v, std::uint32_t sequences, std::uint32_t kv_heads,
                                    std::uint32_t head_dim);

}  // namespace rooftrace
