// L2 with HBM behind it: the level where lines are looked up.
//
// One call serves a run of accesses with the same operation, hint and role, line by line in their order. Counted: bytes asked (L2 level),
// sectors fetched from HBM (compulsory or refetch) and written back, bytes that cross between partitions. An SM looks first into the
// partition beside it, which may keep copies (line_places.hpp). Time: the L2 pipe or slices (l2_slices.hpp) for the bytes asked, HBM
// channels for what is fetched or written back (the evicting request waits for its write-back: buffers are finite), one latency on top. Not
// modeled: the fabric's own bandwidth; with pooled contention also slices as separate servers, finite miss slots, hits that wait for a fill
// in flight.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sim/core/level.hpp"
#include "sim/core/time.hpp"
#include "sim/machine/machine_spec.hpp"

namespace rooftrace {

/// Which tag store serves a machine. automatic: the fastest that can hold the geometry on this host, and lines of streams are counted
/// instead of looked up where that is the same (stream_lines.hpp). The others are the switches that turn the shortcuts off: fast_by_line
/// looks up every line in the fastest store, packed_portable and reference do so in plain C++.
enum class TagStore : std::uint8_t { automatic, fast_by_line, packed_portable, reference };

/// What makes requests of L2 wait for each other. pooled: one pipe for the whole L2, then the HBM channels. slices: line by line through
/// slices that serve GPCs in turn, with finite miss slots and hits behind misses (l2_slices.hpp); the exact form, many times slower to
/// simulate.
enum class Contention : std::uint8_t { pooled, slices };
[[nodiscard]] std::string_view name(Contention contention);

struct L2Options {
  L2Options(TagStore tag_store = TagStore::automatic, Contention form = Contention::pooled)  // NOLINT: a tag store alone is an option
      : store(tag_store), contention(form) {}
  TagStore store;
  Contention contention;
};

/// Where the layer arenas of a trace lie, so that states of different layers can be compared.
struct LayerFrame {
  std::uint64_t begin = 0, end = 0, stride = 0;
  std::int32_t layer = 0;  ///< Addresses in [begin, end) are taken relative to this layer.
};

class L2 {
 public:
  virtual ~L2() = default;
  /// Serves `accesses` (all local, same op, hint and role) for `who` at `now`; returns when the last byte and write-back is through,
  /// latency included; kLater with slices.
  virtual Time access(std::span<const Access> accesses, const Requester& who, std::uint32_t partition, Time now) = 0;
  /// As Memory's, for answers that come later; one ticket may get several answers, one for each call.
  [[nodiscard]] virtual Time next() const { return kNever; }
  virtual void advance(std::vector<Answer>& answers) { static_cast<void>(answers); }
  /// A hash of the whole state with addresses in layer arenas taken relative to frame.layer: equal states behave alike for ever, shifted by
  /// layers. Of the sectors ever touched, those outside the arenas and in the arenas of this layer and the next count; it is assumed that
  /// no layer reaches further.
  [[nodiscard]] virtual std::uint64_t fingerprint(const LayerFrame& frame) = 0;
  /// True when a shift of the address by `bytes` keeps every line in its set.
  [[nodiscard]] virtual bool keeps_sets(std::uint64_t bytes) const = 0;
  /// Forgets which sectors have been seen, so that the next run counts its compulsory bytes anew; keeps what is resident.
  virtual void forget_first_touches() = 0;
  /// Lines resident in a set, first to be kept first, as line numbers (for tests).
  [[nodiscard]] virtual std::vector<std::uint64_t> resident(std::uint32_t set) = 0;
};

/// `address_end`: one past the highest address that will ever come. `page_role`: Trace::page_role, must outlive the L2.
struct L2Context {
  const L2Spec* spec;
  const HbmSpec* hbm;
  std::uint64_t address_end;
  const std::vector<TensorRole>* page_role;
  Contention contention = Contention::pooled;
  std::vector<std::uint32_t> gpc = {};  ///< By SM: its GPC (for slices; empty: one GPC).
  bool by_line = false;                 ///< Every line is looked up.
};
[[nodiscard]] std::unique_ptr<L2> make_l2(const L2Context& context, TagStore store = TagStore::automatic);

}  // namespace rooftrace
