#include "traces/file/chunk_codec.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>

namespace rooftrace::trace_file {
namespace {

std::vector<std::byte> bytes_of_text(const std::string& text) {
  std::vector<std::byte> out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

std::vector<std::byte> numbers(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<std::byte>(i % 3 == 0 ? random() : i / 8);
  return out;
}

// "abcde" as 16-bit words, high byte first: 24930, 25444, 25856. Sums: 24930, 50374, 76230 = 10695 modulo 65535; and of those 24930, 75304,
// 151534 = 20464 modulo 65535. 20464 * 65536 + 10695 = 0x4FF029C7.
TEST(Fletcher32, OfFiveBytesByHand) {
  EXPECT_EQ(fletcher32(bytes_of_text("abcde")), 0x4FF029C7U);
  EXPECT_EQ(fletcher32({}), 0U);
}

TEST(ChunkCodec, WhatGoesInComesOut) {
  for (const std::size_t element : {1U, 4U, 8U}) {
    for (const std::size_t count : {1U, 7U, 1000U, 4096U}) {
      const std::vector<std::byte> raw = numbers(element * count, static_cast<std::uint32_t>(count));
      std::vector<std::byte> stored, back(raw.size()), scratch;
      encode_chunk(raw, element, stored);
      EXPECT_LE(stored.size(), most_stored_bytes(raw.size()));
      decode_chunk(stored, 0, element, back, scratch);
      EXPECT_EQ(back, raw) << element << " x " << count;
    }
  }
}

TEST(ChunkCodec, EveryFlippedBitIsNoticed) {
  const std::vector<std::byte> raw = numbers(400, 1);
  std::vector<std::byte> stored, back(raw.size()), scratch;
  encode_chunk(raw, 8, stored);
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    std::vector<std::byte> flipped = stored;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    EXPECT_THROW(decode_chunk(flipped, 0, 8, back, scratch), BadChunk) << bit;
  }
}

TEST(ChunkCodec, EveryCutIsNoticed) {
  const std::vector<std::byte> raw = numbers(400, 2);
  std::vector<std::byte> stored, back(raw.size()), scratch;
  encode_chunk(raw, 8, stored);
  for (std::size_t size = 0; size < stored.size(); ++size) {
    EXPECT_THROW(decode_chunk(std::span(stored).first(size), 0, 8, back, scratch), BadChunk) << size;
  }
}

/// A stream as encode_chunk makes it, but of any length, with a checksum that fits.
std::vector<std::byte> stored_form(const std::vector<std::byte>& planes) {
  uLongf size = compressBound(planes.size());
  std::vector<std::byte> out(size);
  EXPECT_EQ(compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(planes.data()), planes.size(), 1), Z_OK);
  out.resize(size);
  const std::uint32_t check = fletcher32(out);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(check >> (8 * i) & 0xff));
  return out;
}

TEST(ChunkCodec, ABombIsStoppedAtTheSizeOfTheChunk) {
  const std::vector<std::byte> bomb = stored_form(std::vector<std::byte>(32 << 20));
  EXPECT_LT(bomb.size(), 200'000U);
  std::vector<std::byte> back(1024), scratch;
  try {
    decode_chunk(bomb, 0, 8, back, scratch);
    FAIL() << "taken";
  } catch (const BadChunk& bad) {
    EXPECT_STREQ(bad.what(), "the deflated stream is too long for the chunk");
  }
  EXPECT_LE(scratch.size(), 1024U);
}

TEST(ChunkCodec, TooShortAndTooMuch) {
  std::vector<std::byte> back(1024), scratch;
  EXPECT_THROW(decode_chunk(stored_form(std::vector<std::byte>(1000)), 0, 8, back, scratch), BadChunk);
  std::vector<std::byte> more = stored_form(std::vector<std::byte>(1024));
  more.resize(more.size() - 4);
  more.push_back(std::byte{0});
  const std::uint32_t check = fletcher32(more);
  for (int i = 0; i < 4; ++i) more.push_back(static_cast<std::byte>(check >> (8 * i) & 0xff));
  try {
    decode_chunk(more, 0, 8, back, scratch);
    FAIL() << "taken";
  } catch (const BadChunk& bad) {
    EXPECT_STREQ(bad.what(), "there are bytes behind the deflated stream");
  }
}

// HDF5 itself leaves deflate out (bit 1 of the mask) where a chunk does not get smaller.
TEST(ChunkCodec, DeflateMayBeSkippedNothingElse) {
  std::vector<std::byte> plain = bytes_of_text("aaaabbbb");  // Planes of two 4-byte elements: "ab" four times in memory.
  const std::uint32_t check = fletcher32(plain);
  for (int i = 0; i < 4; ++i) plain.push_back(static_cast<std::byte>(check >> (8 * i) & 0xff));
  std::vector<std::byte> back(8), scratch;
  decode_chunk(plain, kDeflateSkipped, 4, back, scratch);
  EXPECT_EQ(back, bytes_of_text("aabbaabb"));
  EXPECT_THROW(decode_chunk(plain, 1, 4, back, scratch), BadChunk);
  EXPECT_THROW(decode_chunk(plain, 4, 4, back, scratch), BadChunk);
}

}  // namespace
}  // namespace rooftrace::trace_file
