// The kernels of this folder with inputs, sizes and a check: what the capture programs and the timing programs run.
//
// A case is made from a name and sizes, prepared once on a device (inputs are pseudo-random and the same everywhere), launched any number
// of times on any of its copies (distinct buffers, so that a timing can go round them), and checked against a reference in fp64.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "traces/capture/device.hpp"

namespace rooftrace::capture {

/// What the operation needs at least, whatever the kernel does: every operand once.
struct Cost {
  std::uint64_t flop = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t write_bytes = 0;
};

class Case {
 public:
  Case() = default;
  virtual ~Case() = default;
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  virtual void prepare(Device& device, unsigned copies) = 0;
  virtual void launch(Device& device, unsigned copy) = 0;
  /// Relative error |out - reference| / |reference| over a sample of copy 0's output, after exactly one launch. NaN: something was not
  /// written.
  [[nodiscard]] virtual double error(Device& device) = 0;
  [[nodiscard]] virtual Cost cost() const = 0;
};

using Sizes = std::map<std::string, std::uint64_t>;

struct CaseKind {
  std::string name;
  std::string what;
  std::vector<std::pair<std::string, std::uint64_t>> sizes;  ///< With their defaults: small, for the shim.
  std::function<std::unique_ptr<Case>(const Sizes&)> make;
};

/// The one table of all kinds.
[[nodiscard]] const std::vector<CaseKind>& case_kinds();

/// With the defaults for sizes that are not given. Unknown names and sizes that the kernel cannot do are CaptureError.
[[nodiscard]] std::unique_ptr<Case> make_case(const std::string& name, const Sizes& given);

/// The steps of case_kinds(), one per file of cases/.
[[nodiscard]] CaseKind rms_norm_case();
[[nodiscard]] CaseKind swiglu_fused_case();
[[nodiscard]] CaseKind swiglu_unfused_case();
[[nodiscard]] CaseKind rope_case();
[[nodiscard]] CaseKind paged_decode_case();
[[nodiscard]] CaseKind prefill_case();
[[nodiscard]] CaseKind gemm_mma_case();
[[nodiscard]] CaseKind gemm_tma_case();
[[nodiscard]] CaseKind moe_gemm_case();

/// Sums up |got - want| / |want|.
class RelativeError {
 public:
  void add(double got, double want) {
    difference_ += (got - want) * (got - want);
    size_ += want * want;
  }
  [[nodiscard]] double value() const { return std::sqrt(difference_ / size_); }

 private:
  double difference_ = 0;
  double size_ = 0;
};

/// `size` or CaptureError("CASE: what").
inline void require(bool holds, const std::string& what) {
  if (!holds) throw CaptureError(what);
}

}  // namespace rooftrace::capture
