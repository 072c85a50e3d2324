// What stays in host memory: bytes over PCIe, waits between the streams, and what one GPU must hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "tests/unit/traces/shapes.hpp"
#include "tests/unit/traces/workload_models.hpp"
#include "traces/workload.hpp"

namespace rooftrace {
namespace {

// Llama-3.1-8B: the linears of a layer, bf16.
constexpr std::uint64_t kLayerLinearBytes = 2ULL * 218103808;

WorkloadOptions options(Stage stage, double weights, double kv) {
  WorkloadOptions o;
  o.stage = stage;
  o.context = 4096;
  o.prompt = 512;
  o.offload_weights = weights;
  o.offload_kv = kv;
  return o;
}

std::uint64_t moved(const Trace& trace, TensorRole role, std::uint64_t Footprint::*direction) {
  std::uint64_t sum = 0;
  for (const Kernel& kernel : trace.kernels) {
    for (const Footprint& f : kernel.footprint) sum += f.home == Home::host && f.role == role ? f.*direction : 0;
  }
  return sum;
}

bool reads_staged(const Kernel& kernel, TensorRole role) {
  return std::any_of(kernel.footprint.begin(), kernel.footprint.end(),
                     [&](const Footprint& f) { return f.role == role && f.produced && f.read > 0; });
}

// The share is met to half a row; the smallest rows here are 4,096 inputs of 2 B, the largest 14,336.
TEST(Offload, WeightsCrossPcieOncePerStep) {
  for (const Stage stage : {Stage::decode, Stage::prefill}) {
    for (const double share : {0.0, 0.1, 0.5, 0.77, 1.0}) {
      const Trace trace = make_workload(models::llama_3_1_8b(), shapes::h100(), options(stage, share, 0));
      const auto per_layer = static_cast<double>(moved(trace, TensorRole::weights, &Footprint::read)) / 32;
      EXPECT_NEAR(per_layer, share * static_cast<double>(kLayerLinearBytes), 14336) << share;
      if (share == 1.0) {
        EXPECT_EQ(per_layer, static_cast<double>(kLayerLinearBytes));
      }
      EXPECT_EQ(moved(trace, TensorRole::weights, &Footprint::written), 0U);
      EXPECT_EQ(trace.layer_stride == 0, share > 0);  // two staging slots alternate
      // The GEMMs still read every weight once, from wherever it is: all but the copies' sources.
      std::uint64_t local = 0;
      for (const Kernel& kernel : trace.kernels) {
        if (kernel.layer < 0 || kernel.kernel_class == KernelClass::norm) continue;
        for (const Footprint& f : kernel.footprint) local += f.role == TensorRole::weights && f.home == Home::local ? f.read : 0;
      }
      EXPECT_EQ(local, 32 * kLayerLinearBytes);
    }
  }
}

// 4,097 tokens are 257 pages of 16; half are 128.5, rounded to 129, of 2 * 16 * 8 * 128 * 2 B = 65,536 B each and layer. All of them: 256,
// because the step writes the page of token 4,096, which stays.
TEST(Offload, OldKvPagesCrossPcieInDecode) {
  for (const auto& [share, pages] : {std::pair{0.5, 129ULL}, std::pair{1.0, 256ULL}}) {
    const Trace trace = make_workload(models::llama_3_1_8b(), shapes::h100(), options(Stage::decode, 0, share));
    EXPECT_EQ(moved(trace, TensorRole::kv, &Footprint::read), 32 * pages * 65536);
    EXPECT_EQ(moved(trace, TensorRole::kv, &Footprint::written), 0U);
  }
}

// A prefill makes the KV: 512 tokens are 32 pages, 16 of them go out.
TEST(Offload, PrefillTakesKvOut) {
  const Trace trace = make_workload(models::llama_3_1_8b(), shapes::h100(), options(Stage::prefill, 0, 0.5));
  EXPECT_EQ(moved(trace, TensorRole::kv, &Footprint::read), 0U);
  EXPECT_EQ(moved(trace, TensorRole::kv, &Footprint::written), 32ULL * 16 * 65536);
}

// Mistral at context 10,000 reads tokens 5,905 .. 10,000 (10,001 - 4,096 = 5,905): from page 369 of 626. Of 601 pages in host memory (0.96
// * 626 = 600.96) the first 369 are never asked for.
TEST(Offload, PagesBeforeTheWindowStayWhereTheyAre) {
  WorkloadOptions o = options(Stage::decode, 0, 0.96);
  o.context = 10000;
  const Trace trace = make_workload(models::mistral_7b(), shapes::h100(), o);
  EXPECT_EQ(moved(trace, TensorRole::kv, &Footprint::read), 32ULL * (601 - 369) * 65536);
}

TEST(Offload, CopiesAndConsumersWaitForEachOther) {
  WorkloadOptions o = options(Stage::decode, 0.7, 0.5);
  o.context = 1000;
  const Trace trace = make_workload(models::small(), shapes::h100(), o);
  ASSERT_EQ(models::small().layers, 3U);
  std::array<std::array<int, 2>, 3> copy{};  // [layer][weights, kv]
  std::array<std::array<int, 2>, 3> first{};
  std::array<int, 3> last{};
  for (auto& both : copy) both = {-1, -1};
  for (auto& both : first) both = {-1, -1};
  for (std::size_t i = 0; i < trace.kernels.size(); ++i) {
    const Kernel& kernel = trace.kernels[i];
    if (kernel.layer < 0) continue;
    const auto layer = static_cast<std::size_t>(kernel.layer);
    const int index = static_cast<int>(i);
    if (kernel.unit == Unit::copy_engine) {
      EXPECT_EQ(kernel.stream, 1U);
      EXPECT_EQ(kernel.kernel_class, KernelClass::copy);
      copy[layer][kernel.label == "copy KV from host" ? 1 : 0] = index;
      continue;
    }
    last[layer] = index;
    if (reads_staged(kernel, TensorRole::weights) && first[layer][0] < 0) first[layer][0] = index;
    if (reads_staged(kernel, TensorRole::kv) && first[layer][1] < 0) first[layer][1] = index;
  }
  const auto waits = [&](int index, int earlier) {
    const auto& list = trace.kernels[static_cast<std::size_t>(index)].waits_for;
    return std::find(list.begin(), list.end(), static_cast<std::uint32_t>(earlier)) != list.end();
  };
  for (std::size_t layer = 0; layer < 3; ++layer) {
    for (const std::size_t what : {0U, 1U}) {
      ASSERT_GE(copy[layer][what], 0);
      ASSERT_GE(first[layer][what], 0);
      EXPECT_TRUE(waits(first[layer][what], copy[layer][what])) << layer;
    }
  }
  // Layers 0 and 2 share a slot; 0 and 1 find theirs free.
  EXPECT_TRUE(trace.kernels[static_cast<std::size_t>(copy[0][0])].waits_for.empty());
  EXPECT_TRUE(trace.kernels[static_cast<std::size_t>(copy[1][0])].waits_for.empty());
  EXPECT_TRUE(waits(copy[2][0], last[0]));
  EXPECT_LT(copy[1][0], last[0]);  // prefetched while layer 0 computes
}

TEST(MemoryNeed, WeightsAreTheParameters) {
  const ModelSpec model = models::llama_3_1_8b();
  WorkloadOptions o = options(Stage::decode, 0, 0);
  // 8,030,261,248 parameters as published, 2 B each.
  EXPECT_EQ(memory_need(model, o).weights, 2ULL * 8030261248);
  EXPECT_EQ(memory_need(model, o).weights, 2 * model.parameters());
  // TP 8: everything but the 65 norms is divided.
  o.tp = 8;
  EXPECT_EQ(memory_need(model, o).weights, 2 * ((8030261248ULL - 65 * 4096) / 8 + 65 * 4096));
  // fp8: a byte per weight of the linears, and 43,008 fp32 scales per layer.
  o.tp = 1;
  o.weights = DataType::fp8;
  EXPECT_EQ(memory_need(model, o).weights, 2ULL * 8030261248 - 32ULL * 218103808 + 32ULL * 43008 * 4);
}

// 4,097 tokens round up to 257 pages of 16 tokens, 131,072 B per token over all layers.
TEST(MemoryNeed, KvIsRoundedUpToPages) {
  WorkloadOptions o = options(Stage::decode, 0, 0);
  o.batch = 3;
  EXPECT_EQ(memory_need(models::llama_3_1_8b(), o).kv, 3ULL * 257 * 16 * 131072);
  o.kv = DataType::fp8;
  EXPECT_EQ(memory_need(models::llama_3_1_8b(), o).kv, 3ULL * 257 * 16 * 131072 / 2);
  o.stage = Stage::prefill;
  o.tp = 2;
  EXPECT_EQ(memory_need(models::llama_3_1_8b(), o).kv, 3ULL * 512 * 131072 / 2 / 2);
}

// What is offloaded leaves the GPU but for two slots of one layer's share.
TEST(MemoryNeed, OffloadMovesBytesToTheHost) {
  const ModelSpec model = models::llama_3_1_8b();
  const MemoryNeed all = memory_need(model, options(Stage::decode, 0, 0));
  const MemoryNeed half = memory_need(model, options(Stage::decode, 1.0, 0.5));
  EXPECT_EQ(all.host, 0U);
  EXPECT_EQ(half.host, 32 * (kLayerLinearBytes + 129 * 65536));
  EXPECT_EQ(all.weights - half.weights, 32 * kLayerLinearBytes);
  EXPECT_EQ(all.kv - half.kv, 32ULL * 129 * 65536);
  EXPECT_EQ(half.activations - all.activations, 2 * half.host / 32);
}

// Decode, batch 1, TP 1: residual, normed and projected 3 * 4096, QKV 6144, attention 4096, gate and up and product 3 * 14336, logits
// 128,256, all bf16; the RoPE table 131,072 * 128 * 2 B; one token id and 257 table entries of 4 B. TP 2 adds a reduced copy and halves
// what is sharded; an all-reduce has its receive buffer.
TEST(MemoryNeed, ActivationsAreTheBuffers) {
  WorkloadOptions o = options(Stage::decode, 0, 0);
  EXPECT_EQ(memory_need(models::llama_3_1_8b(), o).activations,
            2ULL * (3 * 4096 + 6144 + 4096 + 3 * 14336 + 128256 + 131072 * 128) + 4 + 257 * 4);
  o.tp = 2;
  o.all_reduce.algorithm = AllReduce::one_shot;
  const std::uint64_t halved = 2ULL * (4 * 4096 + 3072 + 2048 + 3 * 7168 + 64128 + 131072 * 128) + 4 + 257 * 4;
  EXPECT_EQ(memory_need(models::llama_3_1_8b(), o).activations, halved);
  o.all_reduce.algorithm = AllReduce::two_shot;  // the own sum of half of 4,096 elements
  EXPECT_EQ(memory_need(models::llama_3_1_8b(), o).activations, halved + 4096);
  // Of the protocols LL128 takes most here: 4,096 elements are 69 lines of 60; two hops of half of them, and a gap for each of at most 32
  // channels in three loops.
  o.all_reduce.algorithm = AllReduce::ring;
  EXPECT_EQ(memory_need(models::llama_3_1_8b(), o).activations, halved + 2 * (69 / 2 + 32 * 3 + 1) * 128);
}

std::string refusal(const ModelSpec& model, const WorkloadOptions& o) {
  try {
    check_workload(model, o);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

template <typename Change>
std::string refusal(Change change) {
  WorkloadOptions o;
  change(o);
  return refusal(models::llama_3_1_8b(), o);
}

TEST(CheckWorkload, NamesWhatIsWrongAndWhatWouldWork) {
  using O = WorkloadOptions;
  EXPECT_EQ(refusal([](O&) {}), "");
  EXPECT_EQ(refusal([](O& o) { o.stage = Stage::other; }), "stage must be prefill or decode");
  EXPECT_EQ(refusal([](O& o) { o.batch = 0; }), "batch is 0; it must be at least 1");
  EXPECT_EQ(refusal([](O& o) { o.context = 0; }),
            "context is 0; a decode step needs at least 1 token in the KV cache (for the first token use prefill)");
  EXPECT_EQ(refusal([](O& o) { o.context = 131071; }), "");
  EXPECT_EQ(
      refusal([](O& o) { o.context = 131072; }),
      "context 131072 and the new token are 131073 tokens, more than the 131072 positions of llama-3.1-8b; the longest context is 131071");
  EXPECT_EQ(refusal([](O& o) {
              o.stage = Stage::prefill;
              o.prompt = 0;
            }),
            "prompt is 0; it must be at least 1 token");
  EXPECT_EQ(refusal([](O& o) {
              o.stage = Stage::prefill;
              o.prompt = 131073;
            }),
            "prompt 131073 is longer than the 131072 positions of llama-3.1-8b");
  EXPECT_EQ(refusal([](O& o) {
              o.stage = Stage::prefill;
              o.prompt = 131072;
              o.context = 0;  // not a decode step: no business of ours
            }),
            "");
  EXPECT_EQ(refusal([](O& o) { o.tp = 0; }), "tp is 0; it must be at least 1");
  EXPECT_EQ(refusal([](O& o) { o.tp = 3; }), "tp 3 does not divide the 32 query heads of llama-3.1-8b; tp that work: 1, 2, 4, 8, 16, 32");
  EXPECT_EQ(refusal([](O& o) { o.tp = 16; }), "");  // Two GPUs hold the same KV head.
  EXPECT_EQ(refusal([](O& o) { o.batch = 5000000; }), "batch 5000000 makes 5000000 tokens in one step; the most is 4194304");
  EXPECT_EQ(refusal([](O& o) {
              o.batch = 100000;
              o.context = 99999;
            }),
            "batch 100000 of 100000 tokens is 10000000000 tokens of KV cache; the most is 4294967296");
  EXPECT_EQ(refusal([](O& o) {
              o.batch = 100000;
              o.page_tokens = 1;
            }),
            "the block table has 409700000 pages; the most is 268435456: take larger pages");
  EXPECT_EQ(refusal([](O& o) { o.page_tokens = 0; }), "page_tokens is 0; a page holds 1 to 4096 tokens");
  EXPECT_EQ(refusal([](O& o) { o.page_tokens = 5000; }), "page_tokens is 5000; a page holds 1 to 4096 tokens");
  EXPECT_EQ(refusal([](O& o) { o.offload_weights = 1.5; }), "offload weights is 1.5; a share lies between 0 and 1");
  EXPECT_EQ(refusal([](O& o) { o.offload_kv = -0.25; }), "offload kv is -0.25; a share lies between 0 and 1");
  EXPECT_EQ(refusal([](O& o) { o.offload_kv = 0.0 / 0.0; }).substr(0, 14), "offload kv is ");
  EXPECT_EQ(refusal([](O& o) { o.weights = DataType::tf32; }), "weights cannot be tf32; it can be fp32, fp16, bf16, fp8, int8, fp4, int4");
  EXPECT_EQ(refusal([](O& o) { o.kv = DataType::int4; }), "kv cannot be int4; it can be fp32, fp16, bf16, fp8, int8");
  EXPECT_EQ(refusal([](O& o) { o.activations = DataType::fp8; }), "activations cannot be fp8; it can be fp32, fp16, bf16");
  EXPECT_EQ(refusal([](O& o) { o.tiling[KernelClass::norm].block_m = 64; }),
            "tiling.norm: this kernel class has no GEMM; those with one are qkv_projection, output_projection, ffn_up, ffn_down, lm_head");
  EXPECT_EQ(refusal([](O& o) { o.tiling[KernelClass::ffn_up].block_m = 0; }), "tiling.ffn_up.block_m is 0; it must be 1 to 1024");
  EXPECT_EQ(refusal([](O& o) { o.tiling[KernelClass::ffn_up].persistent = 2; }), "tiling.ffn_up.persistent is 2; it must be 0 to 1");
}

TEST(CheckWorkload, IntermediateMustDivideToo) {
  ModelSpec model = models::small();
  model.intermediate = 6;
  WorkloadOptions o;
  o.context = 100;
  o.tp = 4;
  EXPECT_EQ(refusal(model, o), "tp 4 does not divide the 6 intermediate features of small; tp that work: 1, 2");
}

// Refused before any memory is taken: make_workload checks first, and the address space bounds the rest.
TEST(CheckWorkload, MakeWorkloadRefusesTheSame) {
  WorkloadOptions o;
  o.batch = 0;
  EXPECT_THROW((void)make_workload(models::llama_3_1_8b(), shapes::h100(), o), std::invalid_argument);
  o.batch = 1000;
  o.context = 131071;  // 1,000 * 131,072 * 131,072 B = 17 TB of KV
  EXPECT_THROW((void)make_workload(models::llama_3_1_8b(), shapes::h100(), o), std::invalid_argument);
}

}  // namespace
}  // namespace rooftrace
