// What prefill and decode attention share: the closed form of the KV bytes.
#include "traces/attention.hpp"

#include <algorithm>

namespace rooftrace {

void append_kv_footprint(const AttentionProblem& p, std::uint64_t first, std::uint64_t last, std::vector<Footprint>& out) {
  if (first >= last) return;
  const std::uint64_t staged_end = std::clamp<std::uint64_t>(p.kv.host_pages * std::uint64_t{p.kv.page_tokens}, first, last);
  const std::uint64_t fresh_begin = std::clamp<std::uint64_t>(p.kv_len - std::min(p.kv_len, p.kv_produced), staged_end, last);
  const std::uint64_t produced = staged_end - first + last - fresh_begin;
  const std::uint64_t per_token = p.kv.both_bytes() * p.kv_heads * p.batch;
  const Home home = p.kv.paged() ? Home::local : p.kv.k.home;
  if (last - first > produced) out.push_back({p.kv.role, home, (last - first - produced) * per_token, 0, false});
  if (produced > 0) out.push_back({p.kv.role, home, produced * per_token, 0, true});
  if (p.kv.paged()) out.push_back({TensorRole::tables, Home::local, p.batch * p.kv.table_span(first, last), 0, false});
}

}  // namespace rooftrace
