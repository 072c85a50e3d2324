// Reading and writing the keys that shape the work. Ranges only keep numbers sane; what a model or a machine allows is checked by them.
#include "sim/app/scenario_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/app/config_text.hpp"
#include "sim/core/names.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kMaxStages = 64;
constexpr std::int64_t kMaxSeed = INT64_MAX;

/// In the order of the enum.
std::vector<std::string> all_reduce_words() {
  std::vector<std::string> words;
  for (int i = 0; i <= static_cast<int>(AllReduce::two_shot); ++i) words.emplace_back(name(static_cast<AllReduce>(i)));
  return words;
}
std::vector<std::string> protocol_words() {
  std::vector<std::string> words;
  for (int i = 0; i <= static_cast<int>(AllReduceProtocol::simple); ++i) words.emplace_back(name(static_cast<AllReduceProtocol>(i)));
  return words;
}

void read_all_reduce(const ConfigNode& root, AllReduceRule& rule) {
  if (const auto node = root.find("all_reduce")) rule.algorithm = static_cast<AllReduce>(node->one_of(all_reduce_words()));
  const bool own = rule.algorithm == AllReduce::one_shot || rule.algorithm == AllReduce::two_shot;
  if (const auto node = root.find("all_reduce_protocol")) {
    rule.protocol = static_cast<AllReduceProtocol>(node->one_of(protocol_words()));
    if (rule.protocol == AllReduceProtocol::automatic) return;
    if (own) node->fail(fmt::format("{} is not NCCL's and has no protocol; write automatic", name(rule.algorithm)));
    if (rule.algorithm == AllReduce::nvls && rule.protocol != AllReduceProtocol::simple) {
      node->fail(fmt::format("nvls knows only simple, not {}", name(rule.protocol)));
    }
  }
}

struct TilingField {
  const char* name;
  std::int64_t TilingOverride::*member;
  std::int64_t low, high;
};
/// Ranges only keep numbers sane; whether a tiling can run on a machine is decided where it is made.
constexpr std::array kTilingFields = {
    TilingField{"block_m", &TilingOverride::block_m, 1, 1024},           TilingField{"block_n", &TilingOverride::block_n, 1, 1024},
    TilingField{"block_k", &TilingOverride::block_k, 1, 1024},           TilingField{"stages", &TilingOverride::stages, 1, 32},
    TilingField{"blocks_per_sm", &TilingOverride::blocks_per_sm, 1, 32}, TilingField{"group_m", &TilingOverride::group_m, 1, 65536},
    TilingField{"split_k", &TilingOverride::split_k, 1, 1024},           TilingField{"cluster_m", &TilingOverride::cluster_m, 1, 16},
    TilingField{"cluster_n", &TilingOverride::cluster_n, 1, 16},
};
/// The classes that are GEMMs.
constexpr std::array kTiled = {KernelClass::qkv_projection, KernelClass::output_projection, KernelClass::ffn_up, KernelClass::ffn_down,
                               KernelClass::lm_head};

DataType read_type(const ConfigNode& root, const std::string& key, const std::vector<std::string>& allowed, DataType absent) {
  const auto node = root.find(key);
  if (!node) return absent;
  return *data_type_from(allowed[node->one_of(allowed)]);
}

std::uint32_t read_count(const ConfigNode& map, const std::string& key, std::int64_t low, std::int64_t high, std::uint32_t absent) {
  const auto node = map.find(key);
  return node ? static_cast<std::uint32_t>(node->integer(low, high)) : absent;
}

double read_share(const ConfigNode& map, const std::string& key) {
  const auto node = map.find(key);
  return node ? node->number(0, 1) : 0;
}

TilingOverride read_tiling(const ConfigNode& map) {
  TilingOverride tiling;
  for (const TilingField& field : kTilingFields) {
    if (const auto node = map.find(field.name)) tiling.*field.member = node->integer(field.low, field.high);
  }
  if (const auto node = map.find("persistent")) tiling.persistent = node->boolean() ? 1 : 0;
  return tiling;
}

std::string tiling_yaml(const TilingOverride& tiling) {
  std::string text;
  for (const TilingField& field : kTilingFields) {
    if (tiling.*field.member >= 0) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", field.name, tiling.*field.member);
  }
  if (tiling.persistent >= 0) text += fmt::format("{}persistent: {}", text.empty() ? "" : ", ", tiling.persistent == 1);
  return "{" + text + "}";
}

}  // namespace

