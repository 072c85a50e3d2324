// YAML text to the tree: the only file that sees the YAML library.
//
// Promises: takes the parser's events, not its nodes, so that limits (levels, values, length of keys) hold while reading, and what the
// library accepts in silence is refused: duplicate keys, merge keys, tags, several documents, tabs in the indentation, bytes that are not
// UTF-8 text. Every refusal is one line with the place. Not supported on purpose: tags, keys that are not plain words, a second document.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "sim/core/config_tree.hpp"

namespace rooftrace::detail {
namespace {

/// Builds the tree while the parser walks the text.
class Builder : public YAML::EventHandler {
 public:
  Builder(const std::string& file, bool fixed, std::size_t& budget) : file_(file), fixed_(fixed), budget_(budget) {}

  std::unique_ptr<ConfigValue> take() { return std::move(root_); }
  /// The innermost list or mapping that has begun and not ended; null: none.
  [[nodiscard]] const ConfigValue* innermost() const { return open_.empty() ? nullptr : open_.back().value.get(); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) throw UserError(at(mark), "a second document starts here; a file holds one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) throw UserError(at(mark), "a key is missing in front of the colon");
    put(make(ConfigValue::Kind::null, mark), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& text) override {
    check_tag(mark, tag);
    if (wants_key()) {
      if (anchor != 0) throw UserError(at(mark), "a key must be a plain word, without an anchor");
      return take_key(mark, text);
    }
    auto value = make(ConfigValue::Kind::scalar, mark);
    value->scalar = text;
    value->in_quotes = tag == "!";
    put(std::move(value), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key()) throw UserError(at(mark), "a key must be a plain word, not an alias");
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) throw UserError(at(mark), "an alias stands inside the value that it repeats");
    check_depth(mark, open_.size() + depth(*known->second));
    try {
      put(clone(*known->second, budget_), 0);
    } catch (const std::length_error&) {
      refuse_size(mark);
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(ConfigValue::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(ConfigValue::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::unique_ptr<ConfigValue> value;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    SourceLocation key_where;
  };

  [[nodiscard]] SourceLocation at(const YAML::Mark& mark) const {
    if (fixed_ || mark.line < 0) return {file_, 0, 0};
    return {file_, static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
  }

  [[nodiscard]] bool wants_key() const {
    return !open_.empty() && open_.back().value->kind == ConfigValue::Kind::map && !open_.back().has_key;
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    // The library says "?" for a plain value, "!" for one in quotes.
    if (!tag.empty() && tag != "?" && tag != "!")
      throw UserError(at(mark), "the tag " + quoted_word(tag) + " is not supported; leave it out");
  }

  void check_depth(const YAML::Mark& mark, std::size_t levels) const {
    if (levels > kConfigLevels) throw UserError(at(mark), "is nested deeper than " + std::to_string(kConfigLevels) + " levels");
  }

  [[noreturn]] void refuse_size(const YAML::Mark& mark) const {
    throw UserError(at(mark), "holds more than " + std::to_string(kConfigNodes) + " values, counting every repetition by an alias");
  }

  static std::size_t depth(const ConfigValue& value) {
    std::size_t deepest = 0;
    for (const auto& item : value.items) deepest = std::max(deepest, depth(*item));
    for (const auto& entry : value.entries) deepest = std::max(deepest, depth(*entry.value));
    return deepest + (value.kind == ConfigValue::Kind::list || value.kind == ConfigValue::Kind::map ? 1 : 0);
  }

  std::unique_ptr<ConfigValue> make(ConfigValue::Kind kind, const YAML::Mark& mark) {
    if (budget_ == 0) refuse_size(mark);
    --budget_;
    auto value = std::make_unique<ConfigValue>();
    value->kind = kind;
    value->where = at(mark);
    return value;
  }

  void take_key(const YAML::Mark& mark, const std::string& key) {
    Open& map = open_.back();
    if (key.empty()) throw UserError(at(mark), "a key is empty");
    if (key.size() > kConfigKeyBytes) throw UserError(at(mark), "the key " + quoted_word(key) + " is too long");
    if (key == "<<") throw UserError(at(mark), "merge keys (<<) are not supported; use \"extends: FILE\" or write the keys out");
    const auto known = map.value->index.find(key);
    if (known != map.value->index.end()) {
      const SourceLocation& first = map.value->entries[known->second].where;
      const std::string line = first.line > 0 ? " (first on line " + std::to_string(first.line) + ")" : "";
      throw UserError(at(mark), "the key " + quoted_word(key) + " is here twice" + line);
    }
    map.has_key = true;
    map.key = key;
    map.key_where = at(mark);
  }

  void open(ConfigValue::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check_tag(mark, tag);
    if (wants_key()) throw UserError(at(mark), "a key must be a plain word, not a list or a mapping");
    check_depth(mark, open_.size() + 1);
    open_.push_back({make(kind, mark), anchor, false, {}, {}});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    put(std::move(done.value), done.anchor);
  }

  void put(std::unique_ptr<ConfigValue> value, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = value.get();  // Complete only now, so no alias can stand inside what it repeats.
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (parent.value->kind == ConfigValue::Kind::list) {
      parent.value->items.push_back(std::move(value));
      return;
    }
    // A mapping and an empty value begin, for the library, wherever the next word stands; the key is where a person looks.
    if (value->kind == ConfigValue::Kind::map || value->kind == ConfigValue::Kind::null) value->where = parent.key_where;
    parent.value->add(parent.key, parent.key_where, std::move(value));
    parent.has_key = false;
  }

  const std::string& file_;
  bool fixed_;
  std::size_t& budget_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, const ConfigValue*> anchors_;
  std::unique_ptr<ConfigValue> root_;
};

// Length of the UTF-8 character at `at`, 0 when there is none (overlong forms, surrogates and values above U+10FFFF included).
std::size_t utf8_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  const auto next = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return byte(i) >= low && byte(i) <= high; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return next(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) return next(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) && next(2) ? 3 : 0;
  if (lead >= 0xf0 && lead <= 0xf4) return next(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) && next(2) && next(3) ? 4 : 0;
  return 0;
}

// What the YAML library would take for something else: bytes that are no text, and tabs where spaces count.
void check_text(const std::string& text, const std::string& file, bool fixed) {
  std::uint32_t line = 1;
  std::size_t line_start = 0;
  bool indentation = true;
  for (std::size_t i = 0; i < text.size();) {
    const auto refuse = [&](const char* why) {
      const SourceLocation here{file, line, static_cast<std::uint32_t>(i - line_start) + 1};
      throw UserError(fixed ? SourceLocation{file, 0, 0} : here, why);
    };
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_length(text, i);
    if (length == 0) refuse("is not text: the bytes here are not UTF-8");
    const bool control = (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
    if (control) refuse("is not text: a control character is here");
    if (byte == '\t' && indentation && !fixed) refuse("a tab is in the indentation; use spaces");
    indentation = indentation && (byte == ' ' || byte == '\r');
    if (byte == '\n') {
      ++line;
      line_start = i + 1;
      indentation = true;
    }
    i += length;
  }
}

}  // namespace

std::unique_ptr<ConfigValue> parse_yaml(const std::string& text, const std::string& file, bool fixed, std::size_t& budget) {
  constexpr std::size_t kTextLimit = 1 << 20;
  if (text.size() > kTextLimit) throw UserError(SourceLocation{file, 0, 0}, "is larger than 1024 KiB; no file of this kind is");
  const std::string body = text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text;
  check_text(body, file, fixed);
  Builder builder(file, fixed, budget);
  try {
    std::istringstream stream(body);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    SourceLocation where{file, 0, 0};
    if (!fixed && error.mark.line >= 0) {
      where = {file, static_cast<std::uint32_t>(error.mark.line) + 1, static_cast<std::uint32_t>(error.mark.column) + 1};
    }
    // At the end of the text the library knows no place; the bracket that was opened last is the better one anyway.
    const bool unclosed = error.msg.find("flow not found") != std::string::npos && builder.innermost() != nullptr;
    if (unclosed) {
      const bool list = builder.innermost()->kind == ConfigValue::Kind::list;
      throw UserError(builder.innermost()->where, std::string("is not YAML: the ") + (list ? "[" : "{") + " here is never closed");
    }
    throw UserError(where, "is not YAML: " + error.msg);
  }
  return builder.take();
}

}  // namespace rooftrace::detail
