// Laws of a generated step: layers are shifts of each other, closed forms equal what the steps do, pages have the roles of their accesses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/traces/shapes.hpp"
#include "tests/unit/traces/workload_models.hpp"
#include "traces/random.hpp"
#include "traces/trace_check.hpp"
#include "traces/workload.hpp"

namespace rooftrace {
namespace {

using testing::IsEmpty;

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

/// The access of the next layer: the same, shifted iff its address lies in the arena.
void expect_shifted(const Access& a, const Access& b, const Trace& trace, std::int32_t layer, const std::string& label) {
  const std::uint64_t begin = trace.layers_begin + static_cast<std::uint64_t>(layer) * trace.layer_stride;
  const bool inside = a.address >= begin && a.address < begin + trace.layer_stride;
  if (a.address >= trace.layers_begin) {
    EXPECT_TRUE(inside) << label << " leaves its layer's arena";
  }
  EXPECT_EQ(b.address, inside ? a.address + trace.layer_stride : a.address) << label;
  EXPECT_TRUE(a.rows == b.rows && a.row_bytes == b.row_bytes && a.pitch == b.pitch && a.op == b.op && a.role == b.role &&
              a.home == b.home && a.hint == b.hint && a.multicast == b.multicast)
      << label;
}

void expect_layers_are_shifts(const Trace& trace) {
  ASSERT_GT(trace.layer_stride, 0U);
  EXPECT_EQ(trace.layer_stride % kFrameBytes, 0U);
  std::vector<const Kernel*> one, two;
  for (const Kernel& kernel : trace.kernels) {
    if (kernel.layer == 1) one.push_back(&kernel);
    if (kernel.layer == 2) two.push_back(&kernel);
  }
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    const Kernel& a = *one[i];
    const Kernel& b = *two[i];
    ASSERT_EQ(a.label, b.label);
    ASSERT_TRUE(a.grid == b.grid && a.blocks_per_sm == b.blocks_per_sm && a.depth == b.depth && a.work == b.work && a.stream == b.stream &&
                a.serial_hops == b.serial_hops && a.kernel_class == b.kernel_class);
    Step left, right;
    for (std::uint32_t block = 0; block < a.grid; ++block) {
      ASSERT_EQ(a.program->steps(block), b.program->steps(block));
      for (std::uint32_t step = 0; step < a.program->steps(block); ++step) {
        left.clear();
        right.clear();
        a.program->fill(block, step, left);
        b.program->fill(block, step, right);
        ASSERT_TRUE(left.work == right.work && left.loads.size() == right.loads.size() && left.stores.size() == right.stores.size());
        for (std::size_t j = 0; j < left.loads.size(); ++j) expect_shifted(left.loads[j], right.loads[j], trace, 1, a.label);
        for (std::size_t j = 0; j < left.stores.size(); ++j) expect_shifted(left.stores[j], right.stores[j], trace, 1, a.label);
        if (testing::Test::HasFailure()) return;  // one is enough
      }
    }
  }
}

TEST(WorkloadLaws, ConsecutiveLayersAreTheSameUpToAShift) {
  for (WorkloadOptions o : {decode(3, 700), prefill(2, 150)}) {
    for (const std::uint32_t tp : {1U, 4U}) {
      for (const DataType weights : {DataType::bf16, DataType::fp8}) {
        o.tp = tp;
        o.weights = weights;
        ModelSpec model = models::small();
        model.qkv_bias = weights == DataType::fp8;
        expect_layers_are_shifts(make_workload(model, shapes::h100(), o));
      }
    }
  }
}

TEST(WorkloadLaws, LayersOfEveryArchitectureAreTheSameUpToAShift) {
  for (WorkloadOptions o : {decode(3, 700), prefill(2, 70)}) {
    for (const models::Trait& trait : models::traits()) {
      ModelSpec model = models::small();
      trait.apply(model);
      o.tp = trait.name[0] == 'g' ? 2 : 1;
      SCOPED_TRACE(trait.name);
      expect_layers_are_shifts(make_workload(model, shapes::h100(), o));
    }
  }
}

/// Every access of the trace lies on a page of its role.
void expect_page_roles(const Trace& trace) {
  Step step;
  for (const Kernel& kernel : trace.kernels) {
    for (std::uint32_t block = 0; block < kernel.grid; ++block) {
      for (std::uint32_t s = 0; s < kernel.program->steps(block); ++s) {
        step.clear();
        kernel.program->fill(block, s, step);
        for (const auto* list : {&step.loads, &step.stores}) {
          for (const Access& a : *list) {
            const std::uint64_t last = a.address + (a.rows - 1) * (a.rows > 1 ? a.pitch : 0) + a.row_bytes - 1;
            ASSERT_LT(last / kPageBytes, trace.page_role.size()) << kernel.label;
            ASSERT_EQ(trace.page_role[a.address / kPageBytes], a.role) << kernel.label;
            ASSERT_EQ(trace.page_role[last / kPageBytes], a.role) << kernel.label;
          }
        }
      }
    }
  }
}

// Random small models and options: every kernel's work and footprint are what its steps do, the graph is sound, pages have the roles of
// their accesses.
TEST(WorkloadLaws, RandomStepsKeepTheLawsOfATrace) {
  constexpr std::uint64_t kSeed = 20240607;
  SplitMix random(kSeed);
  for (std::size_t round = 0; round < 10 * models::traits().size(); ++round) {
    const std::uint32_t tp = 1U << random.below(3);
    const auto kv_heads = static_cast<std::uint32_t>(tp * (1 + random.below(2)));
    const auto group = static_cast<std::uint32_t>(1 + random.below(4));
    const std::uint32_t head_dim = 32U << random.below(3);
    ModelSpec model =
        models::make("random", 2 + static_cast<std::uint32_t>(random.below(3)), static_cast<std::uint32_t>(64 * (1 + random.below(6))),
                     static_cast<std::uint32_t>(tp * 32 * (1 + random.below(5))), kv_heads * group, kv_heads, head_dim,
                     static_cast<std::uint32_t>(100 + random.below(900)), 2048);
    model.window = random.below(2) == 0 ? 0 : static_cast<std::uint32_t>(1 + random.below(600));
    model.tied_embeddings = random.below(2) == 0;
    model.qkv_bias = random.below(2) == 0;
    const models::Trait& trait = models::traits()[round % models::traits().size()];
    trait.apply(model);
    const auto batch = static_cast<std::uint32_t>(1 + random.below(5));
    WorkloadOptions o = random.below(2) == 0 ? decode(batch, static_cast<std::uint32_t>(1 + random.below(900)))
                                             : prefill(batch, static_cast<std::uint32_t>(1 + random.below(300)));
    o.tp = tp;
    o.weights = random.below(2) == 0 ? DataType::bf16 : DataType::fp8;
    o.kv = random.below(2) == 0 ? DataType::bf16 : DataType::fp8;
    o.page_tokens = static_cast<std::uint32_t>(1 + random.below(40));
    o.offload_weights = random.below(2) == 0 || model.experts > 0 ? 0 : static_cast<double>(random.below(101)) / 100;
    o.offload_kv = random.below(2) == 0 ? 0 : static_cast<double>(random.below(101)) / 100;
    o.all_reduce.algorithm = static_cast<AllReduce>(random.below(7));
    if (o.all_reduce.algorithm == AllReduce::nvls) o.all_reduce.algorithm = AllReduce::tree;  // These shapes have no switch.
    o.kv_splits = static_cast<std::uint32_t>(random.below(4));
    const DeviceShape gpu = random.below(2) == 0 ? shapes::h100() : shapes::a100();
    const Trace trace = make_workload(model, gpu, o);
    EXPECT_THAT(check_trace(trace), IsEmpty()) << "seed " << kSeed << " round " << round << " " << trait.name;
    expect_page_roles(trace);
    if (HasFailure()) FAIL() << "seed " << kSeed << " round " << round;
  }
}

}  // namespace
}  // namespace rooftrace
