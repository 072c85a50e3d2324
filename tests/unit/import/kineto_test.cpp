// Profiles: the reader's joins, the lowering's bytes, and files that are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "sim/core/error.hpp"
#include "tests/support/recording_sink.hpp"
#include "traces/import/import_kineto.hpp"
#include "traces/import/kineto_events.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

KinetoProfile read(const std::string& text) {
  const auto source = open_memory("p.json", text);
  return read_kineto(*source);
}

std::string error_of(const std::string& text) {
  try {
    RecordingSink sink;
    const auto source = open_memory("p.json", text);
    (void)import_kineto(*source, {}, sink);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

struct Imported {
  RecordingSink sink;
  ImportSummary summary;
};
Imported import(const std::string& text) {
  Imported out;
  const auto source = open_memory("p.json", text);
  out.summary = import_kineto(*source, {}, out.sink);
  return out;
}

/// One operator and its kernel.
std::string one(const std::string& name, const std::string& dims, const std::string& types, const std::string& more = "") {
  return R"({"traceEvents":[{"ph":"X","cat":"cpu_op","name":")" + name +
         R"(","tid":1,"ts":0,"dur":9,"args":{"External id":1,"Input Dims":)" + dims + R"(,"Input type":)" + types + more +
         R"(}},{"ph":"X","cat":"kernel","name":"k","ts":5,"dur":2.5,"args":{"External id":1,"stream":7}}]})";
}

TEST(KinetoEvents, OldAndNewSpellingsJoinTheSame) {
  const std::string modern =
      R"({"traceEvents":[{"ph":"X","cat":"cpu_op","name":"aten::mm","tid":1,"ts":10,"dur":5,"args":{"External id":3,"Input Dims":[[4,8],[8,2]],"Input type":["float","float"]}},
         {"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","args":{"correlation":77,"External id":3}},
         {"ph":"X","cat":"kernel","name":"gemm","ts":12.5,"dur":3,"args":{"correlation":77,"stream":7,"grid":[2,1,1],"block":[128,1,1]}}]})";
  const std::string old =
      R"({"traceEvents":[{"ph":"X","cat":"Operator","name":"aten::mm","tid":1,"ts":10,"dur":5,"args":{"External id":"3","Input dims":[[4,8],[8,2]],"Input type":["float","float"]}},
         {"ph":"X","cat":"Runtime","name":"cudaLaunchKernel","args":{"correlation":"77","external id":"3"}},
         {"ph":"X","cat":"Kernel","name":"gemm","ts":12.5,"dur":3,"args":{"correlation":77,"stream":7,"grid":[2,1,1],"block":[128,1,1]}}]})";
  for (const std::string& text : {modern, old}) {
    const KinetoProfile profile = read(text);
    ASSERT_EQ(profile.gpu.size(), 1U);
    ASSERT_EQ(profile.gpu[0].op, 0);
    EXPECT_EQ(profile.gpu[0].grid[0], 2U);
    EXPECT_THAT(profile.operators[0].inputs.at(0).dims, ElementsAre(4, 8));
    EXPECT_EQ(profile.operators[0].name, "aten::mm");
  }
}

TEST(KinetoEvents, ParentsAreTheOperatorsAround) {
  const KinetoProfile profile = read(R"([{"ph":"X","cat":"cpu_op","name":"outer","tid":1,"ts":0,"dur":10,"args":{"External id":1}},
               {"ph":"X","cat":"cpu_op","name":"inner","tid":1,"ts":2,"dur":3,"args":{"External id":2}},
               {"ph":"X","cat":"cpu_op","name":"after","tid":1,"ts":11,"dur":3,"args":{"External id":3}},
               {"ph":"X","cat":"cpu_op","name":"elsewhere","tid":2,"ts":3,"dur":1,"args":{"External id":4}}])");
  EXPECT_EQ(profile.operators[1].parent, 0);
  EXPECT_EQ(profile.operators[2].parent, -1);
  EXPECT_EQ(profile.operators[3].parent, -1);
}

