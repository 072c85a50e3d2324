// Steps of other architectures than Llama's: bytes and work of whole steps against hand formulas, and the order of their kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/traces/shapes.hpp"
#include "tests/unit/traces/workload_models.hpp"
#include "traces/expert_routing.hpp"
#include "traces/workload.hpp"

namespace rooftrace {
namespace {

WorkloadOptions step(Stage stage, std::uint32_t batch, std::uint32_t tokens) {
  WorkloadOptions o;
  o.stage = stage;
  o.batch = batch;
  o.context = o.prompt = tokens;
  return o;
}

double work(const Trace& trace, Pipe pipe) {
  double sum = 0;
  for (const Kernel& kernel : trace.kernels) sum += kernel.work[static_cast<std::size_t>(pipe)];
  return sum;
}

std::uint64_t weights_read(const Trace& trace) {
  std::uint64_t sum = 0;
  for (const Kernel& kernel : trace.kernels) {
    for (const Footprint& f : kernel.footprint) sum += f.role == TensorRole::weights ? f.read : 0;
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

ModelSpec with(const std::string& trait) {
  ModelSpec model = models::small();
  for (const models::Trait& known : models::traits()) {
    if (known.name == trait) {
      known.apply(model);
      return model;
    }
  }
  ADD_FAILURE() << trait;
  return model;
}

// One decode step of one sequence reads every parameter once, with these exceptions: of the embedding (and of a table of learned positions)
// one row, and of the experts only the token's. So the weights read are 2 B * (active parameters - embedding - positions + a row of each);
// tied embeddings are read whole, as the LM head.
TEST(Architectures, ADecodeStepReadsEveryActiveParameterOnce) {
  for (const models::Trait& trait : models::traits()) {
    for (const bool tied : {false, true}) {
      ModelSpec model = models::small();
      trait.apply(model);
      model.tied_embeddings = tied;
      std::uint64_t expected = model.active_parameters() + model.hidden;
      if (!tied) expected -= model.embedding_parameters();
      if (model.learned_positions > 0) expected -= (model.learned_positions - 1ULL) * model.hidden;
      EXPECT_EQ(weights_read(make_workload(model, shapes::h100(), step(Stage::decode, 1, 50))), 2 * expected) << trait.name;
    }
  }
}

// Two FLOP per parameter of the matrices and token, and attention (4 * 8 heads * 51 tokens * 32 in 3 layers).
TEST(Architectures, ADecodeStepDoesTwoFlopPerActiveMatrixParameter) {
  for (const models::Trait& trait : models::traits()) {
    ModelSpec model = models::small();
    trait.apply(model);
    const double ffn = (model.gated ? 3.0 : 2.0) * 256 * 384 * (model.experts == 0 ? 1 : model.experts_per_token) + 256.0 * model.experts;
    const double layer = 256.0 * (256 + 2 * 128) + 256.0 * 256 + ffn;  // Q, K, V; output; FFN and router.
    const double attention = 3.0 * 4 * 8 * 51 * 32;
    EXPECT_EQ(work(make_workload(model, shapes::h100(), step(Stage::decode, 1, 50)), Pipe::tensor),
              2 * (3 * layer + 256.0 * 1000) + attention)
        << trait.name;
  }
}

TEST(Architectures, KernelsFollowTheRecipe) {
  using enum KernelClass;
  const WorkloadOptions one = step(Stage::decode, 2, 100);
  WorkloadOptions two = one;
  two.tp = 2;
  const std::vector<KernelClass> experts{norm, qkv_projection, rope_kv_write, attention,  output_projection,
                                         norm, router,         ffn_up,        activation, ffn_down};
  EXPECT_EQ(classes(make_workload(with("mixtral"), shapes::h100(), one), 1), experts);
  // A parallel block reduces once, after the sum.
  const std::vector<KernelClass> shared{norm,   qkv_projection, rope_kv_write, attention, output_projection,
                                        ffn_up, activation,     ffn_down,      residual,  all_reduce};
  EXPECT_EQ(classes(make_workload(with("gpt-j"), shapes::h100(), two), 1), shared);
  const std::vector<KernelClass> own_norm{norm,   qkv_projection, rope_kv_write, attention, output_projection, norm,
                                          ffn_up, activation,     ffn_down,      residual,  all_reduce};
  EXPECT_EQ(classes(make_workload(with("falcon"), shapes::h100(), two), 1), own_norm);
  EXPECT_EQ(classes(make_workload(with("bloom"), shapes::h100(), one), -1), (std::vector<KernelClass>{embedding, norm, lm_head}));
}

// Without RoPE there is nothing to rotate, and no table is read.
TEST(Architectures, RopeOnlyWhereTheModelHasIt) {
  const auto of = [](const std::string& trait) {
    for (const Kernel& kernel : make_workload(with(trait), shapes::h100(), step(Stage::decode, 1, 100)).kernels) {
      if (kernel.kernel_class == KernelClass::rope_kv_write) return kernel;
    }
    return Kernel();
  };
  EXPECT_EQ(of("bloom").label, "kv write");
  EXPECT_EQ(of("opt").label, "kv write");
  EXPECT_EQ(of("llama").label, "rope + kv write");
  // 3 FLOP per element of 8 + 4 heads of 32; half of them with rotary_dim 16; 4 more per element for norms of Q and K.
  EXPECT_EQ(of("llama").work[static_cast<std::size_t>(Pipe::cuda)], 3.0 * 12 * 32);
  EXPECT_EQ(of("gpt-j").work[static_cast<std::size_t>(Pipe::cuda)], 3.0 * 12 * 16);
  EXPECT_EQ(of("qwen3").work[static_cast<std::size_t>(Pipe::cuda)], 7.0 * 12 * 32);
}

TEST(Architectures, KvHeadsFewerThanGpusAreHeldByAll) {
  ModelSpec model = models::small();  // 8 query heads, 4 KV heads
  WorkloadOptions o = step(Stage::decode, 1, 100);
  o.tp = 8;
  EXPECT_NO_THROW(check_workload(model, o));
  // 101 tokens of one head of 32, K and V, 2 B, in 3 layers: what tp 4 has, too.
  const auto cache = [&](std::uint32_t tp) {
    o.tp = tp;
    return memory_need(model, o).kv;
  };
  EXPECT_EQ(cache(8), cache(4));
  EXPECT_EQ(cache(2), 2 * cache(4));
  model.kv_heads = 3;
  model.q_heads = 12;
  o.tp = 4;
  EXPECT_THROW(check_workload(model, o), std::invalid_argument);
}

TEST(ExpertRouting, EveryTokenHasItsExpertsAndTheListIsSorted) {
  const auto routing = route_tokens(100, 16, 4, 7);
  ASSERT_EQ(routing->slots.size(), 400U);
  std::vector<std::vector<std::uint32_t>> of_token(100);
  for (std::uint32_t expert = 0; expert < 16; ++expert) {
    for (std::uint64_t i = routing->begin[expert]; i < routing->begin[expert + 1U]; ++i) {
      if (i > routing->begin[expert]) {
        EXPECT_LT(routing->slots[i - 1], routing->slots[i]);
      }
      of_token[routing->slots[i] / 4].push_back(expert);
    }
  }
  for (std::vector<std::uint32_t>& experts : of_token) {
    EXPECT_EQ(experts.size(), 4U);
    EXPECT_TRUE(std::adjacent_find(experts.begin(), experts.end()) == experts.end());  // Different ones.
  }
  EXPECT_EQ(route_tokens(100, 16, 4, 7)->slots, routing->slots);
  EXPECT_NE(route_tokens(100, 16, 4, 8)->slots, routing->slots);
  EXPECT_THROW((void)route_tokens(1, 4, 5, 1), std::invalid_argument);
}

// An expert is missed by a token with probability 1 - k/E: of 128 experts, 8 per token, 16 tokens touch 128 * (1 - (120/128)^16) = 82.4 on
// average; a draw of 128 lies within 15 of it.
TEST(ExpertRouting, TouchesAsManyExpertsAsUniformChoiceDoes) {
  EXPECT_NEAR(route_tokens(16, 128, 8, 1)->touched(), 82.4, 15);
  EXPECT_EQ(route_tokens(1, 128, 8, 1)->touched(), 8U);
  EXPECT_EQ(route_tokens(4096, 128, 8, 1)->touched(), 128U);
}

// With a batch the FFN reads the experts that the batch touches: 3 * 256 * 384 * 2 B each, in 3 layers.
TEST(Architectures, ABatchReadsTheExpertsItTouches) {
  const ModelSpec model = with("qwen3 with experts");
  for (const std::uint32_t batch : {1U, 3U, 40U}) {
    const std::uint64_t touched = route_tokens(batch, 16, 4, 1)->touched();
    std::uint64_t read = 0;
    for (const Kernel& kernel : make_workload(model, shapes::h100(), step(Stage::decode, batch, 100)).kernels) {
      if (kernel.kernel_class != KernelClass::ffn_up && kernel.kernel_class != KernelClass::ffn_down) continue;
      for (const Footprint& f : kernel.footprint) read += f.role == TensorRole::weights ? f.read : 0;
    }
    EXPECT_EQ(read, touched * 3 * 3 * 256 * 384 * 2) << batch;
    EXPECT_EQ(batch == 40, touched == 16);
  }
}

TEST(Architectures, ExpertsHaveTheirOwnLimits) {
  const ModelSpec model = with("mixtral");
  WorkloadOptions o = step(Stage::decode, 4, 100);
  o.offload_weights = 0.5;
  EXPECT_THROW(check_workload(model, o), std::invalid_argument);
  o.offload_weights = 0;
  TilingOverride split;
  split.split_k = 2;
  o.tiling[KernelClass::ffn_up] = split;
  EXPECT_THROW((void)make_workload(model, shapes::h100(), o), std::invalid_argument);
  o.tiling.clear();
  TilingOverride narrow;
  narrow.block_n = 32;
  o.tiling[KernelClass::ffn_up] = narrow;
  bool found = false;
  for (const Kernel& kernel : make_workload(model, shapes::h100(), o).kernels) {
    found = found || kernel.label.find("ffn_up moe gemm 16x32x") != std::string::npos;
  }
  EXPECT_TRUE(found);
}

// What memory_need counts as weights is what the model has: 2 B per parameter, and per GPU what is not sharded once more.
TEST(Architectures, WeightsOnOneGpuAreTheParameters) {
  for (const models::Trait& trait : models::traits()) {
    ModelSpec model = models::small();
    trait.apply(model);
    EXPECT_EQ(memory_need(model, step(Stage::decode, 1, 50)).weights, 2 * model.parameters()) << trait.name;
  }
}

}  // namespace
}  // namespace rooftrace
