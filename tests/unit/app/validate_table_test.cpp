// The table in validation/README.md is what the code produces; and `rooftrace validate` as a user meets it.
//
// Two suites that take a second are simulated here; `./dev validate` regenerates the whole table.
#include <gmock/gmock.h>

#include <sstream>

#include "sim/app/validate_report.hpp"
#include "sim/app/validate_run.hpp"
#include "tests/unit/app/program.hpp"

namespace rooftrace {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kRoot = ROOFTRACE_SOURCE_DIR;

/// Lines without what depends on the width of other rows: words one space apart.
std::vector<std::string> normal_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string normal;
    for (std::string word; words >> word;) normal += (normal.empty() ? "" : " ") + word;
    lines.push_back(normal);
  }
  return lines;
}

std::vector<std::string> lines_of_kind(const std::vector<std::string>& lines, const std::string& kind) {
  std::vector<std::string> found;
  for (const std::string& line : lines) {
    if (line.starts_with(kind + ": ") || line.starts_with("skipped: " + kind + " ")) found.push_back(line);
  }
  return found;
}

std::vector<ScoredRow> simulate(const std::vector<std::string>& suites, unsigned threads) {
  Bench bench(ConfigPaths::of_process(kRoot + "/configs"), Fidelity::des);
  return run_suites(load_suites(suites), "", bench, threads, {});
}

TEST(ValidateTable, RepositoryTableIsWhatTheCodeProduces) {
  const std::vector<std::string> readme = normal_lines(test::slurp(kRoot + "/validation/README.md"));
  for (const std::string kind : {"transfer", "latency"}) {
    const std::vector<std::string> now =
        lines_of_kind(normal_lines(validation_text(score_all(simulate({kRoot + "/validation/suites/" + kind + ".csv"}, 2)))), kind);
    EXPECT_FALSE(now.empty());
    EXPECT_EQ(lines_of_kind(readme, kind), now) << "run ./dev validate";
  }
}

TEST(ValidateTable, CountsEveryRowOfEverySuite) {
  const std::vector<std::string> readme = normal_lines(test::slurp(kRoot + "/validation/README.md"));
  for (const Suite& suite : load_suites({kRoot + "/validation/suites"})) {
    const std::string total = std::to_string(suite.rows.size()) + " rows: ";
    EXPECT_TRUE(std::any_of(readme.begin(), readme.end(), [&](const std::string& line) { return line.starts_with(total); })) << suite.path;
  }
}

TEST(ValidateTable, EveryRowNamesItsOrigin) {
  for (const Suite& suite : load_suites({kRoot + "/validation/suites"})) {
    for (const SuiteRow& row : suite.rows) EXPECT_TRUE(row.has("source")) << suite.path << " " << row.text("id");
  }
}

TEST(ValidateRowsParallel, ThreadsChangeNothing) {
  const std::vector<std::string> suites = {kRoot + "/validation/suites/transfer.csv"};
  EXPECT_EQ(validation_rows(simulate(suites, 1)), validation_rows(simulate(suites, 4)));
}

class ValidateProgram : public test::ProgramTest {};

