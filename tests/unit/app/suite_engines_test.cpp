// The table of hosts: what it says, and how it enters a step.
#include "sim/app/suite_engines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/app/program.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;

const std::string kRoot = ROOFTRACE_SOURCE_DIR;

TEST(SuiteEngines, FloorIsPerLayerAndOnlyWhereItIsKnown) {
  EXPECT_DOUBLE_EQ(with_host(0.02, "vllm", "a100-sxm-80gb", Stage::prefill, 80), 80 * 0.82e-3);  // Launching is the longer.
  EXPECT_EQ(with_host(0.3, "vllm", "a100-sxm-80gb", Stage::prefill, 80), 0.3);                   // Hidden behind the GPU.
  EXPECT_EQ(with_host(0.02, "vllm", "a100-sxm-80gb", Stage::decode, 80), 0.02);
  EXPECT_EQ(with_host(0.02, "vllm", "h100-sxm", Stage::prefill, 80), 0.02);
  EXPECT_EQ(with_host(0.02, "gpt-fast", "a100-sxm-80gb", Stage::prefill, 80), 0.02);
  EXPECT_GT(with_host(0.02, "vllm", "h100-64gb", Stage::decode, 80), 0.02);  // Between steps: added, whatever the GPU took.
  EXPECT_NEAR(with_host(0.3, "vllm", "h100-64gb", Stage::decode, 80) - 0.3, with_host(0.02, "vllm", "h100-64gb", Stage::decode, 80) - 0.02,
              1e-9);
}

// 64 all-reduces of 32 layers, two dependencies of 3.5 us each: 448 us, where the process group has a stream of its own.
TEST(SuiteEngines, CollectivesOnAStreamOfTheirOwnWaitTwice) {
  EXPECT_DOUBLE_EQ(stream_events("gpt-fast", "nccl", 3.5e-6, 64), 448e-6);
  EXPECT_EQ(stream_events("gpt-fast", "one_shot", 3.5e-6, 64), 0);
  EXPECT_EQ(stream_events("fastertransformer", "nccl", 3.5e-6, 64), 0);
}

TEST(SuiteEngines, ServersAreToldByNameOrByWhatTheyReport) {
  EXPECT_TRUE(batches_continuously("trtllm-serving", "tpot_ms"));
  EXPECT_TRUE(batches_continuously("vllm", "itl_ms"));
  EXPECT_FALSE(batches_continuously("vllm", "ttft_ms"));
  EXPECT_FALSE(batches_continuously("gpt-fast", "tokens_per_s"));
}

TEST(SuiteEngines, OldEnginesBringOldKernels) {
  EXPECT_TRUE(experts_for_a100("trtllm"));
  EXPECT_FALSE(experts_for_a100("trtllm-serving"));
  EXPECT_FALSE(experts_for_a100("vllm"));
  EXPECT_TRUE(separate_residual("github.com/Mutinifni/splitwise-sim @8f99e7d data"));
  EXPECT_FALSE(separate_residual("github.com/FerranAgulloLopez/vLLMBatchingMemoryGap"));
}

TEST(SuiteEngines, FourBitLinearsOfGptFastAreItsOwn) {
  const auto own = own_tilings("gpt-fast", DataType::int4, 1);
  ASSERT_EQ(own.count(KernelClass::ffn_up), 1U);
  EXPECT_EQ(own.at(KernelClass::ffn_up).block_k, 1024);  // 8 warps x 8 k-tiles x 16.
  EXPECT_EQ(own.count(KernelClass::lm_head), 0U);
  EXPECT_TRUE(own_tilings("gpt-fast", DataType::int8, 1).empty());
  EXPECT_TRUE(own_tilings("gpt-fast", DataType::int4, 17).empty());
  EXPECT_TRUE(own_tilings("vllm", DataType::int4, 1).empty());
}

TEST(SuiteEngines, SplitRulesFollowTheEngineAndItsGpu) {
  EXPECT_EQ(attention_engine_of("vllm", false), AttentionEngine::flash_attention_2);
  EXPECT_EQ(attention_engine_of("aiconfigurator @1 h100_sxm/attention/vllm/0.14.0/x.parquet", true), AttentionEngine::flash_attention_3);
  EXPECT_EQ(attention_engine_of("trtllm-serving", true), AttentionEngine::trtllm_xqa);
  EXPECT_EQ(attention_engine_of("gpt-fast", true), AttentionEngine::automatic);
}

class AttentionRows : public test::ProgramTest {};

// Both rows are the same call; a row without position features gets them.
TEST_F(AttentionRows, LatentDecodeIsAKernelOfTheSuite) {
  write("attention.csv",
        "hardware,stage,kernel,dtype,batch,q_heads,kv_heads,head_dim,q_len,kv_len,window,causal,l2_state,quantity,value\n"
        "h100-sxm,decode,mla_decode,bf16,2,16,1,576,1,640,0,1,cold,hbm_read_bytes,1474560\n"
        "h100-sxm,decode,mla_decode,bf16,2,16,1,512,1,640,0,1,cold,hbm_read_bytes,1474560\n"
        "h100-sxm,decode,mla_decode,bf16,2,16,2,576,1,640,0,1,cold,hbm_read_bytes,1474560\n");
  const test::Said said = run({"validate", "--suite", "attention.csv", "--rows", "rows.csv", "--configs", kRoot + "/configs"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("2 scored, 1 skipped"));
  // 2 sequences of 640 tokens of 1,152 B, and 16 queries of 1,152 B for each; partial sums are read where they were written, in L2.
  EXPECT_THAT(test::slurp(folder() / "rows.csv"), HasSubstr(",1511424,"));
}

class StepRows : public test::ProgramTest {
 protected:
  /// The simulated values of rows, in their order; opt-125m is quick.
  std::vector<double> simulated(const std::string& rows) {
    write("step.csv", "hardware,model,stage,engine,weights,kv,tp,collective,batch,input_tokens,output_tokens,quantity,value\n" + rows);
    const test::Said said = run({"validate", "--suite", "step.csv", "--rows", "rows.csv", "--configs", kRoot + "/configs"});
    EXPECT_EQ(said.code, 0) << said.err;
    std::istringstream lines(test::slurp(folder() / "rows.csv"));
    std::vector<double> values;
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream cells(line);
      std::string cell;
      for (int i = 0; i < 8; ++i) std::getline(cells, cell, ',');
      values.push_back(cell.empty() ? 0 : std::stod(cell));
    }
    return values;
  }
};

