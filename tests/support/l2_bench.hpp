// A small L2 with round numbers, and what was booked on it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/machine/l2.hpp"

namespace rooftrace::toy {

/// 7 sets of 4 ways; 1 B/ps at L2, 0.1 B/ps over three channels at HBM; 100 ps near, 200 ps far, 500 ps HBM.
struct L2Bench {
  L2Spec l2;
  HbmSpec hbm;
  std::vector<TensorRole> roles;
  ByteCounts q;
  CacheCounts cache;

  L2Bench() {
    l2.ways = 4;
    l2.effective = l2.capacity = 4 * 128 * 7;  // 7 sets
    l2.bandwidth = 1e12;
    l2.latency_near = 100e-12;
    l2.latency_far = 200e-12;
    hbm.bandwidth = 1e11;
    hbm.channels = 3;
    hbm.latency = 500e-12;
  }
  std::unique_ptr<L2> make(TagStore store = TagStore::automatic) { return make_l2({&l2, &hbm, 1ULL << 30, &roles}, store); }
  Time ask(L2& cache_level, const Access& access, Time now = 0) {
    return cache_level.access(std::span(&access, 1), {0, &q, &cache}, 0, now);
  }
  [[nodiscard]] std::uint64_t hbm_read(Cause cause) const { return q.at(LevelId::hbm, TensorRole::activations, Direction::read, cause); }
  [[nodiscard]] std::uint64_t written_back() const { return q.by_cause(LevelId::hbm, Cause::write_back); }
};

}  // namespace rooftrace::toy
