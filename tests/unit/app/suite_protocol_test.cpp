// What a source's method adds to its times, found by the words of its column.
#include "sim/app/suite_protocol.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "sim/app/validate_bench.hpp"
#include "sim/app/validate_kinds.hpp"

namespace rooftrace {
namespace {

SuiteRow from(const std::string& source) {
  return parse_suite("x.csv", "x", "id,source\n1," + source + "\n", {"id"}).rows.at(0);
}

TEST(SuiteProtocol, KnowsGraphReplaysAndHostClocks) {
  const Protocol& graph = protocol_of(from("github.com/ai-dynamo/aiconfigurator @095f58a a100_sxm/gemm"));
  EXPECT_GT(graph.per_replay, 0);
  EXPECT_EQ(graph.eager_call, 0);
  EXPECT_TRUE(graph.attention_writes_kv && graph.rotates_weights);
  const Protocol& host = protocol_of(from("github.com/PrincetonUniversity/LLMCompass @2e015fd ae/figure5"));
  EXPECT_GT(host.compiled_call, host.eager_call);
  EXPECT_TRUE(host.repeats_buffers);
}

// vLLM's varlen calls: small kernels around attention. A small kernel is a gap of 1.3 us, 0.4 us to start a block, a read and a write
// of L2: 1.5 to 3 us. A100, 8 heads over 2 of K and V, 128 tokens (one tile, no splits): a second sequence brings the copy of Q. Eight
// heads of K and V, no groups: neither Q nor O is reordered, so two kernels less than with groups, although K and V are four times as long.
TEST(SuiteProtocol, VarlenAttentionHasSmallKernelsAround) {
  Bench bench(ConfigPaths::of_process(ROOFTRACE_SOURCE_DIR "/configs"), Fidelity::des);
  const std::vector<std::string> columns = {"id",       "hardware", "stage", "kernel", "dtype",    "batch",    "q_heads", "kv_heads",
                                            "head_dim", "kv_len",   "q_len", "causal", "l2_state", "quantity", "value",   "source"};
  const auto micros = [&](const std::string& gpu, const std::string& stage, const std::string& batch, const std::string& kv_heads) {
    const std::string kernel = stage == "decode" ? "split_kv" : "flash_attention";
    const std::string row = fmt::format("1,{},{},{},bf16,{},8,{},128,128,{},1,warm,time_us,1,aiconfigurator attention tables", gpu, stage,
                                        kernel, batch, kv_heads, stage == "decode" ? 1 : 128);
    const std::string text = fmt::format("{}\n{}\n", fmt::join(columns, ","), row);
    return predict_attention(parse_suite("x.csv", "attention", text, columns).rows.at(0), bench).simulated;
  };
  const double grouped = micros("a100-sxm-80gb", "decode", "2", "2");
  const double alone = grouped - micros("a100-sxm-80gb", "decode", "1", "2");
  EXPECT_GT(alone, 1.5);
  EXPECT_LT(alone, 3.0);
  const double both = grouped - micros("a100-sxm-80gb", "decode", "2", "8");
  EXPECT_GT(both, 2.5);
  EXPECT_LT(both, 6.0);
}

// The interval between launches: collectives of vidur alone. A collective of 2 KiB is shorter, so its row says when the hosts launched; one
// of 16 MiB does not notice. The time simulated is the same.
TEST(SuiteProtocol, CollectivesShorterThanTheirLaunchIntervalAreFlagged) {
  const double interval = protocol_of(from("github.com/microsoft/vidur @7d47513 data/profiling")).launch_interval;
  EXPECT_GT(interval, 0);
  EXPECT_EQ(protocol_of(from("github.com/ai-dynamo/aiconfigurator @095f58a")).launch_interval, 0);

  Bench bench(ConfigPaths::of_process(ROOFTRACE_SOURCE_DIR "/configs"), Fidelity::des);
  const auto predict = [&bench](const std::string& source, const std::string& bytes) {
    const std::vector<std::string> columns = {"id", "hardware", "op", "gpus", "bytes", "implementation", "quantity", "value", "source"};
    const Suite suite = parse_suite("x.csv", "collective",
                                    "id,hardware,op,gpus,bytes,implementation,quantity,value,source\n1,a100-sxm-80gb,all_reduce,2," +
                                        bytes + ",nccl,time_us,1," + source + "\n",
                                    columns);
    return predict_collective(suite.rows.at(0), bench);
  };
  const std::string one_by_one = "github.com/microsoft/vidur @7d47513", replayed = "nccl-tests";
  for (const std::string bytes : {"2048", "16777216"}) {
    EXPECT_EQ(predict(replayed, bytes).simulated * 1e-6 < interval, bytes == "2048");
    EXPECT_DOUBLE_EQ(predict(one_by_one, bytes).simulated, predict(replayed, bytes).simulated);
    EXPECT_EQ(predict(replayed, bytes).flag, "");
    EXPECT_EQ(predict(one_by_one, bytes).flag.empty(), bytes != "2048");
  }
}

// Times of the profiler (vidur), unknown sources and files without the column: nothing is added.
TEST(SuiteProtocol, AddsNothingElsewhere) {
  for (const std::string source : {"github.com/microsoft/vidur @7d47513 data/profiling", "my own", ""}) {
    const Protocol& plain = protocol_of(from(source));
    EXPECT_EQ(plain.per_replay + plain.eager_call + plain.compiled_call, 0) << source;
    EXPECT_FALSE(plain.attention_writes_kv || plain.repeats_buffers) << source;
  }
  const Suite bare = parse_suite("x.csv", "x", "id\n1\n", {"id"});
  EXPECT_EQ(protocol_of(bare.rows.at(0)).per_replay, 0);
}

// L2 of 50 MiB: 8192 x 8192 in 16 bit (128 MiB) once, 4096 x 4096 (32 MiB) twice, 1024 x 1024 (2 MiB) five times, not 25.
TEST(SuiteProtocol, CopiesOfTheWeightsExceedL2) {
  const std::uint64_t mib = 1 << 20;
  EXPECT_EQ(weight_copies(50 * mib, 128 * mib), 1);
  EXPECT_EQ(weight_copies(50 * mib, 32 * mib), 2);
  EXPECT_EQ(weight_copies(50 * mib, 2 * mib), 5);
}

}  // namespace
}  // namespace rooftrace
