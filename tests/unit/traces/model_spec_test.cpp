// Models: the published parameter counts, and every way a config.json can be wrong.
#include "traces/model_spec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string source_path(const std::string& relative) {
  return std::string(ROOFTRACE_SOURCE_DIR) + "/" + relative;
}

ModelSpec published(const std::string& name) {
  return load_model(source_path("configs/models/" + name + "/config.json"), name);
}

/// One key per line, in the order of the keys; line 1 is "{", so that tests can say at which line an error must point.
std::string json_of(const std::map<std::string, std::string>& keys) {
  std::string text = "{\n";
  std::size_t left = keys.size();
  for (const auto& [key, value] : keys) text += "  \"" + key + "\": " + value + (--left > 0 ? ",\n" : "\n");
  return text + "}\n";
}

// Sorted: architectures on line 2, hidden_size 3, intermediate_size 4, max_position_embeddings 5, num_attention_heads 6,
// num_hidden_layers 7, num_key_value_heads 8, vocab_size 9.
std::map<std::string, std::string> small_llama() {
  return {{"architectures", "[\"LlamaForCausalLM\"]"},
          {"hidden_size", "64"},
          {"intermediate_size", "96"},
          {"max_position_embeddings", "128"},
          {"num_attention_heads", "8"},
          {"num_hidden_layers", "3"},
          {"num_key_value_heads", "2"},
          {"vocab_size", "100"}};
}

std::map<std::string, std::string> changed(std::map<std::string, std::string> keys, const std::string& key, const std::string& value) {
  keys[key] = value;
  return keys;
}

ModelSpec parse(const std::map<std::string, std::string>& keys) {
  return parse_model(json_of(keys), "m.json", "m");
}

