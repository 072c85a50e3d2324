// check_workload: what a user may ask of a model, and one line for what not.
#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "traces/workload.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kMostTokens = 1ULL << 22;    // In one step; keeps every grid below 2^32 blocks.
constexpr std::uint64_t kMostSlots = 1ULL << 24;     // Pairs of token and expert, which the trace holds in memory.
constexpr std::uint64_t kMostKvTokens = 1ULL << 32;  // In the cache; keeps every byte count of a model far below 2^64.
constexpr std::uint64_t kMostParts = 1ULL << 22;     // Of latent decode attention, whose schedule the trace holds in memory.
constexpr std::uint64_t kMostPages = 1ULL << 28;     // Of the block table, which the trace holds in memory.

[[noreturn]] void fail(const std::string& message) {
  throw std::invalid_argument(message);
}

/// Every GPU has the same number of KV heads, or there are so few that several GPUs hold the same one.
bool shares_kv_heads(const ModelSpec& model, std::uint32_t tp) {
  return model.kv_heads % tp == 0 || tp % model.kv_heads == 0;
}

std::string tp_that_work(const ModelSpec& model) {
  const std::uint32_t common = std::gcd(std::gcd(model.q_heads, model.intermediate), model.dense_intermediate);
  std::string out;
  for (std::uint32_t tp = 1; tp <= common; ++tp) {
    if (common % tp == 0 && shares_kv_heads(model, tp)) out += (out.empty() ? "" : ", ") + std::to_string(tp);
  }
  return out;
}

void check_parallel(const ModelSpec& model, std::uint32_t tp) {
  if (tp == 0) fail("tp is 0; it must be at least 1");
  const auto refuse = [&](std::uint32_t count, const char* what) {
    fail(fmt::format("tp {} does not divide the {} {} of {}; tp that work: {}", tp, count, what, model.name, tp_that_work(model)));
  };
  if (model.q_heads % tp != 0) refuse(model.q_heads, "query heads");
  if (!shares_kv_heads(model, tp)) refuse(model.kv_heads, "KV heads");
  if (model.intermediate % tp != 0) refuse(model.intermediate, "intermediate features");
  if (model.dense_intermediate % tp != 0) refuse(model.dense_intermediate, "intermediate features of the first layers");
}

void check_lengths(const ModelSpec& model, const WorkloadOptions& options) {
  if (options.batch == 0) fail("batch is 0; it must be at least 1");
  const bool decode = options.stage == Stage::decode;
  if (decode) {
    if (options.context == 0) fail("context is 0; a decode step needs at least 1 token in the KV cache (for the first token use prefill)");
    if (std::uint64_t{options.context} + 1 > model.max_positions) {
      fail(fmt::format("context {} and the new token are {} tokens, more than the {} positions of {}; the longest context is {}",
                       options.context, std::uint64_t{options.context} + 1, model.max_positions, model.name, model.max_positions - 1));
    }
  } else {
    if (options.prompt == 0) fail("prompt is 0; it must be at least 1 token");
    if (options.prompt > model.max_positions) {
      fail(fmt::format("prompt {} is longer than the {} positions of {}", options.prompt, model.max_positions, model.name));
    }
  }
  const std::uint64_t tokens = decode ? options.batch : std::uint64_t{options.batch} * options.prompt;
  if (model.experts > 0 && tokens * model.experts_per_token > kMostSlots) {
    fail(fmt::format("batch {} makes {} tokens for {} experts each in one step; the most is {} pairs", options.batch, tokens,
                     model.experts_per_token, kMostSlots));
  }
  if (tokens > kMostTokens) fail(fmt::format("batch {} makes {} tokens in one step; the most is {}", options.batch, tokens, kMostTokens));
  const std::uint64_t length = decode ? std::uint64_t{options.context} + 1 : options.prompt;
  if (options.batch * length > kMostKvTokens) {
    fail(fmt::format("batch {} of {} tokens is {} tokens of KV cache; the most is {}", options.batch, length, options.batch * length,
                     kMostKvTokens));
  }
  if (options.page_tokens == 0 || options.page_tokens > 4096) {
    fail(fmt::format("page_tokens is {}; a page holds 1 to 4096 tokens", options.page_tokens));
  }
  const std::uint64_t pages = options.batch * ((length + options.page_tokens - 1) / options.page_tokens);
  if (pages > kMostPages) fail(fmt::format("the block table has {} pages; the most is {}: take larger pages", pages, kMostPages));
}

