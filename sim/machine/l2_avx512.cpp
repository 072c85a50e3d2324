// The walk, compiled for AVX-512 although the rest of the program is not.
//
// Standard headers are included before the target changes, so that no function they define is compiled for AVX-512 and then picked by the
// linker for everyone; the walk's own types are distinct per tag store.
#include "sim/machine/l2_avx512.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "sim/machine/address_map.hpp"
#include "sim/machine/first_touch.hpp"
#include "sim/machine/hbm.hpp"
#include "sim/machine/line_places.hpp"
#include "sim/machine/lines_on_the_way.hpp"
#include "sim/machine/miss_slots.hpp"
#include "sim/machine/slice_calls.hpp"
#include "sim/machine/slice_inputs.hpp"
#include "sim/machine/slice_layout.hpp"
#include "sim/machine/stream_lines.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx512f,bmi,bmi2,popcnt,lzcnt")
#include "sim/machine/l2_slices.hpp"
#include "sim/machine/l2_streams.hpp"
#include "sim/machine/packed_set_avx512.hpp"

namespace rooftrace {

std::unique_ptr<L2> make_l2_avx512(const L2Context& context) {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("bmi2")) return nullptr;
  const L2Spec& spec = *context.spec;
  PackedCache<PackedOpsAvx512> cache(spec.sets(), spec.ways, spec.policy == Replacement::lru);
  if (context.contention == Contention::slices) return std::make_unique<SliceL2<PackedCache<PackedOpsAvx512>>>(context, std::move(cache));
  return std::make_unique<L2Walk<PackedCache<PackedOpsAvx512>>>(context, std::move(cache));
}

}  // namespace rooftrace
#pragma GCC pop_options
#else
namespace rooftrace {
std::unique_ptr<L2> make_l2_avx512(const L2Context&) {
  return nullptr;
}
}  // namespace rooftrace
#endif