/// Distinct bytes read and written by the only kernels of a profile, by the generator's own footprint, checked against its steps.
struct Bytes {
  std::uint64_t read = 0, written = 0;
  bool operator==(const Bytes&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Bytes& b) {
  return out << b.read << " read " << b.written << " written";
}

Bytes bytes_of(const std::string& text) {
  const Imported got = import(text);
  EXPECT_TRUE(got.summary.unknown.empty()) << got.summary.text();
  Bytes bytes;
  for (const Footprint& f : got.sink.kernels.at(0).kernel.footprint) {
    bytes.read += f.read;
    bytes.written += f.written;
  }
  EXPECT_THAT(check_kernel(got.sink.kernels[0].kernel), ::testing::IsEmpty());
  return bytes;
}

TEST(KinetoLowering, BytesByHand) {
  const std::string bf2 = R"(["c10::BFloat16","c10::BFloat16"])", bf3 = R"(["c10::BFloat16","c10::BFloat16","c10::BFloat16"])";
  // 256 x 512 times 512 x 128, two bytes: A 256 KiB, B 128 KiB, C 64 KiB.
  EXPECT_EQ(bytes_of(one("aten::mm", "[[256,512],[512,128]]", bf2)), (Bytes{393216, 65536}));
  EXPECT_EQ(bytes_of(one("aten::linear", "[[2,128,512],[128,512]]", bf2)), (Bytes{393216, 65536}));
  EXPECT_EQ(bytes_of(one("aten::addmm", "[[128],[256,512],[512,128]]", bf3)), (Bytes{393216, 65536}));
  // Eight times 32 x 64 times 64 x 48: 8 x (4096 + 6144) and 8 x 3072.
  EXPECT_EQ(bytes_of(one("aten::bmm", "[[8,32,64],[8,64,48]]", bf2)), (Bytes{81920, 24576}));
  EXPECT_EQ(bytes_of(one("aten::matmul", "[[2,4,32,64],[2,4,64,48]]", bf2)), (Bytes{81920, 24576}));
  // Q 2 x 8 x 64 x 64, K and V 2 x 2 x 128 x 64: 128 KiB, 64 KiB each; O as Q.
  EXPECT_EQ(bytes_of(one("aten::_scaled_dot_product_flash_attention", "[[2,8,64,64],[2,2,128,64],[2,2,128,64]]", bf3)),
            (Bytes{262144, 131072}));
  // 64 rows of 1024: 128 KiB, a gain of 2 KiB.
  EXPECT_EQ(bytes_of(one("aten::rms_norm", "[[64,1024],[],[1024]]", bf3)), (Bytes{133120, 131072}));
  EXPECT_EQ(bytes_of(one("aten::native_layer_norm", "[[64,1024],[],[1024],[1024],[]]",
                         R"(["c10::BFloat16","","c10::BFloat16","c10::BFloat16",""])")),
            (Bytes{133120, 131072}));
  EXPECT_EQ(bytes_of(one("aten::_softmax", "[[64,1024]]", R"(["float"])")), (Bytes{262144, 262144}));
  EXPECT_EQ(bytes_of(one("aten::gelu", "[[64,1024]]", R"(["c10::BFloat16"])")), (Bytes{131072, 131072}));
  EXPECT_EQ(bytes_of(one("aten::mul", "[[64,1024],[64,1024]]", bf2)), (Bytes{262144, 131072}));
  EXPECT_EQ(bytes_of(one("aten::add", "[[64,1024],[1024]]", bf2)), (Bytes{133120, 131072}));  // Broadcast: the row's 2 KiB once.
  EXPECT_EQ(bytes_of(one("aten::copy_", "[[64,1024],[64,1024]]", R"(["float","c10::BFloat16"])")), (Bytes{131072, 262144}));
  EXPECT_EQ(bytes_of(one("aten::cat", "[[[64,512],[64,256]],[]]", R"(["TensorList","Scalar"])")), (Bytes{98304, 98304}));
}

TEST(KinetoLowering, BytesByHandOfOtherLibraries) {
  const std::string bf2 = R"(["c10::BFloat16","c10::BFloat16"])", bf3 = R"(["c10::BFloat16","c10::BFloat16","c10::BFloat16"])";
  // 256 x 512 times 512 x 128 of one byte, the result of two: A 128 KiB, B 64 KiB, C 64 KiB; vLLM's has the result in front.
  const std::string fp8 = R"(["c10::Float8_e4m3fn","c10::Float8_e4m3fn"])";
  EXPECT_EQ(bytes_of(one("aten::_scaled_mm", "[[256,512],[512,128]]", fp8)), (Bytes{196608, 65536}));
  EXPECT_EQ(bytes_of(one("_C::cutlass_scaled_mm", "[[256,128],[256,512],[512,128]]",
                         R"(["c10::BFloat16","c10::Float8_e4m3fn","c10::Float8_e4m3fn"])")),
            (Bytes{196608, 65536}));
  EXPECT_EQ(bytes_of(one("aten::baddbmm", "[[8,32,48],[8,32,64],[8,64,48]]", bf3)), (Bytes{81920, 24576}));
  // 64 rows of 1024: 128 KiB and a gain of 2 KiB; with the residual both are read and written.
  EXPECT_EQ(bytes_of(one("_C::rms_norm", "[[64,1024],[64,1024],[1024]]", bf3)), (Bytes{133120, 131072}));
  EXPECT_EQ(bytes_of(one("_C::fused_add_rms_norm", "[[64,1024],[64,1024],[1024]]", bf3)), (Bytes{264192, 262144}));
  // Gates and values of 512 each -> 512: 128 KiB in, 64 KiB out.
  EXPECT_EQ(bytes_of(one("_C::silu_and_mul", "[[64,512],[64,1024]]", bf2)), (Bytes{131072, 65536}));
  EXPECT_EQ(bytes_of(one("_C::gelu_tanh_and_mul", "[[64,512],[64,1024]]", bf2)), (Bytes{131072, 65536}));
  // [batch, tokens, heads, dim]: Q 2 x 64 x 8 x 64, K and V 2 x 128 x 2 x 64.
  EXPECT_EQ(bytes_of(one("FlashAttnFunc", "[[2,64,8,64],[2,128,2,64],[2,128,2,64]]", bf3)), (Bytes{262144, 131072}));
  // PyTorch's compiler: two inputs and a row in, one out; a reduction of rows of 1024 to one element.
  EXPECT_EQ(bytes_of(one("triton_poi_fused_add_mul_3", "[[64,1024],[64,1024],[1024],[64,1024],[]]",
                         R"(["c10::BFloat16","c10::BFloat16","c10::BFloat16","c10::BFloat16","Scalar"])")),
            (Bytes{264192, 131072}));
  EXPECT_EQ(bytes_of(one("triton_red_fused_mean_0", "[[64,1024],[64,1],[],[]]", R"(["c10::BFloat16","float","Scalar","Scalar"])")),
            (Bytes{131072, 256}));
  EXPECT_EQ(bytes_of(one("aten::mean", "[[64,1024]]", R"(["c10::BFloat16"])", R"(,"Concrete Inputs":["","[-1]","True"])")),
            (Bytes{131072, 128}));
  EXPECT_EQ(bytes_of(one("aten::fill_", "[[64,1024],[]]", R"(["float","Scalar"])")), (Bytes{0, 262144}));
}

TEST(KinetoLowering, ReductionsOverOtherDimensionsAreNotGuessed) {
  const Imported got = import(one("aten::sum", "[[64,1024]]", R"(["float"])", R"(,"Concrete Inputs":["","[0]","False"])"));
  EXPECT_EQ(got.summary.unknown.size(), 1U);
}

TEST(KinetoLowering, VersionsOfFlashAttentionSayCausalInTwoPlaces) {
  const std::string dims = "[[1,256,4,64],[1,256,4,64],[1,256,4,64],[],[],[]]", types = R"(["c10::Half","c10::Half","c10::Half","","",""])";
  const auto flop = [&](const char* concrete) {
    return import(one("FlashAttnFunc", dims, types, std::string(",\"Concrete Inputs\":") + concrete)).summary.tensor_flop;
  };
  const double full = flop(R"(["","","","0.","0.125","False"])");
  EXPECT_LT(flop(R"(["","","","0.","0.125","True"])"), full);  // 2: (q, k, v, dropout, scale, causal).
  EXPECT_LT(flop(R"(["","","","0.125","True",""])"), full);    // 3: (q, k, v, scale, causal, ...).
}

std::string collective(const std::string& name, const std::string& in, const std::string& out, const std::string& more = "") {
  return R"([{"ph":"X","cat":"kernel","name":")" + name + R"(","ts":5,"dur":2.5,"args":{"stream":7,"In msg nelems":)" + in +
         R"(,"Out msg nelems":)" + out + R"(,"Group size":4,"dtype":"BFloat16")" + more + "}}]";
}

TEST(KinetoCollectives, RingHalvesByHand) {
  // Four ranks, shards of 1 Mi elements of two bytes: three received (the neighbour's stores into L2) and three sent, 2 MiB each.
  constexpr std::uint64_t kShard = 2 << 20;
  EXPECT_EQ(bytes_of(collective("ncclDevKernel_AllGather_RING_SIMPLE(ncclDevComm*)", "1048576", "4194304")),
            (Bytes{4 * kShard, 4 * kShard + 3 * kShard + 3 * kShard}));
  EXPECT_EQ(bytes_of(collective("ncclDevKernel_ReduceScatter_Sum_bf16_RING_SIMPLE(ncclDevComm*)", "4194304", "1048576")),
            (Bytes{4 * kShard + 3 * kShard, kShard + 3 * kShard + 3 * kShard}));
  // By LL every eight bytes travel as sixteen.
  EXPECT_EQ(bytes_of(collective("ncclDevKernel_AllGather_RING_LL(ncclDevComm*)", "1048576", "4194304")),
            (Bytes{kShard + 6 * kShard, 4 * kShard + 6 * kShard + 6 * kShard}));
}

TEST(KinetoCollectives, TheRestIsListedWithItsReason) {
  const auto unknown = [](const std::string& text) {
    const Imported got = import(text);
    return got.summary.unknown.size() == 1 ? got.summary.unknown.begin()->first : got.summary.text();
  };
  EXPECT_THAT(unknown(collective("ncclDevKernel_AllGather_NVLS(ncclDevComm*)", "4", "16")), HasSubstr("not by the ring"));
  EXPECT_THAT(unknown(collective("ncclDevKernel_AllGather_RING_LL(ncclDevComm*)", "4", "20")), HasSubstr("uneven shards"));
  EXPECT_THAT(unknown(collective("ncclDevKernel_Broadcast_RING_LL(ncclDevComm*)", "4", "4")), HasSubstr("where in the ring"));
  EXPECT_THAT(unknown(collective("ncclDevKernel_SendRecv(ncclDevComm*)", "4", "4")), HasSubstr("send, receive or all-to-all"));
  EXPECT_THAT(unknown(collective("ncclDevKernel_Generic_4(ncclDevComm*)", "4", "4")), HasSubstr("does not say what it does"));
}

TEST(KinetoLowering, CausalComesFromTheConcreteInputs) {
  const std::string dims = "[[1,4,256,64],[1,4,256,64],[1,4,256,64],[],[]]", types = R"(["c10::Half","c10::Half","c10::Half","",""])";
  const Imported full =
      import(one("aten::_scaled_dot_product_flash_attention", dims, types, R"(,"Concrete Inputs":["","","","0.","False"])"));
  const Imported causal =
      import(one("aten::_scaled_dot_product_flash_attention", dims, types, R"(,"Concrete Inputs":["","","","0.","True"])"));
  EXPECT_LT(causal.summary.tensor_flop, full.summary.tensor_flop);
}

TEST(KinetoImport, WhatIsNotKnownKeepsItsNamePlaceAndDuration) {
  const Imported got = import(one("mylib::magic", "[[4,4]]", R"(["float"])"));
  ASSERT_EQ(got.sink.kernels.size(), 1U);
  EXPECT_EQ(got.sink.kernels[0].kernel.label, "k");
  EXPECT_EQ(got.sink.kernels[0].extras.measured_ns, 2500);
  EXPECT_EQ(got.sink.kernels[0].bytes(AccessOp::load), 0U);
  EXPECT_EQ(got.summary.unknown.at("operator mylib::magic"), 1U);
  EXPECT_FALSE(got.summary.names.at("k").lowered);
  EXPECT_THAT(got.summary.text(), HasSubstr("1x k (unknown: no accesses), measured 2.5 us"));
}

TEST(KinetoImport, AbsurdShapesAreUnknown) {
  for (const char* dims : {"[[-1,4],[4,4]]", "[[1099511627776,1099511627776],[4,4]]", "[[4,5],[4,4]]", "[[],[]]", "[]",
                           "[[2147483647,16],[16,16]]", "[[1000000,65536],[65536,1000000]]"}) {
    const Imported got = import(one("aten::mm", dims, R"(["float","float"])"));
    EXPECT_EQ(got.summary.unknown.size(), 1U) << dims;
    EXPECT_EQ(got.sink.kernels.size(), 1U) << dims;
  }
}

TEST(KinetoImport, StreamsWaitForWhatHadEnded) {
  const Imported got = import(R"({"traceEvents":[
      {"ph":"X","cat":"kernel","name":"a","ts":0,"dur":10,"args":{"stream":7}},
      {"ph":"X","cat":"kernel","name":"b","ts":10,"dur":10,"args":{"stream":7}},
      {"ph":"X","cat":"kernel","name":"c","ts":15,"dur":10,"args":{"stream":9}},
      {"ph":"X","cat":"kernel","name":"d","ts":30,"dur":10,"args":{"stream":7}}]})");
  ASSERT_EQ(got.sink.kernels.size(), 4U);
  EXPECT_THAT(got.sink.kernels[2].kernel.waits_for, ElementsAre(0));  // b was still running.
  EXPECT_THAT(got.sink.kernels[3].kernel.waits_for, ElementsAre(2));
  EXPECT_EQ(got.sink.kernels[2].kernel.stream, 1U);
}

