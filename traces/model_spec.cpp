// Reading a Hugging Face config.json, and counting the parameters of what it describes.
//
// Promises: every mistake is one UserError with file:line:column; text beyond 1 MiB or nested deeper than 64 levels is refused before it
// is parsed; every number is inside limits that keep all later products inside 64 bits. A key given twice is tolerated (the last one
// counts), as it is by everybody else who reads these files.
// Not modeled, therefore refused: bias on the attention output or in the FFN (attention_bias, mlp_bias of LlamaForCausalLM), and a
// sliding window in some layers only (max_window_layers of Qwen2ForCausalLM).
#include "traces/model_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxText = 1U << 20;
constexpr int kMaxDepth = 64;
constexpr std::size_t kLongestQuote = 60;  // Of a wrong value, in an error message.

// Far above every published model, and small enough that parameters() cannot overflow: attention has at most 4 * hidden * heads * head_dim
// = 2^48 parameters per layer and the FFN 3 * 2^44, so 2^14 layers stay below 2^63.
constexpr std::int64_t kMaxLayers = 1 << 14;
constexpr std::int64_t kMaxWidth = 1 << 22;
constexpr std::int64_t kMaxHeads = 1 << 12;
constexpr std::int64_t kMaxHeadDim = 1 << 12;
constexpr std::int64_t kMaxVocabulary = 1 << 24;
constexpr std::int64_t kMaxPositions = 1 << 30;

std::size_t skip_string(const std::string& text, std::size_t quote) {
  std::size_t i = quote + 1;
  while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
  return std::min(text.size(), i + 1);
}

std::size_t skip_blank(const std::string& text, std::size_t i) {
  return std::min(text.size(), text.find_first_not_of(" \t\r\n", i));
}

/// Turns byte offsets of the text into places, and finds the keys of the outermost object. The JSON library forgets where a value stood,
/// so the text is walked a second time; that is only done when there is an error to tell.
class Places {
 public:
  Places(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  [[nodiscard]] SourceLocation at(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    SourceLocation place{file_, 1, 1};
    for (std::size_t i = 0; i < offset; ++i) {
      ++place.column;
      if (text_[i] == '\n') {
        ++place.line;
        place.column = 1;
      }
    }
    return place;
  }

  /// Where the outermost value starts.
  [[nodiscard]] std::size_t first() const { return skip_blank(text_, 0); }

  /// Where the first bracket beyond the allowed depth stands.
  [[nodiscard]] std::optional<std::size_t> too_deep() const {
    int depth = 0;
    for (std::size_t i = 0; i < text_.size();) {
      const char c = text_[i];
      if (c == '"') {
        i = skip_string(text_, i);
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      if (depth > kMaxDepth) return i;
      ++i;
    }
    return std::nullopt;
  }

  /// Where the value of the last outermost `key` starts; the text is known to be valid JSON.
  [[nodiscard]] std::size_t value_of(const std::string& key) const {
    const std::string quoted = "\"" + key + "\"";
    std::size_t found = 0;
    int depth = 0;
    for (std::size_t i = 0; i < text_.size();) {
      const char c = text_[i];
      if (c != '"') {
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        ++i;
        continue;
      }
      const std::size_t end = skip_string(text_, i);
      const std::size_t colon = skip_blank(text_, end);
      const bool is_key = depth == 1 && colon < text_.size() && text_[colon] == ':';
      if (is_key && text_.compare(i, end - i, quoted) == 0) found = skip_blank(text_, colon + 1);
      i = end;
    }
    return found;
  }

 private:
  const std::string& text_;
  const std::string& file_;
};

std::string listed(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

/// The keys of the outermost object, with errors that know their place.
class Reader {
 public:
  Reader(const Json& object, const Places& places) : object_(object), places_(places) {}

  [[noreturn]] void fail(const std::string& key, const std::string& message) const {
    throw UserError(places_.at(places_.value_of(key)), key + ": " + message);
  }

  [[nodiscard]] const Json& required(const std::string& key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) throw UserError(places_.at(places_.first()), fmt::format("missing key \"{}\"", key));
    return *found;
  }

  /// Absent and null are the same to those who write these files.
  [[nodiscard]] bool given(const std::string& key) const {
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }

  [[nodiscard]] std::uint32_t integer(const std::string& key, std::int64_t high) const {
    const Json& value = required(key);
    if (!value.is_number_integer()) fail(key, fmt::format("{} is not an integer", shown(value)));
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high);
    const std::int64_t number = huge ? std::numeric_limits<std::int64_t>::max() : value.get<std::int64_t>();
    if (number < 1 || number > high) fail(key, fmt::format("{} is outside 1 to {}", shown(value), high));
    return static_cast<std::uint32_t>(number);
  }

  [[nodiscard]] bool boolean(const std::string& key, bool absent) const {
    if (!given(key)) return absent;
    const Json& value = required(key);
    if (!value.is_boolean()) fail(key, fmt::format("{} is neither true nor false", shown(value)));
    return value.get<bool>();
  }

  [[nodiscard]] static std::string shown(const Json& value) {
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > kLongestQuote) text = text.substr(0, kLongestQuote) + "...";
    return text;
  }

