// Layout: HDF5 File Format Specification 2.0, II.A (superblock) and IV.A.1.b (object header version 2); the checksum is Jenkins' lookup3.
#include "sim/app/report_hdf5_times.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace rooftrace::h5 {
namespace {

std::uint64_t little(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// lookup3 of the bytes, one little-endian word after the other.
std::uint32_t lookup3(std::string_view bytes) {
  std::uint32_t a = 0xdeadbeef + static_cast<std::uint32_t>(bytes.size());
  std::uint32_t b = a;
  std::uint32_t c = a;
  const auto take = [&](std::string_view block) {
    std::array<std::uint32_t, 3> words{};
    for (std::size_t i = 0; i < block.size(); ++i) words[i / 4] |= std::uint32_t{static_cast<unsigned char>(block[i])} << (8 * (i % 4));
    a += words[0];
    b += words[1];
    c += words[2];
  };
  const auto turn = [](std::uint32_t& x, std::uint32_t& y, std::uint32_t& z, int bits) {
    x = (x - z) ^ std::rotl(z, bits);
    z += y;
  };
  while (bytes.size() > 12) {
    take(bytes.substr(0, 12));
    bytes.remove_prefix(12);
    turn(a, b, c, 4);
    turn(b, c, a, 6);
    turn(c, a, b, 8);
    turn(a, b, c, 16);
    turn(b, c, a, 19);
    turn(c, a, b, 4);
  }
  if (bytes.empty()) return c;
  take(bytes);
  const auto end = [](std::uint32_t& x, std::uint32_t y, int bits) { x = (x ^ y) - std::rotl(y, bits); };
  end(c, b, 14);
  end(a, c, 11);
  end(b, a, 25);
  end(c, b, 16);
  end(a, c, 4);
  end(b, a, 14);
  end(c, b, 24);
  return c;
}

/// Of the object header at `at`.
void clear_times(std::span<char> bytes, std::uint64_t at) {
  const std::string_view image(bytes.data(), bytes.size());
  constexpr std::size_t kFlagsAt = 5, kTimes = 16, kCheck = 4;
  constexpr unsigned kStoresTimes = 0x20, kStoresPhases = 0x10;
  const auto odd = [] { return std::logic_error("report_hdf5: an object header is not where it should be"); };
  if (at == ~std::uint64_t{0}) return;  // There is none.
  if (at > image.size() || at + 32 > image.size() || image.substr(at, 4) != "OHDR" || image[at + 4] != 2) throw odd();
  const unsigned flags = static_cast<unsigned char>(image[at + kFlagsAt]);
  if ((flags & kStoresTimes) == 0) return;
  const std::size_t size_at = at + kFlagsAt + 1 + kTimes + ((flags & kStoresPhases) != 0 ? 4 : 0);
  const std::size_t size_bytes = std::size_t{1} << (flags & 3U);
  const std::size_t check_at = size_at + size_bytes + little(image.substr(size_at, size_bytes));
  if (check_at + kCheck > image.size()) throw odd();
  const auto checksum = [&] { return lookup3(image.substr(at, check_at - at)); };
  if (checksum() != little(image.substr(check_at, kCheck))) throw odd();
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at + kFlagsAt + 1), kTimes, '\0');
  const std::uint32_t fresh = checksum();
  for (std::size_t i = 0; i < kCheck; ++i) bytes[check_at + i] = static_cast<char>(fresh >> (8 * i) & 0xff);
}

}  // namespace

void clear_header_times(std::span<char> bytes) {
  const std::string_view image(bytes.data(), bytes.size());
  constexpr std::size_t kExtensionAt = 20, kRootAt = 36;
  if (image.size() < kRootAt + 8) throw std::logic_error("report_hdf5: the file has no superblock");
  for (const std::size_t field : {kExtensionAt, kRootAt}) clear_times(bytes, little(image.substr(field, 8)));
}

}  // namespace rooftrace::h5
