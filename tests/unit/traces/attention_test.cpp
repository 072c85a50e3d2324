// Attention kernels: bytes and work against hand counts, and against measured bytes of FlashAttention-2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/traces/shapes.hpp"
#include "traces/attention_decode.hpp"
#include "traces/attention_prefill.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using testing::IsEmpty;

Matrix rows(std::uint64_t address, std::uint64_t count, std::uint64_t cols, DataType type, TensorRole role) {
  Matrix matrix;
  matrix.address = address;
  matrix.rows = count;
  matrix.cols = cols;
  matrix.type = type;
  matrix.role = role;
  matrix.pitch = matrix.row_bytes();
  return matrix;
}

/// Q, K, V, O as [batch, length, heads, head_dim], each its own contiguous tensor.
AttentionProblem contiguous(std::uint32_t batch, std::uint32_t q_heads, std::uint32_t kv_heads, std::uint32_t head_dim, std::uint64_t q_len,
                            std::uint64_t kv_len) {
  constexpr std::uint64_t kApart = 1ULL << 32;
  AttentionProblem p;
  p.batch = batch;
  p.q_heads = q_heads;
  p.kv_heads = kv_heads;
  p.head_dim = head_dim;
  p.q_len = q_len;
  p.kv_len = kv_len;
  p.q = rows(kApart, batch * q_len, q_heads * head_dim, DataType::fp16, TensorRole::activations);
  p.o = rows(2 * kApart, batch * q_len, q_heads * head_dim, DataType::fp16, TensorRole::activations);
  const std::uint64_t columns = kv_heads * head_dim;
  p.kv = contiguous_kv(rows(3 * kApart, batch * kv_len, columns, DataType::fp16, TensorRole::kv),
                       rows(4 * kApart, batch * kv_len, columns, DataType::fp16, TensorRole::kv), batch, kv_heads, head_dim);
  return p;
}

AttentionProblem paged(AttentionProblem p, std::uint32_t page_tokens, DataType type = DataType::fp16) {
  KvCache kv;
  kv.sequences = p.batch;
  kv.kv_heads = p.kv_heads;
  kv.head_dim = p.head_dim;
  kv.tokens = p.kv_len;
  kv.type = type;
  kv.page_tokens = page_tokens;
  kv.k_pool = 3ULL << 32;
  kv.v_pool = 4ULL << 32;
  kv.table = 5ULL << 32;
  kv.physical = shuffled_pages(p.batch * kv.pages(), 3);
  p.kv = kv;
  return p;
}

double tensor_work(const Kernel& kernel) {
  return kernel.work[static_cast<std::size_t>(Pipe::tensor)];
}
double sfu_work(const Kernel& kernel) {
  return kernel.work[static_cast<std::size_t>(Pipe::sfu)];
}
std::uint64_t kv_loaded(const Kernel& kernel) {
  return measure(kernel).at(TensorRole::kv).loaded;
}

// L2 read bytes of FlashAttention-2 forward on an A30, fp16, 32 query heads, 8 KV heads, head_dim 128, window 1024, not causal, cold
// caches: origin flashattn_a30_ncu, github.com/JakeFlasher/benchmark_flash_attention @1a61222; tolerance of the rows 4 %.
//
// The geometry that explains them: 128x64 tiles, one block per (128 queries, head), and a window of 1,024 keys on BOTH sides. Block i reads
// the keys of [128 i - 1024, 128 i + 127 + 1024], clipped to [0, len), twice (K and V) 256 B each, and its own 128 rows of Q once.
//   len 512, 1024: no block is clipped by the window: len/128 blocks * len keys.
//   len 2048: keys per block 1152, 1280 ... 2048 (8 blocks), and the mirror image: 2 * 8 * 1600 = 25,600.
//   len 4096, 8192: the same 25,600 in the 16 blocks at the edges, 2,176 in each of the 16 or 48 between: 60,416 and 130,048.
// Bytes = 32 heads * (keys * 512 + len * 256). A window on the left only would read far fewer: at 8192 4,608 keys in the first 8 blocks and
// 1,152 in the other 56, 1.20e9 B where 2.21e9 were measured.
struct A30Row {
  const char* id;
  std::uint64_t length;
  std::uint64_t keys;  // the hand count above
  double measured;
};

