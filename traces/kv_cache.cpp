// KvCache: from (sequence, head, token) to bytes.
#include "traces/kv_cache.hpp"

#include <algorithm>
#include <numeric>

#include "traces/random.hpp"

namespace rooftrace {

std::uint64_t KvCache::token_bytes(KvPart part) const {
  const std::uint32_t features = part == KvPart::v && value_dim > 0 ? value_dim : head_dim;
  return static_cast<std::uint64_t>(static_cast<double>(features) * bytes_per_element(type));
}

std::uint64_t KvCache::pages() const {
  return paged() ? (tokens + page_tokens - 1) / page_tokens : 0;
}

std::uint64_t KvCache::page_address(KvPart part, std::uint32_t sequence, std::uint64_t page) const {
  if (page < host_pages) return staged + ((page * parts() + (part == KvPart::v ? 1 : 0)) * sequences + sequence) * page_bytes();
  const std::uint32_t slot = (*physical)[sequence * resident_pages() + page - host_pages];
  return (part == KvPart::k ? k_pool : v_pool) + slot * page_bytes();
}

void KvCache::append(KvPart part, std::uint32_t sequence, std::uint32_t head, std::uint64_t first, std::uint64_t last, AccessOp op,
                     std::vector<Access>& out) const {
  if (first >= last) return;
  const std::uint64_t row = token_bytes(part);
  Access access;
  access.op = op;
  access.hint = hint;
  access.role = role;
  if (!paged()) {
    const Matrix& matrix = part == KvPart::k ? k : v;
    access.address = matrix.address + (sequence * tokens + first) * matrix.pitch + head * row;
    access.pitch = matrix.pitch;
    access.rows = static_cast<std::uint32_t>(last - first);
    access.row_bytes = static_cast<std::uint32_t>(row);
    access.home = matrix.home;
    out.push_back(access);
    return;
  }
  for (std::uint64_t token = first; token < last;) {
    const std::uint64_t page = token / page_tokens;
    const std::uint64_t end = std::min(last, (page + 1) * page_tokens);
    access.address = page_address(part, sequence, page) + (std::uint64_t{head} * page_tokens + token % page_tokens) * row;
    access.row_bytes = static_cast<std::uint32_t>((end - token) * row);
    out.push_back(access);
    token = end;
  }
}

void KvCache::append_token(KvPart part, std::uint32_t sequence, std::uint64_t token, AccessOp op, std::vector<Access>& out) const {
  const std::uint64_t row = token_bytes();
  Access access;
  access.op = op;
  access.hint = hint;
  access.role = role;
  if (paged()) {
    access.address = page_address(part, sequence, token / page_tokens) + token % page_tokens * row;
    access.pitch = page_tokens * row;
    access.rows = kv_heads;
    access.row_bytes = static_cast<std::uint32_t>(row);
  } else {
    const Matrix& matrix = part == KvPart::k ? k : v;
    access.address = matrix.address + (sequence * tokens + token) * matrix.pitch;
    access.row_bytes = static_cast<std::uint32_t>(row * kv_heads);
    access.home = matrix.home;
  }
  out.push_back(access);
}

std::uint64_t KvCache::table_span(std::uint64_t first, std::uint64_t last) const {
  if (!paged() || first >= last) return 0;
  return ((last - 1) / page_tokens - first / page_tokens + 1) * 4;
}

void KvCache::append_table(std::uint32_t sequence, std::uint64_t first, std::uint64_t last, std::vector<Access>& out) const {
  const std::uint64_t bytes = table_span(first, last);
  if (bytes == 0) return;
  Access access;
  access.address = table + (sequence * pages() + first / page_tokens) * 4;
  access.row_bytes = static_cast<std::uint32_t>(bytes);
  access.role = TensorRole::tables;
  out.push_back(access);
}

std::shared_ptr<const std::vector<std::uint32_t>> shuffled_pages(std::uint64_t count, std::uint64_t seed) {
  auto order = std::make_shared<std::vector<std::uint32_t>>(count);
  std::iota(order->begin(), order->end(), 0U);
  SplitMix random(seed);
  shuffle(*order, random);
  return order;
}

KvCache contiguous_kv(const Matrix& k, const Matrix& v, std::uint32_t sequences, std::uint32_t kv_heads, std::uint32_t head_dim) {
  KvCache cache;
  cache.sequences = sequences;
  cache.kv_heads = kv_heads;
  cache.head_dim = head_dim;
  cache.tokens = sequences == 0 ? 0 : k.rows / sequences;
  cache.type = k.type;
  cache.hint = k.hint;
  cache.k = k;
  cache.v = v;
  return cache;
}

}  // namespace rooftrace
