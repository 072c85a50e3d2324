// Where an address goes: the set and tag of L2, and the HBM channel.
//
// Any number of sets and channels (nothing on these machines is a power of two). The hashed index is a bijection of the low kFrameBits of
// the address followed by a remainder, so set and tag together still name the line, and an address moved by whole frames keeps its set. The
// channel map deals consecutive interleave chunks to all channels in turn, each round rotated by a hash, so a sequential stream loads every
// channel alike and no stride hits only one. Not modeled: the real (secret) hashes of any GPU, row and bank bits.
#pragma once

#include <bit>
#include <cstdint>

#include "sim/core/access.hpp"

namespace rooftrace {

__extension__ typedef unsigned __int128 Uint128;

/// Exact n / d and n % d for n < 2^42 and d < 2^22, by one multiplication (error of the reciprocal stays below 1/d because n*d < 2^64).
class Divider {
 public:
  explicit Divider(std::uint64_t divisor = 1) : divisor_(divisor), reciprocal_(divisor == 1 ? 0 : ~std::uint64_t{0} / divisor + 1) {}
  [[nodiscard]] std::uint64_t quotient(std::uint64_t n) const {
    return divisor_ == 1 ? n : static_cast<std::uint64_t>((static_cast<Uint128>(n) * reciprocal_) >> 64);
  }
  [[nodiscard]] std::uint64_t divisor() const { return divisor_; }

 private:
  std::uint64_t divisor_;
  std::uint64_t reciprocal_;
};

struct SetAndTag {
  std::uint32_t set;
  std::uint64_t tag;
};

class IndexMap {
 public:
  IndexMap(std::uint64_t sets, std::uint32_t line_bytes, bool hashed)
      : sets_(sets),
        hashed_(hashed),
        low_bits_(kFrameBits - static_cast<std::uint32_t>(std::countr_zero(line_bytes))),
        low_mask_((std::uint64_t{1} << low_bits_) - 1),
        per_frame_((low_mask_ + sets) / sets),
        narrow_shift_(30 + static_cast<std::uint32_t>(std::bit_width(sets))),
        narrow_reciprocal_(static_cast<std::uint32_t>(((std::uint64_t{1} << narrow_shift_) + sets - 1) / sets)) {}

  [[nodiscard]] SetAndTag locate(std::uint64_t line) const {
    if (!hashed_) {
      const std::uint64_t q = sets_.quotient(line);
      return {static_cast<std::uint32_t>(line - q * sets_.divisor()), q};
    }
    const std::uint64_t h = mix(line & low_mask_);
    const std::uint64_t q = sets_.quotient(h);
    return {static_cast<std::uint32_t>(h - q * sets_.divisor()), (line >> low_bits_) * per_frame_ + q};
  }

  /// locate(line).set in 32 bits, for loops that the compiler can turn into vectors. Lines are at least 128 B, so a hash has at most 23
  /// bits; with f = floor(log2(sets)) the reciprocal of f + 31 bits is off by less than sets < 2^(f+1), and 2^23 * 2^(f+1) < 2^(f+31):
  /// exact.
  [[nodiscard]] bool narrow() const { return hashed_ && low_bits_ <= 23 && sets() > 1; }
  [[nodiscard]] std::uint32_t narrow_set(std::uint32_t low_line) const {
    const auto mask = static_cast<std::uint32_t>(low_mask_);
    const std::uint32_t fold = (low_bits_ + 1) / 2;
    std::uint32_t x = ((low_line & mask) * static_cast<std::uint32_t>(kFirst)) & mask;
    x ^= x >> fold;
    x = (x * static_cast<std::uint32_t>(kSecond)) & mask;
    x ^= x >> fold;
    const auto q = static_cast<std::uint32_t>((std::uint64_t{x} * narrow_reciprocal_) >> narrow_shift_);
    return x - q * static_cast<std::uint32_t>(sets_.divisor());
  }

  /// The line that locate() sent to this set and tag.
  [[nodiscard]] std::uint64_t line(std::uint32_t set, std::uint64_t tag) const {
    if (!hashed_) return tag * sets_.divisor() + set;
    const std::uint64_t frame = tag / per_frame_;
    return (frame << low_bits_) | unmix((tag - frame * per_frame_) * sets_.divisor() + set);
  }

