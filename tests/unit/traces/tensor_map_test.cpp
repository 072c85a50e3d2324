// TensorMap and KvCache: where bytes lie.
#include "traces/tensor_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "traces/kv_cache.hpp"

namespace rooftrace {
namespace {

TEST(TensorMap, TensorsStartOnTheirOwnPages) {
  TensorMap map;
  EXPECT_EQ(map.allocate(1, TensorRole::weights), kPageBytes);  // page 0 stays empty: address 0 means no tensor
  EXPECT_EQ(map.allocate(kPageBytes, TensorRole::tables), 2 * kPageBytes);
  EXPECT_EQ(map.allocate(kPageBytes + 1, TensorRole::activations), 3 * kPageBytes);  // two pages
  EXPECT_EQ(map.allocate(0, TensorRole::kv), 5 * kPageBytes);                        // nothing still has an address of its own
  EXPECT_EQ(map.allocate(1, TensorRole::kv), 6 * kPageBytes);
}

TEST(TensorMap, ArenasLieAMultipleOfAFrameApart) {
  TensorMap map;
  (void)map.allocate(3 * kPageBytes, TensorRole::weights);  // pages 1..3
  EXPECT_EQ(map.allocate_in_layer(kPageBytes, TensorRole::weights), 0U);
  EXPECT_EQ(map.allocate_in_layer(kFrameBytes, TensorRole::kv), kPageBytes);
  map.place_layers(3);
  // 1 + 512 pages of 2 MiB need two frames of 1 GiB.
  EXPECT_EQ(map.layer_stride(), 2 * kFrameBytes);
  EXPECT_EQ(map.address(0, 0), 4 * kPageBytes);
  EXPECT_EQ(map.address(kPageBytes, 2), 5 * kPageBytes + 4 * kFrameBytes);

  Trace trace;
  map.describe(trace);
  EXPECT_EQ(trace.layers_begin, 4 * kPageBytes);
  EXPECT_EQ(trace.layers_end, 4 * kPageBytes + 6 * kFrameBytes);
  EXPECT_EQ(trace.address_end, trace.layers_end);
  EXPECT_EQ(trace.layer_stride, 2 * kFrameBytes);
  ASSERT_EQ(trace.page_role.size(), trace.address_end / kPageBytes);
  EXPECT_EQ(trace.page_role[0], TensorRole::activations);
  EXPECT_EQ(trace.page_role[3], TensorRole::weights);
  for (std::uint32_t layer = 0; layer < 3; ++layer) {
    EXPECT_EQ(trace.page_role[map.address(0, layer) / kPageBytes], TensorRole::weights);
    EXPECT_EQ(trace.page_role[map.address(kPageBytes, layer) / kPageBytes], TensorRole::kv);
    EXPECT_EQ(trace.page_role[map.address(kFrameBytes, layer) / kPageBytes], TensorRole::kv);  // last page of the second tensor
    EXPECT_EQ(trace.page_role[map.address(kFrameBytes, layer) / kPageBytes + 1], TensorRole::activations);  // a hole
  }
}

TEST(TensorMap, RefusesMoreThanTheAddressSpace) {
  TensorMap map;
  (void)map.allocate_in_layer(40 * kFrameBytes, TensorRole::weights);
  try {
    map.place_layers(126);  // 126 * 40 GiB = 4.92 TiB, beyond 2^42 B = 4 TiB
    FAIL() << "no exception";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "the tensors need 4.9 TiB of addresses, more than the 4 TiB that a trace can name");
  }
  TensorMap other;
  EXPECT_THROW((void)other.allocate(1ULL << 60, TensorRole::kv), std::invalid_argument);
}

TEST(TensorMap, ClosesWhenLayersArePlaced) {
  TensorMap map;
  EXPECT_THROW((void)map.address(0, 0), std::logic_error);
  map.place_layers(1);
  EXPECT_THROW((void)map.allocate(1, TensorRole::kv), std::logic_error);
  EXPECT_THROW((void)map.allocate_in_layer(1, TensorRole::kv), std::logic_error);
  EXPECT_THROW((void)map.address(0, 1), std::logic_error);
}

TEST(KvCache, TheShuffleIsAPermutationThatTheSeedDecides) {
  const auto one = shuffled_pages(1000, 1);
  std::vector<std::uint32_t> sorted = *one;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::uint32_t> all(1000);
  std::iota(all.begin(), all.end(), 0U);
  EXPECT_EQ(sorted, all);
  EXPECT_EQ(*one, *shuffled_pages(1000, 1));
  EXPECT_NE(*one, *shuffled_pages(1000, 2));
}

KvCache paged(std::uint32_t sequences, std::uint64_t tokens, std::uint32_t page_tokens, std::uint32_t host_pages = 0) {
  KvCache kv;
  kv.sequences = sequences;
  kv.kv_heads = 3;
  kv.head_dim = 8;
  kv.tokens = tokens;
  kv.page_tokens = page_tokens;
  kv.host_pages = host_pages;
  kv.k_pool = 1 << 20;
  kv.v_pool = 2 << 20;
  kv.staged = 3 << 20;
  kv.table = 4 << 20;
  kv.physical = shuffled_pages(sequences * kv.resident_pages(), 7);
  return kv;
}

TEST(KvCache, EveryTokenOfEveryHeadHasItsOwnBytes) {
  const KvCache kv = paged(2, 37, 4, 3);  // 10 pages each, the first 3 staged
  std::set<std::uint64_t> bytes;
  for (const KvPart part : {KvPart::k, KvPart::v}) {
    for (std::uint32_t sequence = 0; sequence < 2; ++sequence) {
      for (std::uint32_t head = 0; head < 3; ++head) {
        for (std::uint64_t token = 0; token < 37; ++token) {
          std::vector<Access> one;
          kv.append(part, sequence, head, token, token + 1, AccessOp::load, one);
          ASSERT_EQ(one.size(), 1U);
          ASSERT_EQ(one[0].bytes(), 16U);  // 8 elements of 2 B
          for (std::uint64_t b = 0; b < 16; ++b) EXPECT_TRUE(bytes.insert(one[0].address + b).second);
          const std::uint64_t low = token < 12 ? 3 << 20 : part == KvPart::k ? 1 << 20 : 2 << 20;
          EXPECT_EQ(one[0].address >> 20, low >> 20);
        }
      }
    }
  }
  EXPECT_EQ(bytes.size(), 2U * 2 * 3 * 37 * 16);
}

TEST(KvCache, ARunOfTokensIsOneRunPerPage) {
  const KvCache kv = paged(2, 37, 4);
  std::vector<Access> runs;
  kv.append(KvPart::k, 1, 2, 3, 13, AccessOp::load, runs);  // token 3 | 4..7 | 8..11 | 12
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_EQ(runs[0].bytes(), 16U);
  EXPECT_EQ(runs[1].bytes(), 64U);
  EXPECT_EQ(runs[2].bytes(), 64U);
  EXPECT_EQ(runs[3].bytes(), 16U);
  EXPECT_EQ(runs[1].address, kv.page_address(KvPart::k, 1, 1) + 2 * 64);  // the third head's run inside the page
  runs.clear();
  kv.append(KvPart::k, 1, 2, 5, 5, AccessOp::load, runs);
  EXPECT_TRUE(runs.empty());
}

TEST(KvCache, OneTokenOfAllHeadsIsOneStridedAccess) {
  const KvCache kv = paged(2, 37, 4);
  std::vector<Access> store;
  kv.append_token(KvPart::v, 0, 6, AccessOp::store, store);
  ASSERT_EQ(store.size(), 1U);
  EXPECT_EQ(store[0].rows, 3U);
  for (std::uint32_t head = 0; head < 3; ++head) {
    std::vector<Access> load;
    kv.append(KvPart::v, 0, head, 6, 7, AccessOp::load, load);
    EXPECT_EQ(store[0].address + head * store[0].pitch, load[0].address);
  }
}

TEST(KvCache, TableEntriesAreFourBytesPerPage) {
  const KvCache kv = paged(2, 37, 4);
  std::vector<Access> loads;
  kv.append_table(1, 3, 13, loads);  // pages 0..3 of sequence 1, whose row starts behind 10 entries
  ASSERT_EQ(loads.size(), 1U);
  EXPECT_EQ(loads[0].address, kv.table + 40);
  EXPECT_EQ(loads[0].bytes(), 16U);
  EXPECT_EQ(loads[0].role, TensorRole::tables);
}

}  // namespace
}  // namespace rooftrace
