// The rules, each after its source.
#include "traces/attention_splits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace rooftrace {
namespace {

std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

/// Tokens of each of `splits` parts, whole tiles.
std::uint64_t by_tiles(std::uint64_t tokens, std::uint64_t tile, std::uint64_t splits) {
  return ceil_div(ceil_div(tokens, tile), splits) * tile;
}

/// num_splits_heuristic of FlashAttention: how full the last wave is decides. `eligible`: only numbers that shorten the longest split.
std::uint64_t fullest_waves(std::uint64_t blocks, std::uint64_t slots, std::uint64_t tiles, bool eligible) {
  constexpr std::uint64_t kMostSplits = 128;
  if (static_cast<double>(blocks) >= 0.8 * static_cast<double>(slots)) return 1;
  const std::uint64_t most = std::min({kMostSplits, slots, tiles});
  const auto counts = [&](std::uint64_t splits) {
    return !eligible || splits == 1 || ceil_div(tiles, splits) != ceil_div(tiles, splits - 1);
  };
  const auto efficiency = [&](std::uint64_t splits) {
    const double waves = static_cast<double>(blocks * splits) / static_cast<double>(slots);
    return waves / std::ceil(waves);
  };
  double best = 0;
  for (std::uint64_t splits = 1; splits <= most; ++splits) best = counts(splits) ? std::max(best, efficiency(splits)) : best;
  for (std::uint64_t splits = 1; splits <= most; ++splits) {
    if (counts(splits) && efficiency(splits) >= 0.85 * best) return splits;
  }
  return 1;
}

/// Dao-AILab/flash-attention, csrc/flash_attn/flash_api.cpp (set_params_splitkv): queries of a KV head packed as rows of 64, blocks of 128
/// threads, so two per SM.
std::uint64_t flash_attention_2(const SplitQuestion& q) {
  const std::uint64_t tile = q.head_dim <= 64 ? 256 : q.head_dim <= 128 ? 128 : 64;
  const std::uint64_t blocks = q.batch * q.kv_heads * ceil_div(q.q_heads / q.kv_heads, 64);
  return by_tiles(q.tokens, tile, fullest_waves(blocks, 2ULL * q.sms, ceil_div(q.tokens, tile), true));
}

/// Dao-AILab/flash-attention, hopper/heuristics.h at 13d0fd9.
std::uint64_t flash_attention_3(const SplitQuestion& q) {
  constexpr std::uint64_t kTile = 128, kUnsplitTiles = 4;
  const std::uint64_t tiles = ceil_div(q.tokens, kTile);
  if (tiles <= kUnsplitTiles) return q.tokens;
  const std::uint64_t blocks = q.batch * q.kv_heads * ceil_div(q.q_heads / q.kv_heads, 64);
  return by_tiles(q.tokens, kTile, fullest_waves(blocks, q.sms, tiles, false));
}

/// flashinfer-ai/flashinfer, include/flashinfer/attention/scheduler.cuh: the binary search has this closed form for equal lengths.
std::uint64_t flashinfer(const SplitQuestion& q) {
  const std::uint64_t pages = ceil_div(q.tokens, q.page_tokens);
  if (q.batch * q.kv_heads >= q.slots) return q.tokens;
  const std::uint64_t runs = std::max<std::uint64_t>(1, q.slots / (q.batch * q.kv_heads));  // Of a sequence, that fit.
  const std::uint64_t least = std::max<std::uint64_t>(128 / q.page_tokens, 1);
  return std::max(ceil_div(pages, runs), least) * q.page_tokens;
}

/// vllm-project/vllm, vllm/attention/ops/paged_attn.py (its kernels before it took FlashAttention).
std::uint64_t vllm_paged(const SplitQuestion& q) {
  constexpr std::uint64_t kPartition = 512, kLongestWhole = 8192, kEnoughBlocks = 512;
  const bool whole = q.tokens <= kLongestWhole && (q.tokens <= kPartition || q.batch * q.q_heads > kEnoughBlocks);
  return whole ? q.tokens : kPartition;
}

/// NVIDIA/TensorRT-LLM, cpp/tensorrt_llm/kernels/decoderMaskedMultiheadAttention/decoderXQAImplCommon.h (computeMultiBlockCount) and
/// decoderXQAConstants.h.
std::uint64_t trtllm_xqa(const SplitQuestion& q) {
  constexpr std::uint64_t kLeastTokens = 128, kMostSubsequences = 6000;
  constexpr double kWaves = 8;
  auto splits = static_cast<double>(q.tokens / kLeastTokens);
  splits = std::max(1.0, std::min(splits, std::round(std::sqrt(8 * splits))));
  const double waves = static_cast<double>(q.batch * q.kv_heads) * splits / q.sms;
  if (waves > kWaves) splits = std::max(1.0, std::floor(splits * kWaves / waves));
  const std::uint64_t most = std::max<std::uint64_t>(1, kMostSubsequences / q.batch);
  return ceil_div(q.tokens, std::min(static_cast<std::uint64_t>(splits), most));
}

/// sgl-project/sglang, python/sglang/srt/layers/attention/triton_backend.py (get_num_kv_splits_triton), at its standard limit of 8.
std::uint64_t sglang_triton(const SplitQuestion& q) {
  constexpr std::uint64_t kMostSplits = 8, kLeastTokens = 32;
  const double growth = std::max(1.0, std::log2(static_cast<double>(q.tokens) / 64));
  const auto cores = static_cast<std::uint64_t>(q.sms * growth);
  const std::uint64_t group = q.q_heads / q.kv_heads;
  const std::uint64_t blocks = q.batch * (group == 1 ? q.q_heads : ceil_div(q.q_heads, std::min<std::uint64_t>(16, group)));
  const std::uint64_t splits = std::min(ceil_div(cores, blocks), kMostSplits);
  return ceil_div(ceil_div(q.tokens, splits), kLeastTokens) * kLeastTokens;
}

std::uint64_t whole(const SplitQuestion& q) {
  return q.tokens;
}

struct Entry {
  AttentionEngine engine;
  std::string_view name;
  std::uint64_t (*tokens)(const SplitQuestion& question);  ///< Null: automatic.
  std::uint32_t heads;                                     ///< Query heads of a block at most.
};

constexpr std::uint32_t kAllHeads = UINT32_MAX;
constexpr std::array<Entry, kAttentionEngines> kEntries = {{
    {AttentionEngine::automatic, "automatic", nullptr, kAllHeads},
    {AttentionEngine::flash_attention_2, "flash_attention_2", flash_attention_2, kAllHeads},
    {AttentionEngine::flash_attention_3, "flash_attention_3", flash_attention_3, kAllHeads},
    {AttentionEngine::flashinfer, "flashinfer", flashinfer, kAllHeads},
    {AttentionEngine::vllm_paged, "vllm_paged", vllm_paged, 1},
    {AttentionEngine::trtllm_xqa, "trtllm_xqa", trtllm_xqa, kAllHeads},
    {AttentionEngine::sglang_triton, "sglang_triton", sglang_triton, 16},
    {AttentionEngine::fastertransformer, "fastertransformer", whole, 1},
}};

const Entry& entry(AttentionEngine engine) {
  return kEntries.at(static_cast<std::size_t>(engine));
}

}  // namespace

std::string_view name(AttentionEngine engine) {
  return entry(engine).name;
}

std::vector<std::string> attention_engine_words() {
  std::vector<std::string> words;
  for (const Entry& one : kEntries) words.emplace_back(one.name);
  return words;
}

std::uint64_t tokens_per_split(AttentionEngine engine, const SplitQuestion& question) {
  const Entry& one = entry(engine);
  if (one.tokens == nullptr) throw std::logic_error("attention splits: automatic is no engine's rule");
  return std::max<std::uint64_t>(1, one.tokens(question));
}

std::uint32_t heads_per_block(AttentionEngine engine, std::uint32_t group) {
  std::uint32_t heads = std::min(group, entry(engine).heads);
  while (group % heads != 0) --heads;
  return heads;
}

}  // namespace rooftrace