// A short prompt takes what the host needs to launch 12 layers (9.84 ms); the same prompt from an engine without a row its time on the GPU.
TEST_F(StepRows, AShortPromptTakesTheHostsTime) {
  const std::vector<double> ms = simulated(
      "a100-sxm-80gb,opt-125m,prefill,vllm,fp16,fp16,1,none,1,64,1,ttft_ms,1\n"
      "a100-sxm-80gb,opt-125m,prefill,other,fp16,fp16,1,none,1,64,1,ttft_ms,1\n");
  ASSERT_EQ(ms.size(), 2U);
  EXPECT_NEAR(ms[0], 9.84, 1e-6);
  EXPECT_LT(ms[1], 2);
}

// A total is a prefill and the steps after the first token: 1 token is the prefill alone; 3 tokens are it and two steps of context 64 + 1.
TEST_F(StepRows, ATotalIsAPrefillAndTheStepsAfterTheFirstToken) {
  const std::vector<double> ms = simulated(
      "a100-sxm-80gb,opt-125m,prefill,x,fp16,fp16,1,none,2,64,1,ttft_ms,1\n"
      "a100-sxm-80gb,opt-125m,prefill+decode,x,fp16,fp16,1,none,2,64,1,total_ms,1\n"
      "a100-sxm-80gb,opt-125m,prefill+decode,x,fp16,fp16,1,none,2,64,3,total_ms,1\n"
      "a100-sxm-80gb,opt-125m,decode,x,fp16,fp16,1,none,2,65,1,tpot_ms,1\n");
  ASSERT_EQ(ms.size(), 4U);
  EXPECT_DOUBLE_EQ(ms[0], ms[1]);
  EXPECT_NEAR(ms[2], ms[0] + 2 * ms[3], 1e-6);
}

// Groups of 32 weights carry 4 B each, a quarter of their 16 B more, and the 4-bit kernel of gpt-fast waits for its loads.
TEST_F(StepRows, FourBitWeightsHaveScalesByGroupAndAKernelOfTheirEngine) {
  const std::vector<double> per_s = simulated(
      "a100-sxm-80gb,llama-2-7b,decode,x,w4a16,bf16,1,none,1,5,200,tokens_per_s,1\n"
      "a100-sxm-80gb,llama-2-7b,decode,x,w4a16g32,bf16,1,none,1,5,200,tokens_per_s,1\n"
      "a100-sxm-80gb,llama-2-7b,decode,gpt-fast,w4a16g32,bf16,1,none,1,5,200,tokens_per_s,1\n"
      "a100-sxm-80gb,llama-2-7b,decode,gpt-fast,w4a16gx,bf16,1,none,1,5,200,tokens_per_s,1\n");
  ASSERT_EQ(per_s.size(), 4U);
  EXPECT_LT(per_s[1], 0.95 * per_s[0]);
  EXPECT_LT(per_s[2], per_s[1]);
  EXPECT_EQ(per_s[3], 0);  // Skipped.
}

// Under continuous batching a token waits for (c - 1) / o prefills: 3 / 2 here.
TEST_F(StepRows, ATokenOfAServerWaitsForThePrefillsOfOthers) {
  const std::vector<double> ms = simulated(
      "a100-sxm-80gb,opt-125m,decode,x,fp16,fp16,1,none,4,64,2,tpot_ms,1\n"
      "a100-sxm-80gb,opt-125m,decode,x,fp16,fp16,1,none,4,64,2,itl_ms,1\n"
      "a100-sxm-80gb,opt-125m,prefill,x,fp16,fp16,1,none,1,64,1,ttft_ms,1\n");
  ASSERT_EQ(ms.size(), 3U);
  EXPECT_NEAR(ms[1], ms[0] + 1.5 * ms[2], 1e-6);
}

// RoPE goes on beyond the positions of a model, four times at most; a table of positions ends.
TEST_F(StepRows, LongerThanThePositionsOnlyWithoutATable) {
  const std::vector<double> ms = simulated(
      "a100-sxm-80gb,qwen2.5-0.5b,decode,x,fp16,fp16,1,none,1,40000,2,tpot_ms,1\n"
      "a100-sxm-80gb,qwen2.5-0.5b,decode,x,fp16,fp16,1,none,1,140000,2,tpot_ms,1\n"
      "a100-sxm-80gb,opt-125m,decode,x,fp16,fp16,1,none,1,2100,2,tpot_ms,1\n");
  ASSERT_EQ(ms.size(), 3U);
  EXPECT_GT(ms[0], 0);
  EXPECT_EQ(ms[1], 0);
  EXPECT_EQ(ms[2], 0);
}

}  // namespace
}  // namespace rooftrace
