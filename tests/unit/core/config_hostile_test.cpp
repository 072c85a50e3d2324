// Hostile texts: whatever comes in, the config layer and the unit parser answer with a document or one line, and what they accept survives
// the way through canonical text.
#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "tests/unit/core/config_support.hpp"

namespace rooftrace {
namespace {

// Reads everything with every conversion; only UserErrors may come out.
void read_all(const ConfigNode& node) {
  const auto quietly = [](auto read) {
    try {
      read();
    } catch (const UserError& error) {
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  };
  quietly([&] { (void)node.string(); });
  quietly([&] { (void)node.number(); });
  quietly([&] { (void)node.integer(-5, 5); });
  quietly([&] { (void)node.boolean(); });
  quietly([&] { (void)node.quantity(Dimension::bytes); });
  quietly([&] { (void)node.one_of({"a", "b"}); });
  if (node.is_list()) {
    for (const ConfigNode& item : node.items()) read_all(item);
  }
  if (node.is_map()) {
    for (const auto& [key, value] : node.entries()) read_all(value);
  }
}

// Returns whether the text was a document.
bool survives(const std::string& text) {
  try {
    const ConfigDocument document = ConfigDocument::parse(text, "x.yaml");
    const std::string canonical = document.canonical();
    const ConfigDocument again = ConfigDocument::parse(canonical, "x.yaml");
    EXPECT_EQ(again.canonical(), canonical);
    read_all(document.root());
    EXPECT_EQ(message_of([&] { document.check_all_read(); }), "no error");
    return true;
  } catch (const UserError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with("x.yaml")) << message;
    return false;
  }
}

TEST(ConfigHostile, RepeatedPiecesUpToTheLimit) {
  for (const std::string piece : {"[",       "{",       "- ",  "? ",  "a: [", "{a: ",  "&a ",   "*a ", "!",       "!a ", "'",   "\"",
                                  "|",       "a:\n",    "-\n", "[a,", "%A\n", "---\n", "...\n", ",",   ":",       ": ",  "#\n", "k,",
                                  "\"a\": ", "? a\n: ", " ",   "\n",  "]",    "}",     "a",     "\\",  "a: |\n ", "\r"}) {
    std::string text;
    while (text.size() + piece.size() <= 1 << 20) text += piece;
    (void)survives(text);
    (void)survives("a: " + text.substr(0, (1 << 20) - 3));
  }
}

const std::string kSeed =
    "# machine\nname: h100-sxm\nsm:\n  count: 132\n  clock: 1.98 GHz\n  peak: {bf16: 989.4 TFLOP/s, \"fp8\": '1979 TFLOP/s'}\n"
    "l2: &l2\n  capacity: 50 MiB\n  hash: hashed  # a word\nagain: *l2\naxes:\n  - key: batch\n    values: [1, 2, 4]\n  - key: tp\n    "
    "values: [1]\n"
    "text: |\n  two\n  lines\nodd: \"\\u00e9 \\\"x\\\"\"\nflag: true\nnone:\n";

TEST(ConfigHostile, MutatedDocuments) {
  const std::uint32_t seed = 7;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string alphabet = "[]{}:,-?&*!|>'\"%@`#~ \n\r\t\\0aex._/\xc3\xa9\xff<";
  ASSERT_TRUE(survives(kSeed));
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = kSeed;
    const std::size_t changes = 1 + random() % 4;
    for (std::size_t i = 0; i < changes; ++i) {
      if (text.empty()) break;
      const std::size_t at = random() % text.size();
      switch (random() % 5) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        case 2:
          text.erase(at, 1 + random() % 8);
          break;
        case 3:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
          break;
        default:
          text.resize(at + 1);
      }
    }
    if (survives(text)) ++accepted;
    if (HasFailure()) FAIL() << "round " << round << ":\n" << text;
  }
  // The test would be empty if nearly all or nearly none of the texts were documents.
  EXPECT_GT(accepted, 600);
  EXPECT_LT(accepted, 5400);
}

TEST(ConfigHostile, RandomAssignments) {
  const std::uint32_t seed = 11;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string alphabet = "sml2.=[]{},:'\" -#&*!~0x\n";
  for (int round = 0; round < 6000; ++round) {
    std::string text;
    for (std::size_t i = 0, n = random() % 12; i < n; ++i) text += alphabet[random() % alphabet.size()];
    if (random() % 2 == 0) text.insert(0, "sm.");
    ConfigDocument document = ConfigDocument::parse("sm:\n  l: 2\ns: [1]\n", "x.yaml");
    const std::string message = message_of([&] { document.set(text); });
    EXPECT_TRUE(message == "no error" || message.starts_with("--set: ")) << message;
    EXPECT_EQ(ConfigDocument::parse(document.canonical(), "x.yaml").canonical(), document.canonical()) << text;
  }
}

TEST(ConfigHostile, RandomQuantities) {
  const std::uint32_t seed = 13;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string alphabet = "0123456789.,eE+- kKMGTPBbis/FLOPHzWnu\xc2\xb5\n";
  int accepted = 0;
  for (int round = 0; round < 100000; ++round) {
    std::string text(1, static_cast<char>('0' + random() % 10));
    for (std::size_t i = 0, n = random() % 7; i < n; ++i) text += alphabet[random() % alphabet.size()];
    try {
      const double value = parse_quantity(text, static_cast<Dimension>(random() % 6));
      EXPECT_TRUE(value >= 0 && value < 1e308) << text;
      ++accepted;
    } catch (const std::invalid_argument& error) {
      EXPECT_LT(std::string(error.what()).size(), 400U);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace rooftrace