void check_share(double share, const char* key) {
  if (!(share >= 0 && share <= 1)) fail(fmt::format("{} is {}; a share lies between 0 and 1", key, share));
}

void check_type(DataType type, const std::vector<DataType>& allowed, const char* key) {
  std::string words;
  for (const DataType one : allowed) {
    if (one == type) return;
    words += (words.empty() ? "" : ", ") + std::string(name(one));
  }
  fail(fmt::format("{} cannot be {}; it can be {}", key, name(type), words));
}

void check_overrides(const WorkloadOptions& options) {
  constexpr KernelClass kWithGemm[] = {KernelClass::qkv_projection, KernelClass::output_projection, KernelClass::ffn_up,
                                       KernelClass::ffn_down, KernelClass::lm_head};
  for (const auto& [kernel_class, override] : options.tiling) {
    bool known = false;
    std::string words;
    for (const KernelClass one : kWithGemm) {
      known = known || one == kernel_class;
      words += (words.empty() ? "" : ", ") + std::string(name(one));
    }
    if (!known) fail(fmt::format("tiling.{}: this kernel class has no GEMM; those with one are {}", name(kernel_class), words));
    const KernelClass of = kernel_class;  // clang 14 cannot capture a structured binding
    const auto field = [&](const char* key, std::int64_t value, std::int64_t low, std::int64_t high) {
      if (value < 0 || (value >= low && value <= high)) return;
      fail(fmt::format("tiling.{}.{} is {}; it must be {} to {}", name(of), key, value, low, high));
    };
    field("block_m", override.block_m, 1, 1024);
    field("block_n", override.block_n, 1, 1024);
    field("block_k", override.block_k, 1, 65536);
    field("stages", override.stages, 1, 64);
    field("blocks_per_sm", override.blocks_per_sm, 1, 32);
    field("group_m", override.group_m, 1, 65536);
    field("split_k", override.split_k, 1, 256);
    field("cluster_m", override.cluster_m, 1, 16);
    field("cluster_n", override.cluster_n, 1, 16);
    field("persistent", override.persistent, 0, 1);
  }
}

}  // namespace

void check_workload(const ModelSpec& model, const WorkloadOptions& options) {
  if (options.stage != Stage::prefill && options.stage != Stage::decode) fail("stage must be prefill or decode");
  check_parallel(model, options.tp);
  check_lengths(model, options);
  check_share(options.offload_weights, "offload weights");
  if (model.experts > 0 && options.offload_weights > 0) fail("offload weights: offloading a model with experts is not modeled");
  if (model.latent() && options.offload_weights > 0) fail("offload weights: offloading a model with latent attention is not modeled");
  if (model.latent() && std::uint64_t{options.kv_splits} * options.batch > kMostParts) {
    fail(fmt::format("kv_splits {} of {} sequences are {} parts; the most is {}", options.kv_splits, options.batch,
                     std::uint64_t{options.kv_splits} * options.batch, kMostParts));
  }
  check_share(options.offload_kv, "offload kv");
  check_type(options.weights,
             {DataType::fp32, DataType::fp16, DataType::bf16, DataType::fp8, DataType::int8, DataType::fp4, DataType::int4}, "weights");
  check_type(options.kv, {DataType::fp32, DataType::fp16, DataType::bf16, DataType::fp8, DataType::int8}, "kv");
  check_type(options.activations, {DataType::fp32, DataType::fp16, DataType::bf16}, "activations");
  check_overrides(options);
}

}  // namespace rooftrace
