// Latent attention, shared experts and dense first layers: bytes, work and order of whole steps by hand counts, and the decode kernel
// alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/traces/shapes.hpp"
#include "tests/unit/traces/workload_models.hpp"
#include "traces/attention_latent.hpp"
#include "traces/random.hpp"
#include "traces/trace_check.hpp"
#include "traces/workload.hpp"

namespace rooftrace {
namespace {

using testing::IsEmpty;

/// Small enough to walk every byte: a dense layer and two with experts, 8 heads of 24 + 8 features, a latent of 64, V of 16.
ModelSpec small_latent(std::uint32_t q_rank) {
  ModelSpec m = models::small();
  m.architecture = "DeepseekV3ForCausalLM";
  m.kv_heads = 1;
  m.kv_rank = 64;
  m.q_rank = q_rank;
  m.rope_dim = 8;
  m.v_dim = 16;
  m.experts = 16;
  m.experts_per_token = 4;
  m.shared_experts = 2;
  m.dense_layers = 1;
  m.dense_intermediate = 512;
  return m;
}

ModelSpec deepseek_v3() {
  return load_model(std::string(ROOFTRACE_SOURCE_DIR) + "/configs/models/deepseek-v3/config.json", "deepseek-v3");
}

WorkloadOptions step(Stage stage, std::uint32_t batch, std::uint32_t tokens) {
  WorkloadOptions o;
  o.stage = stage;
  o.batch = batch;
  o.context = o.prompt = tokens;
  return o;
}

Footprint sum_of(const Trace& trace, TensorRole role, std::int32_t layer) {
  Footprint sum;
  for (const Kernel& kernel : trace.kernels) {
    if (kernel.layer != layer) continue;
    for (const Footprint& f : kernel.footprint) {
      if (f.role != role) continue;
      sum.read += f.read;
      sum.written += f.written;
    }
  }
  return sum;
}

double tensor_work(const Trace& trace, KernelClass kernel_class, std::int32_t layer) {
  double sum = 0;
  for (const Kernel& kernel : trace.kernels) {
    if (kernel.layer == layer && kernel.kernel_class == kernel_class) sum += kernel.work[static_cast<std::size_t>(Pipe::tensor)];
  }
  return sum;
}

std::vector<KernelClass> classes(const Trace& trace, std::int32_t layer) {
  std::vector<KernelClass> out;
  for (const Kernel& kernel : trace.kernels) {
    if (kernel.layer == layer && (out.empty() || out.back() != kernel.kernel_class)) out.push_back(kernel.kernel_class);
  }
  return out;
}

// A token's cache is 512 + 64 elements of 2 B in each of 61 layers: 70,272 B, on every GPU of a group, whatever tp.
TEST(LatentAttention, TheCacheIsTheLatentOnEveryGpu) {
  const ModelSpec model = deepseek_v3();
  EXPECT_EQ(2 * model.layers * model.kv_elements(), 70272U);
  WorkloadOptions o = step(Stage::decode, 3, 1023);  // 1,024 tokens are 64 pages of 16.
  for (const std::uint32_t tp : {1U, 8U}) {
    o.tp = tp;
    EXPECT_EQ(memory_need(model, o).kv, 3ULL * 1024 * 70272) << tp;
  }
  o.kv = DataType::fp8;
  EXPECT_EQ(memory_need(model, o).kv, 3ULL * 1024 * 70272 / 2);
}

// A decode step reads the cache of a layer once for K and V: batch * tokens * 576 * 2 B, and writes one row per sequence. Both products of
// a token and head cost 2 * 576 and 2 * 512 FLOP.
TEST(LatentAttention, DecodeReadsTheLatentOnceForAllHeads) {
  WorkloadOptions o = step(Stage::decode, 4, 4095);
  for (const std::uint32_t tp : {1U, 8U}) {
    o.tp = tp;
    const Trace trace = make_workload(deepseek_v3(), shapes::h100(), o);
    const Footprint kv = sum_of(trace, TensorRole::kv, 5);
    EXPECT_EQ(kv.read, 4ULL * 4096 * 1152) << tp;
    EXPECT_EQ(kv.written, 4ULL * 1152) << tp;
    EXPECT_EQ(tensor_work(trace, KernelClass::attention, 5), 2.0 * 4 * (128 / tp) * 4096 * (576 + 512)) << tp;
  }
}

// Two FLOP per token and element of the matrices: down to ranks and latent; up to Q; W_UK and W_UV by heads; output.
TEST(LatentAttention, DecodeAbsorbsTheUpProjections) {
  const Trace trace = make_workload(deepseek_v3(), shapes::h100(), step(Stage::decode, 2, 100));
  const double down = 7168.0 * (1536 + 576), up = 1536.0 * 128 * 192, key = 128.0 * 128 * 512, value = key, out = 128.0 * 128 * 7168;
  EXPECT_EQ(tensor_work(trace, KernelClass::qkv_projection, 5), 2 * 2 * (down + up + key));
  EXPECT_EQ(tensor_work(trace, KernelClass::output_projection, 5), 2 * 2 * (value + out));
}

// A prefill makes K and V of all heads and attends with 192 and 128 features: 2 * (192 + 128) FLOP per pair of a query and a visited key.
// 128 tokens: one tile of queries and one of keys.
TEST(LatentAttention, PrefillAttendsWithHeadsOfTwoWidths) {
  const Trace trace = make_workload(deepseek_v3(), shapes::h100(), step(Stage::prefill, 1, 128));
  EXPECT_EQ(tensor_work(trace, KernelClass::attention, 5), 2.0 * 128 * 128 * 128 * (192 + 128));
  const double down = 7168.0 * (1536 + 576), up = 1536.0 * 128 * 192, both = 512.0 * 128 * (128 + 128);
  EXPECT_EQ(tensor_work(trace, KernelClass::qkv_projection, 5), 2 * 128 * (down + up + both));
  EXPECT_EQ(sum_of(trace, TensorRole::kv, 5).written, 128ULL * 1152);
  EXPECT_EQ(sum_of(trace, TensorRole::kv, 5).read, 0U);
}

TEST(LatentAttention, LayersOfTwoKinds) {
  using enum KernelClass;
  const Trace trace = make_workload(small_latent(48), shapes::h100(), step(Stage::decode, 2, 100));
  const std::vector<KernelClass> dense{norm, qkv_projection, norm,       qkv_projection, rope_kv_write, attention, output_projection,
                                       norm, ffn_up,         activation, ffn_down};
  const std::vector<KernelClass> experts{norm,     qkv_projection, norm,       qkv_projection, rope_kv_write, attention, output_projection,
                                         norm,     ffn_up,         activation, ffn_down,       router,        ffn_up,    activation,
                                         ffn_down, residual};
  EXPECT_EQ(classes(trace, 0), dense);
  EXPECT_EQ(classes(trace, 1), experts);
  EXPECT_EQ(classes(trace, 2), experts);
}

// One token reads every active parameter once, the embedding but for a row: 2 B each. All of them are what memory_need counts.
TEST(LatentAttention, ADecodeStepReadsEveryActiveParameterOnce) {
  for (const std::uint32_t q_rank : {0U, 48U}) {
    const ModelSpec model = small_latent(q_rank);
    const Trace trace = make_workload(model, shapes::h100(), step(Stage::decode, 1, 50));
    std::uint64_t read = 0;
    for (std::int32_t layer = -1; layer < 3; ++layer) read += sum_of(trace, TensorRole::weights, layer).read;
    EXPECT_EQ(read, 2 * (model.active_parameters() - model.embedding_parameters() + model.hidden)) << q_rank;
    EXPECT_EQ(memory_need(model, step(Stage::decode, 1, 50)).weights, 2 * model.parameters()) << q_rank;
  }
}

TEST(LatentAttention, RandomStepsKeepTheLawsOfATrace) {
  constexpr std::uint64_t kSeed = 20261122;
  SplitMix random(kSeed);
  for (int round = 0; round < 60; ++round) {
    ModelSpec model = small_latent(random.below(2) == 0 ? 0 : static_cast<std::uint32_t>(8 * (1 + random.below(12))));
    model.kv_rank = static_cast<std::uint32_t>(8 * (1 + random.below(16)));
    model.dense_layers = static_cast<std::uint32_t>(random.below(3));
    if (model.dense_layers == 0) model.dense_intermediate = 0;
    model.shared_experts = static_cast<std::uint32_t>(random.below(3));
    const auto batch = static_cast<std::uint32_t>(1 + random.below(5));
    WorkloadOptions o =
        step(random.below(2) == 0 ? Stage::decode : Stage::prefill, batch, static_cast<std::uint32_t>(1 + random.below(500)));
    o.tp = 1U << random.below(4);
    o.weights = random.below(2) == 0 ? DataType::bf16 : DataType::fp8;
    o.kv = random.below(2) == 0 ? DataType::bf16 : DataType::fp8;
    o.page_tokens = static_cast<std::uint32_t>(1 + random.below(40));
    o.offload_kv = random.below(2) == 0 ? 0 : static_cast<double>(random.below(101)) / 100;
    o.kv_splits = static_cast<std::uint32_t>(random.below(4));
    const DeviceShape gpu = random.below(2) == 0 ? shapes::h100() : shapes::a100();
    EXPECT_THAT(check_trace(make_workload(model, gpu, o)), IsEmpty()) << "seed " << kSeed << " round " << round;
    if (HasFailure()) return;
  }
}

AttentionProblem call(std::uint32_t batch, std::uint32_t heads, std::uint64_t tokens) {
  AttentionProblem p;
  p.batch = batch;
  p.q_heads = heads;
  p.head_dim = 576;
  p.value_dim = 512;
  p.kv_len = tokens;
  Matrix rows;
  rows.rows = batch * tokens;
  rows.cols = 576;
  rows.pitch = 1152;
  rows.address = 1ULL << 32;
  rows.role = TensorRole::kv;
  p.kv = contiguous_kv(rows, rows, batch, 1, 576);
  p.kv.latent = true;
  p.q.address = 2ULL << 32;
  p.q.pitch = heads * 1152ULL;
  p.o.address = 3ULL << 32;
  p.o.pitch = heads * 1024ULL;
  return p;
}

// 128 heads are two tiles of 64, so an H100 has 66 parts. One sequence of 4,096 tokens is 64 tiles: ceil(69 / 66) + 5 = 7 tiles of cost, 5
// of which are overhead: 2 tiles a part, 32 parts. 132 sequences of 64 tokens: ceil(132 * 6 / 66) + 5 = 17: parts take two whole sequences
// (6 + 6) and cannot begin a third (5 left is only its overhead).
TEST(LatentAttention, TheSchedulerDealsTilesToParts) {
  const LatentTiling one = choose_latent_tiling(shapes::h100(), call(1, 128, 4096));
  EXPECT_EQ(one.q_rows, 64U);
  EXPECT_EQ(one.tile_tokens, 64U);
  EXPECT_EQ(one.parts(), 32U);
  EXPECT_EQ(one.schedule->splits, std::vector<std::uint32_t>{32});
  const LatentTiling many = choose_latent_tiling(shapes::h100(), call(132, 128, 64));
  EXPECT_EQ(many.parts(), 66U);
  EXPECT_EQ(many.slots(), 0U);
  EXPECT_EQ(many.schedule->pieces.size(), 132U);
  EXPECT_EQ(choose_latent_tiling(shapes::h100(), call(2, 16, 1000), 4).parts(), 8U);  // 16 tiles, 4 a part.
}

// Its schedule is held in memory, so how many parts may be asked for is bounded.
TEST(LatentAttention, TooManyPartsAreRefused) {
  WorkloadOptions o = step(Stage::decode, 4096, 1000);
  o.kv_splits = 1024;
  EXPECT_NO_THROW(check_workload(small_latent(0), o));
  o.kv_splits = 1025;
  EXPECT_THROW(check_workload(small_latent(0), o), std::invalid_argument);
}

// Two stages of 64 tokens fit beside 64 queries in 227 KiB (221,184 + 1,024 B), of 32 tokens in 163 KiB, and in 99 KiB 16 queries and 32.
TEST(LatentAttention, TilesFitSharedMemory) {
  const LatentTiling a100 = choose_latent_tiling(shapes::a100(), call(1, 128, 4096));
  EXPECT_EQ(a100.q_rows, 64U);
  EXPECT_EQ(a100.tile_tokens, 32U);
  const LatentTiling l40s = choose_latent_tiling(shapes::l40s(), call(1, 128, 4096));
  EXPECT_EQ(l40s.q_rows, 16U);
  EXPECT_EQ(l40s.tile_tokens, 32U);
}

// Whatever the schedule, every token of every sequence is read by every tile of heads, every head is stored once, and the joined sums are
// those that were stored.
TEST(LatentAttention, EveryPieceIsReadAndStoredOnce) {
  for (const std::uint32_t batch : {1U, 3U, 40U}) {
    for (const std::uint64_t tokens : {1ULL, 63ULL, 700ULL, 5000ULL}) {
      const AttentionProblem p = call(batch, 80, tokens);
      const LatentTiling tiling = choose_latent_tiling(shapes::h100(), p);
      const Kernel split = make_latent_decode(p, tiling, 4ULL << 32);
      EXPECT_THAT(check_kernel(split), IsEmpty()) << batch << " " << tokens;
      // 80 heads are two tiles.
      EXPECT_EQ(measure(split).touched[static_cast<std::size_t>(TensorRole::kv)][0].loaded, 2 * batch * tokens * 1152);
      if (tiling.slots() > 0) {
        EXPECT_THAT(check_kernel(make_latent_combine(p, tiling, 4ULL << 32)), IsEmpty());
      }
    }
  }
}

}  // namespace
}  // namespace rooftrace
