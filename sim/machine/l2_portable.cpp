// The L2 over tag stores in plain C++, and the choice among all.
#include <stdexcept>

#include "sim/machine/associative_cache.hpp"
#include "sim/machine/l2_avx512.hpp"
#include "sim/machine/l2_slices.hpp"
#include "sim/machine/l2_streams.hpp"

namespace rooftrace {
namespace {
constexpr std::uint32_t kManyWays = 64;  ///< From here on a hash table beats a scan.

std::unique_ptr<L2> make_slices(const L2Context& context, TagStore store) {
  const L2Spec& spec = *context.spec;
  const IndexMap index(SliceLayout(spec, *context.hbm, {}).sets(), spec.line, spec.hash == IndexHash::hashed);
  const bool packs = spec.ways <= kPackedWays && spec.line / spec.sector <= 4 && spec.policy != Replacement::random &&
                     index.tags(context.address_end / spec.line + 1) <= kPackedTags;
  if (store == TagStore::reference || !packs) {
    return std::make_unique<SliceL2<ReferenceCache>>(context, ReferenceCache(spec.sets(), spec.ways, spec.policy));
  }
  if (store != TagStore::packed_portable) {
    if (auto fast = make_l2_avx512(context)) return fast;
  }
  return std::make_unique<SliceL2<PackedCache<PackedOpsPortable>>>(
      context, PackedCache<PackedOpsPortable>(spec.sets(), spec.ways, spec.policy == Replacement::lru));
}

}  // namespace

std::string_view name(Contention contention) {
  return contention == Contention::pooled ? "pooled" : "slices";
}

std::unique_ptr<L2> make_l2(const L2Context& given, TagStore store) {
  L2Context context = given;
  context.by_line = given.by_line || store != TagStore::automatic;
  const bool fastest = store == TagStore::automatic || store == TagStore::fast_by_line;
  if (context.contention == Contention::slices) return make_slices(context, store);
  const L2Spec& spec = *context.spec;
  const IndexMap index(spec.sets(), spec.line, spec.hash == IndexHash::hashed);
  const bool ordered = spec.policy == Replacement::lru || spec.policy == Replacement::fifo;
  const bool packs = spec.ways <= kPackedWays && spec.line / spec.sector <= 4 && ordered &&
                     (index.tags(context.address_end / spec.line + 1) << LinePlaces(spec).tag_shift()) <= kPackedTags;
  if (fastest && spec.ways > kManyWays && ordered) {
    return std::make_unique<L2Walk<AssociativeCache>>(context, AssociativeCache(spec.sets(), spec.ways, spec.policy == Replacement::lru));
  }
  if (store == TagStore::reference || !packs) {
    return std::make_unique<L2Walk<ReferenceCache>>(context, ReferenceCache(spec.sets(), spec.ways, spec.policy));
  }
  if (fastest) {
    if (auto fast = make_l2_avx512(context)) return fast;
  }
  return std::make_unique<L2Walk<PackedCache<PackedOpsPortable>>>(
      context, PackedCache<PackedOpsPortable>(spec.sets(), spec.ways, spec.policy == Replacement::lru));
}

}  // namespace rooftrace
