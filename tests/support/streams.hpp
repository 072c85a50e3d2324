// Six access streams with known hit counts, used by the exact gates and the benchmarks.
//
// Line = 128 B, addresses from byte 0, reads only. 132 blocks in static waves: block c runs tiles c, c+132, ...; inside a wave the live
// blocks take turns, one line per block per turn, block 0 first. a: a skinny GEMM of 64 tokens against 32768 x 8192 weights in bf16; b: a
// square GEMM of 4096 with 128x128x64 tiles; c: a gather of 2^24 random lines. a32, b32: each line as its four sectors in turn; c32: 2^24
// random sectors.
#pragma once

#include <cstdint>

namespace rooftrace::streams {

inline constexpr std::uint32_t kBlocks = 132;

/// splitmix64: state advances by the golden-ratio constant, then the usual mix.
inline std::uint64_t splitmix64(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

/// The line that a tile of stream a asks for as its i-th. X is 64 x 128 lines from byte 0, W 32768 x 128 lines from 1 MiB; per k-step 64
/// lines of X, 32 of W.
struct GemmA {
  static constexpr std::uint32_t kTiles = 1024, kLinesPerTile = 128 * 96;
  static std::uint64_t line(std::uint32_t tile, std::uint32_t i) {
    const std::uint32_t step = i / 96, j = i % 96;
    if (j < 64) return std::uint64_t{j} * 128 + step;
    return 8192 + (std::uint64_t{tile} * 32 + (j - 64)) * 128 + step;
  }
};

/// Stream b: A is 4096 x 64 lines from byte 0, B [N][K] likewise from 32 MiB; per k-step 128 lines of A, then 128 of B.
struct GemmB {
  static constexpr std::uint32_t kTiles = 1024, kLinesPerTile = 64 * 256;
  static std::uint64_t line(std::uint32_t tile, std::uint32_t i) {
    const std::uint32_t step = i / 256, j = i % 256;
    if (j < 128) return (std::uint64_t{tile / 32} * 128 + j) * 64 + step;
    return 262144 + (std::uint64_t{tile % 32} * 128 + (j - 128)) * 64 + step;
  }
};

/// Calls visit(line) for every access of a GEMM stream in its order.
template <class Gemm, class Visit>
void for_each_line(Visit&& visit) {
  for (std::uint32_t wave = 0; wave < Gemm::kTiles; wave += kBlocks) {
    const std::uint32_t live = Gemm::kTiles - wave < kBlocks ? Gemm::kTiles - wave : kBlocks;
    for (std::uint32_t i = 0; i < Gemm::kLinesPerTile; ++i) {
      for (std::uint32_t c = 0; c < live; ++c) visit(Gemm::line(wave + c, i));
    }
  }
}

/// Stream c (shift 43: 2^21 lines) and c32 (shift 41: sectors).
template <class Visit>
void for_each_random(int shift, Visit&& visit) {
  std::uint64_t state = 42;
  for (std::uint32_t i = 0; i < (1U << 24); ++i) visit(splitmix64(state) >> shift);
}

}  // namespace rooftrace::streams
