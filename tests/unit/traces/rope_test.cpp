// RoPE and the KV write: bytes, work and places.
#include "traces/rope.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/traces/shapes.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using testing::IsEmpty;

RopeProblem problem(std::uint32_t batch, std::uint64_t q_len, std::uint64_t first, DataType kv_type, bool bias) {
  RopeProblem p;
  p.batch = batch;
  p.q_len = q_len;
  p.first_position = first;
  p.q_heads = 8;
  p.kv_heads = 2;
  p.head_dim = 64;
  const auto plain = [](std::uint64_t address, std::uint64_t rows, std::uint64_t cols, TensorRole role) {
    Matrix m;
    m.address = address;
    m.rows = rows;
    m.cols = cols;
    m.pitch = cols * 2;
    m.role = role;
    return m;
  };
  p.qkv = plain(1ULL << 30, batch * q_len, 12 * 64, TensorRole::activations);
  p.qkv.produced = true;
  p.cos_sin = plain(2ULL << 30, 4096, 64, TensorRole::tables);
  if (bias) p.bias = plain(3ULL << 30, 1, 12 * 64, TensorRole::weights);
  p.kv.sequences = batch;
  p.kv.kv_heads = 2;
  p.kv.head_dim = 64;
  p.kv.tokens = first + q_len;
  p.kv.type = kv_type;
  p.kv.page_tokens = 16;
  p.kv.k_pool = 4ULL << 30;
  p.kv.v_pool = 5ULL << 30;
  p.kv.table = 6ULL << 30;
  p.kv.physical = shuffled_pages(batch * p.kv.pages(), 5);
  return p;
}

// A decode step of 3 sequences at position 100: 3 tokens of 12 heads * 64 * 2 B are read, 8 heads of Q stored back, K and V of 2 heads
// stored into the cache. Work: 3 FLOP * (8 + 2) * 64 per token.
TEST(Rope, DecodeWritesOneTokenPerSequence) {
  const Kernel kernel = make_rope_kv_write(shapes::h100(), problem(3, 1, 100, DataType::bf16, false));
  const TraceTotals totals = measure(kernel);
  EXPECT_EQ(kernel.grid, 3U);
  EXPECT_EQ(totals.at(TensorRole::activations).loaded, 3U * 12 * 64 * 2);
  EXPECT_EQ(totals.at(TensorRole::activations).stored, 3U * 8 * 64 * 2);
  EXPECT_EQ(totals.at(TensorRole::kv).stored, 3U * 2 * 2 * 64 * 2);
  // One row of cosines and sines, shared; one table entry per sequence.
  EXPECT_EQ(totals.at(TensorRole::tables).distinct_read, 64U * 2 + 3 * 4);
  EXPECT_EQ(kernel.work[static_cast<std::size_t>(Pipe::cuda)], 3.0 * 3 * 10 * 64);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

TEST(Rope, PrefillFillsTheCacheAndEightBitHalvesIt) {
  const Kernel wide = make_rope_kv_write(shapes::h100(), problem(2, 50, 0, DataType::bf16, false));
  const Kernel narrow = make_rope_kv_write(shapes::h100(), problem(2, 50, 0, DataType::fp8, false));
  EXPECT_EQ(measure(wide).at(TensorRole::kv).distinct_written, 2U * 50 * 2 * 2 * 64 * 2);
  EXPECT_EQ(measure(narrow).at(TensorRole::kv).distinct_written, 2U * 50 * 2 * 2 * 64);
  EXPECT_THAT(check_kernel(wide), IsEmpty());
  EXPECT_THAT(check_kernel(narrow), IsEmpty());
}

// The bias of Q, K and V is one row of 12 * 64 weights, added once per element.
TEST(Rope, BiasIsReadAndAdded) {
  const Kernel kernel = make_rope_kv_write(shapes::h100(), problem(1, 5, 0, DataType::bf16, true));
  EXPECT_EQ(measure(kernel).at(TensorRole::weights).distinct_read, 12U * 64 * 2);
  EXPECT_EQ(kernel.work[static_cast<std::size_t>(Pipe::cuda)], 5.0 * (3 * 10 * 64 + 12 * 64));
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

}  // namespace
}  // namespace rooftrace
