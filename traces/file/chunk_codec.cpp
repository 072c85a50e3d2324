// The three filters. Layouts: HDF5 File Format Specification 3.0, IV.A.2.l (filter pipeline), and RFC 1950 for the deflated stream.
#include "traces/file/chunk_codec.hpp"

#include <zlib.h>

#include <algorithm>

namespace rooftrace::trace_file {
namespace {

constexpr std::size_t kCheckBytes = 4;

/// Byte j of every element together: planes of equal significance compress better than elements.
template <std::size_t kBytes>
void shuffle_of(const std::byte* from, std::size_t count, std::byte* to) {
  for (std::size_t j = 0; j < kBytes; ++j) {
    std::byte* const plane = to + j * count;
    for (std::size_t i = 0; i < count; ++i) plane[i] = from[i * kBytes + j];
  }
}

template <std::size_t kBytes>
void unshuffle_of(const std::byte* from, std::size_t count, std::byte* to) {
  // In runs that stay in the host's first cache while every plane adds its byte.
  constexpr std::size_t kRun = 1024;
  for (std::size_t begin = 0; begin < count; begin += kRun) {
    const std::size_t end = std::min(count, begin + kRun);
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < kBytes; ++j) to[i * kBytes + j] = from[j * count + i];
    }
  }
}

void shuffle(std::span<const std::byte> raw, std::size_t element_bytes, std::byte* to) {
  if (element_bytes == 8) return shuffle_of<8>(raw.data(), raw.size() / 8, to);
  if (element_bytes == 4) return shuffle_of<4>(raw.data(), raw.size() / 4, to);
  std::copy(raw.begin(), raw.end(), to);
}

void unshuffle(std::span<const std::byte> planes, std::size_t element_bytes, std::span<std::byte> raw) {
  if (element_bytes == 8) return unshuffle_of<8>(planes.data(), planes.size() / 8, raw.data());
  if (element_bytes == 4) return unshuffle_of<4>(planes.data(), planes.size() / 4, raw.data());
  std::copy(planes.begin(), planes.end(), raw.begin());
}

const Bytef* in(const std::byte* bytes) {
  return reinterpret_cast<const Bytef*>(bytes);
}
Bytef* out(std::byte* bytes) {
  return reinterpret_cast<Bytef*>(bytes);
}

/// The whole of `stream` must inflate to exactly `planes`.
void inflate_exactly(std::span<const std::byte> stream, std::span<std::byte> planes) {
  z_stream z{};
  if (inflateInit(&z) != Z_OK) throw std::bad_alloc();
  z.next_in = const_cast<Bytef*>(in(stream.data()));
  z.avail_in = static_cast<uInt>(stream.size());
  z.next_out = out(planes.data());
  z.avail_out = static_cast<uInt>(planes.size());
  const int code = inflate(&z, Z_FINISH);
  const bool all_read = z.avail_in == 0, full = z.avail_out == 0;
  inflateEnd(&z);
  if (code == Z_STREAM_END && full && all_read) return;
  if (code == Z_STREAM_END && !full) throw BadChunk("the deflated stream is too short for the chunk");
  if (code == Z_STREAM_END) throw BadChunk("there are bytes behind the deflated stream");
  if (code == Z_BUF_ERROR && full) throw BadChunk("the deflated stream is too long for the chunk");
  if (code == Z_BUF_ERROR) throw BadChunk("the deflated stream is cut off");
  throw BadChunk("the deflated stream is damaged");
}

}  // namespace

std::uint32_t fletcher32(std::span<const std::byte> bytes) {
  // 360 words: the most that can be added before a 32-bit sum has to be folded (Fletcher 1982).
  constexpr std::size_t kWords = 360;
  std::uint32_t low = 0, high = 0;
  const auto fold = [&] {
    low = (low & 0xffff) + (low >> 16);
    high = (high & 0xffff) + (high >> 16);
  };
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };
  std::size_t i = 0;
  while (i + 1 < bytes.size()) {
    const std::size_t stop = std::min(bytes.size() / 2 * 2, i + 2 * kWords);
    for (; i < stop; i += 2) {
      low += at(i) << 8 | at(i + 1);
      high += low;
    }
    fold();
  }
  if (i < bytes.size()) {
    low += at(i) << 8;
    high += low;
    fold();
  }
  fold();
  return high << 16 | low;
}

std::size_t most_stored_bytes(std::size_t raw_bytes) {
  return compressBound(raw_bytes) + kCheckBytes;
}

void encode_chunk(std::span<const std::byte> raw, std::size_t element_bytes, std::vector<std::byte>& stored) {
  std::vector<std::byte> planes(raw.size());
  shuffle(raw, element_bytes, planes.data());
  uLongf size = compressBound(raw.size());
  stored.resize(size + kCheckBytes);
  if (compress2(out(stored.data()), &size, in(planes.data()), planes.size(), 1) != Z_OK) throw std::bad_alloc();
  stored.resize(size + kCheckBytes);
  const std::uint32_t check = fletcher32(std::span(stored).first(size));
  for (std::size_t i = 0; i < kCheckBytes; ++i) stored[size + i] = static_cast<std::byte>(check >> (8 * i) & 0xff);
}

void decode_chunk(std::span<const std::byte> stored, std::uint32_t filter_mask, std::size_t element_bytes, std::span<std::byte> raw,
                  std::vector<std::byte>& scratch) {
  if ((filter_mask & ~kDeflateSkipped) != 0) throw BadChunk("stored without the shuffle or the checksum filter");
  if (stored.size() < kCheckBytes) throw BadChunk("too short for its checksum");
  const std::span<const std::byte> stream = stored.first(stored.size() - kCheckBytes);
  std::uint32_t check = 0;
  for (std::size_t i = kCheckBytes; i-- > 0;) check = check << 8 | static_cast<std::uint32_t>(stored[stream.size() + i]);
  if (check != fletcher32(stream)) throw BadChunk("the checksum does not fit the bytes");
  if ((filter_mask & kDeflateSkipped) != 0) {
    if (stream.size() != raw.size()) throw BadChunk("its size is not that of a chunk");
    unshuffle(stream, element_bytes, raw);
    return;
  }
  if (element_bytes == 1) {
    inflate_exactly(stream, raw);
    return;
  }
  scratch.resize(raw.size());
  inflate_exactly(stream, scratch);
  unshuffle(scratch, element_bytes, raw);
}

}  // namespace rooftrace::trace_file
