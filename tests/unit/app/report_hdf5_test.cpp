// result.h5 read back: every number, every dimension, the rooflines against hand-derived values, and the same bytes every time.
#include "sim/app/report_hdf5.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <stdexcept>

#include "sim/app/report_hdf5_file.hpp"
#include "sim/app/report_hdf5_read.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Round rates, so that rooflines can be derived in the head. No link at all: a machine without one must work.
MachineSpec machine() {
  MachineSpec spec;
  spec.name = "round-gpu";
  spec.title = "A GPU of round numbers (µ-arch)";
  spec.arch = "sm_00";
  spec.sm.count = 100;
  spec.sm.clock = spec.sm.peak_clock = spec.sm.tensor_clock = 1e9;
  spec.sm.tensor_peak = {{DataType::bf16, 1e15}};
  spec.sm.cuda_peak = 1e14;
  spec.l2.bandwidth = spec.l2.peak_bandwidth = 8e12;
  spec.l2.effective = 48 << 20;
  spec.hbm.bandwidth = 2e12;
  spec.hbm.capacity = 80'000'000'000;
  return spec;
}

/// 1 PFLOP/s tensor, 2 TB/s HBM, 8 TB/s L2. W = 2 TFLOP: 2 ms. HBM: 1 GB: 0.5 ms, I = 2000 > pi/beta = 500. L2: 16 GB: 2 ms, I = 125 =
/// pi/beta: on the ridge. A tie, and the level wins it.
KernelRecord gemm() {
  KernelRecord kernel;
  kernel.label = "ffn_up gemm";
  kernel.kernel_class = KernelClass::ffn_up;
  kernel.stage = Stage::decode;
  kernel.layer = 3;
  kernel.stream = 1;
  kernel.grid = 264;
  kernel.blocks_per_sm = 2;
  kernel.waits_for = {0};
  kernel.work = {2e12, 0, 0};
  kernel.q.at(LevelId::l2, TensorRole::weights, Direction::read, Cause::requested) = 15'000'000'000;
  kernel.q.at(LevelId::l2, TensorRole::activations, Direction::write, Cause::requested) = 1'000'000'000;
  kernel.q.at(LevelId::hbm, TensorRole::weights, Direction::read, Cause::compulsory) = 900'000'000;
  kernel.q.at(LevelId::hbm, TensorRole::weights, Direction::read, Cause::refetch) = 60'000'000;
  kernel.q.at(LevelId::hbm, TensorRole::activations, Direction::write, Cause::write_back) = 40'000'000;
  kernel.compulsory.at(LevelId::hbm, TensorRole::weights, Direction::read, Cause::compulsory) = 900'000'000;
  kernel.cache = {1000, 900, 64};
  kernel.start = 1'000'000;
  kernel.end = 3'100'000'000;
  return kernel;
}

/// A kernel of pure traffic whose every cell differs, so that a transposed table shows.
KernelRecord norm() {
  KernelRecord kernel;
  kernel.label = "norm";
  kernel.kernel_class = KernelClass::norm;
  kernel.layer = -1;
  kernel.grid = 1;
  kernel.blocks_per_sm = 16;
  std::uint64_t next = 1'000;
  for (const LevelId level : {LevelId::l2, LevelId::hbm}) {
    for (int role = 0; role < kTensorRoles; ++role) {
      for (const Direction direction : {Direction::read, Direction::write}) {
        for (int cause = 0; cause < kCauses; ++cause) {
          kernel.q.at(level, static_cast<TensorRole>(role), direction, static_cast<Cause>(cause)) = next++;
        }
      }
    }
  }
  kernel.start = 0;
  kernel.end = 7;
  kernel.replicated = true;
  return kernel;
}

RunResult sample() {
  RunResult result;
  result.command = "rooftrace simulate --hardware round-gpu";
  result.version = "1.2.3";
  result.commit = "0123abcd";
  result.config = "abc";
  result.seed = std::numeric_limits<std::uint64_t>::max();
  result.hardware = "round-gpu";
  result.model = "tiny";
  result.batch = 4;
  result.context = 4096;
  result.machine = machine();
  StageResult decode;
  decode.stage = Stage::decode;
  decode.batch = 4;
  decode.length = 4096;
  decode.tokens = 4;
  decode.kernels = {norm(), gemm(), norm()};
  decode.latency = 4'000'000'000;
  decode.wall_seconds = 1.5;
  StageResult prefill = decode;
  prefill.stage = Stage::prefill;
  result.stages = {decode, prefill};
  return result;
}