TEST(AttentionPrefill, ReadsWhatFlashAttention2ReadFromL2OnA30) {
  const A30Row measured_rows[] = {{"attention-0001", 512, 4 * 512, 37783392},
                                  {"attention-0004", 1024, 8 * 1024, 1.4275856e8},
                                  {"attention-0007", 2048, 25600, 4.3929894e8},
                                  {"attention-0010", 4096, 60416, 1.0308812e9},
                                  {"attention-0013", 8192, 130048, 2.2145695e9}};
  const DeviceShape gpu = shapes::a30();
  for (const A30Row& row : measured_rows) {
    AttentionProblem p = contiguous(1, 32, 8, 128, row.length, row.length);
    p.causal = false;
    p.window_left = 1024;
    p.window_right = 1024;
    const PrefillTiling tiling = choose_prefill_tiling(gpu, 128, DataType::fp16, DataType::fp16);
    EXPECT_EQ(tiling.kv_rows, 64U);
    const Kernel kernel = make_attention_prefill(p, tiling);
    const auto loaded = static_cast<double>(measure(kernel).loaded());
    EXPECT_EQ(loaded, 32.0 * static_cast<double>(row.keys * 512 + row.length * 256)) << row.id;
    EXPECT_NEAR(loaded / row.measured, 1.0, 0.04) << row.id;

    p.window_right = 0;
    const auto one_sided = static_cast<double>(measure(make_attention_prefill(p, tiling)).loaded());
    EXPECT_GT(std::abs(one_sided / row.measured - 1.0), 0.04) << row.id << ": a one-sided window would explain it as well";
  }
}

