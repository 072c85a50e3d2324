// What a .gz file holds, as a stream: PyTorch's profiler writes its profiles packed when their name ends in .gz.
//
// Promises: memory is one piece and zlib's window (some 100 KiB). A file that unpacks to more than kMostGzipRatio times its own size is a
// bomb (a profile packs to a twentieth), damage and a cut end are UserErrors with the byte of the packed file.
#pragma once

#include <cstdint>
#include <memory>

#include "traces/import/byte_source.hpp"

namespace rooftrace {

inline constexpr std::uint64_t kMostGzipRatio = 300;
inline constexpr std::uint64_t kLeastGzipBomb = 64ULL << 20;  ///< Unpacked bytes from which on the ratio counts.

/// Unpacked if the bytes begin as gzip's do (one member or several), else as they are: the name decides nothing.
[[nodiscard]] std::unique_ptr<ByteSource> unpack_if_gzip(std::unique_ptr<ByteSource> source);

}  // namespace rooftrace
