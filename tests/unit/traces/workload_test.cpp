// make_workload: the sums of a whole step against hand formulas, the order of kernels, options.
#include "traces/workload.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/traces/shapes.hpp"
#include "tests/unit/traces/workload_models.hpp"

namespace rooftrace {
namespace {

WorkloadOptions decode(std::uint32_t batch, std::uint32_t context) {
  WorkloadOptions o;
  o.stage = Stage::decode;
  o.batch = batch;
  o.context = context;
  return o;
}

WorkloadOptions prefill(std::uint32_t batch, std::uint32_t prompt) {
  WorkloadOptions o;
  o.stage = Stage::prefill;
  o.batch = batch;
  o.prompt = prompt;
  return o;
}

double work(const Trace& trace, Pipe pipe) {
  double sum = 0;
  for (const Kernel& kernel : trace.kernels) sum += kernel.work[static_cast<std::size_t>(pipe)];
  return sum;
}

std::uint64_t read(const Trace& trace, TensorRole role, Home home = Home::local) {
  std::uint64_t sum = 0;
  for (const Kernel& kernel : trace.kernels) {
    for (const Footprint& f : kernel.footprint) sum += f.role == role && f.home == home ? f.read : 0;
  }
  return sum;
}

std::uint64_t written(const Trace& trace, TensorRole role, Home home = Home::local) {
  std::uint64_t sum = 0;
  for (const Kernel& kernel : trace.kernels) {
    for (const Footprint& f : kernel.footprint) sum += f.role == role && f.home == home ? f.written : 0;
  }
  return sum;
}

std::vector<KernelClass> classes(const Trace& trace, std::int32_t layer) {
  std::vector<KernelClass> out;
  for (const Kernel& kernel : trace.kernels) {
    if (kernel.layer != layer || kernel.stream != 0) continue;
    if (out.empty() || out.back() != kernel.kernel_class)
      out.push_back(kernel.kernel_class);  // a second kernel of a class belongs to the first
  }
  return out;
}

// Llama-3.1-8B, one token per sequence: every weight of the linear layers and of the LM head is multiplied and added once per sequence: 2
// FLOP. A layer's linears: QKV 4096 * 6144, output 4096 * 4096, gate, up and down 3 * 4096 * 14336: 218,103,808. Attention: 4 * 32 heads *
// 4,097 tokens * 128.
TEST(Workload, DecodeStepOfLlama8bDoesTwoFlopPerWeight) {
  const double linear = 218103808.0;
  const double weights = 32 * linear + 128256.0 * 4096;
  const double attention = 32 * 4.0 * 32 * 4097 * 128;
  for (const std::uint32_t batch : {1U, 8U}) {
    const Trace trace = make_workload(models::llama_3_1_8b(), shapes::h100(), decode(batch, 4096));
    EXPECT_EQ(work(trace, Pipe::tensor), batch * (2 * weights + attention));
    // Weights are read once whatever the batch: in bf16, with 65 norms of 4,096 and the embedding rows of the tokens (which may coincide).
    const double read_weights = static_cast<double>(read(trace, TensorRole::weights));
    EXPECT_LE(read_weights, 2 * (weights + 65 * 4096 + batch * 4096.0));
    EXPECT_GE(read_weights, 2 * (weights + 65 * 4096 + 4096.0));
    // The cache: 4,097 tokens of 32 layers * 8 heads * 128 * (K and V) * 2 B = 131,072 B each; one token is written.
    EXPECT_EQ(read(trace, TensorRole::kv), batch * 4097ULL * 131072);
    EXPECT_EQ(written(trace, TensorRole::kv), batch * 131072ULL);
  }
}

// 2,048 tokens through the same linears; the LM head only for the last token. Attention in tiles of 128x128 up to the diagonal: 16 * 17 / 2
// tile pairs per head.
TEST(Workload, PrefillOfLlama8b) {
  const Trace trace = make_workload(models::llama_3_1_8b(), shapes::h100(), prefill(1, 2048));
  const double linear = 2.0 * 2048 * 32 * 218103808.0 + 2.0 * 128256 * 4096;
  const double attention = 32.0 * 32 * 4 * 136 * 128 * 128 * 128;
  EXPECT_EQ(work(trace, Pipe::tensor), linear + attention);
  EXPECT_EQ(written(trace, TensorRole::kv), 2048ULL * 131072);
  EXPECT_EQ(read(trace, TensorRole::kv), 2048ULL * 131072);
}

// Groups of 32: every row of the four linears has k / 32 scales of 4 B. k is 4096, for the last linear 14336.
TEST(Workload, NarrowWeightsMayHaveAScalePerGroup) {
  WorkloadOptions o = decode(4, 1000);
  o.weights = DataType::int4;
  o.weight_group = 32;
  const Trace trace = make_workload(models::llama_3_1_8b(), shapes::h100(), o);
  EXPECT_EQ(read(trace, TensorRole::scales), 32ULL * 4 * ((6144 + 4096 + 28672) * 128 + 4096 * 448));
  const std::uint64_t grouped = memory_need(models::llama_3_1_8b(), o).weights;
  o.weight_group = 0;
  EXPECT_EQ(grouped - memory_need(models::llama_3_1_8b(), o).weights, read(trace, TensorRole::scales) - 32ULL * 4 * 43008);
}

// Two norms a layer and the last one: all but the first add a residual.
TEST(Workload, ResidualsMayBeAddedByThemselves) {
  WorkloadOptions o = decode(4, 1000);
  const auto count = [](const Trace& trace, KernelClass kernel_class) {
    return std::count_if(trace.kernels.begin(), trace.kernels.end(), [&](const Kernel& k) { return k.kernel_class == kernel_class; });
  };
  const Trace fused = make_workload(models::llama_3_1_8b(), shapes::h100(), o);
  o.separate_residual = true;
  const Trace separate = make_workload(models::llama_3_1_8b(), shapes::h100(), o);
  EXPECT_EQ(count(fused, KernelClass::residual), 0);
  EXPECT_EQ(count(separate, KernelClass::residual), 64);
  EXPECT_EQ(count(separate, KernelClass::norm), count(fused, KernelClass::norm));
  // The norm writes what it added; the kernel that adds writes it instead, and the norm reads it again.
  EXPECT_GT(read(separate, TensorRole::activations), read(fused, TensorRole::activations));
  EXPECT_EQ(written(separate, TensorRole::activations), written(fused, TensorRole::activations));
}

TEST(Workload, EightBitKvAndWeightsHalveTheBytes) {
  WorkloadOptions o = decode(4, 1000);
  const Trace wide = make_workload(models::llama_3_1_8b(), shapes::h100(), o);
  o.kv = DataType::fp8;
  o.weights = DataType::fp8;
  const Trace narrow = make_workload(models::llama_3_1_8b(), shapes::h100(), o);
  EXPECT_EQ(2 * read(narrow, TensorRole::kv), read(wide, TensorRole::kv));
  EXPECT_EQ(2 * written(narrow, TensorRole::kv), written(wide, TensorRole::kv));
  // The linears shrink to a byte per weight; embedding, LM head and norms stay bf16.
  EXPECT_EQ(read(wide, TensorRole::weights) - read(narrow, TensorRole::weights), 32ULL * 218103808);
  // One fp32 scale per output channel: 6144 + 4096 + 28672 + 4096.
  EXPECT_EQ(read(narrow, TensorRole::scales), 32ULL * 4 * 43008);
  EXPECT_EQ(read(wide, TensorRole::scales), 0U);
  for (const Kernel& kernel : narrow.kernels) {
    if (kernel.kernel_class == KernelClass::ffn_up) {
      EXPECT_EQ(kernel.tensor_type, DataType::fp8);
    }
    if (kernel.kernel_class == KernelClass::lm_head) {
      EXPECT_EQ(kernel.tensor_type, DataType::bf16);
    }
  }
  // Without fp8 tensor cores they are widened.
  const Trace a100 = make_workload(models::llama_3_1_8b(), shapes::a100(), o);
  for (const Kernel& kernel : a100.kernels) EXPECT_EQ(kernel.tensor_type, DataType::bf16);
}

// Mistral's window of 4,096 tokens: at context 10,000 a step reads the last 4,096 of 10,001 tokens; at context 1,000 all 1,001.
TEST(Workload, SlidingWindowBoundsTheCacheThatIsRead) {
  EXPECT_EQ(read(make_workload(models::mistral_7b(), shapes::h100(), decode(1, 10000)), TensorRole::kv), 4096ULL * 131072);
  EXPECT_EQ(read(make_workload(models::mistral_7b(), shapes::h100(), decode(1, 1000)), TensorRole::kv), 1001ULL * 131072);
  // Prefill of 16,384: a window of 4,096 visits fewer pairs than the whole triangle.
  ModelSpec free = models::mistral_7b();
  free.window = 0;
  const WorkloadOptions o = prefill(1, 16384);
  EXPECT_LT(work(make_workload(models::mistral_7b(), shapes::h100(), o), Pipe::sfu),
            0.6 * work(make_workload(free, shapes::h100(), o), Pipe::sfu));
}

TEST(Workload, KernelsFollowTheRecipe) {
  using enum KernelClass;
  const std::vector<KernelClass> layer{norm, qkv_projection, rope_kv_write, attention, output_projection,
                                       norm, ffn_up,         activation,    ffn_down};
  const std::vector<KernelClass> parallel{norm, qkv_projection, rope_kv_write, attention, output_projection, all_reduce,
                                          norm, ffn_up,         activation,    ffn_down,  all_reduce};
  for (WorkloadOptions o : {decode(2, 100), prefill(2, 100)}) {
    const Trace one = make_workload(models::small(), shapes::h100(), o);
    EXPECT_EQ(classes(one, -1), (std::vector<KernelClass>{embedding, norm, lm_head}));
    for (std::int32_t i = 0; i < 3; ++i) EXPECT_EQ(classes(one, i), layer);
    o.tp = 2;
    const Trace two = make_workload(models::small(), shapes::h100(), o);
    EXPECT_EQ(classes(two, -1), (std::vector<KernelClass>{embedding, all_reduce, norm, lm_head}));
    for (std::int32_t i = 0; i < 3; ++i) EXPECT_EQ(classes(two, i), parallel);
    for (const Kernel& kernel : two.kernels) EXPECT_EQ(kernel.stage, o.stage);
  }
}

TEST(Workload, AllReduceIsOneShotThenTwoShotThenNccls) {
  const auto label = [](const WorkloadOptions& o) {
    for (const Kernel& kernel : make_workload(models::small(), shapes::h100(), o).kernels) {
      if (kernel.kernel_class == KernelClass::all_reduce) return kernel.label;
    }
    return std::string();
  };
  WorkloadOptions o = decode(4, 100);
  o.tp = 4;
  o.all_reduce.one_shot_below = o.all_reduce.two_shot_below = 4 * 256 * 2;  // exactly the tensor
  EXPECT_EQ(label(o), "all_reduce one-shot 4 ranks");
  o.all_reduce.one_shot_below -= 1;
  EXPECT_EQ(label(o), "all_reduce two-shot 4 ranks");
  o.all_reduce.two_shot_below -= 1;
  EXPECT_EQ(label(o), "all_reduce ring ll 4 ranks");
  o.all_reduce.algorithm = AllReduce::one_shot;
  EXPECT_EQ(label(o), "all_reduce one-shot 4 ranks");
  o.tp = 1;
  EXPECT_EQ(label(o), "");
}

// Shards of the linear layers, of the cache and of the attention work add up to the whole; a vocabulary of 128,256 is divided by 8 without
// padding.
TEST(Workload, ShardsAddUpToTheWhole) {
  for (WorkloadOptions o : {decode(4, 500), prefill(1, 512)}) {
    const Trace whole = make_workload(models::llama_3_1_8b(), shapes::h100(), o);
    for (const std::uint32_t tp : {2U, 8U}) {
      o.tp = tp;
      const Trace shard = make_workload(models::llama_3_1_8b(), shapes::h100(), o);
      EXPECT_EQ(tp * work(shard, Pipe::tensor), work(whole, Pipe::tensor));
      EXPECT_EQ(tp * read(shard, TensorRole::kv), read(whole, TensorRole::kv));
      EXPECT_EQ(tp * written(shard, TensorRole::kv), written(whole, TensorRole::kv));
      const auto linears = [](const Trace& trace) {
        std::uint64_t sum = 0;
        for (const Kernel& kernel : trace.kernels) {
          if (kernel.kernel_class == KernelClass::norm || kernel.kernel_class == KernelClass::embedding) continue;
          for (const Footprint& f : kernel.footprint) sum += f.role == TensorRole::weights ? f.read : 0;
        }
        return sum;
      };
      EXPECT_EQ(tp * linears(shard), linears(whole));
    }
  }
}

TEST(Workload, TilingOverridesReachTheirGemmAndNoOther) {
  WorkloadOptions o = prefill(1, 512);
  TilingOverride change;
  change.block_m = 64;
  change.block_n = 64;
  change.split_k = 2;
  change.group_m = 1;
  change.cluster_m = 1;
  change.cluster_n = 1;
  change.persistent = 0;
  o.tiling[KernelClass::ffn_down] = change;
  int with = 0;
  for (const Kernel& kernel : make_workload(models::llama_3_1_8b(), shapes::h100(), o).kernels) {
    if (kernel.kernel_class == KernelClass::ffn_down) {
      if (kernel.label.find("gemm 64x64x") != std::string::npos && kernel.label.find("split 2") != std::string::npos) ++with;
    } else {
      EXPECT_EQ(kernel.label.find("gemm 64x64x"), std::string::npos) << kernel.label;
    }
  }
  EXPECT_EQ(with, 32);
}

TEST(Workload, TheSeedMovesPagesAndNothingElse) {
  WorkloadOptions o = decode(2, 700);
  const Trace one = make_workload(models::small(), shapes::h100(), o);
  o.seed = 2;
  const Trace two = make_workload(models::small(), shapes::h100(), o);
  ASSERT_EQ(one.kernels.size(), two.kernels.size());
  bool moved = false;
  Step a, b;
  for (std::size_t i = 0; i < one.kernels.size(); ++i) {
    const Kernel& left = one.kernels[i];
    if (left.kernel_class != KernelClass::attention) continue;
    EXPECT_EQ(left.work, two.kernels[i].work);
    a.clear();
    b.clear();
    left.program->fill(0, left.program->steps(0) - 1, a);
    two.kernels[i].program->fill(0, left.program->steps(0) - 1, b);
    for (std::size_t j = 0; j < a.loads.size(); ++j) moved = moved || a.loads[j].address != b.loads[j].address;
  }
  EXPECT_TRUE(moved);
}

}  // namespace
}  // namespace rooftrace
