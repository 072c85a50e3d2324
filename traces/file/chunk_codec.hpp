// One chunk of one column, between memory and the bytes that HDF5 stores: shuffle, deflate level 1, fletcher32.
//
// Promises: encode_chunk gives exactly what HDF5's own filter pipeline would accept (any HDF5 reader opens the file); decode_chunk never
// writes more than the chunk's size, whatever the stored bytes claim, and refuses a wrong checksum, a stream that is too short or too long,
// and bytes behind it. Pure functions: any thread, same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace rooftrace::trace_file {

/// What is wrong with stored bytes; what() has no location.
class BadChunk : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `raw` holds a whole chunk of elements of `element_bytes`; `stored` is replaced.
void encode_chunk(std::span<const std::byte> raw, std::size_t element_bytes, std::vector<std::byte>& stored);

/// HDF5's filter mask: bit i set when filter i was not applied. Deflate (bit 1) may have been skipped for what does not compress.
inline constexpr std::uint32_t kDeflateSkipped = 2;

/// Fills `raw` (the chunk's size) from `stored`; `scratch` is working space. BadChunk.
void decode_chunk(std::span<const std::byte> stored, std::uint32_t filter_mask, std::size_t element_bytes, std::span<std::byte> raw,
                  std::vector<std::byte>& scratch);

/// Most bytes that a chunk of `raw_bytes` can take when stored: what a reader may allocate for one.
[[nodiscard]] std::size_t most_stored_bytes(std::size_t raw_bytes);

/// The Fletcher checksum as HDF5 defines it: 16-bit words, high byte first, modulo 65535.
[[nodiscard]] std::uint32_t fletcher32(std::span<const std::byte> bytes);

}  // namespace rooftrace::trace_file
