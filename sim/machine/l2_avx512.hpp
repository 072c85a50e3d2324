// The L2 over AVX-512 tag stores, on hosts that have it.
#pragma once

#include <memory>

#include "sim/machine/l2.hpp"

namespace rooftrace {

/// Nothing when the host lacks AVX-512F. The geometry must fit PackedCache (make_l2 checks).
[[nodiscard]] std::unique_ptr<L2> make_l2_avx512(const L2Context& context);

}  // namespace rooftrace
