// Filters of a sweep: "batch < 64 and (hbm_bandwidth >= 3 TB/s or not weights == 'fp8')".
//
//   or, and, not; == != < <= > >=; + - * /; parentheses; numbers and quantities ("96 MiB"; "2 TB/s" is one word, so divide by a name in
//   parentheses); texts in quotes; names or keys of the sweep's axes. Comparing a text with a number, and anything else that makes no
//   sense, is a UserError before a point is run. Not supported: keys that are on no axis.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sim/app/sweep_spec.hpp"

namespace rooftrace {

namespace detail {
struct WhereNode;
}

class SweepWhere {
 public:
  /// `spec` must outlive this.
  explicit SweepWhere(const SweepSpec& spec);
  ~SweepWhere();
  SweepWhere(const SweepWhere&) = delete;
  SweepWhere& operator=(const SweepWhere&) = delete;
  /// Whether every filter of the sweep takes this point.
  [[nodiscard]] bool takes(std::uint64_t point) const;

 private:
  const SweepSpec& spec_;
  std::vector<std::unique_ptr<detail::WhereNode>> filters_;
};

}  // namespace rooftrace