// The cold HBM bytes at length 512 are Q + K + V: 4,194,304 + 2 * 1,048,576 = 6,291,456 of the 6,299,136 measured (attention-0002).
TEST(AttentionPrefill, TouchesQueriesKeysAndValuesOnce) {
  AttentionProblem p = contiguous(1, 32, 8, 128, 512, 512);
  p.causal = false;
  const Kernel kernel = make_attention_prefill(p, choose_prefill_tiling(shapes::a30(), 128, DataType::fp16, DataType::fp16));
  std::uint64_t read = 0;
  for (const Footprint& footprint : kernel.footprint) read += footprint.read;
  EXPECT_EQ(read, 6291456U);
  EXPECT_NEAR(static_cast<double>(read) / 6299136.0, 1.0, 0.1);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

// Q tile 32 KiB at head_dim 128 in 16 bit. Two blocks of Q + K + V: A100 (164 KiB) 2 * (32 + 2 * 32 + 1) = 194 no, 2 * (32 + 2 * 16 + 1) =
// 130 yes: 64 rows. H100 (clusters): one block, 32 + 2 * 2 * 32 + 1 = 161 of 227: 128. L40S (100 KiB): 130 no, 2 * (32 + 2 * 8 + 1) = 98
// yes: 32.
TEST(AttentionPrefill, TilesFollowSharedMemory) {
  const auto kv_rows = [](const DeviceShape& gpu, std::uint32_t blocks) {
    const PrefillTiling tiling = choose_prefill_tiling(gpu, 128, DataType::bf16, DataType::bf16);
    EXPECT_EQ(tiling.q_rows, 128U);
    EXPECT_EQ(tiling.blocks_per_sm, blocks);
    return tiling.kv_rows;
  };
  EXPECT_EQ(kv_rows(shapes::a100(), 2), 64U);
  EXPECT_EQ(kv_rows(shapes::h100(), 1), 128U);
  EXPECT_EQ(kv_rows(shapes::l40s(), 2), 32U);
  // head_dim 256 on L40S: Q alone is 64 KiB, so one block: 64 + 2 * 16 + 1 = 97 KiB with 32 rows.
  const PrefillTiling wide = choose_prefill_tiling(shapes::l40s(), 256, DataType::bf16, DataType::bf16);
  EXPECT_EQ(wide.kv_rows, 32U);
  EXPECT_EQ(wide.blocks_per_sm, 1U);
}

// Causal, 300 queries and keys, tiles 128x64: query tile 0 (128 rows) sees keys 0..127: 2 tiles, 128 keys; tile 1 (128 rows) 256 keys; tile
// 2 (44 rows) 300 keys (5 tiles, the last of 44). Pairs: 128 * 128 + 128 * 256 + 44 * 300 = 62,352 per head.
// CUDA cores: 7 FLOP a pair; O rescaled per tile, 128 * 2 + 128 * 4 + 44 * 5 = 988 rows; O stored, 6 FLOP an element.
TEST(AttentionPrefill, CausalVisitsTilesUpToTheDiagonalAndCutsTheEdge) {
  const AttentionProblem p = contiguous(2, 4, 2, 64, 300, 300);
  const Kernel kernel = make_attention_prefill(p, {128, 64, 2});
  EXPECT_EQ(kernel.grid, 3U * 2 * 4);
  EXPECT_EQ(tensor_work(kernel), 4.0 * 62352 * 64 * 8);
  EXPECT_EQ(sfu_work(kernel), 62352.0 * 8);
  EXPECT_EQ(kernel.work[static_cast<std::size_t>(Pipe::cuda)], (7.0 * 62352 + 2 * 988 * 64 + 6 * 300 * 64) * 8);
  EXPECT_EQ(kv_loaded(kernel), (128U + 256 + 300) * 2 * 128 * 8);  // keys, K and V, 64 * 2 B, batch * heads
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

// Chunked prefill: 100 queries at the end of 356 keys, tile 64 keys: all 100 rows are one tile, which sees 356 keys: 6 tiles.
TEST(AttentionPrefill, QueriesStandAtTheEndOfTheKeys) {
  const AttentionProblem p = contiguous(1, 2, 1, 128, 100, 356);
  const Kernel kernel = make_attention_prefill(p, {128, 64, 2});
  EXPECT_EQ(tensor_work(kernel), 4.0 * 100 * 356 * 128 * 2);
  EXPECT_EQ(kernel.program->steps(0), 2U + 2 * 6);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

// Causal with window_left 99, 512 keys, tiles 128x64: query tile i sees [128 i - 99, 128 i + 127]. Rounded to tiles of 64: i = 0: [0, 128);
// i = 1: 29 -> 0, 256: 256 keys; i = 2: 157 -> 128 .. 384: 256; i = 3: 285 -> 256 .. 512: 256.
TEST(AttentionPrefill, WindowSkipsTilesItDoesNotTouch) {
  AttentionProblem p = contiguous(1, 1, 1, 128, 512, 512);
  p.window_left = 99;
  const Kernel kernel = make_attention_prefill(p, {128, 64, 2});
  EXPECT_EQ(kv_loaded(kernel), (128U + 256 + 256 + 256) * 512);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  p.window_left = 5000;  // longer than the sequence: as if there were none
  AttentionProblem free = p;
  free.window_left = kNoWindow;
  EXPECT_EQ(kv_loaded(make_attention_prefill(p, {128, 64, 2})), kv_loaded(make_attention_prefill(free, {128, 64, 2})));
}

TEST(AttentionPrefill, PagesAskForTheSameBytesAsOneTensor) {
  for (const std::uint32_t page_tokens : {1U, 16U, 48U, 256U}) {
    const AttentionProblem flat = contiguous(2, 4, 2, 128, 200, 200);
    const Kernel kernel = make_attention_prefill(paged(flat, page_tokens), {128, 64, 2});
    EXPECT_EQ(kv_loaded(kernel), kv_loaded(make_attention_prefill(flat, {128, 64, 2}))) << page_tokens;
    EXPECT_THAT(check_kernel(kernel), IsEmpty()) << page_tokens;
  }
}

// FlashAttention-2's grid is (query tiles, batch, heads): with 2 query tiles and 1 sequence, blocks 0..3 belong to heads 0, 0, 1, 1, which
// share a KV head, so they load the same last K tile.
TEST(AttentionPrefill, HeadsOfAGroupFollowEachOther) {
  AttentionProblem p = contiguous(1, 4, 2, 128, 256, 256);
  p.causal = false;
  const Kernel kernel = make_attention_prefill(p, {128, 64, 2});
  const auto first_key = [&](std::uint32_t block) {
    Step step;
    kernel.program->fill(block, 1, step);
    return step.loads.at(0).address;
  };
  for (std::uint32_t block = 1; block < 4; ++block) EXPECT_EQ(first_key(block), first_key(0));
  EXPECT_NE(first_key(4), first_key(0));
}

TEST(AttentionPrefill, RefusesHeadsThatDoNotGroup) {
  EXPECT_THROW((void)make_attention_prefill(contiguous(1, 3, 2, 64, 8, 8), {}), std::invalid_argument);
}

// 4,097 tokens, 8 KV heads, batch 1 on H100. Block of two 64-token tiles: 2 * 32 KiB + 4 * 256 B + 1 KiB = 67,584 B, of which 233,472 B
// hold 3. 65 tiles; dealt out 2 by 2 (128 tokens, the least) they make 33 splits, 264 blocks of 396 slots: efficiency 0.667; 3 by 3 make
// 22: 0.444 < 0.85 * 0.667.
TEST(AttentionDecode, FewHeadsAreSplitUntilTheGpuIsFull) {
  const AttentionProblem p = paged(contiguous(1, 32, 8, 128, 1, 4097), 16);
  const DecodeTiling tiling = choose_decode_tiling(shapes::h100(), p);
  EXPECT_EQ(tiling.blocks_per_sm, 3U);
  EXPECT_EQ(tiling.splits, 33U);
  // Up to 512 tokens FlashAttention-3 does not split, FlashAttention-2 does: 4 tiles of 128, 8 heads each on 216 slots.
  const AttentionProblem small = paged(contiguous(1, 32, 8, 128, 1, 512), 16);
  EXPECT_EQ(choose_decode_tiling(shapes::h100(), small).splits, 1U);
  EXPECT_EQ(choose_decode_tiling(shapes::a100(), small).splits, 4U);
}

// 256 sequences * 8 heads are 2,048 blocks, more than 0.8 * 396 slots: one split.
TEST(AttentionDecode, ManySequencesAreNotSplit) {
  const AttentionProblem p = paged(contiguous(256, 32, 8, 128, 1, 1025), 16);
  EXPECT_EQ(choose_decode_tiling(shapes::h100(), p).splits, 1U);
}

TEST(AttentionDecode, AskedSplitsAreKeptWhereThereAreTiles) {
  const AttentionProblem p = paged(contiguous(1, 32, 8, 128, 1, 1024), 16);  // 16 tiles
  EXPECT_EQ(choose_decode_tiling(shapes::h100(), p, 1).splits, 1U);
  EXPECT_EQ(choose_decode_tiling(shapes::h100(), p, 4).splits, 4U);
  EXPECT_EQ(choose_decode_tiling(shapes::h100(), p, 7).splits, 6U);  // 3 tiles each: the sixth split has the last
  EXPECT_EQ(choose_decode_tiling(shapes::h100(), p, 1000).splits, 16U);
}

TEST(AttentionDecode, ReadsEveryKeyOnceAndJoinsTheSplits) {
  for (const std::uint32_t splits : {1U, 2U, 5U, 100U}) {
    AttentionProblem p = paged(contiguous(3, 8, 2, 128, 1, 1000), 16);
    p.kv_produced = 1;
    const DecodeTiling tiling = choose_decode_tiling(shapes::a100(), p, splits);
    const Kernel kernel = make_attention_decode(p, tiling, 6ULL << 32);
    EXPECT_THAT(check_kernel(kernel), IsEmpty()) << splits;
    // K and V of 1,000 tokens, 2 heads, 3 sequences, 256 B each: every byte once, for all four query heads of a group.
    EXPECT_EQ(kv_loaded(kernel), 2U * 1000 * 2 * 3 * 256);
    EXPECT_EQ(tensor_work(kernel), 4.0 * 8 * 1000 * 128 * 3);
    EXPECT_EQ(sfu_work(kernel), 8.0 * 1000 * 3);
    std::uint64_t fresh = 0;
    for (const Footprint& f : kernel.footprint) fresh += f.role == TensorRole::kv && f.produced ? f.read : 0;
    EXPECT_EQ(fresh, 2U * 1 * 2 * 3 * 256);  // the token that RoPE has just written
    if (tiling.splits == 1) continue;
    const Kernel combine = make_attention_combine(p, tiling, 6ULL << 32);
    EXPECT_THAT(check_kernel(combine), IsEmpty()) << splits;
    // fp32 partials of 128 and one sum, per split, head and sequence; what one kernel stores the other loads.
    EXPECT_EQ(decode_workspace_bytes(p, tiling), tiling.splits * 24ULL * 129 * 4);
    EXPECT_EQ(measure(kernel).at(TensorRole::activations).stored, decode_workspace_bytes(p, tiling));
    EXPECT_EQ(measure(combine).at(TensorRole::activations).loaded, decode_workspace_bytes(p, tiling));
    EXPECT_EQ(measure(combine).at(TensorRole::activations).stored, 24U * 256);
  }
}

// Causal, 300 queries are 3 tiles of 128: of each (sequence, head) the tile that sees the fewest keys comes first, as the grid counts: 128,
// 256 and 300 keys are 2, 4 and 5 tiles of 64 on A100, two steps each beside the first and the last. The sums of 128 rows are 512 bytes;
// block 7 is the second tile of the third head.
TEST(AttentionPrefill, TilesInTheOrderOfTheGridAndTheirSums) {
  AttentionProblem p = paged(contiguous(1, 8, 2, 128, 300, 300), 16);
  p.sums = rows(9ULL << 32, 300, 8, DataType::fp32, TensorRole::activations);
  const Kernel kernel = make_attention_prefill(p, choose_prefill_tiling(shapes::a100(), 128, DataType::bf16, DataType::bf16));
  for (const std::uint32_t first : {0U, 3U}) {
    EXPECT_EQ(kernel.program->steps(first + 0), 2U + 2 * 2);
    EXPECT_EQ(kernel.program->steps(first + 1), 2U + 2 * 4);
    EXPECT_EQ(kernel.program->steps(first + 2), 2U + 2 * 5);
  }
  Step step;
  kernel.program->fill(7, kernel.program->steps(7) - 1, step);
  ASSERT_EQ(step.stores.size(), 2U);
  EXPECT_EQ(step.stores[1].address, p.sums.address + (2 * 300 + 128) * 4);
  EXPECT_EQ(step.stores[1].row_bytes, 512U);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

// A100: 300 tokens are 3 tiles of 128, K and V each a step; the query heads of a group (4) fill 4 of the tensor tile's 64 rows.
TEST(AttentionDecode, KAndVAlternateWhereBlocksHaveOneBufferOfEach) {
  const AttentionProblem p = paged(contiguous(1, 8, 2, 128, 1, 300), 16);
  const DecodeTiling tiling = choose_decode_tiling(shapes::a100(), p, 1);
  const Kernel kernel = make_attention_decode(p, tiling, 6ULL << 32);
  EXPECT_EQ(kernel.program->steps(0), 1U + 2 * 3);
  EXPECT_TRUE(kernel.early_loads && kernel.first_step_leads);
  Step step;
  kernel.program->fill(0, 1, step);
  EXPECT_EQ(step.work[static_cast<std::size_t>(Pipe::tensor)], 2.0 * 4 * 128 * 128);
  EXPECT_EQ(step.work[static_cast<std::size_t>(Pipe::sfu)], 0);
  EXPECT_EQ(step.tensor_padding, 2.0 * 60 * 128 * 128);
  step.clear();
  kernel.program->fill(0, 2, step);  // V: the softmax of all 64 rows comes first; the exp of an empty row takes 2048 / 16 FLOP.
  EXPECT_EQ(step.work[static_cast<std::size_t>(Pipe::sfu)], 4.0 * 128);
  EXPECT_EQ(step.tensor_padding, 2.0 * 60 * 128 * 128 + 128.0 * 60 * 128);
  EXPECT_EQ(kernel.exposed, 1);
  EXPECT_DOUBLE_EQ(kernel.tensor_share, 1 / 1.12);
  EXPECT_FALSE(choose_decode_tiling(shapes::h100(), p).alternate);
}

// FlashAttention-2 joins splits one after the other: 24 rows in blocks of 4 (head_dim 128) or 8 (64); a step for the sums, then one per
// split with the 512 or 256 bytes of each row, and O leaves with the last.
TEST(AttentionDecode, FlashAttention2JoinsSplitsOneAfterTheOther) {
  for (const std::uint32_t head_dim : {128U, 64U}) {
    const AttentionProblem p = paged(contiguous(3, 8, 2, head_dim, 1, 1000), 16);
    const DecodeTiling tiling = choose_decode_tiling(shapes::a100(), p, 3);
    const std::uint32_t rows = head_dim == 128 ? 4 : 8;
    EXPECT_EQ(tiling.combine_rows, rows);
    const Kernel combine = make_attention_combine(p, tiling, 6ULL << 32);
    EXPECT_EQ(combine.grid, 24 / rows);
    EXPECT_EQ(combine.depth, 1U);
    EXPECT_FALSE(combine.early_loads);
    EXPECT_EQ(combine.program->steps(0), 1U + 3);
    Step step;
    combine.program->fill(1, 2, step);
    ASSERT_EQ(step.loads.size(), 1U);
    EXPECT_EQ(step.loads[0].address, (6ULL << 32) + (1 * 24 + rows) * head_dim * 4);  // The second split's rows of the second block.
    EXPECT_EQ(step.loads[0].row_bytes, rows * head_dim * 4);
    EXPECT_TRUE(step.stores.empty());
    step.clear();
    combine.program->fill(1, 3, step);
    EXPECT_EQ(step.stores.size(), rows);
    EXPECT_THAT(check_kernel(combine), IsEmpty());
  }
  const AttentionProblem p = paged(contiguous(3, 8, 2, 128, 1, 1000), 16);
  EXPECT_EQ(choose_decode_tiling(shapes::h100(), p, 3).combine_rows, 0U);
  // Kernels of engines that do not call FlashAttention have no tile of 64 rows.
  const DecodeTiling other = choose_decode_tiling(shapes::a100(), p, 0, AttentionEngine::fastertransformer);
  EXPECT_EQ(other.exp_flop + other.exposed + other.combine_rows, 0);
}

// Window of 100 tokens (window_left 99) at 1,000 tokens: tokens 900..999.
TEST(AttentionDecode, WindowReadsItsTokensOnly) {
  AttentionProblem p = paged(contiguous(1, 8, 2, 128, 1, 1000), 16);
  p.window_left = 99;
  EXPECT_EQ(decode_first_token(p), 900U);
  const Kernel kernel = make_attention_decode(p, choose_decode_tiling(shapes::a100(), p), 6ULL << 32);
  EXPECT_EQ(kv_loaded(kernel), 2U * 100 * 2 * 256);
  EXPECT_EQ(tensor_work(kernel), 4.0 * 8 * 100 * 128);
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  p.window_left = 4095;  // longer than the context: everything
  EXPECT_EQ(decode_first_token(p), 0U);
}

TEST(AttentionDecode, EightBitKvHalvesTheBytes) {
  const AttentionProblem wide = paged(contiguous(2, 8, 2, 128, 1, 777), 16);
  const AttentionProblem narrow = paged(contiguous(2, 8, 2, 128, 1, 777), 16, DataType::fp8);
  const Kernel kernel = make_attention_decode(narrow, choose_decode_tiling(shapes::h100(), narrow), 6ULL << 32);
  EXPECT_EQ(2 * kv_loaded(kernel), kv_loaded(make_attention_decode(wide, choose_decode_tiling(shapes::h100(), wide), 6ULL << 32)));
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
}

}  // namespace
}  // namespace rooftrace