std::string error_of(const std::string& text) {
  try {
    (void)parse_model(text, "m.json", "m");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

std::string error_of(const std::map<std::string, std::string>& keys) {
  return error_of(json_of(keys));
}

// Every count below is 2 E + L * layer + h, with E = vocab * h (embedding and LM head are two matrices) and, per layer,
// layer = 2 h^2 (Q and output, heads * head_dim = h in all of these) + 2 h kv (K and V, kv = kv_heads * head_dim) + 3 h i + 2 h (norms).

TEST(PublishedModels, Llama2) {
  // 7B: E = 32000 * 4096 = 131,072,000; layer = 4 * 4096^2 + 3 * 4096 * 11008 + 8192 = 202,383,360; 2 E + 32 layer + 4096.
  EXPECT_EQ(published("llama-2-7b").embedding_parameters(), 131'072'000U);
  EXPECT_EQ(published("llama-2-7b").layer_parameters(), 202'383'360U);
  EXPECT_EQ(published("llama-2-7b").parameters(), 6'738'415'616U);
  // 13B: E = 32000 * 5120 = 163,840,000; layer = 4 * 5120^2 + 3 * 5120 * 13824 + 10240 = 317,204,480; 2 E + 40 layer + 5120.
  EXPECT_EQ(published("llama-2-13b").parameters(), 13'015'864'320U);
  // 70B: E = 32000 * 8192 = 262,144,000; kv = 8 * 128 = 1024; layer = 2 * 8192^2 + 2 * 8192 * 1024 + 3 * 8192 * 28672 + 16384
  // = 855,654,400; 2 E + 80 layer + 8192.
  EXPECT_EQ(published("llama-2-70b").parameters(), 68'976'648'192U);
}

TEST(PublishedModels, Llama31) {
  // 8B: E = 128256 * 4096 = 525,336,576; kv = 1024; layer = 2 * 4096^2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 8192 = 218,112,000;
  // 2 E + 32 layer + 4096.
  EXPECT_EQ(published("llama-3.1-8b").layer_parameters(), 218'112'000U);
  EXPECT_EQ(published("llama-3.1-8b").parameters(), 8'030'261'248U);
  // 70B: E = 128256 * 8192 = 1,050,673,152; the layer of Llama-2-70B; 2 E + 80 * 855,654,400 + 8192.
  EXPECT_EQ(published("llama-3.1-70b").parameters(), 70'553'706'496U);
  // 405B: E = 128256 * 16384 = 2,101,346,304; kv = 1024; layer = 2 * 16384^2 + 2 * 16384 * 1024 + 3 * 16384 * 53248 + 32768
  // = 3,187,703,808; 2 E + 126 layer + 16384.
  EXPECT_EQ(published("llama-3.1-405b").parameters(), 405'853'388'800U);
}

TEST(PublishedModels, Mistral) {
  // The layer of Llama-3.1-8B with a vocabulary of 32000: 2 * 131,072,000 + 32 * 218,112,000 + 4096.
  const ModelSpec model = published("mistral-7b");
  EXPECT_EQ(model.parameters(), 7'241'732'096U);
  EXPECT_EQ(model.window, 4096U);  // v0.1
  EXPECT_EQ(model.max_positions, 32768U);
}

TEST(PublishedModels, Qwen25) {
  // Bias on Q, K and V adds h + 2 kv per layer. 7B: h = 3584, kv = 4 * 128 = 512, i = 18944, E = 152064 * 3584 = 544,997,376;
  // layer = 2 * 3584^2 + 2 * 3584 * 512 + 3 * 3584 * 18944 + 7168 + (3584 + 1024) = 233,057,792; 2 E + 28 layer + 3584.
  const ModelSpec model = published("qwen2.5-7b");
  EXPECT_TRUE(model.qkv_bias);
  EXPECT_EQ(model.layer_parameters(), 233'057'792U);
  EXPECT_EQ(model.parameters(), 7'615'616'512U);
  EXPECT_EQ(model.window, 0U);  // sliding_window is 131072 in the file, and use_sliding_window is false.
  // 72B: h = 8192, kv = 1024, i = 29568, E = 152064 * 8192 = 1,245,708,288; layer = 2 * 8192^2 + 2 * 8192 * 1024 + 3 * 8192 * 29568
  // + 16384 + (8192 + 2048) = 877,684,736; 2 E + 80 layer + 8192.
  EXPECT_EQ(published("qwen2.5-72b").parameters(), 72'706'203'648U);
}

TEST(PublishedModels, FieldsAndName) {
  const ModelSpec model = published("llama-3.1-8b");
  EXPECT_EQ(model.name, "llama-3.1-8b");
  EXPECT_EQ(model.architecture, "LlamaForCausalLM");
  EXPECT_EQ(model.layers, 32U);
  EXPECT_EQ(model.hidden, 4096U);
  EXPECT_EQ(model.intermediate, 14336U);
  EXPECT_EQ(model.q_heads, 32U);
  EXPECT_EQ(model.kv_heads, 8U);
  EXPECT_EQ(model.head_dim, 128U);
  EXPECT_EQ(model.vocabulary, 128256U);
  EXPECT_EQ(model.max_positions, 131072U);
  EXPECT_EQ(model.window, 0U);
  EXPECT_FALSE(model.tied_embeddings);
  EXPECT_FALSE(model.qkv_bias);
}

TEST(ModelSpec, HeadDimIsGivenOrDerived) {
  EXPECT_EQ(parse(small_llama()).head_dim, 8U);  // 64 / 8
  EXPECT_EQ(parse(changed(small_llama(), "head_dim", "null")).head_dim, 8U);
  const ModelSpec wide = parse(changed(small_llama(), "head_dim", "16"));
  EXPECT_EQ(wide.head_dim, 16U);
  // q = 8 * 16 = 128, kv = 2 * 16 = 32: 64 * (128 + 64) + 128 * 64 + 3 * 64 * 96 + 2 * 64 = 12288 + 8192 + 18432 + 128.
  EXPECT_EQ(wide.layer_parameters(), 39'040U);
}

TEST(ModelSpec, TiedEmbeddingsAreOneMatrix) {
  const ModelSpec two = parse(small_llama());
  const ModelSpec one = parse(changed(small_llama(), "tie_word_embeddings", "true"));
  EXPECT_EQ(two.parameters() - one.parameters(), 6400U);  // 100 * 64
}

TEST(ModelSpec, LlamaWithoutKvHeadsHasOnePerHead) {
  auto keys = small_llama();
  keys.erase("num_key_value_heads");
  EXPECT_EQ(parse(keys).kv_heads, 8U);
}

TEST(ModelSpec, UnknownAndDoubleKeysAreTolerated) {
  EXPECT_EQ(parse(changed(small_llama(), "brand_new_key", "{\"hidden_size\": 0}")).hidden, 64U);
  std::string text = json_of(small_llama());
  text.insert(2, "  \"hidden_size\": 32,\n");
  EXPECT_EQ(parse_model(text, "m.json", "m").hidden, 64U);  // The last one counts.
}

TEST(ModelSpec, MistralWindowMayBeNullButNotMissing) {
  auto keys = changed(small_llama(), "architectures", "[\"MistralForCausalLM\"]");
  EXPECT_EQ(error_of(keys), "m.json:1:1: missing key \"sliding_window\"");
  EXPECT_EQ(parse(changed(keys, "sliding_window", "null")).window, 0U);
  EXPECT_EQ(parse(changed(keys, "sliding_window", "16")).window, 16U);
  EXPECT_THAT(error_of(changed(keys, "sliding_window", "0")), HasSubstr("sliding_window: 0 is outside 1 to "));
}

TEST(ModelSpec, QwenWindowIsForAllLayersOrNone) {
  auto keys = changed(small_llama(), "architectures", "[\"Qwen2ForCausalLM\"]");
  keys["sliding_window"] = "16";
  EXPECT_EQ(parse(keys).window, 0U);  // use_sliding_window is false unless given.
  keys["use_sliding_window"] = "true";
  EXPECT_EQ(parse(changed(keys, "max_window_layers", "0")).window, 16U);
  EXPECT_EQ(parse(changed(keys, "max_window_layers", "3")).window, 0U);  // All three layers have full attention.
  EXPECT_THAT(error_of(changed(keys, "max_window_layers", "2")), HasSubstr("max_window_layers: 2 of 3 layers"));
  EXPECT_THAT(error_of(changed(keys, "max_window_layers", "-1")), HasSubstr("max_window_layers: -1 is outside 1 to "));
  EXPECT_THAT(error_of(keys), EndsWith("missing key \"max_window_layers\""));
}

TEST(ModelSpecErrors, UnknownArchitectureIsNamedWithTheKnownOnes) {
  EXPECT_EQ(error_of(changed(small_llama(), "architectures", "[\"StableLmEpochForCausalLM\"]")),
            "m.json:2:20: architectures: unknown architecture \"StableLmEpochForCausalLM\"; known: LlamaForCausalLM, MistralForCausalLM, "
            "MixtralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, Qwen3MoeForCausalLM, DeepseekV2ForCausalLM, DeepseekV3ForCausalLM, "
            "InternLMForCausalLM, Phi3ForCausalLM, "
            "GPT2LMHeadModel, GPTJForCausalLM, GPTNeoXForCausalLM, OPTForCausalLM, BloomForCausalLM, FalconForCausalLM");
  EXPECT_THAT(error_of(changed(small_llama(), "architectures", "[\"Qwen4ForCausalLM\"]")),
              EndsWith("; did you mean \"Qwen2ForCausalLM\"?"));
  for (const char* wrong : {"\"LlamaForCausalLM\"", "[]", "[1]", "[\"LlamaForCausalLM\", \"MistralForCausalLM\"]", "null"}) {
    EXPECT_THAT(error_of(changed(small_llama(), "architectures", wrong)), HasSubstr("is not a list of one name; known: LlamaForCausalLM"))
        << wrong;
  }
}

TEST(ModelSpecErrors, EveryNeededKeyIsNamedWhenMissing) {
  for (const char* key : {"architectures", "hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads",
                          "num_hidden_layers", "vocab_size"}) {
    auto keys = small_llama();
    keys.erase(key);
    EXPECT_EQ(error_of(keys), std::string("m.json:1:1: missing key \"") + key + "\"");
  }
  auto qwen = changed(small_llama(), "architectures", "[\"Qwen2ForCausalLM\"]");
  qwen.erase("num_key_value_heads");
  EXPECT_EQ(error_of(qwen), "m.json:1:1: missing key \"num_key_value_heads\"");
}

TEST(ModelSpecErrors, ImpossibleNumbers) {
  for (const char* key : {"hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers",
                          "num_key_value_heads", "vocab_size", "head_dim"}) {
    for (const char* wrong : {"0", "-1", "9999999999", "18446744073709551615"}) {
      EXPECT_THAT(error_of(changed(small_llama(), key, wrong)), HasSubstr(std::string(key) + ": " + wrong + " is outside 1 to "));
    }
    for (const char* wrong : {"64.0", "64.5", "\"64\"", "true", "[64]"}) {
      EXPECT_THAT(error_of(changed(small_llama(), key, wrong)), HasSubstr(std::string(key) + ": " + wrong + " is not an integer"));
    }
  }
  EXPECT_EQ(error_of(changed(small_llama(), "hidden_size", "0")), "m.json:3:18: hidden_size: 0 is outside 1 to 4194304");
  EXPECT_THAT(error_of(changed(small_llama(), "hidden_size", "null")), HasSubstr("hidden_size: null is not an integer"));
}

TEST(ModelSpecErrors, HeadsThatDoNotFit) {
  EXPECT_EQ(error_of(changed(small_llama(), "num_key_value_heads", "3")),
            "m.json:8:26: num_key_value_heads: 3 does not divide the 8 heads of num_attention_heads");
  EXPECT_THAT(error_of(changed(small_llama(), "num_key_value_heads", "16")), HasSubstr("16 does not divide the 8 heads"));
  EXPECT_EQ(error_of(changed(small_llama(), "hidden_size", "66")),
            "m.json:6:26: num_attention_heads: 8 does not divide hidden_size 66, and no head_dim is given");
  EXPECT_EQ(parse(changed(changed(small_llama(), "hidden_size", "66"), "head_dim", "8")).head_dim, 8U);
}

TEST(ModelSpecErrors, WhatIsNotModeledIsRefused) {
  auto qwen = changed(small_llama(), "architectures", "[\"Qwen3MoeForCausalLM\"]");
  qwen.insert({{"moe_intermediate_size", "16"}, {"num_experts", "4"}, {"num_experts_per_tok", "2"}});
  EXPECT_EQ(parse(qwen).experts, 4U);
  EXPECT_THAT(error_of(changed(qwen, "decoder_sparse_step", "2")), HasSubstr("decoder_sparse_step: only 1"));
  EXPECT_THAT(error_of(changed(qwen, "mlp_only_layers", "[0]")), HasSubstr("mlp_only_layers: layers without experts"));
  EXPECT_THAT(error_of(changed(qwen, "num_experts_per_tok", "5")), HasSubstr("num_experts_per_tok: 5 is more than the 4 experts"));
  EXPECT_THAT(error_of(changed(changed(qwen, "num_experts", "4096"), "moe_intermediate_size", "4194304")),
              HasSubstr("num_experts: 4096 experts of 4194304 features are too many"));
  auto opt = changed(changed(small_llama(), "architectures", "[\"OPTForCausalLM\"]"), "ffn_dim", "256");
  EXPECT_EQ(parse(opt).learned_positions, 130U);
  EXPECT_THAT(error_of(changed(opt, "do_layer_norm_before", "false")), HasSubstr("do_layer_norm_before: false is not modeled"));
  EXPECT_THAT(error_of(changed(opt, "word_embed_proj_dim", "32")), HasSubstr("word_embed_proj_dim: differs from hidden_size 64"));
  EXPECT_THAT(error_of(changed(opt, "activation_function", "\"tanh\"")), HasSubstr("activation_function: \"tanh\" is not an activation"));
  EXPECT_THAT(error_of(changed(small_llama(), "tie_word_embeddings", "1")), HasSubstr("1 is neither true nor false"));
}

TEST(ModelSpecErrors, BrokenJsonHasAPlace) {
  // The comma is missing at the end of line 2, so the first thing that cannot be is the quote on line 3.
  EXPECT_THAT(error_of("{\n  \"a\": 1\n  \"b\": 2\n}"), StartsWith("m.json:3:"));
  EXPECT_THAT(error_of("{\n  \"a\": 1\n  \"b\": 2\n}"), HasSubstr("not JSON: "));
  EXPECT_THAT(error_of(""), StartsWith("m.json:1:1: not JSON: "));
  EXPECT_THAT(error_of("{\n\n"), StartsWith("m.json:3:1: not JSON: "));
  EXPECT_THAT(error_of("[1, 2]"), StartsWith("m.json:1:1: not an object"));
  EXPECT_THAT(error_of("\n  7"), StartsWith("m.json:2:3: not an object"));
  EXPECT_THAT(error_of("{\"a\": 1e999}"), StartsWith("m.json: not JSON: "));
  EXPECT_THAT(error_of("{\"a\": \"\xff\"}"), HasSubstr("not JSON: "));
}

TEST(ModelSpecErrors, ErrorsAreOneLine) {
  const std::string error = error_of(changed(small_llama(), "hidden_size", "\"6\\n4\xc3\xa4" + std::string(500, 'x') + "\""));
  EXPECT_EQ(error.find('\n'), std::string::npos);
  EXPECT_LT(error.size(), 150U);
}

TEST(ModelSpecErrors, TheKeyIsFoundAtTheOutermostLevelOnly) {
  // The nested key stands on line 2, the wrong one on line 4 (sorted: _extra, architectures, hidden_size).
  auto keys = changed(small_llama(), "_extra", "{\"hidden_size\": 7, \"text\": \"\\\"hidden_size\\\": {\"}");
  keys["hidden_size"] = "0";
  EXPECT_THAT(error_of(keys), StartsWith("m.json:4:18: "));
}

TEST(ModelSpecErrors, BoundedTextAndDepth) {
  // 64 levels are read (63 inside the outermost object), 65 are not; the refused bracket is number 65, at column 6 + 64.
  auto nested = [](std::size_t levels) { return "{\"a\": " + std::string(levels, '[') + std::string(levels, ']') + "}"; };
  EXPECT_THAT(error_of(nested(63)), HasSubstr("missing key"));
  EXPECT_EQ(error_of(nested(64)), "m.json:1:70: nested deeper than 64 levels");
  EXPECT_THAT(error_of(std::string(1'000'000, '[')), HasSubstr("nested deeper than 64 levels"));
  EXPECT_THAT(error_of(std::string((1U << 20) + 1, ' ')), HasSubstr("a config.json has at most 1048576"));
}

TEST(LoadModel, FilesThatCannotBeRead) {
  const auto error = [](const std::string& path) {
    try {
      (void)load_model(path, "m");
    } catch (const UserError& user_error) {
      return std::string(user_error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(error("/nonexistent/config.json"), "/nonexistent/config.json: no such file");
  const std::string folder = source_path("configs/models/llama-2-7b");
  EXPECT_EQ(error(folder), folder + ": is a directory; did you mean \"" + folder + "/config.json\"?");
  const std::string big = testing::TempDir() + "rooftrace_big_config.json";
  std::ofstream(big) << std::string((1U << 20) + 5, ' ');
  EXPECT_THAT(error(big), HasSubstr("a config.json has at most 1048576"));
  std::filesystem::remove(big);
}

}  // namespace
}  // namespace rooftrace