 private:
  const Json& object_;
  const Places& places_;
};

std::string read_architecture(const Reader& reader) {
  const std::vector<std::string> known = known_architectures();
  const Json& list = reader.required("architectures");
  if (!list.is_array() || list.size() != 1 || !list.front().is_string()) {
    reader.fail("architectures", fmt::format("{} is not a list of one name; known: {}", Reader::shown(list), listed(known)));
  }
  const std::string name = list.front().get<std::string>();
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    reader.fail("architectures",
                fmt::format("unknown architecture {}; known: {}{}", Reader::shown(list.front()), listed(known), did_you_mean(name, known)));
  }
  return name;
}

std::uint32_t read_kv_heads(const Reader& reader, const ModelSpec& model) {
  // Older Llama files have no grouped heads and do not speak of them.
  if (model.architecture == "LlamaForCausalLM" && !reader.given("num_key_value_heads")) return model.q_heads;
  const std::uint32_t heads = reader.integer("num_key_value_heads", kMaxHeads);
  if (model.q_heads % heads != 0) {
    reader.fail("num_key_value_heads", fmt::format("{} does not divide the {} heads of num_attention_heads", heads, model.q_heads));
  }
  return heads;
}

std::uint32_t read_head_dim(const Reader& reader, const ModelSpec& model) {
  if (reader.given("head_dim")) return reader.integer("head_dim", kMaxHeadDim);
  if (model.hidden % model.q_heads != 0) {
    reader.fail("num_attention_heads",
                fmt::format("{} does not divide hidden_size {}, and no head_dim is given", model.q_heads, model.hidden));
  }
  const std::uint32_t head_dim = model.hidden / model.q_heads;
  if (head_dim > kMaxHeadDim) reader.fail("hidden_size", fmt::format("{} per head is outside 1 to {}", head_dim, kMaxHeadDim));
  return head_dim;
}

std::uint32_t read_window(const Reader& reader, const ModelSpec& model) {
  if (model.architecture == "MistralForCausalLM") {
    // Must be there: files without a window say null, and the default of a missing key is a window that nobody sees.
    return reader.required("sliding_window").is_null() ? 0 : reader.integer("sliding_window", kMaxPositions);
  }
  if (model.architecture != "Qwen2ForCausalLM" || !reader.boolean("use_sliding_window", false)) return 0;
  // Qwen2 keeps full attention in the first max_window_layers layers.
  const Json& full = reader.required("max_window_layers");
  if (full == 0) return reader.integer("sliding_window", kMaxPositions);
  if (reader.integer("max_window_layers", kMaxLayers) >= model.layers) return 0;
  reader.fail("max_window_layers", fmt::format("{} of {} layers without a window: a mixture is not modeled; use 0 or {}", full.dump(),
                                               model.layers, model.layers));
}

