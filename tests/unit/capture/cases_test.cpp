// Every kernel through the shim: right against fp64, and its trace against a count by hand, to the byte.
#include "traces/capture/cases.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace rooftrace::capture {
namespace {

// bf16 keeps 8 bits: one rounding of the output is at most 2^-9 = 2.0e-3 relative, uniformly spread 2^-9 / sqrt(3) x 1.4 = 1.6e-3.
constexpr double kOneRounding = 2.2e-3;
constexpr double kTwoRoundings = 3e-3;  // Intermediates or softmax weights in bf16 as well.

struct Ran {
  Capture capture;
  double error = 0;
  Totals of(std::size_t kernel) const { return totals_of(capture.kernels.at(kernel)); }
};

Ran run(const std::string& name, const Sizes& sizes) {
  Ran ran;
  const auto chosen = make_case(name, sizes);
  Device device;
  ran.capture = new_capture();
  chosen->prepare(device, 1);
  device.capture_into(&ran.capture);
  chosen->launch(device, 0);
  ran.error = chosen->error(device);
  ran.capture.allocations = device.allocations();
  rebase(ran.capture);
  return ran;
}

/// Distinct 32-byte sectors, in bytes, of all loads (or stores) of a capture inside of allocations whose name begins with `name`.
std::uint64_t footprint(const Capture& capture, const std::string& name, bool stores) {
  std::set<std::uint64_t> sectors;
  for (const CapturedKernel& kernel : capture.kernels) {
    for (const Slab& slab : kernel.slabs) {
      for (const Record& record : slab.records) {
        if (record.shape == Shape::marker || (record.op == Op::store) != stores) continue;
        for (const Allocation& in : capture.allocations) {
          if (in.name.rfind(name, 0) != 0 || record.address < in.base || record.address >= in.base + in.bytes) continue;
          for (std::uint64_t s = record.address / 32; s <= (record.address + record.bytes - 1) / 32; ++s) sectors.insert(s);
        }
      }
    }
  }
  return sectors.size() * 32;
}

// 8 rows of 1,024 bf16: each block loads its row and the weight (2,048 B each), stores its row. 256 threads x 8 elements cover 2,048
// columns, so warps 0-3 hold all 1,024: 4 + 4 loads, 4 stores; every one of 8 warps marks a barrier and its work: 28 records a block.
TEST(CaptureCase, RmsNorm) {
  const Ran ran = run("rms_norm", {{"rows", 8}, {"cols", 1024}});
  EXPECT_LT(ran.error, kOneRounding);
  EXPECT_EQ(ran.of(0).load_bytes, 8U * (2048 + 2048));
  EXPECT_EQ(ran.of(0).store_bytes, 8U * 2048);
  EXPECT_EQ(ran.of(0).records, 8U * 28);
  EXPECT_EQ(ran.of(0).flop, 8U * 4096);  // 4 per element.
  EXPECT_EQ(footprint(ran.capture, "weight", false), 2048U);
}

TEST(CaptureCase, RmsNormWithARowThatFillsNoWarp) {
  const Ran ran = run("rms_norm", {{"rows", 3}, {"cols", 104}});  // 13 lanes of 16 B: 208 B.
  EXPECT_LT(ran.error, kOneRounding);
  EXPECT_EQ(ran.of(0).load_bytes, 3U * 2 * 208);
}

// 16 x 1,024: fused reads both halves (2 x 32,768 B) and writes one. Unfused reads gate, writes, reads that and up, writes.
TEST(CaptureCase, SwiGluFusedAndNot) {
  const Ran fused = run("swiglu_fused", {{"rows", 16}, {"cols", 1024}});
  EXPECT_LT(fused.error, kOneRounding);
  EXPECT_EQ(fused.of(0).load_bytes, 65536U);
  EXPECT_EQ(fused.of(0).store_bytes, 32768U);
  const Ran unfused = run("swiglu_unfused", {{"rows", 16}, {"cols", 1024}});
  EXPECT_LT(unfused.error, kTwoRoundings);
  EXPECT_EQ(unfused.of(0).load_bytes + unfused.of(1).load_bytes, 32768U + 65536U);
  EXPECT_EQ(unfused.of(0).store_bytes + unfused.of(1).store_bytes, 65536U);
}

// 5 tokens x 6 heads, a warp each: its position (all lanes the same word: one sector, 32 B), 256 B of each table, 256 B of q; q back.
TEST(CaptureCase, Rope) {
  const Ran ran = run("rope", {{"tokens", 5}, {"heads", 6}});
  EXPECT_LT(ran.error, kOneRounding);
  EXPECT_EQ(ran.of(0).load_bytes, 30U * (32 + 256 + 256 + 256));
  EXPECT_EQ(ran.of(0).store_bytes, 30U * 256);
}

// Lengths 100 and 93, 2 KV heads, 2 splits, group 4: 193 tokens x 2 heads x (256 B keys + 256 B values + 4 B of block table); 8 blocks of
// 4 warps load 4 B of length and 4 queries of 256 B; 16 heads x 2 splits x (512 B sums + 8 B) written, read by the reduction, which writes
// 16 heads of 256 B.
TEST(CaptureCase, PagedDecode) {
  const Ran ran = run("paged_decode", {{"sequences", 2}, {"kv_heads", 2}, {"group", 4}, {"length", 100}, {"splits", 2}, {"ragged", 7}});
  EXPECT_LT(ran.error, kOneRounding);
  EXPECT_EQ(ran.of(0).load_bytes, 193U * 2 * (512 + 4) + 8U * 4 * (4 + 4 * 256));
  EXPECT_EQ(ran.of(0).store_bytes, 16U * 2 * (512 + 8));
  EXPECT_EQ(ran.of(1).load_bytes, 16U * 2 * (512 + 8));
  EXPECT_EQ(ran.of(1).store_bytes, 16U * 256);
  EXPECT_EQ(ran.of(0).flop, 193U * 2 * 4 * 128 * 4);
  EXPECT_EQ(footprint(ran.capture, "keys", false), 193U * 2 * 256);  // Every token of the cache once, wherever its page lies.
}

// Only the last 50 tokens: 100 tokens in 7 pages, first page 50 / 16 = 3, so pages 3-6, two per split: 50-79, 80-99.
TEST(CaptureCase, PagedDecodeInAWindow) {
  const Sizes sizes = {{"sequences", 1}, {"kv_heads", 1}, {"group", 8}, {"length", 100}, {"window", 50}, {"splits", 2}};
  const Ran ran = run("paged_decode", sizes);
  EXPECT_LT(ran.error, kOneRounding);
  EXPECT_EQ(footprint(ran.capture, "values", false), 50U * 256);
}

// More splits than pages: the last blocks have nothing to do and must not spoil the sums.
TEST(CaptureCase, PagedDecodeWithEmptySplits) {
  EXPECT_LT(run("paged_decode", {{"sequences", 1}, {"length", 20}, {"splits", 5}, {"ragged", 0}}).error, kOneRounding);
}

// 100 tokens: query tile 0 reads 64 queries and 64 keys and values, tile 1 36 queries and 64 + 36; 256 B a row; two heads share keys.
TEST(CaptureCase, Prefill) {
  const Ran ran = run("prefill", {{"batch", 1}, {"q_heads", 2}, {"kv_heads", 1}, {"tokens", 100}});
  EXPECT_LT(ran.error, kTwoRoundings);
  EXPECT_EQ(ran.of(0).load_bytes, 2U * 256 * (100 + 2 * (64 + 100)));
  EXPECT_EQ(ran.of(0).store_bytes, 2U * 256 * 100);
  EXPECT_EQ(footprint(ran.capture, "keys", false), 100U * 256);
  // Tiles of 64 x 64 x 128: (1 + 2) of them per head, 4 x 64 x 64 x 128 FLOP each.
  EXPECT_EQ(ran.of(0).flop, 2U * 3 * 4 * 64 * 64 * 128);
}

// 200 x 256 x 320: blocks (128 | 72) x (128 | 128), each (rows of A + rows of B) x 640 B; rows of C are 512 B, written once.
TEST(CaptureCase, GemmsMoveTheSameBytes) {
  const Sizes sizes = {{"m", 200}, {"n", 256}, {"k", 320}};
  for (const char* const name : {"gemm_mma", "gemm_tma"}) {
    const Ran ran = run(name, sizes);
    EXPECT_LT(ran.error, kOneRounding) << name;
    EXPECT_EQ(ran.of(0).load_bytes, (2U * (128 + 128) + 2U * (72 + 128)) * 640) << name;
    EXPECT_EQ(ran.of(0).store_bytes, 200U * 512) << name;
    EXPECT_EQ(ran.of(0).flop, 4U * 2 * 128 * 128 * 320) << name;
    EXPECT_EQ(footprint(ran.capture, "a", false), 200U * 640) << name;
    EXPECT_EQ(footprint(ran.capture, "b", false), 256U * 640) << name;
  }
}

TEST(CaptureCase, GemmsWithEdges) {
  for (const char* const name : {"gemm_mma", "gemm_tma"}) {
    EXPECT_LT(run(name, {{"m", 1}, {"n", 8}, {"k", 64}}).error, kOneRounding) << name;
    EXPECT_LT(run(name, {{"m", 130}, {"n", 264}, {"k", 192}, {"group", 1}}).error, kOneRounding) << name;
  }
}

// 20 tokens to one expert: 20 x 256 B of tokens, 128 x 256 B of weights. Eight warps read 2 x 4 B of tables; the token list by warps of
// 4 rows, 8 lanes the same word each: one sector for each of the 5 warps that have a row.
TEST(CaptureCase, MoeGemm) {
  const Ran ran = run("moe_gemm", {{"tokens", 20}, {"experts", 1}, {"top_k", 1}, {"n", 128}, {"k", 128}});
  EXPECT_LT(ran.error, kOneRounding);
  EXPECT_EQ(ran.of(0).load_bytes, 20U * 256 + 128U * 256 + 8U * 8 + 5U * 32);
  EXPECT_EQ(ran.of(0).store_bytes, 20U * 256);
  EXPECT_LT(run("moe_gemm", {}).error, kOneRounding);
}

TEST(CaptureCase, MistakesAreNamed) {
  EXPECT_THROW(make_case("gem", {}), CaptureError);
  EXPECT_THROW(make_case("rope", {{"rows", 1}}), CaptureError);
  EXPECT_THROW(make_case("rms_norm", {{"cols", 12}}), CaptureError);
  EXPECT_THROW(make_case("gemm_mma", {{"k", 65}}), CaptureError);
}

// The committed samples are what the program writes today.
TEST(CaptureCase, SamplesAreReproduced) {
  const std::map<std::string, Sizes> samples = {{"rms_norm", {{"rows", 4}, {"cols", 512}}},
                                                {"swiglu_unfused", {{"rows", 4}, {"cols", 1024}}},
                                                {"paged_decode", {{"sequences", 1}, {"kv_heads", 1}, {"length", 40}, {"splits", 2}}},
                                                {"gemm_tma", {{"m", 128}, {"n", 128}, {"k", 128}}}};
  for (const auto& [name, sizes] : samples) {
    Ran ran = run(name, sizes);
    const Capture sample = read_capture(std::string(ROOFTRACE_SOURCE_DIR) + "/traces/capture/samples/" + name + ".rtcap");
    ran.capture.note = sample.note;
    EXPECT_TRUE(to_bytes(ran.capture) == to_bytes(sample)) << name;
  }
}

}  // namespace
}  // namespace rooftrace::capture