TEST_F(ValidateProgram, RowsThatCannotBeSimulatedAreSkippedWithTheReason) {
  write("transfer.csv",
        "hardware,path,direction,host_memory,bytes,quantity,value\n"
        "../../etc/passwd,pcie,h2d,pinned,1024,bandwidth_GBps,1\n"
        "h100-sxm,pcie,h2d,pinned,-1,bandwidth_GBps,1\n"
        "h100-sxm,pcie,sideways,pinned,1024,bandwidth_GBps,1\n"
        "h100-sxm,pcie,h2d,pinned,1048576,bandwidth_GBps,40\n");
  const test::Said said = run({"validate", "--suite", "transfer.csv", "--rows", "rows.csv", "--configs", kRoot + "/configs"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("4 rows: 1 scored, 3 skipped"));
  EXPECT_THAT(said.out, HasSubstr("no hardware file for"));
  EXPECT_THAT(said.out, HasSubstr("direction: \"sideways\" is not simulated; simulated: h2d, d2h"));
  EXPECT_THAT(test::slurp(folder() / "rows.csv"), HasSubstr("transfer-0004,transfer,h100-sxm,bandwidth_GBps,40,"));
}

TEST_F(ValidateProgram, ImpossibleSizesOfEveryKindAreSkipped) {
  write("gemm.csv",
        "hardware,dtype,m,n,k,kernel,block_m,block_n,block_k,blocks_per_sm,raster,persistent,quantity,value\n"
        "h100-sxm,bf16,60000000000,60000000000,60000000000,cublas,,,,,,,time_us,1\n"
        "h100-sxm,bf16,1000000,1000000,1000000,cublas,,,,,,,time_us,1\n"
        "h100-sxm,bf16,64,64,64,tiled,4096,4096,4096,64,row_major,0,time_us,1\n");
  write("step.csv",
        "hardware,model,stage,engine,weights,kv,tp,collective,batch,input_tokens,output_tokens,quantity,value\n"
        "h100-sxm,llama-3.1-8b,decode,x,bf16,bf16,1,none,1,10000000,200,tokens_per_s,1\n"
        "h100-sxm,llama-3.1-8b,decode,x,bf16,bf16,3,none,1,10,200,tokens_per_s,1\n");
  const test::Said said = run({"validate", "--suite", "gemm.csv", "--suite", "step.csv", "--configs", kRoot + "/configs"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("5 rows: 0 scored, 5 skipped"));
}

// The ceiling of a step: a GPU of 3.35 TB/s cannot read 15.0 GB of weights (8.0e9 parameters less the embedding, 2 B each) more than 223
// times a second.
TEST_F(ValidateProgram, CeilingRowsAreOnlyCheckedAgainstTheBound) {
  write("ceiling.csv",
        "hardware,model,weights,batch,tp,scenario,value\n"
        "h100-sxm,llama-3.1-8b,bf16,1,1,single_stream,200\n"
        "h100-sxm,llama-3.1-8b,bf16,1,1,single_stream,240\n");
  const test::Said said = run({"validate", "--suite", ".", "--configs", kRoot + "/configs"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("beyond the bound: 0 simulated, 1 measured"));
}

// Rows like those of MLPerf Inference, tokens/s of the whole group. Bounds by hand, without a batch: GPT-J has 5.64e9 + 0.21e9 parameters
// in layers and LM head, 2 FLOP each, so one H100 (1,979 TFLOP/s in fp8) makes 169,000 tokens/s at most; Llama-2-70B (68.7e9) on 8 GPUs
// 115,000; in fp4 on 8 B200 (9,000 TFLOP/s) 524,000; 405B on 8 H200 19,600; Mixtral (12.7e9 active) on 8 H100 621,000.
TEST_F(ValidateProgram, CeilingsOfManyModelsAndMachines) {
  write("ceiling.csv",
        "hardware,model,weights,batch,tp,scenario,value\n"
        "h100-sxm,gpt-j-6b,fp8,,1,offline,30000\n"
        "h100-sxm,llama-2-70b,fp8,,8,offline,24000\n"
        "h200-sxm,llama-2-70b,fp8,,8,offline,34000\n"
        "b200-sxm,llama-2-70b,fp4,,8,offline,98000\n"
        "h200-sxm,llama-3.1-405b,fp8,,8,offline,294\n"
        "b200-sxm,llama-3.1-405b,fp4,,8,offline,1080\n"
        "h100-sxm,mixtral-8x7b,fp8,,8,offline,52000\n"
        "b200-sxm,mixtral-8x7b,fp8,,8,offline,128000\n"
        "h200-sxm,llama-3.1-405b,fp8,128,8,server,9000\n"
        "h100-sxm,mixtral-8x7b,fp8,1,2,single_stream,300\n"
        "h100-sxm,gpt-j-6b,fp8,,1,too fast,170000\n"    // above the 169,000
        "h100-sxm,mixtral-8x7b,fp8,1,2,too fast,600\n"  // 12.9e9 B of active weights, half per GPU: 3.35e12 / 6.45e9 = 520
        "h200-sxm,llama-2-70b,fp8,,8,too fast,900000\n");
  const test::Said said = run({"validate", "--suite", "ceiling.csv", "--rows", "rows.csv", "--configs", kRoot + "/configs"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("13 rows: 13 scored, 0 skipped"));
  EXPECT_THAT(said.out, HasSubstr("beyond the bound: 0 simulated, 3 measured"));
}

TEST_F(ValidateProgram, MistakesAreOneLine) {
  write("gem.csv", "a\n1\n");
  EXPECT_THAT(run({"validate", "--suite", "gem.csv"}).err, HasSubstr("did you mean \"gemm\"?"));
  write("gemm.csv", "hardware,m\nh100-sxm,1\n");
  const test::Said missing = run({"validate", "--suite", "gemm.csv"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("gemm.csv:1:1: a suite of kind gemm also needs the columns dtype, n, k"));
  EXPECT_EQ(run({"validate", "--suite", "nowhere"}).code, 2);
  std::filesystem::create_directories(folder() / "empty");
  EXPECT_THAT(run({"validate", "--suite", "empty"}).err, HasSubstr("holds no suite"));
}

}  // namespace
}  // namespace rooftrace
