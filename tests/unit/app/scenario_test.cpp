// Scenarios: files, options and --set resolved into one run, and back to text.
#include "sim/app/scenario.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A folder of its own for every test, removed at the end.
class ScenarioTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "scenarioXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  static Scenario load(std::vector<std::string> words) {
    words.insert(words.begin(), "simulate");
    return load_scenario(parse_options(words), ConfigPaths(std::string(ROOFTRACE_SOURCE_DIR) + "/configs", "", ""));
  }

  static std::string mistake(const std::vector<std::string>& words) {
    try {
      (void)load(words);
    } catch (const UserError& error) {
      return error.what();
    }
    return "no mistake";
  }

  fs::path folder_;
};

const std::vector<std::string> kPlain = {"--hardware", "h100-sxm", "--model", "llama-3.1-8b"};

std::vector<std::string> plain_with(const std::vector<std::string>& more) {
  std::vector<std::string> words = kPlain;
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_F(ScenarioTest, DefaultsAreThoseOfTheHelp) {
  const Scenario scenario = load(kPlain);
  ASSERT_EQ(scenario.stages.size(), 2U);
  EXPECT_EQ(scenario.stages[0].stage, Stage::decode);
  EXPECT_EQ(scenario.stages[0].batch, 1U);
  EXPECT_EQ(scenario.stages[0].context, 4096U);
  EXPECT_EQ(scenario.stages[1].stage, Stage::prefill);
  EXPECT_EQ(scenario.stages[1].prompt, 2048U);
  EXPECT_EQ(scenario.stages[0].tp, 1U);
  EXPECT_EQ(scenario.stages[0].weights, DataType::bf16);
  EXPECT_EQ(scenario.stages[0].kv, DataType::bf16);
  EXPECT_EQ(scenario.fidelity, Fidelity::des);
  EXPECT_EQ(scenario.layers, Layers::automatic);
  EXPECT_FALSE(scenario.warm);
  EXPECT_EQ(scenario.machine.name, "h100-sxm");
  EXPECT_EQ(scenario.model.name, "llama-3.1-8b");
}

// Llama-2 holds 4,096 positions: one of them is for the token that a decode step makes.
TEST_F(ScenarioTest, DefaultsStayInsideTheModel) {
  EXPECT_EQ(load({"--hardware", "h100-sxm", "--model", "llama-2-7b"}).stages[0].context, 4095U);
  const Scenario small = load(plain_with({"--set", "model.max_positions=1000"}));
  EXPECT_EQ(small.stages[0].context, 999U);
  EXPECT_EQ(small.stages[1].prompt, 1000U);
  EXPECT_THAT(mistake(plain_with({"--set", "model.max_positions=1000", "--context", "1000"})), HasSubstr("the longest context is 999"));
}

TEST_F(ScenarioTest, TheMainScenarioIsTheSameRunAsItsOptions) {
  EXPECT_EQ(load({"main"}).config, load(kPlain).config);
}

TEST_F(ScenarioTest, EveryScenarioOfTheRepositoryLoads) {
  const ConfigPaths paths(std::string(ROOFTRACE_SOURCE_DIR) + "/configs", "", "");
  ASSERT_FALSE(paths.names(ConfigKind::scenario).empty());
  for (const std::string& name : paths.names(ConfigKind::scenario)) EXPECT_NO_THROW((void)load({name})) << name;
}

TEST_F(ScenarioTest, TheResolvedConfigIsAScenarioThatResolvesToItself) {
  const std::vector<std::vector<std::string>> cases = {
      {"main"},
      {"llama-2-13b-offload", "--set", "tiling.ffn_up.block_m=64", "--set", "tiling.ffn_up.persistent=true", "--start", "warm"},
      {"mistral-7b-window", "--set", "model.window=1000", "--set", "hardware.l2.effective=\"30 MiB\"", "--fidelity", "cache"},
      {"qwen2.5-7b-l40s-tp2", "--set", "all_reduce=ring", "--set", "seed=7", "--layers", "exact"},
      {"deepseek-v2-lite", "--set", "attention_engine=flashinfer", "--set", "model.dense_layers=2"},
  };
  for (const auto& words : cases) {
    const Scenario first = load(words);
    const Scenario second = load({write("resolved.yaml", first.config)});
    EXPECT_EQ(second.config, first.config);
    EXPECT_EQ(second.machine.name, first.machine.name);
    EXPECT_EQ(second.model.parameters(), first.model.parameters());

    // Everything is in the text: names that no folder of configs knows are only names.
    std::string renamed = first.config;
    for (std::size_t at = 0; (at = renamed.find("\n  name: ", at)) != std::string::npos; at += 9) renamed.insert(at + 9, "nobodys-");
    EXPECT_EQ(load({write("renamed.yaml", renamed)}).config, renamed);
  }
}

TEST_F(ScenarioTest, OptionsOverrideTheFile) {
  const Scenario scenario = load({"main",       "--batch",       "4",
                                  "--context",  "100",           "--prompt",
                                  "50",         "--tp",          "2",
                                  "--weights",  "fp8",           "--kv",
                                  "int8",       "--fidelity",    "bound",
                                  "--start",    "warm",          "--layers",
                                  "exact",      "--offload",     "weights=0.25",
                                  "--hardware", "a100-sxm-80gb", "--model",
                                  "llama-2-7b"});
  ASSERT_EQ(scenario.stages.size(), 2U);
  EXPECT_EQ(scenario.stages[0].context, 100U);
  EXPECT_EQ(scenario.stages[1].prompt, 50U);
  for (const WorkloadOptions& stage : scenario.stages) {
    EXPECT_EQ(stage.batch, 4U);
    EXPECT_EQ(stage.tp, 2U);
    EXPECT_EQ(stage.weights, DataType::fp8);
    EXPECT_EQ(stage.kv, DataType::int8);
    EXPECT_EQ(stage.offload_weights, 0.25);
    EXPECT_EQ(stage.offload_kv, 0);
  }
  EXPECT_EQ(scenario.fidelity, Fidelity::bound);
  EXPECT_TRUE(scenario.warm);
  EXPECT_EQ(scenario.layers, Layers::exact);
  EXPECT_EQ(scenario.machine.name, "a100-sxm-80gb");
  EXPECT_EQ(scenario.model.name, "llama-2-7b");
}

TEST_F(ScenarioTest, StageKeepsThatKindAndAddsItWhenThereIsNone) {
  const Scenario decode = load({"main", "--stage", "decode"});
  ASSERT_EQ(decode.stages.size(), 1U);
  EXPECT_EQ(decode.stages[0].stage, Stage::decode);

  const std::string file = write("p.yaml", "hardware: h100-sxm\nmodel: llama-3.1-8b\nstages: [{stage: prefill, prompt: 512, batch: 3}]\n");
  const Scenario both = load({file, "--stage", "both"});
  ASSERT_EQ(both.stages.size(), 2U);
  EXPECT_EQ(both.stages[0].prompt, 512U);
  EXPECT_EQ(both.stages[1].stage, Stage::decode);
  EXPECT_EQ(both.stages[1].batch, 3U);

  EXPECT_EQ(mistake({file, "--context", "9"}), "--context: there is no decode stage to set; add --stage decode");
}

TEST_F(ScenarioTest, StagesMayBeWordsWithCommonShapes) {
  const std::string file = write("s.yaml",
                                 "hardware: h100-sxm\nmodel: llama-3.1-8b\nbatch: 2\ncontext: 300\n"
                                 "stages: [decode, {stage: decode, context: 400}, prefill]\nprompt: 20\n");
  const Scenario scenario = load({file});
  ASSERT_EQ(scenario.stages.size(), 3U);
  EXPECT_EQ(scenario.stages[0].context, 300U);
  EXPECT_EQ(scenario.stages[1].context, 400U);
  EXPECT_EQ(scenario.stages[1].batch, 2U);
  EXPECT_EQ(scenario.stages[2].prompt, 20U);
}

TEST_F(ScenarioTest, SetReachesEveryFile) {
  const Scenario scenario = load({"main", "--set", "hardware.l2.capacity=96 MiB", "--set", "model.num_hidden_layers=2", "--set",
                                  "page_tokens=64", "--set", "tiling.lm_head.split_k=3", "--set", "stages=[decode]"});
  EXPECT_EQ(scenario.machine.l2.capacity, 96ULL << 20);
  EXPECT_EQ(scenario.model.layers, 2U);
  ASSERT_EQ(scenario.stages.size(), 1U);
  EXPECT_EQ(scenario.stages[0].page_tokens, 64U);
  EXPECT_EQ(scenario.stages[0].tiling.at(KernelClass::lm_head).split_k, 3);
  EXPECT_EQ(scenario.stages[0].tiling.at(KernelClass::lm_head).block_m, -1);
}

TEST_F(ScenarioTest, HardwareMayBeAMappingWithChanges) {
  const std::string file = write("s.yaml",
                                 "hardware: {extends: l40s, name: l40s-bridged, hbm: {capacity: 96 GiB}, node: {fabric: pairs},\n"
                                 "           nvlink: {bandwidth: 100 GB/s, counts: each_way, efficiency: 0.8, latency: 1 us}}\n"
                                 "model: llama-3.1-8b\n");
  const Scenario scenario = load({file});
  EXPECT_EQ(scenario.machine.name, "l40s-bridged");
  EXPECT_EQ(scenario.machine.hbm.capacity, 96ULL << 30);
  EXPECT_EQ(scenario.machine.hbm.bandwidth, load({"main", "--hardware", "l40s"}).machine.hbm.bandwidth);
  EXPECT_EQ(scenario.machine.nvlink.bandwidth, 100e9);  // A word ("none") replaced by a mapping.

  const std::string wrong = write("w.yaml", "hardware:\n  extends: l40s\n  l2:\n    capcity: 9 MiB\nmodel: llama-3.1-8b\n");
  EXPECT_THAT(mistake({wrong}), HasSubstr("w.yaml:4:5: unknown key \"capcity\" in l2; did you mean \"capacity\"?"));
}

TEST_F(ScenarioTest, ModelMayBeAMappingWithChanges) {
  const std::string file = write("s.yaml", "hardware: h100-sxm\nmodel: {name: llama-3.1-8b, window: 1024, hidden: 2048, q_heads: 16}\n");
  const Scenario scenario = load({file});
  EXPECT_EQ(scenario.model.window, 1024U);
  EXPECT_EQ(scenario.model.hidden, 2048U);
  EXPECT_EQ(scenario.model.head_dim, 128U);  // 2048 / 16: the file gives none, so it follows.
  EXPECT_EQ(scenario.model.layers, 32U);

  EXPECT_THAT(mistake(plain_with({"--set", "model.kv_heads=5"})), HasSubstr("--set: kv_heads: kv_heads 5 does not divide q_heads 32"));
  EXPECT_THAT(mistake(plain_with({"--set", "model.q_heads=48"})), HasSubstr("q_heads 48 does not divide hidden 4096"));
  EXPECT_THAT(mistake(plain_with({"--set", "model.windwo=4"})), HasSubstr("--set: unknown key \"windwo\"; did you mean \"window\"?"));
  EXPECT_THAT(mistake(plain_with({"--set", "model.window=4", "--set", "model.sliding_window=4"})), HasSubstr("is the same as \"window\""));
  EXPECT_THAT(mistake(plain_with({"--set", "model.layers=0"})), HasSubstr("layers: 0 is outside 1 to"));
}

TEST_F(ScenarioTest, LatentAttentionHoldsTogether) {
  const std::vector<std::string> lite = {"--hardware", "h100-sxm", "--model", "deepseek-v2-lite"};
  const auto with = [&](const std::string& set) {
    std::vector<std::string> words = lite;
    words.insert(words.end(), {"--set", set});
    return words;
  };
  EXPECT_EQ(load(with("model.kv_lora_rank=256")).model.kv_elements(), 256U + 64);
  EXPECT_THAT(mistake(with("model.kv_heads=2")), HasSubstr("kv_heads is 2; latent attention has one latent for all heads"));
  EXPECT_THAT(mistake(with("model.rope_dim=192")), HasSubstr("rope_dim 192 of head_dim 192"));
  EXPECT_THAT(mistake(with("model.kv_rank=0")), HasSubstr("belong to latent attention"));
  EXPECT_THAT(mistake(with("model.window=100")), HasSubstr("latent attention has RoPE, no window"));
  EXPECT_THAT(mistake(with("model.dense_layers=27")), HasSubstr("27 dense_layers of 27 layers"));
  EXPECT_THAT(mistake(with("attention_engine=flashinfr")), HasSubstr("did you mean \"flashinfer\"?"));
}

TEST_F(ScenarioTest, PathsInAFileCountFromItsFolder) {
  write("machines/mine.yaml",
        "extends: " + std::string(ROOFTRACE_SOURCE_DIR) + "/configs/hardware/h100-sxm.yaml\nhbm: {capacity: 40 GiB}\n");
  const std::string file = write("scenarios/s.yaml", "hardware: ../machines/mine.yaml\nmodel: llama-3.1-8b\n");
  EXPECT_EQ(load({file}).machine.hbm.capacity, 40ULL << 30);
}

TEST_F(ScenarioTest, AFolderWithConfigJsonIsAModel) {
  const std::string models = std::string(ROOFTRACE_SOURCE_DIR) + "/configs/models/mistral-7b";
  EXPECT_EQ(load({"--hardware", "h100-sxm", "--model", models}).model.window, 4096U);
  EXPECT_EQ(load({"--hardware", "h100-sxm", "--model", models + "/config.json"}).model.window, 4096U);
}

TEST_F(ScenarioTest, AWindowLargerThanTheContextWorks) {
  const Scenario scenario = load({"--hardware", "h100-sxm", "--model", "mistral-7b", "--context", "100"});
  EXPECT_GT(scenario.model.window, scenario.stages[0].context);
}

// Llama-3.1-70B has 70.55e9 parameters: 141.1 GB in bf16 for one H100 of 80 GB. Half of it plus KV does not fit either... but two GPUs of
// 80 GB do hold 141 GB; in fp8 70.6 GB and a bit fit one GPU.
TEST_F(ScenarioTest, WhatDoesNotFitSaysWhatWould) {
  const std::string line = mistake({"--hardware", "h100-sxm", "--model", "llama-3.1-70b", "--stage", "decode"});
  EXPECT_THAT(line, HasSubstr("llama-3.1-70b decode (batch 1, context 4096) does not fit h100-sxm: weights 141"));
  EXPECT_THAT(line, HasSubstr("what would fit: --tp 2, or --weights fp8"));
  // KV is 80 layers x 2 x 8 heads x 128 x 2 B = 328 kB per token: 1.3 GB of 4,096. No shorter context and no smaller batch helps.
  EXPECT_THAT(line, testing::Not(HasSubstr("--context")));
  EXPECT_THAT(line, testing::Not(HasSubstr("--batch")));
  EXPECT_NO_THROW((void)load({"--hardware", "h100-sxm", "--model", "llama-3.1-70b", "--stage", "decode", "--tp", "2"}));
  EXPECT_NO_THROW((void)load({"--hardware", "h100-sxm", "--model", "llama-3.1-70b", "--stage", "decode", "--weights", "fp8"}));
}

TEST_F(ScenarioTest, TheContextAndBatchThatFitAreTheLargest) {
  const std::vector<std::string> job = {"--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--stage", "decode"};
  const auto with = [&](const std::string& batch, const std::string& context) {
    std::vector<std::string> words = job;
    words.insert(words.end(), {"--batch", batch, "--context", context});
    return words;
  };
  const std::string line = mistake(with("64", "16384"));
  const auto number_behind = [&](const std::string& option) {
    const std::size_t at = line.find(option + " ");
    EXPECT_NE(at, std::string::npos) << line;
    return std::stoul(line.substr(at + option.size() + 1));
  };
  const unsigned long context = number_behind(", or --context");
  EXPECT_NO_THROW((void)load(with("64", std::to_string(context))));
  EXPECT_THAT(mistake(with("64", std::to_string(context + 1))), HasSubstr("does not fit"));
  const unsigned long batch = number_behind(", or --batch");
  EXPECT_NO_THROW((void)load(with(std::to_string(batch), "16384")));
  EXPECT_THAT(mistake(with(std::to_string(batch + 1), "16384")), HasSubstr("does not fit"));
}

TEST_F(ScenarioTest, NamesOfALaterFolderAreHiddenByAnEarlierOne) {
  write("hardware/h100-sxm.yaml", "extends: " + std::string(ROOFTRACE_SOURCE_DIR) + "/configs/hardware/h200-sxm.yaml\n");
  const ConfigPaths paths(folder_.string(), std::string(ROOFTRACE_SOURCE_DIR) + "/configs", "");
  EXPECT_EQ(paths.find(ConfigKind::hardware, "h100-sxm").path, (folder_ / "hardware/h100-sxm.yaml").string());
  EXPECT_THAT(paths.find(ConfigKind::model, "llama-2-7b").path, HasSubstr("configs/models/llama-2-7b/config.json"));
  EXPECT_THROW(ConfigPaths((folder_ / "nowhere").string(), "", ""), UserError);
}

TEST_F(ScenarioTest, AnInstalledProgramFindsItsConfigs) {
  write("share/rooftrace/configs/hardware/only-here.yaml", "title: x\n");
  write("bin/rooftrace", "");
  const ConfigPaths paths("", "", (folder_ / "bin/rooftrace").string());
  EXPECT_EQ(paths.find(ConfigKind::hardware, "only-here").path, (folder_ / "share/rooftrace/configs/hardware/only-here.yaml").string());
}

}  // namespace
}  // namespace rooftrace