class ReportHdf5 : public testing::Test {
 protected:
  ReportHdf5() { std::filesystem::create_directory(folder_); }
  ~ReportHdf5() override { std::filesystem::remove_all(folder_); }

  h5::Reader written(const RunResult& result) {
    write_result_h5(result, path_);
    return h5::Reader(path_);
  }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                  ("rooftrace_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
  std::string path_ = (folder_ / "result.h5").string();
};

TEST_F(ReportHdf5, EveryByteCountReadsBack) {
  const RunResult result = sample();
  const h5::Reader file = written(result);
  for (const StageResult& stage : result.stages) {
    const std::string group = "/" + std::string(name(stage.stage));
    EXPECT_THAT(file.dimensions(group + "/q"), ElementsAre("kernel", "level", "role", "direction", "cause"));
    const auto q = file.values<std::uint64_t>(group + "/q");
    const auto compulsory = file.values<std::uint64_t>(group + "/compulsory");
    ASSERT_EQ(q.size(), 3U * 4 * 5 * 2 * 4);
    ASSERT_EQ(compulsory.size(), q.size());
    std::size_t i = 0;
    for (const KernelRecord& kernel : stage.kernels) {
      for (int level = 0; level < kLevels; ++level) {
        for (int role = 0; role < kTensorRoles; ++role) {
          for (int direction = 0; direction < kDirections; ++direction) {
            for (int cause = 0; cause < kCauses; ++cause, ++i) {
              const auto at = [&](const ByteCounts& bytes) {
                return bytes.at(static_cast<LevelId>(level), static_cast<TensorRole>(role), static_cast<Direction>(direction),
                                static_cast<Cause>(cause));
              };
              ASSERT_EQ(q[i], at(kernel.q)) << i;
              ASSERT_EQ(compulsory[i], at(kernel.compulsory)) << i;
            }
          }
        }
      }
    }
  }
}

TEST_F(ReportHdf5, EveryColumnReadsBack) {
  const h5::Reader file = written(sample());
  EXPECT_THAT(file.values<std::int64_t>("/decode/kernel"), ElementsAre(0, 1, 2));
  EXPECT_THAT(file.strings("/decode/label"), ElementsAre("norm", "ffn_up gemm"));
  EXPECT_THAT(file.values<std::int32_t>("/decode/label_id"), ElementsAre(0, 1, 0));
  EXPECT_THAT(file.values<std::uint8_t>("/decode/class_id"), ElementsAre(1, 6, 1));
  EXPECT_EQ(file.strings("/decode/class").at(6), "ffn_up");
  EXPECT_THAT(file.values<std::int32_t>("/decode/layer"), ElementsAre(-1, 3, -1));
  EXPECT_THAT(file.values<std::uint32_t>("/decode/stream"), ElementsAre(0, 1, 0));
  EXPECT_THAT(file.values<std::uint32_t>("/decode/grid"), ElementsAre(1, 264, 1));
  EXPECT_THAT(file.values<std::uint32_t>("/decode/blocks_per_sm"), ElementsAre(16, 2, 16));
  EXPECT_THAT(file.values<std::uint8_t>("/decode/tensor_type"), ElementsAre(4, 4, 4));  // bf16 is the fifth of DataType.
  EXPECT_THAT(file.text("/decode/tensor_type", "flag_meanings"), HasSubstr("fp16 bf16 fp8"));
  EXPECT_THAT(file.values<std::uint8_t>("/decode/replicated"), ElementsAre(1, 0, 1));
  EXPECT_THAT(file.values<std::uint32_t>("/decode/edge_kernel"), ElementsAre(1));
  EXPECT_THAT(file.values<std::uint32_t>("/decode/edge_waits_for"), ElementsAre(0));
  EXPECT_THAT(file.values<double>("/decode/work"), ElementsAre(0, 0, 0, 2e12, 0, 0, 0, 0, 0));
  EXPECT_THAT(file.values<std::uint64_t>("/decode/sectors_read"), ElementsAre(0, 1000, 0));
  EXPECT_THAT(file.values<std::uint64_t>("/decode/sectors_hit"), ElementsAre(0, 900, 0));
  EXPECT_THAT(file.values<std::uint64_t>("/decode/fabric_bytes"), ElementsAre(0, 64, 0));
  EXPECT_THAT(file.values<double>("/decode/start"), ElementsAre(0, to_seconds(1'000'000), 0));
  EXPECT_THAT(file.values<double>("/decode/end"), ElementsAre(to_seconds(7), to_seconds(3'100'000'000), to_seconds(7)));
}

TEST_F(ReportHdf5, RooflineOfAKernelAsDerivedByHand) {
  const h5::Reader file = written(sample());
  const double infinite = std::numeric_limits<double>::infinity();
  const auto row = [&](const std::string& variable) {  // Of the GEMM: the second kernel; see gemm() for the derivation.
    const auto all = file.values<double>("/decode/" + variable);
    return std::vector<double>(all.begin() + kLevels, all.begin() + 2 * kLevels);
  };
  EXPECT_THAT(row("intensity"), ElementsAre(125, 2000, infinite, infinite));
  EXPECT_THAT(row("ceiling"), ElementsAre(1e15, 1e15, 1e15, 1e15));
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/bound_time").at(1), 2e-3);
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/pi").at(1), 1e15);
  EXPECT_EQ(file.values<std::uint8_t>("/decode/binding").at(1), 3);  // After the three pipes: l2.
  EXPECT_EQ(file.text("/decode/binding", "flag_meanings"), "tensor cuda sfu l2 hbm nvlink pcie none");
  const auto memory_bound = file.values<std::uint8_t>("/decode/memory_bound");
  EXPECT_EQ(memory_bound.at(kLevels + 0), 1);
  EXPECT_EQ(memory_bound.at(kLevels + 1), 0);
}

TEST_F(ReportHdf5, SumsAndRates) {
  const RunResult result = sample();
  const h5::Reader file = written(result);
  const auto by_class = file.values<std::uint64_t>("/decode/class_q");
  const auto total = file.values<std::uint64_t>("/decode/total_q");
  const auto cell = [&](KernelClass kernel_class, LevelId level, Direction direction) {
    return by_class.at((static_cast<std::size_t>(kernel_class) * kLevels + static_cast<std::size_t>(level)) * kDirections +
                       static_cast<std::size_t>(direction));
  };
  // The norm's cells are 1000 .. 1079: L2 has 1000 .. 1039 in runs of four, reads and writes in turn. Reads: sum over roles r of
  // 4 * 1000 + 6 + 4 * 8 r = 5 * 4006 + 32 * 10 = 20350; twice, since there are two such kernels.
  EXPECT_EQ(cell(KernelClass::norm, LevelId::l2, Direction::read), 2U * 20350);
  EXPECT_EQ(cell(KernelClass::ffn_up, LevelId::hbm, Direction::read), 960'000'000U);
  EXPECT_EQ(cell(KernelClass::attention, LevelId::hbm, Direction::read), 0U);
  EXPECT_EQ(total.at(0), 2U * 20350 + 15'000'000'000U);
  EXPECT_EQ(file.values<std::uint64_t>("/decode/class_kernels").at(1), 2U);
  EXPECT_TRUE(std::isnan(file.values<double>("/decode/class_bound_time").at(static_cast<std::size_t>(KernelClass::attention))));
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/latency").at(0), 4e-3);
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/tokens_per_s").at(0), 1000);
  // Compulsory: W = 2 TFLOP at 1 PFLOP/s = 2 ms beats 0.9 GB at 2 TB/s.
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/ceiling_time").at(0), 2e-3);
  EXPECT_EQ(file.values<std::uint8_t>("/decode/ceiling_binding").at(0), 0);
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/ceiling_tokens_per_s").at(0), 2000);
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/ceiling_reached").at(0), 0.5);
  // The norms need as good as nothing; path and total demand are those of the GEMM, and the path counts first.
  EXPECT_NEAR(file.values<double>("/decode/longest_path").at(0), 2e-3, 1e-7);
  EXPECT_NEAR(file.values<double>("/decode/bound").at(0), 2e-3, 1e-7);
  EXPECT_THAT(file.text("/decode/bound_from", "flag_meanings"), testing::EndsWith("pcie longest_path"));
  EXPECT_THAT(file.values<double>("/machine/beta"), ElementsAre(8e12, 2e12, 0, 0));
  EXPECT_DOUBLE_EQ(file.values<double>("/machine/pi_tensor").at(4), 1e15);
}

TEST_F(ReportHdf5, TimesThatWereNotSimulatedAreNotZero) {
  RunResult result = sample();
  result.fidelity = Fidelity::cache;
  const h5::Reader file = written(result);
  for (const char* variable : {"start", "end", "latency", "tokens_per_s", "class_time"}) {
    for (const double value : file.values<double>(std::string("/decode/") + variable)) EXPECT_TRUE(std::isnan(value)) << variable;
  }
  EXPECT_DOUBLE_EQ(file.values<double>("/decode/bound_time").at(1), 2e-3);
}

TEST_F(ReportHdf5, SaysWhereItComesFrom) {
  const h5::Reader file = written(sample());
  EXPECT_THAT(file.members("/"), ElementsAre("machine", "decode", "prefill"));
  EXPECT_EQ(file.text("/", "schema"), "rooftrace-result/1");
  EXPECT_EQ(file.text("/", "history"), "rooftrace simulate --hardware round-gpu");
  EXPECT_EQ(file.text("/", "source"), "rooftrace 1.2.3 (0123abcd)");
  EXPECT_EQ(file.text("/", "config"), "abc");
  EXPECT_EQ(file.text("/", "config_sha1"), "a9993e364706816aba3e25717850c26c9cd0d89d");  // FIPS 180-4, example "abc".
  EXPECT_EQ(file.text("/machine", "title"), "A GPU of round numbers (µ-arch)");
}

/// What netCDF readers need and what a damaged disk needs: on every array, without exception.
TEST_F(ReportHdf5, EveryArrayHasDimensionsAndEveryNumberAChecksum) {
  const h5::Reader file = written(sample());
  int arrays = 0;
  for (const std::string& group : file.members("/")) {
    ASSERT_TRUE(file.is_group("/" + group));
    for (const std::string& member : file.members("/" + group)) {
      const std::string path = "/" + group + "/" + member;
      EXPECT_FALSE(file.text(path, "long_name").empty()) << path;
      const auto shape = file.shape(path);
      if (shape.empty()) continue;
      ++arrays;
      const auto dimensions = file.dimensions(path);
      for (std::size_t i = 0; i < shape.size(); ++i) {
        ASSERT_NE(dimensions[i], "") << path;
        EXPECT_EQ(file.shape("/" + group + "/" + dimensions[i]), std::vector<std::uint64_t>{shape[i]}) << path;
      }
      const bool names = dimensions[0] == member && member != "kernel" && member != "edge";
      if (!names) {
        EXPECT_THAT(file.filters(path), ElementsAre("shuffle", "deflate", "fletcher32")) << path;
      }
    }
  }
  EXPECT_GT(arrays, 60);  // So that the loop above cannot pass on an empty file.
}

TEST_F(ReportHdf5, SameResultSameBytes) {
  RunResult result = sample();
  const std::string first = result_h5(result);
  const auto noise = std::make_unique<std::vector<char>>(1'000'003, 'x');  // The heap is not as it was.
  result.stages[0].wall_seconds = 99;                                      // Not part of the result.
  EXPECT_EQ(first, result_h5(result));
  result.stages[0].kernels[0].q.at(LevelId::hbm, TensorRole::kv, Direction::read, Cause::refetch) += 1;
  EXPECT_NE(first, result_h5(result));
}

TEST_F(ReportHdf5, StrangeTexts) {
  RunResult result = sample();
  result.command = std::string("caf\xE9 \xED\xA0\x80 ok\0hidden", 16);  // Latin-1, a surrogate, a NUL.
  result.commit = "";
  result.config = std::string(300'000, 'k') + "Ω";
  const h5::Reader file = written(result);
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(file.text("/", "history"), "caf" + replaced + " " + replaced + replaced + replaced + " ok");
  EXPECT_EQ(file.text("/", "commit"), "");
  EXPECT_EQ(file.text("/", "config"), result.config);
}

TEST_F(ReportHdf5, ManyKernelsSpanSeveralChunks) {
  RunResult result = sample();
  auto& kernels = result.stages[0].kernels;
  for (std::uint64_t i = kernels.size(); i < 2000; ++i) {  // 2000 * 1280 bytes are more than two chunks of 1 MiB.
    kernels.push_back(norm());
    kernels.back().q.at(LevelId::hbm, TensorRole::kv, Direction::write, Cause::write_back) = i * i;
  }
  const h5::Reader file = written(result);
  const auto q = file.values<std::uint64_t>("/decode/q");
  ASSERT_EQ(q.size(), 2000U * 160);
  for (std::uint64_t i = 3; i < 2000; ++i) ASSERT_EQ(q[i * 160 + 40 + 8 + 4 + 3], i * i);  // hbm, kv, write, write_back.
}

TEST_F(ReportHdf5, StagesOfOneKindAndStagesWithoutKernels) {
  RunResult result = sample();
  result.stages[1].stage = Stage::decode;
  result.stages[1].kernels.clear();
  const h5::Reader file = written(result);
  EXPECT_THAT(file.members("/"), ElementsAre("machine", "decode", "decode_2"));
  EXPECT_THAT(file.shape("/decode_2/q"), ElementsAre(0, 4, 5, 2, 4));
  EXPECT_TRUE(file.values<double>("/decode_2/end").empty());
}

TEST_F(ReportHdf5, AResultThatCannotBeMadeLeavesTheOldFileAlone) {
  write_result_h5(sample(), path_);
  const auto size = std::filesystem::file_size(path_);
  RunResult broken = sample();  // Bytes over a link that the machine does not have: the roofline throws while the second stage is written.
  broken.stages[1].kernels[0].q.at(LevelId::pcie, TensorRole::weights, Direction::read, Cause::requested) = 1;
  EXPECT_THROW(write_result_h5(broken, path_), std::logic_error);
  EXPECT_EQ(std::filesystem::file_size(path_), size);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  EXPECT_EQ(h5::Reader(path_).text("/", "schema"), "rooftrace-result/1");
}

TEST_F(ReportHdf5, AFileThatIsNoResultIsRefusedInOneLine) {
  const auto message = [](const std::string& path) -> std::string {
    try {
      const h5::Reader reader(path);
    } catch (const UserError& error) {
      return error.what();
    }
    return "opened";
  };
  EXPECT_EQ(message(path_), "cannot read \"" + path_ + "\": no such file");
  const std::string bytes = result_h5(sample());
  std::ofstream(path_, std::ios::binary) << bytes.substr(0, bytes.size() - 1);
  EXPECT_THAT(message(path_), HasSubstr("not an HDF5 file, incomplete"));
}

TEST(Hdf5File, RefusesWhatAReaderCouldNotUnderstand) {
  const auto build = [](auto fill) { return [fill] { static_cast<void>(h5::build_file(fill)); }; };
  const std::vector<double> two = {1, 2};
  EXPECT_THROW(build([&](h5::Group& g) { g.variable("v", {"nowhere"}, two, {"s", "v"}); })(), std::logic_error);
  EXPECT_THROW(build([&](h5::Group& g) {
                 g.coordinate("x", 3, "x");
                 g.variable("v", {"x"}, two, {"s", "v"});
               })(),
               std::logic_error);
  try {
    build([&](h5::Group& g) {
      g.coordinate("x", 2, "x");
      g.variable("v", {"x"}, two, {"s", "v"});
      g.variable("v", {"x"}, two, {"s", "v"});
    })();
    FAIL() << "two variables of one name";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("HDF5: cannot create dataset \"v\": "));
    EXPECT_THAT(error.what(), HasSubstr("exists"));
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
  }
}

TEST(Hdf5File, AnObjectLeftOpenIsFound) {
  const h5::Silence silence;
  std::unique_ptr<h5::Group> kept;
  EXPECT_THROW(static_cast<void>(h5::build_file([&](h5::Group& root) { kept = std::make_unique<h5::Group>(root.child("forgotten")); })),
               std::logic_error);
}

TEST(Hdf5File, Utf8) {
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(h5::valid_utf8("aµ€😀"), "aµ€😀");
  EXPECT_EQ(h5::valid_utf8("\xC0\xAF"), replaced + replaced);         // Overlong "/".
  EXPECT_EQ(h5::valid_utf8("\xE2\x82"), replaced + replaced);         // Cut "€".
  EXPECT_EQ(h5::valid_utf8("\xF4\x90\x80\x80").size(), 4 * 3U);       // Above U+10FFFF.
  EXPECT_EQ(h5::valid_utf8("\xF4\x8F\xBF\xBF"), "\xF4\x8F\xBF\xBF");  // U+10FFFF itself.
}

}  // namespace
}  // namespace rooftrace
