// The walk behind measure(), and the comparison with the closed forms.
#include "traces/trace_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "traces/byte_set.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kMostMessages = 5;
constexpr std::uint64_t kSector = 32;

struct DistinctSets {
  ByteSet read, written;
};

class Walker {
 public:
  explicit Walker(const Kernel& kernel) : kernel_(kernel), sets_(static_cast<std::size_t>(kTensorRoles * kHomes)) {}

  TraceTotals run() {
    Step step;
    for (std::uint32_t block = 0; block < kernel_.grid; ++block) {
      const std::uint32_t steps = kernel_.program->steps(block);
      if (steps == 0) complain(fmt::format("block {} has no steps", block));
      for (std::uint32_t s = 0; s < steps; ++s) {
        step.clear();
        kernel_.program->fill(block, s, step);
        take(step, block, s);
      }
    }
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      TouchTotals& touched = totals_.touched[i / kHomes][i % kHomes];
      touched.distinct_read = sets_[i].read.size();
      touched.distinct_written = sets_[i].written.size();
    }
    return std::move(totals_);
  }

 private:
  void take(const Step& step, std::uint32_t block, std::uint32_t s) {
    std::uint64_t loaded = 0;
    for (const Access& access : step.loads) {
      loaded += access.bytes();
      take(access, true, block, s);
    }
    for (const Access& access : step.stores) take(access, false, block, s);
    for (std::size_t pipe = 0; pipe < kPipes; ++pipe) {
      if (!(step.work[pipe] >= 0)) complain(fmt::format("block {} step {}: negative work", block, s));
      totals_.work[pipe] += step.work[pipe];
    }
    ++totals_.steps;
    totals_.largest_step = std::max(totals_.largest_step, loaded);
    totals_.most_accesses_a_step = std::max<std::uint64_t>(totals_.most_accesses_a_step, step.loads.size() + step.stores.size());
  }

  void take(const Access& access, bool is_load, std::uint32_t block, std::uint32_t s) {
    ++totals_.accesses;
    const std::uint64_t end = access.address + (access.rows - 1) * access.pitch * (access.rows > 1 ? 1 : 0) + access.row_bytes;
    if (const std::string why = broken_law(access, is_load, end); !why.empty()) {
      complain(fmt::format("block {} step {}: {}", block, s, why));
      return;  // Its bytes would only make nonsense of the totals.
    }
    totals_.address_end = std::max(totals_.address_end, end);
    const std::size_t slot = static_cast<std::size_t>(access.role) * kHomes + static_cast<std::size_t>(access.home);
    TouchTotals& touched = totals_.touched[slot / kHomes][slot % kHomes];
    (is_load ? touched.loaded : touched.stored) += access.bytes();
    if (is_load) totals_.delivered += access.bytes() * access.multicast;
    ByteSet& set = is_load ? sets_[slot].read : sets_[slot].written;
    for (std::uint32_t row = 0; row < access.rows; ++row) {
      const std::uint64_t begin = access.address + row * access.pitch;
      set.insert(begin, begin + access.row_bytes);
      if (is_load) totals_.sectors_loaded += (begin + access.row_bytes - 1) / kSector - begin / kSector + 1;
    }
  }

  static std::string broken_law(const Access& access, bool is_load, std::uint64_t end) {
    if (access.rows == 0 || access.row_bytes == 0) return "an access of no bytes";
    if (access.address >> kAddressBits != 0 || end > (1ULL << kAddressBits)) return "an address at or above 2^42";
    if (access.rows > 1 && access.pitch < access.row_bytes) return "rows of an access overlap";
    if (access.multicast == 0) return "multicast is zero";
    if (is_load != (access.op == AccessOp::load)) return is_load ? "a store among the loads" : "a load among the stores";
    if (!is_load && access.multicast != 1) return "a multicast store";
    return {};
  }

  void complain(std::string message) {
    if (totals_.malformed_accesses++ < kMostMessages) totals_.malformed.push_back(std::move(message));
  }

  const Kernel& kernel_;
  std::vector<DistinctSets> sets_;
  TraceTotals totals_;
};

std::uint64_t sum_over(const TraceTotals& totals, std::uint64_t TouchTotals::*field) {
  std::uint64_t sum = 0;
  for (const auto& role : totals.touched)
    for (const TouchTotals& home : role) sum += home.*field;
  return sum;
}

std::vector<std::string> compare(const Kernel& kernel, const TraceTotals& totals) {
  std::vector<std::string> out = totals.malformed;
  if (totals.malformed_accesses > totals.malformed.size())
    out.push_back(fmt::format("... {} of that kind in all", totals.malformed_accesses));
  for (std::size_t pipe = 0; pipe < kPipes; ++pipe) {
    // Steps add up in another order than the closed form; below 2^53 both are exact for whole numbers.
    if (std::abs(kernel.work[pipe] - totals.work[pipe]) > 1e-12 * std::max(kernel.work[pipe], totals.work[pipe]))
      out.push_back(fmt::format("work on pipe {}: the kernel says {}, its steps do {}", pipe, kernel.work[pipe], totals.work[pipe]));
  }
  for (int role = 0; role < kTensorRoles; ++role) {
    for (int home = 0; home < kHomes; ++home) {
      std::uint64_t read = 0, written = 0;
      for (const Footprint& footprint : kernel.footprint) {
        if (static_cast<int>(footprint.role) != role || static_cast<int>(footprint.home) != home) continue;
        read += footprint.read;
        written += footprint.written;
      }
      const TouchTotals& found = totals.touched[static_cast<std::size_t>(role)][static_cast<std::size_t>(home)];
      if (read != found.distinct_read || written != found.distinct_written)
        out.push_back(fmt::format("footprint of role {} home {}: the kernel says {} read {} written, its steps touch {} and {}", role, home,
                                  read, written, found.distinct_read, found.distinct_written));
    }
  }
  return out;
}

/// Whether a walk is possible at all; what is wrong goes to `out`.
bool walkable(const Kernel& kernel, std::vector<std::string>& out) {
  if (kernel.program == nullptr) out.push_back("no block program");
  if (kernel.grid == 0) out.push_back("no blocks");
  if (kernel.blocks_per_sm == 0) out.push_back("no block fits an SM");
  if (kernel.depth == 0) out.push_back("a pipeline of no stages");
  return out.empty();
}

}  // namespace

std::uint64_t TraceTotals::loaded() const {
  return sum_over(*this, &TouchTotals::loaded);
}
std::uint64_t TraceTotals::stored() const {
  return sum_over(*this, &TouchTotals::stored);
}

TraceTotals measure(const Kernel& kernel) {
  return Walker(kernel).run();
}

std::vector<std::string> check_kernel(const Kernel& kernel) {
  std::vector<std::string> out;
  if (!walkable(kernel, out)) return out;
  return compare(kernel, measure(kernel));
}

std::vector<std::string> check_trace(const Trace& trace) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < trace.kernels.size(); ++i) {
    const Kernel& kernel = trace.kernels[i];
    std::vector<std::string> found;
    if (walkable(kernel, found)) {
      const TraceTotals totals = measure(kernel);
      found = compare(kernel, totals);
      if (totals.address_end > trace.address_end)
        found.push_back(fmt::format("touches address {} beyond the trace's end {}", totals.address_end - 1, trace.address_end));
    }
    for (const std::uint32_t earlier : kernel.waits_for)
      if (earlier >= i) found.push_back(fmt::format("waits for kernel {}, which is not earlier", earlier));
    for (const std::string& why : found) out.push_back(fmt::format("kernel {} ({}): {}", i, kernel.label, why));
  }
  return out;
}

}  // namespace rooftrace
