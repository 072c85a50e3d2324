#include "traces/capture/cases.hpp"

namespace rooftrace::capture {

const std::vector<CaseKind>& case_kinds() {
  static const std::vector<CaseKind> kKinds = {rms_norm_case(),       rope_case(),         swiglu_fused_case(),
                                               swiglu_unfused_case(), paged_decode_case(), prefill_case(),
                                               gemm_mma_case(),       gemm_tma_case(),     moe_gemm_case()};
  return kKinds;
}

std::unique_ptr<Case> make_case(const std::string& name, const Sizes& given) {
  std::string names;
  for (const CaseKind& kind : case_kinds()) {
    names += " " + kind.name;
    if (kind.name != name) continue;
    Sizes sizes;
    std::string known;
    for (const auto& [key, value] : kind.sizes) {
      sizes[key] = value;
      known += " " + key;
    }
    for (const auto& [key, value] : given) {
      if (!sizes.contains(key)) throw CaptureError(name + ": no size \"" + key + "\"; there are:" + known);
      sizes[key] = value;
    }
    return kind.make(sizes);
  }
  throw CaptureError("no case \"" + name + "\"; there are:" + names);
}

}  // namespace rooftrace::capture