  /// One past the largest tag of addresses below `address_end`.
  [[nodiscard]] std::uint64_t tags(std::uint64_t lines) const {
    return hashed_ ? ((lines >> low_bits_) + 1) * per_frame_ : lines / sets_.divisor() + 1;
  }
  [[nodiscard]] std::uint64_t sets() const { return sets_.divisor(); }
  [[nodiscard]] bool hashed() const { return hashed_; }
  /// True when moving every address by `shift` bytes moves no line to another set.
  [[nodiscard]] bool keeps_sets(std::uint64_t shift, std::uint32_t line_bytes) const {
    return hashed_ ? shift % kFrameBytes == 0 : (shift / line_bytes) % sets() == 0;
  }

 private:
  // Multiply, fold the high half onto the low half, multiply, fold: each step is a bijection of low_bits_ bits. Odd constants with
  // well-spread bits; their inverses modulo 2^64 follow by Newton's iteration.
  static constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15ULL;
  static constexpr std::uint64_t kSecond = 0xD1B54A32D192ED03ULL;
  static constexpr std::uint64_t inverse(std::uint64_t odd) {
    std::uint64_t x = odd;
    for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
    return x;
  }
  [[nodiscard]] std::uint64_t mix(std::uint64_t x) const {
    const std::uint32_t fold = (low_bits_ + 1) / 2;
    x = (x * kFirst) & low_mask_;
    x ^= x >> fold;
    x = (x * kSecond) & low_mask_;
    return x ^ (x >> fold);
  }
  [[nodiscard]] std::uint64_t unmix(std::uint64_t x) const {
    const std::uint32_t fold = (low_bits_ + 1) / 2;
    x ^= x >> fold;  // its own inverse: the shift is at least half the width
    x = (x * inverse(kSecond)) & low_mask_;
    x ^= x >> fold;
    return (x * inverse(kFirst)) & low_mask_;
  }

  Divider sets_;
  bool hashed_;
  std::uint32_t low_bits_;
  std::uint64_t low_mask_;
  std::uint64_t per_frame_;
  std::uint32_t narrow_shift_;
  std::uint32_t narrow_reciprocal_;
};

class ChannelMap {
 public:
  ChannelMap(std::uint32_t channels, std::uint32_t interleave_bytes)
      : channels_(channels),
        shift_(static_cast<std::uint32_t>(std::countr_zero(interleave_bytes))),
        narrow_shift_(30 + static_cast<std::uint32_t>(std::bit_width(channels))),
        narrow_reciprocal_(static_cast<std::uint32_t>(((std::uint64_t{1} << narrow_shift_) + channels - 1) / channels)) {}

  [[nodiscard]] std::uint64_t chunk(std::uint64_t address) const { return (address & (kFrameBytes - 1)) >> shift_; }
  [[nodiscard]] std::uint32_t channel_of_chunk(std::uint64_t chunk) const {
    const std::uint64_t n = channels_.divisor();
    const std::uint64_t round = channels_.quotient(chunk);
    const std::uint64_t rotation = (((round * kRotate) >> 32) * n) >> 32;
    const std::uint64_t c = chunk - round * n + rotation;
    return static_cast<std::uint32_t>(c >= n ? c - n : c);
  }
  /// channel_of_chunk(chunk) in 32 bits, for loops that the compiler can turn into vectors; exact as IndexMap::narrow_set is, chunks being
  /// at least 128 B.
  [[nodiscard]] bool narrow() const { return shift_ >= 7 && channels() > 1; }
  [[nodiscard]] std::uint32_t narrow_channel(std::uint32_t chunk) const {
    const std::uint32_t n = channels();
    const auto round = static_cast<std::uint32_t>((std::uint64_t{chunk} * narrow_reciprocal_) >> narrow_shift_);
    const std::uint32_t hash =
        round * static_cast<std::uint32_t>(kRotate >> 32) + static_cast<std::uint32_t>((round * (kRotate & 0xFFFFFFFFU)) >> 32);
    const std::uint32_t c = chunk - round * n + static_cast<std::uint32_t>((std::uint64_t{hash} * n) >> 32);
    return c >= n ? c - n : c;
  }
  [[nodiscard]] std::uint32_t channel(std::uint64_t address) const { return channel_of_chunk(chunk(address)); }
  [[nodiscard]] std::uint32_t channels() const { return static_cast<std::uint32_t>(channels_.divisor()); }

 private:
  static constexpr std::uint64_t kRotate = 0x9E3779B97F4A7C15ULL;
  Divider channels_;
  std::uint32_t shift_;
  std::uint32_t narrow_shift_, narrow_reciprocal_;
};

}  // namespace rooftrace
