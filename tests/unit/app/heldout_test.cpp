// The held-out suites: they load, every row is simulated or skipped with a reason, and they are rows of their own. And what their rows
// taught the suites' readers: names of sources, of data types, and of GEMMs in few bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "sim/app/suite_engines.hpp"
#include "sim/app/suite_protocol.hpp"
#include "sim/app/validate_run.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;

const std::string kRoot = ROOFTRACE_SOURCE_DIR;

// At fidelity bound, where 300 rows take a second; chases have no bound and say so.
TEST(HeldOut, EveryRowIsScoredOrSaysWhyNot) {
  Bench bench(ConfigPaths::of_process(kRoot + "/configs"), Fidelity::bound);
  const std::vector<ScoredRow> rows = run_suites(load_suites({kRoot + "/validation/heldout"}), "", bench, 2, {});
  EXPECT_GE(rows.size(), 250U);
  std::set<std::string> kinds, machines;
  for (const ScoredRow& row : rows) {
    kinds.insert(row.kind);
    machines.insert(row.hardware);
    if (row.status == RowStatus::skipped) {
      EXPECT_TRUE(row.reason == "latency needs fidelity des" || row.kind == "elementwise") << row.id << ": " << row.reason;
    } else {
      EXPECT_GT(row.prediction.simulated, 0) << row.id;
      EXPECT_FALSE(row.measured_beyond_bound) << row.id << ": " << row.measured << ", bound " << row.prediction.bound;
    }
  }
  EXPECT_GE(kinds.size(), 8U);
  EXPECT_GE(machines.size(), 15U);
}

/// What a row is, without its name, its value and where it is from.
std::string experiment(const std::string& kind, const SuiteRow& row) {
  std::string text = kind;
  for (const char* column : {"hardware",
                             "working_set_bytes",
                             "chains",
                             "direction",
                             "op",
                             "dtype",
                             "rows",
                             "cols",
                             "gpus",
                             "bytes",
                             "implementation",
                             "m",
                             "n",
                             "k",
                             "stage",
                             "batch",
                             "q_heads",
                             "kv_heads",
                             "head_dim",
                             "q_len",
                             "kv_len",
                             "model",
                             "engine",
                             "weights",
                             "tp",
                             "input_tokens",
                             "output_tokens",
                             "quantity"}) {
    text += "|" + row.text(column);
  }
  return text;
}

// Nothing here is among the rows that constants are calibrated on.
TEST(HeldOut, RowsAreNotThoseOfTheSuites) {
  std::set<std::string> seen;
  for (const Suite& suite : load_suites({kRoot + "/validation/suites"})) {
    for (const SuiteRow& row : suite.rows) seen.insert(experiment(suite.kind, row));
  }
  for (const Suite& suite : load_suites({kRoot + "/validation/heldout"})) {
    for (const SuiteRow& row : suite.rows) EXPECT_FALSE(seen.contains(experiment(suite.kind, row))) << row.text("id");
  }
}

SuiteRow gemm(const std::string& hardware, const std::string& dtype, const std::string& source) {
  return parse_suite(
             "x.csv", "gemm",
             "hardware,dtype,m,n,k,kernel,quantity,source\n" + hardware + "," + dtype + ",64,4096,4096,cublas,time_us," + source + "\n",
             {"m"})
      .rows.at(0);
}

// The bound of a GEMM that streams weights goes with their bytes: 16 and 8 bits, 4 with a scale of 16 bits for 128 elements or of 8 bits
// for
// 16. Names of frameworks mean the same. Activations that are handed over narrow are not quantised.
TEST(HeldOut, GemmsInFewBits) {
  Bench bench(ConfigPaths::of_process(kRoot + "/configs"), Fidelity::bound);
  const auto us = [&](const std::string& dtype, const std::string& source = "azure") {
    return predict_gemm(gemm("b200-sxm", dtype, source), bench).bound;
  };
  EXPECT_DOUBLE_EQ(us("bfloat16"), us("bf16"));
  EXPECT_DOUBLE_EQ(us("int8_wo"), us("w8a16"));
  // HBM is the bound, and the closed form has the weights alone there.
  EXPECT_NEAR(us("w8a16") / us("bf16"), 1.0 / 2, 1e-3);
  EXPECT_NEAR(us("w4a16") / us("bf16"), (0.5 + 2.0 / 128) / 2, 1e-3);
  EXPECT_NEAR(us("nvfp4") / us("bf16"), (0.5 + 1.0 / 16) / 2, 1e-3);
  Bench timed(ConfigPaths::of_process(kRoot + "/configs"), Fidelity::des);
  const auto simulated = [&](const std::string& dtype, const std::string& source) {
    return predict_gemm(gemm("h200-sxm", dtype, source), timed).simulated;
  };
  // One kernel more when the scale is known, three when it must be found; each costs a launch at least.
  EXPECT_GT(simulated("fp8_static", ""), simulated("fp8_static", "azure") + 2);
  EXPECT_GT(simulated("fp8", ""), simulated("fp8_static", "") + 4);
  EXPECT_DOUBLE_EQ(simulated("fp8", "azure"), simulated("fp8_static", "azure"));
  try {
    static_cast<void>(predict_gemm(gemm("h100-sxm", "nvfp4", ""), bench));
    FAIL() << "an H100 has no fp4";
  } catch (const RowSkipped& skipped) {
    EXPECT_THAT(skipped.what(), HasSubstr("the tensor cores of h100-sxm have no fp4"));
  }
}

// A copy over NVLink-C2C is one over the level that is called pcie; on machines that have PCIe the word means the same.
TEST(HeldOut, CopiesOverC2C) {
  Bench bench(ConfigPaths::of_process(kRoot + "/configs"), Fidelity::bound);
  const auto rate = [&](const std::string& path) {
    return predict_transfer(
               parse_suite("x.csv", "transfer",
                           "hardware,path,direction,host_memory,bytes,quantity\ngb200," + path + ",h2d,pinned,1048576,bandwidth_GBps\n",
                           {"bytes"})
                   .rows.at(0),
               bench)
        .simulated;
  };
  EXPECT_GT(rate("c2c"), 100);
  EXPECT_DOUBLE_EQ(rate("c2c"), rate("pcie"));
}

// The names under which sources go in other tables.
TEST(HeldOut, SourcesAreKnownByAnySpelling) {
  const auto from = [](const std::string& source) { return parse_suite("x.csv", "x", "id,source\n1," + source + "\n", {"id"}).rows.at(0); };
  EXPECT_GT(protocol_of(from("llmcompass/a100_mi210_kernels.csv (ideal = 1 read + 1 write)")).eager_call, 0);
  EXPECT_GT(protocol_of(from("aiconfigurator_gemm (min over engines)")).per_replay, 0);
  EXPECT_TRUE(protocol_of(from("hw/azure_vm_microbenchmarks.csv")).narrow_operands);
  EXPECT_EQ(attention_engine_of("aiconfigurator_decode_attention (kernel-specific efficiency)", false), AttentionEngine::flash_attention_2);
  EXPECT_EQ(attention_engine_of("FlashInfer of vLLM 0.20", true), AttentionEngine::flashinfer);
}

}  // namespace
}  // namespace rooftrace
