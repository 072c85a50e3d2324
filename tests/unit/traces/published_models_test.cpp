// The models of configs/models: their totals as published, and what their architectures have.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "traces/model_spec.hpp"

namespace rooftrace {
namespace {

std::string source_path(const std::string& relative) {
  return std::string(ROOFTRACE_SOURCE_DIR) + "/" + relative;
}

ModelSpec published(const std::string& name) {
  return load_model(source_path("configs/models/" + name + "/config.json"), name);
}

// Totals that their publishers (model cards, papers, safetensors indices) or the libraries that load them print.
TEST(PublishedModels, OtherArchitectures) {
  const std::map<std::string, std::uint64_t> totals = {
      {"bloom-176b", 176'247'271'424},   // model card
      {"bloom-560m", 559'214'592},       // model card
      {"falcon-180b", 179'522'565'120},  // size of its files, 2 B each
      {"falcon-7b", 6'921'720'704},      // tied, as PEFT counts it
      {"gpt-j-6b", 6'050'882'784},       // model card
      {"gpt-neox-20b", 20'554'567'680},  // model card
      {"gpt2", 124'439'808},
      {"gpt2-xl", 1'557'611'200},
      {"llama-3.2-1b", 1'235'814'400},
      {"llama-3.2-3b", 3'212'749'824},
      {"mixtral-8x22b", 140'620'634'112},
      {"mixtral-8x7b", 46'702'792'704},
      {"opt-1.3b", 1'315'758'080},
      {"opt-125m", 125'239'296},
      {"opt-30b", 29'974'540'288},
      {"phi-3-mini", 3'821'079'552},
      {"phi-3-medium", 13'960'238'080},
      {"phi-4", 14'659'507'200},
      {"qwen2.5-0.5b", 494'032'768},
      {"qwen3-235b-a22b", 235'093'634'560},
      {"qwen3-30b-a3b", 30'532'122'624},
      {"qwen3-32b", 32'762'123'264},
      {"qwen3-8b", 8'190'735'360},
      {"yi-34b", 34'388'917'248},
  };
  for (const auto& [name, total] : totals) EXPECT_EQ(published(name).parameters(), total) << name;
  // Rounded totals in a name: within 2 %.
  const std::map<std::string, double> rounded = {{"gpt-20b", 20e9},   {"gpt-175b", 175e9},    {"gpt-89b", 89e9}, {"megatron-530b", 530e9},
                                                 {"opt-175b", 175e9}, {"internlm-20b", 20e9}, {"opt-66b", 66e9}};
  for (const auto& [name, total] : rounded) {
    EXPECT_NEAR(static_cast<double>(published(name).parameters()) / total, 1, 0.02) << name;
  }
}

TEST(PublishedModels, ActiveParametersOfExperts) {
  // Mixtral of Experts (arXiv 2401.04088): 47 B, 13 B active. Qwen3: 3.3 B and 22 B active.
  EXPECT_NEAR(static_cast<double>(published("mixtral-8x7b").active_parameters()), 12.9e9, 0.05e9);
  EXPECT_NEAR(static_cast<double>(published("qwen3-30b-a3b").active_parameters()), 3.35e9, 0.05e9);
  EXPECT_NEAR(static_cast<double>(published("qwen3-235b-a22b").active_parameters()), 22.2e9, 0.1e9);
  EXPECT_EQ(published("llama-2-7b").active_parameters(), published("llama-2-7b").parameters());
}

// DeepSeek-V2 (arXiv 2405.04434) and V3 (arXiv 2412.19437): total and active parameters as published, to the digits that they give. The
// active ones are without the embedding, of which a token meets one row.
TEST(PublishedModels, DeepSeeksTotals) {
  struct Published {
    const char* name;
    double total, active, digit;
  };
  for (const Published& p : {Published{"deepseek-v2-lite", 15.7e9, 2.4e9, 0.1e9}, Published{"deepseek-v2", 236e9, 21e9, 1e9},
                             Published{"deepseek-v3", 671e9, 37e9, 1e9}, Published{"deepseek-r1", 671e9, 37e9, 1e9}}) {
    const ModelSpec model = published(p.name);
    EXPECT_NEAR(static_cast<double>(model.parameters()), p.total, p.digit / 2) << p.name;
    EXPECT_NEAR(static_cast<double>(model.active_parameters() - model.embedding_parameters()), p.active, 0.6 * p.digit) << p.name;
  }
  const ModelSpec v3 = published("deepseek-v3");
  EXPECT_EQ(v3.head_dim, 192U);
  EXPECT_EQ(v3.dense_layers, 3U);
  EXPECT_EQ(v3.shared_experts, 1U);
  EXPECT_EQ(published("deepseek-v2-lite").q_rank, 0U);
}

TEST(PublishedModels, WhatTheArchitecturesHave) {
  const ModelSpec gptj = published("gpt-j-6b");
  EXPECT_TRUE(gptj.parallel_block && gptj.shared_norm && gptj.layer_norm && !gptj.gated && gptj.lm_head_bias && !gptj.qkv_bias);
  EXPECT_EQ(gptj.rotary_dim, 64U);  // of 256
  EXPECT_EQ(gptj.intermediate, 4U * 4096);
  const ModelSpec falcon = published("falcon-180b");
  EXPECT_TRUE(falcon.parallel_block && !falcon.shared_norm);
  EXPECT_EQ(falcon.kv_heads, 8U);
  EXPECT_EQ(published("falcon-7b").kv_heads, 1U);
  EXPECT_TRUE(published("falcon-7b").shared_norm);
  EXPECT_TRUE(published("bloom-176b").alibi && published("bloom-176b").embedding_norm);
  EXPECT_EQ(published("opt-30b").learned_positions, 2050U);
  EXPECT_EQ(published("opt-30b").activation, Activation::relu);
  EXPECT_EQ(published("gpt-20b").activation, Activation::gelu);
  EXPECT_TRUE(published("qwen3-32b").qk_norm && !published("qwen3-32b").qkv_bias);
  EXPECT_TRUE(published("internlm-7b").qkv_bias && published("internlm-7b").output_bias);
  EXPECT_EQ(published("phi-4-mini").rotary_dim, 96U);  // 0.75 of 128
  EXPECT_EQ(published("mixtral-8x7b").experts, 8U);
  EXPECT_EQ(published("mixtral-8x7b").experts_per_token, 2U);
}

TEST(PublishedModels, EveryModelFileCanBeRead) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("configs/models"))) {
    EXPECT_GT(published(entry.path().filename().string()).parameters(), 0U);
    ++count;
  }
  EXPECT_GE(count, 60);
}

}  // namespace
}  // namespace rooftrace