WorkloadOptions read_workload(const ConfigNode& root) {
  WorkloadOptions out;
  out.tp = read_count(root, "tp", 1, kMaxTp, out.tp);
  out.weights = read_type(root, "weights", {"bf16", "fp16", "fp32", "fp8", "int8", "fp4", "int4"}, out.weights);
  out.kv = read_type(root, "kv", {"bf16", "fp16", "fp32", "fp8", "int8"}, out.kv);
  out.activations = read_type(root, "activations", {"bf16", "fp16", "fp32"}, out.activations);
  out.page_tokens = read_count(root, "page_tokens", 1, 4096, out.page_tokens);
  out.kv_splits = read_count(root, "kv_splits", 0, 4096, out.kv_splits);
  if (const auto node = root.find("attention_engine")) {
    out.attention_engine = static_cast<AttentionEngine>(node->one_of(attention_engine_words()));
  }
  if (const auto offload = root.find("offload")) {
    out.offload_weights = read_share(*offload, "weights");
    out.offload_kv = read_share(*offload, "kv");
  }
  read_all_reduce(root, out.all_reduce);
  if (const auto node = root.find("one_shot_below")) {
    out.all_reduce.one_shot_below = static_cast<std::uint64_t>(node->quantity(Dimension::bytes));
  }
  if (const auto node = root.find("two_shot_below")) {
    out.all_reduce.two_shot_below = static_cast<std::uint64_t>(node->quantity(Dimension::bytes));
  }
  if (const auto node = root.find("seed")) out.seed = static_cast<std::uint64_t>(node->integer(0, kMaxSeed));
  if (const auto classes = root.find("tiling")) {
    for (const KernelClass kernel_class : kTiled) {
      if (const auto node = classes->find(std::string(name(kernel_class)))) out.tiling[kernel_class] = read_tiling(*node);
    }
  }
  return out;
}

std::vector<WorkloadOptions> read_stages(const ConfigNode& root, const WorkloadOptions& common) {
  WorkloadOptions shape = common;
  shape.context = shape.prompt = kUnsaid;
  shape.batch = read_count(root, "batch", 1, kMaxBatch, shape.batch);
  shape.context = read_count(root, "context", 1, kMaxTokens, shape.context);
  shape.prompt = read_count(root, "prompt", 1, kMaxTokens, shape.prompt);

  const std::vector<std::string> words = {"decode", "prefill"};
  std::vector<WorkloadOptions> stages;
  const auto list = root.find("stages");
  if (!list) {
    for (const std::string& word : words) stages.emplace_back(shape).stage = *stage_from(word);
    return stages;
  }
  if (!list->is_list()) list->fail("must be a list, for example [decode, prefill]");
  for (const ConfigNode& item : list->items()) {
    if (stages.size() == kMaxStages) item.fail(fmt::format("more than {} stages", kMaxStages));
    WorkloadOptions& stage = stages.emplace_back(shape);
    const ConfigNode kind = item.is_map() ? item["stage"] : item;
    stage.stage = *stage_from(words[kind.one_of(words)]);
    if (!item.is_map()) continue;
    stage.batch = read_count(item, "batch", 1, kMaxBatch, stage.batch);
    if (stage.stage == Stage::decode) {
      stage.context = read_count(item, "context", 1, kMaxTokens, stage.context);
    } else {
      stage.prompt = read_count(item, "prompt", 1, kMaxTokens, stage.prompt);
    }
  }
  if (stages.empty()) list->fail("is empty; name at least one of decode, prefill");
  return stages;
}

void fill_unsaid(const ModelSpec& model, std::vector<WorkloadOptions>& stages) {
  const WorkloadOptions standard;
  for (WorkloadOptions& stage : stages) {
    // A decode step adds a token, which needs a position too.
    if (stage.context == kUnsaid) stage.context = std::min(standard.context, std::max(model.max_positions, 2U) - 1);
    if (stage.prompt == kUnsaid) stage.prompt = std::min(standard.prompt, model.max_positions);
  }
}

std::string workload_yaml(const std::vector<WorkloadOptions>& stages) {
  std::string text = "stages:\n";
  for (const WorkloadOptions& stage : stages) {
    const bool decode = stage.stage == Stage::decode;
    text += fmt::format("  - {{stage: {}, batch: {}, {}: {}}}\n", name(stage.stage), stage.batch, decode ? "context" : "prompt",
                        decode ? stage.context : stage.prompt);
  }
  const WorkloadOptions& common = stages.front();
  text += fmt::format("tp: {}\nweights: {}\nkv: {}\nactivations: {}\n", common.tp, name(common.weights), name(common.kv),
                      name(common.activations));
  text += fmt::format("page_tokens: {}\nkv_splits: {}\n", common.page_tokens, common.kv_splits);
  if (common.attention_engine != AttentionEngine::automatic) text += fmt::format("attention_engine: {}\n", name(common.attention_engine));
  text += fmt::format("offload: {{weights: {}, kv: {}}}\n", common.offload_weights, common.offload_kv);
  text += fmt::format("all_reduce: {}\nall_reduce_protocol: {}\none_shot_below: {} B\ntwo_shot_below: {} B\nseed: {}\n",
                      name(common.all_reduce.algorithm), name(common.all_reduce.protocol), common.all_reduce.one_shot_below,
                      common.all_reduce.two_shot_below, common.seed);
  if (!common.tiling.empty()) text += "tiling:\n";
  for (const auto& [kernel_class, tiling] : common.tiling) text += fmt::format("  {}: {}\n", name(kernel_class), tiling_yaml(tiling));
  return text;
}

}  // namespace rooftrace
