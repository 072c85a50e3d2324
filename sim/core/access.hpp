// The record where traces and machine meet: one access.
//
// An access is one contiguous or 2-D strided run of bytes of one tensor: a TMA box, a coalesced warp load, a page of the KV cache. Byte
// addresses are device-virtual, at most kAddressBits wide; which memory is their home (local HBM, a peer's HBM over NVLink, host memory
// over PCIe) is said by the trace's AddressSpace. Not modeled: per-lane addresses (traces carry accesses after coalescing) and L1 hits
// (accesses are what leaves the SM).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rooftrace {

inline constexpr std::uint32_t kAddressBits = 42;        ///< Device-virtual addresses stay below 2^42 (4 TiB).
inline constexpr std::uint64_t kPageBytes = 2ULL << 20;  ///< Tensors start on 2 MiB pages, so a page has one role and one home.
/// The index hash of a level mixes address bits below this one only; tensors of consecutive layers lie a multiple of 2^kFrameBits bytes
/// apart, so that every layer meets the same sets. (Physical placement is unknown to a user in any case; this choice makes layers exactly
/// repeatable.)
inline constexpr std::uint32_t kFrameBits = 30;
inline constexpr std::uint64_t kFrameBytes = 1ULL << kFrameBits;

enum class AccessOp : std::uint8_t { load, store, reduce };  ///< reduce: atomic add performed at L2 (reads and writes the line there).
enum class CacheHint : std::uint8_t { normal, evict_first, evict_last, no_allocate };
enum class TensorRole : std::uint8_t { weights, kv, activations, scales, tables };
enum class Home : std::uint8_t { local, peer, host };

inline constexpr int kTensorRoles = 5;

[[nodiscard]] std::string_view name(TensorRole role);
[[nodiscard]] std::string_view name(Home home);

/// `rows` runs of `row_bytes` bytes, the starts `pitch` bytes apart. bytes() = rows * row_bytes.
struct Access {
  std::uint64_t address = 0;  ///< First byte.
  std::uint64_t pitch = 0;    ///< Bytes between the starts of rows; ignored when rows == 1.
  std::uint32_t rows = 1;
  std::uint32_t row_bytes = 0;
  AccessOp op = AccessOp::load;
  CacheHint hint = CacheHint::normal;
  TensorRole role = TensorRole::activations;
  Home home = Home::local;
  std::uint8_t multicast =
      1;  ///< One L2 read delivered to this many blocks of a cluster: L2 is asked for 1/multicast of the rows by each block.

  [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{rows} * row_bytes; }
};

}  // namespace rooftrace
