// The split rules of serving engines, by hand counts, and the kernel that follows them.
#include "traces/attention_splits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/traces/shapes.hpp"
#include "traces/attention_decode.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using enum AttentionEngine;
using testing::IsEmpty;

/// 32 query heads on 8 KV heads of 128, pages of 16 tokens; an A100 with two blocks per SM.
SplitQuestion question(std::uint64_t batch, std::uint64_t tokens) {
  SplitQuestion q;
  q.sms = 108;
  q.slots = 216;
  q.batch = batch;
  q.q_heads = 32;
  q.kv_heads = 8;
  q.tokens = tokens;
  q.page_tokens = 16;
  return q;
}

// 8 blocks, 216 slots, 32 tiles of 128 tokens. Counts that shorten the longest split: ... 8 (4 tiles), 11 (3), 16 (2), 32 (1). Waves: 16 *
// 8 / 216 = 0.59 full, 32 * 8 / 216 = 1.19, of 2: 0.59. The first within 0.85 of 0.59 is 16: 2 tiles. 22 sequences are 176 blocks, more
// than 0.8 * 216: no split.
TEST(AttentionSplits, FlashAttention2FillsWaves) {
  EXPECT_EQ(tokens_per_split(flash_attention_2, question(1, 4096)), 256U);
  EXPECT_GE(tokens_per_split(flash_attention_2, question(22, 4096)), 4096U);
  EXPECT_EQ(tokens_per_split(flash_attention_2, question(1, 256)), 128U);
}

// 132 SMs, 8 blocks, 64 tiles: 16 splits are 0.97 of a wave, the best; 14 are the first with 0.85 of that (0.848 of 0.824): 5 tiles. Four
// tiles are never split.
TEST(AttentionSplits, FlashAttention3TakesABlockPerSm) {
  SplitQuestion q = question(1, 8192);
  q.sms = 132;
  EXPECT_EQ(tokens_per_split(flash_attention_3, q), 640U);
  q.tokens = 512;
  EXPECT_EQ(tokens_per_split(flash_attention_3, q), 512U);
}

// 216 slots hold 27 runs for each of 8 heads: 256 pages are runs of 10 pages; 64 tokens would be below the least of 8 pages.
TEST(AttentionSplits, FlashInferTakesTheShortestRunThatFits) {
  EXPECT_EQ(tokens_per_split(flashinfer, question(1, 4096)), 160U);
  EXPECT_EQ(tokens_per_split(flashinfer, question(1, 1024)), 128U);
  EXPECT_EQ(tokens_per_split(flashinfer, question(27, 4096)), 4096U);  // 216 blocks fill it.
}

// 32 heads: up to 16 sequences are split; beyond 8,192 tokens all are.
TEST(AttentionSplits, PagedAttentionCutsAt512Tokens) {
  EXPECT_EQ(tokens_per_split(vllm_paged, question(16, 4096)), 512U);
  EXPECT_EQ(tokens_per_split(vllm_paged, question(17, 4096)), 4096U);
  EXPECT_EQ(tokens_per_split(vllm_paged, question(17, 8193)), 512U);
  EXPECT_EQ(tokens_per_split(vllm_paged, question(1, 512)), 512U);
  EXPECT_EQ(heads_per_block(vllm_paged, 4), 1U);
}

// 4,096 tokens are 32 runs of 128; sqrt(8 * 32) = 16. 64 sequences: 64 * 8 * 16 / 108 = 76 waves, 8 are wanted: floor(16 * 8 / 75.9) = 1.
TEST(AttentionSplits, XqaTakesTheRootAndEightWaves) {
  EXPECT_EQ(tokens_per_split(trtllm_xqa, question(1, 4096)), 256U);
  EXPECT_EQ(tokens_per_split(trtllm_xqa, question(64, 4096)), 4096U);
  EXPECT_EQ(tokens_per_split(trtllm_xqa, question(1, 100)), 100U);
}

// 4 query heads a block: 8 blocks a sequence. 4,096 tokens: 108 * 6 cores over 8 blocks are 81, at most 8. 16 sequences: ceil(648 / 128) =
// 6 splits, 683 tokens, in steps of 32: 704.
TEST(AttentionSplits, TritonGrowsWithTheLengthUpToEight) {
  EXPECT_EQ(tokens_per_split(sglang_triton, question(1, 4096)), 512U);
  EXPECT_EQ(tokens_per_split(sglang_triton, question(16, 4096)), 704U);
  EXPECT_EQ(heads_per_block(sglang_triton, 71), 1U);  // 71 is prime.
  EXPECT_EQ(heads_per_block(sglang_triton, 32), 16U);
}

TEST(AttentionSplits, EveryEngineHasAName) {
  const std::vector<std::string> words = attention_engine_words();
  ASSERT_EQ(words.size(), static_cast<std::size_t>(kAttentionEngines));
  for (int i = 0; i < kAttentionEngines; ++i) EXPECT_EQ(words[static_cast<std::size_t>(i)], name(static_cast<AttentionEngine>(i)));
}

// The kernel of every rule keeps the laws of a trace; a block per query head reads the tokens of its KV head as often as heads share it.
TEST(AttentionSplits, KernelsOfEveryEngineAreSound) {
  AttentionProblem p;
  p.batch = 3;
  p.q_heads = 8;
  p.kv_heads = 2;
  p.head_dim = 64;
  p.kv_len = 1700;
  Matrix rows;
  rows.rows = 3 * 1700;
  rows.cols = 128;
  rows.pitch = 256;
  rows.address = 1ULL << 32;
  rows.role = TensorRole::kv;
  Matrix values = rows;
  values.address = 2ULL << 32;
  p.kv = contiguous_kv(rows, values, 3, 2, 64);
  p.q.address = 3ULL << 32;
  p.o.address = 4ULL << 32;
  p.q.pitch = p.o.pitch = 8 * 128;
  for (int i = 0; i < kAttentionEngines; ++i) {
    const auto engine = static_cast<AttentionEngine>(i);
    for (const DeviceShape& gpu : {shapes::a100(), shapes::h100()}) {
      const DecodeTiling tiling = choose_decode_tiling(gpu, p, 0, engine);
      const Kernel kernel = make_attention_decode(p, tiling, 5ULL << 32);
      EXPECT_THAT(check_kernel(kernel), IsEmpty()) << name(engine);
      const std::uint64_t times = engine == vllm_paged || engine == fastertransformer ? 4 : 1;
      EXPECT_EQ(measure(kernel).touched[static_cast<std::size_t>(TensorRole::kv)][0].loaded, times * 2 * 3 * 1700 * 256) << name(engine);
      if (tiling.splits > 1) {
        EXPECT_THAT(check_kernel(make_attention_combine(p, tiling, 5ULL << 32)), IsEmpty()) << name(engine);
      }
    }
  }
}

}  // namespace
}  // namespace rooftrace
