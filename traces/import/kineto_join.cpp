#include "traces/import/kineto_join.hpp"

#include <algorithm>

namespace rooftrace {
namespace {

void find_parents(std::vector<KinetoOperator>& ops) {
  std::vector<std::int64_t> order(ops.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t x, std::int64_t y) {
    const KinetoOperator &a = ops[static_cast<std::size_t>(x)], &b = ops[static_cast<std::size_t>(y)];
    if (a.thread != b.thread) return a.thread < b.thread;
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::vector<std::int64_t> open;
  for (const std::int64_t i : order) {
    KinetoOperator& op = ops[static_cast<std::size_t>(i)];
    while (!open.empty()) {
      const KinetoOperator& around = ops[static_cast<std::size_t>(open.back())];
      if (around.thread == op.thread && around.end >= op.end) break;
      open.pop_back();
    }
    if (!open.empty()) op.parent = open.back();
    open.push_back(i);
  }
}

}  // namespace

void KinetoJoin::join(KinetoProfile& profile) const {
  for (std::size_t i = 0; i < profile.gpu.size(); ++i) profile.gpu[i].op = operator_of(keys_[i].first, keys_[i].second);
  std::stable_sort(profile.gpu.begin(), profile.gpu.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  find_parents(profile.operators);
}

std::int64_t KinetoJoin::operator_of(std::uint64_t correlation, std::uint64_t external) const {
  if (const auto op = operators_.find(external); external != kNoId && op != operators_.end()) return op->second;
  const auto launch = launches_.find(correlation);
  if (correlation == kNoId || launch == launches_.end()) return -1;
  const auto op = operators_.find(launch->second);
  return op == operators_.end() ? -1 : op->second;
}

}  // namespace rooftrace
