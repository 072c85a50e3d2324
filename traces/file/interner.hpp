// Equal things get equal numbers: what makes a record of an access an address and a small number.
//
// Bounded: after kMost different things it forgets all of them and goes on counting, so a thing may get a second number. Nothing is lost by
// that but a little room in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>

namespace rooftrace::trace_file {

template <typename Thing, typename Hash, typename Same = std::equal_to<Thing>>
class Interner {
 public:
  static constexpr std::size_t kMost = 65536;

  /// The number of `thing`; `add` is called with it when the number is new.
  template <typename Add>
  std::uint32_t number(const Thing& thing, Add add) {
    const auto found = numbers_.find(thing);
    if (found != numbers_.end()) return found->second;
    if (numbers_.size() >= kMost) numbers_.clear();
    add(thing);
    numbers_.emplace(thing, next_);
    return next_++;
  }
  [[nodiscard]] std::uint32_t next() const { return next_; }

 private:
  std::unordered_map<Thing, std::uint32_t, Hash, Same> numbers_;
  std::uint32_t next_ = 0;
};

/// A 64-bit mix (the finalizer of MurmurHash3) over words.
[[nodiscard]] inline std::uint64_t mixed(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  return hash * 0xc4ceb9fe1a85ec53ULL;
}

}  // namespace rooftrace::trace_file
