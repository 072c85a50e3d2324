// Packed profiles: the same as unpacked ones, cut, damaged, and too good to be true.
#include "traces/import/gzip_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "sim/core/error.hpp"
#include "tests/support/packers.hpp"

namespace rooftrace {
namespace {

using ::testing::HasSubstr;

std::string all_of(const std::string& bytes, std::size_t at_once = 1000) {
  const auto source = unpack_if_gzip(open_memory("p.json.gz", bytes));
  std::string out, piece(at_once, '\0');
  for (;;) {
    const std::size_t got = source->read(piece.data(), piece.size());
    if (got == 0) return out;
    out.append(piece, 0, got);
  }
}

std::string error_of(const std::string& bytes) {
  try {
    (void)all_of(bytes, 1 << 16);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

std::string some_text(std::size_t bytes) {
  std::mt19937 random(3);
  std::string text(bytes, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 16);
  return text;
}

TEST(GzipSource, GivesWhatWasPackedAndLeavesTheRestAlone) {
  const std::string text = some_text(200'000);
  EXPECT_EQ(all_of(gzip_packed(text)), text);
  EXPECT_EQ(all_of(gzip_packed(text), 1), text);
  EXPECT_EQ(all_of(gzip_packed(text) + gzip_packed("tail")), text + "tail");  // Two members, as `cat a.gz b.gz` makes them.
  EXPECT_EQ(all_of(gzip_packed("")), "");
  EXPECT_EQ(all_of(text), text);
  for (const std::string small : {"", "\x1f", "{", "{}"}) EXPECT_EQ(all_of(small), small);
}

TEST(GzipSource, CutsAndDamageAreSeen) {
  const std::string packed = gzip_packed(some_text(5000));
  for (std::size_t size = 2; size < packed.size(); size += 13)
    EXPECT_THAT(error_of(packed.substr(0, size)), HasSubstr("the .gz file is cut off")) << size;
  std::string damaged = packed;
  damaged[damaged.size() - 6] ^= 1;  // The checksum of the text.
  EXPECT_THAT(error_of(damaged), HasSubstr("the .gz file is damaged"));
  EXPECT_THAT(error_of(packed + "rubbish"), HasSubstr("the .gz file is damaged"));
}

TEST(GzipSource, BombsAreRefusedEarly) {
  // Blanks pack to a thousandth; a profile of 63 MiB may, one of 128 MiB may not.
  EXPECT_EQ(error_of(gzip_packed(std::string(63 << 20, ' '))), "no error");
  EXPECT_THAT(error_of(gzip_packed(std::string(128 << 20, ' '))), HasSubstr("unpacks to more than 300 times its size"));
}

}  // namespace
}  // namespace rooftrace