TEST(KinetoImport, FilesThatAreNone) {
  EXPECT_THAT(error_of(""), HasSubstr("p.json:1:1: is not JSON"));
  EXPECT_THAT(error_of("{\"traceEvents\": [\n {\"ph\": }\n]}"), HasSubstr("p.json:2:"));
  EXPECT_THAT(error_of("{\"a\": 1}"), HasSubstr("has no \"traceEvents\""));
  EXPECT_THAT(error_of("{\"traceEvents\": []}"), HasSubstr("holds no kernel"));
  EXPECT_THAT(error_of("\x1f\x8b"), HasSubstr("gzip twice"));
  EXPECT_THAT(error_of(std::string(100, '[')), HasSubstr("nested more than 32 deep"));
  EXPECT_THAT(error_of("{\"traceEvents\": [{\"name\": \"" + std::string(2 << 20, 'x') + "\"}]}"), HasSubstr("a string longer than 1 MiB"));
  EXPECT_THAT(error_of("[" + std::string(5000, '1') + "]"), HasSubstr("a number of more than 1000 digits"));
  std::string big = "[{\"args\":[0";
  for (int i = 0; i < 200'000; ++i) big += ",0";
  EXPECT_THAT(error_of(big + "]}]"), HasSubstr("one event holds more than 100000 values"));
}

TEST(KinetoImport, TwoLayersNameEveryKernel) {
  RecordingSink sink;
  const auto file = open_file(ROOFTRACE_SOURCE_DIR "/tests/fixtures/kineto/two_layers.json");
  const ImportSummary summary = import_kineto(*file, {}, sink);
  const auto again = open_file(ROOFTRACE_SOURCE_DIR "/tests/fixtures/kineto/two_layers.json");
  const KinetoProfile profile = read_kineto(*again);
  // In the profile's order; what the lowering needs beside has no source name.
  std::vector<std::string> named, wanted;
  double measured = 0, durations = 0;
  for (const RecordedKernel& k : sink.kernels) {
    if (!k.extras.source_name.empty()) named.push_back(k.extras.source_name);
    measured += k.extras.measured_ns.value_or(0);
  }
  for (const KinetoGpuEvent& e : profile.gpu) {
    wanted.push_back(e.name);
    durations += e.duration * 1000;
  }
  EXPECT_EQ(named, wanted);
  EXPECT_DOUBLE_EQ(measured, durations);
  EXPECT_EQ(summary.unknown.at("operator mylib::secret_sauce"), 2U);
  EXPECT_EQ(summary.unknown.at("one more kernel of aten::mm"), 2U);  // The profile's split-K sums.
  EXPECT_EQ(summary.unknown.size(), 2U);
  for (const RecordedKernel& k : sink.kernels) {
    if (k.kernel.program) {
      EXPECT_THAT(check_kernel(k.kernel), ::testing::IsEmpty()) << k.kernel.label;
    }
  }
}

}  // namespace
}  // namespace rooftrace
