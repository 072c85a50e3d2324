// What a source's method adds to its times, found by the words of its column.
#include "sim/app/suite_protocol.hpp"

#include <gtest/gtest.h>

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