void refuse_unmodeled(const Reader& reader) {
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    if (reader.boolean(key, false)) reader.fail(key, "true is not modeled; only false is");
  }
}

}  // namespace

std::vector<std::string> known_architectures() {
  return {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"};
}

std::uint64_t ModelSpec::embedding_parameters() const {
  return std::uint64_t{vocabulary} * hidden;
}

std::uint64_t ModelSpec::layer_parameters() const {
  const std::uint64_t q = std::uint64_t{q_heads} * head_dim;
  const std::uint64_t kv = std::uint64_t{kv_heads} * head_dim;
  const std::uint64_t attention = hidden * (q + 2 * kv) + q * hidden;          // Q, K, V; output.
  const std::uint64_t ffn = std::uint64_t{3} * hidden * intermediate;          // Gate, up, down.
  const std::uint64_t small = 2ULL * hidden + (qkv_bias ? q + 2 * kv : 0ULL);  // Two norms; bias.
  return attention + ffn + small;
}

std::uint64_t ModelSpec::parameters() const {
  const std::uint64_t matrices = tied_embeddings ? 1 : 2;  // Embedding, and an LM head that may be the same matrix.
  return matrices * embedding_parameters() + layers * layer_parameters() + hidden;
}

ModelSpec parse_model(const std::string& text, const std::string& file, const std::string& name) {
  if (text.size() > kMaxText)
    throw UserError(SourceLocation{file}, fmt::format("{} bytes; a config.json has at most {}", text.size(), kMaxText));
  const Places places(text, file);
  if (const auto offset = places.too_deep()) throw UserError(places.at(*offset), fmt::format("nested deeper than {} levels", kMaxDepth));

  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: what": only what; the place is ours (byte counts from 1).
    const std::string what = error.what();
    const std::size_t colon = what.find(": ");
    throw UserError(places.at(error.byte == 0 ? 0 : error.byte - 1),
                    "not JSON: " + (colon == std::string::npos ? what : what.substr(colon + 2)));
  } catch (const Json::out_of_range& error) {  // A number beyond double.
    throw UserError(SourceLocation{file}, fmt::format("not JSON: {}", error.what()));
  }
  if (!json.is_object()) throw UserError(places.at(places.first()), "not an object { ... } as a config.json is");

  const Reader reader(json, places);
  ModelSpec model;
  model.name = name;
  model.architecture = read_architecture(reader);
  model.layers = reader.integer("num_hidden_layers", kMaxLayers);
  model.hidden = reader.integer("hidden_size", kMaxWidth);
  model.intermediate = reader.integer("intermediate_size", kMaxWidth);
  model.q_heads = reader.integer("num_attention_heads", kMaxHeads);
  model.kv_heads = read_kv_heads(reader, model);
  model.head_dim = read_head_dim(reader, model);
  model.vocabulary = reader.integer("vocab_size", kMaxVocabulary);
  model.max_positions = reader.integer("max_position_embeddings", kMaxPositions);
  model.window = read_window(reader, model);
  model.tied_embeddings = reader.boolean("tie_word_embeddings", false);
  model.qkv_bias = model.architecture == "Qwen2ForCausalLM";  // Qwen2 always has it; its files do not say so.
  refuse_unmodeled(reader);
  return model;
}

ModelSpec load_model(const std::string& path, const std::string& name) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status)) throw UserError(SourceLocation{path}, "no such file");
  if (std::filesystem::is_directory(status))
    throw UserError(SourceLocation{path}, fmt::format("is a directory; did you mean \"{}\"?", path + "/config.json"));
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw UserError(SourceLocation{path}, "cannot be read");
  std::string text(kMaxText + 1, '\0');  // One byte more than allowed, so that a file of any size is refused without being read.
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) throw UserError(SourceLocation{path}, "cannot be read");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_model(text, path, name);
}

}  // namespace rooftrace
