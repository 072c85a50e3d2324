// Writers of the packed trace formats, for tests: .xz, .gz, and .tracez from instruction lines.
#pragma once

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace rooftrace {

inline std::string xz_packed(const std::string& text, std::uint32_t preset = 1) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t size = 0;
  const auto result = lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(text.data()),
                                              text.size(), reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size());
  if (result != LZMA_OK) throw std::runtime_error("xz");
  out.resize(size);
  return out;
}

inline std::string gzip_packed(const std::string& text) {
  z_stream z{};
  if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("gzip");
  std::string out(deflateBound(&z, text.size()), '\0');
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  if (result != Z_STREAM_END) throw std::runtime_error("gzip");
  return out;
}

struct TracezWarp {
  std::vector<std::string> subchunks;       ///< Text, one line per instruction.
  std::vector<std::uint32_t> instructions;  ///< Of each.
};
struct TracezBlock {
  std::uint32_t x = 0, y = 0, z = 0;
  std::vector<TracezWarp> warps;
};

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// As accelsim_tracez.cpp describes the format. The dictionary is raw content.
inline std::string tracez_packed(const std::string& head, const std::vector<TracezBlock>& blocks, const std::string& dictionary = "") {
  std::string out = head + '\0';
  put<std::uint32_t>(out, static_cast<std::uint32_t>(dictionary.size()));
  put<std::uint32_t>(out, 2);
  out += dictionary;
  std::string index;
  put<std::uint32_t>(index, static_cast<std::uint32_t>(blocks.size()));
  ZSTD_CCtx* const packer = ZSTD_createCCtx();
  for (const TracezBlock& block : blocks) {
    for (const std::uint32_t word : {block.x, block.y, block.z, 0U, 0U, 0U, 0U, 0U, 0U, 0U}) put(index, word);
    put<std::uint32_t>(index, static_cast<std::uint32_t>(block.warps.size()));
    for (const TracezWarp& warp : block.warps) {
      std::uint32_t sum = 0;
      for (const std::uint32_t n : warp.instructions) sum += n;
      const auto frames = static_cast<std::uint32_t>(warp.subchunks.size());
      put(index, sum);
      put(index, frames);
      put<std::uint64_t>(index, out.size());
      for (const std::uint32_t n : warp.instructions) put(index, n);
      put(out, sum);
      put(out, frames);
      for (const std::string& text : warp.subchunks) {
        std::string packed(ZSTD_compressBound(text.size()), '\0');
        const std::size_t size = ZSTD_compress_usingDict(packer, packed.data(), packed.size(), text.data(), text.size(), dictionary.data(),
                                                         dictionary.size(), 3);
        if (ZSTD_isError(size) != 0U) throw std::runtime_error("zstd");
        put(out, static_cast<std::uint32_t>(size));
        out.append(packed, 0, size);
      }
    }
  }
  ZSTD_freeCCtx(packer);
  const auto at = static_cast<std::uint64_t>(out.size());
  out += index;
  put(out, at);
  return out;
}

}  // namespace rooftrace
