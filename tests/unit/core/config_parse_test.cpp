// YAML text to a document: what is refused, with the exact line, and what is understood.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/config_support.hpp"

namespace rooftrace {
namespace {

TEST(ConfigParse, RefusesWhatTheYamlLibraryWouldSwallow) {
  EXPECT_EQ(parse_message("a: 1\nb: 2\na: 3\n"), "x.yaml:3:1: the key \"a\" is here twice (first on line 1)");
  EXPECT_EQ(parse_message("l2:\n  ways: 1\n  ways: 1\n"), "x.yaml:3:3: the key \"ways\" is here twice (first on line 2)");
  EXPECT_EQ(parse_message("{a: 1, \"a\": 2}"), "x.yaml:1:8: the key \"a\" is here twice (first on line 1)");
  EXPECT_EQ(parse_message("a: &x {b: 1}\nc:\n  <<: *x\n"),
            "x.yaml:3:3: merge keys (<<) are not supported; use \"extends: FILE\" or write the keys out");
  EXPECT_EQ(parse_message("a: !!python/object x"),
            "x.yaml:1:4: the tag \"tag:yaml.org,2002:python/object\" is not supported; leave it out");
  EXPECT_EQ(parse_message("a: !mine [1]"), "x.yaml:1:4: the tag \"!mine\" is not supported; leave it out");
  EXPECT_EQ(parse_message("a: !mine {b: 1}"), "x.yaml:1:4: the tag \"!mine\" is not supported; leave it out");
  EXPECT_EQ(parse_message("a: 1\n---\nb: 2\n"), "x.yaml:2:1: a second document starts here; a file holds one");
}

TEST(ConfigParse, RefusesKeysThatAreNoWords) {
  EXPECT_EQ(parse_message("[a]: 1"), "x.yaml:1:1: a key must be a plain word, not a list or a mapping");
  EXPECT_EQ(parse_message("{a: 1}: 1"), "x.yaml:1:1: a key must be a plain word, not a list or a mapping");
  EXPECT_EQ(parse_message("\"\": 1"), "x.yaml:1:1: a key is empty");
  EXPECT_EQ(parse_message(": 1"), "x.yaml:1:1: a key is missing in front of the colon");
  EXPECT_EQ(parse_message("a:\n  null: 1"), "x.yaml:2:3: a key is missing in front of the colon");
  EXPECT_EQ(parse_message("&k a: 1\nb: *k"), "x.yaml:1:1: a key must be a plain word, without an anchor");
  EXPECT_EQ(parse_message("a: &k b\n*k : 1"), "x.yaml:2:1: a key must be a plain word, not an alias");
  EXPECT_EQ(parse_message(std::string(201, 'k') + ": 1"), "x.yaml:1:1: the key \"" + std::string(60, 'k') + "...\" is too long");
}

TEST(ConfigParse, RefusesFilesThatAreNoMapping) {
  EXPECT_EQ(parse_message(""), "x.yaml: is empty");
  EXPECT_EQ(parse_message("# only a comment\n\n"), "x.yaml: is empty");
  EXPECT_EQ(parse_message("---\n"), "x.yaml: is empty");
  EXPECT_EQ(parse_message("~"), "x.yaml: is empty");
  EXPECT_EQ(parse_message("- a\n- b\n"), "x.yaml:1:1: a file holds \"key: value\" lines, not a list");
  EXPECT_EQ(parse_message("\nhello\n"), "x.yaml:2:1: a file holds \"key: value\" lines, not \"hello\"");
}

TEST(ConfigParse, RefusesWhatIsNoText) {
  EXPECT_EQ(parse_message("a:\n\tb: 1\n"), "x.yaml:2:1: a tab is in the indentation; use spaces");
  EXPECT_EQ(parse_message("a:\n  \tb: 1\n"), "x.yaml:2:3: a tab is in the indentation; use spaces");
  EXPECT_EQ(parse_message("a: 1\nb: \x01\n"), "x.yaml:2:4: is not text: a control character is here");
  EXPECT_EQ(parse_message(std::string("a: \0", 4)), "x.yaml:1:4: is not text: a control character is here");
  EXPECT_EQ(parse_message("\x7f"
                          "ELF\x02\x01"),
            "x.yaml:1:1: is not text: a control character is here");
  EXPECT_EQ(parse_message("\x89HDF\r\n\x1a\n"), "x.yaml:1:1: is not text: the bytes here are not UTF-8");
  EXPECT_EQ(parse_message("\xff\xfe"
                          "a\0:\0"),
            "x.yaml:1:1: is not text: the bytes here are not UTF-8");  // UTF-16
}

TEST(ConfigParse, KnowsUtf8Exactly) {
  for (const std::string good : {"\u00e9", "\u20ac", "\U0001f600", "\xed\x9f\xbf", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(parse_message("a: " + good), "no error") << good;
  }
  // Lone continuation, overlong forms, a surrogate, above U+10FFFF, cut short in the middle and at the end, bytes that never occur.
  for (const std::string bad : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                "\xe2\x82 ", "\xe2\x82", "\xc3", "\xf5\x80\x80\x80", "\xfe"}) {
    EXPECT_EQ(parse_message("a: " + bad), "x.yaml:1:4: is not text: the bytes here are not UTF-8");
  }
}

TEST(ConfigParse, PassesOnWhatTheYamlLibraryRefuses) {
  EXPECT_EQ(parse_message("a: b: c"), "x.yaml:1:5: is not YAML: illegal map value");
  EXPECT_EQ(parse_message("a: *nobody"), "x.yaml:1:4: is not YAML: the referenced anchor is not defined");
  EXPECT_EQ(parse_message("x: 1\na: @b"), "x.yaml:2:4: is not YAML: unknown token");
  EXPECT_EQ(parse_message("x: 1\na: [1, 2\n"), "x.yaml:2:4: is not YAML: the [ here is never closed");
  EXPECT_EQ(parse_message("a:\n  b: {c: 1\n"), "x.yaml:2:6: is not YAML: the { here is never closed");
}

TEST(ConfigParse, BoundsDepthValuesAndText) {
  // The mapping at the top is level 1, so 63 brackets reach level 64.
  const auto brackets = [](int n) { return "a: " + std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(parse_message(brackets(63)), "no error");
  EXPECT_EQ(parse_message(brackets(64)), "x.yaml:1:67: is nested deeper than 64 levels");  // The 64th bracket: column 3 + 64.
  EXPECT_EQ(parse_message("a: &x " + std::string(62, '[') + std::string(62, ']') + "\nb: [*x]"), "no error");  // 1 + 1 + 62
  EXPECT_EQ(parse_message("a: &x " + std::string(63, '[') + std::string(63, ']') + "\nb: [*x]"),
            "x.yaml:2:5: is nested deeper than 64 levels");

  // 100,000 values: the mapping, the list, and 99,998 elements.
  const auto elements = [](int n) {
    std::string text = "a: [";
    for (int i = 0; i < n; ++i) text += "1,";
    return text + "]";
  };
  EXPECT_EQ(parse_message(elements(99998)), "no error");
  EXPECT_EQ(parse_message(elements(99999)), "x.yaml:1:200001: holds more than 100000 values, counting every repetition by an alias");

  EXPECT_EQ(parse_message("a: 1 #" + std::string((1 << 20) - 6, '#')), "no error");
  EXPECT_EQ(parse_message("a: 1 #" + std::string((1 << 20) - 5, '#')), "x.yaml: is larger than 1024 KiB; no file of this kind is");
}

TEST(ConfigParse, StopsAliasesThatExplode) {
  // Ten times ten per line: 10^12 values in 12 lines of text.
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{}: &a{} [*a{}", i, i, i - 1);
    for (int j = 1; j < 10; ++j) bomb += fmt::format(",*a{}", i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(parse_message(bomb), testing::EndsWith("holds more than 100000 values, counting every repetition by an alias"));
  EXPECT_EQ(parse_message("a: &x [*x]"), "x.yaml:1:8: an alias stands inside the value that it repeats");
}

TEST(ConfigParse, UnderstandsTheRestOfYaml) {
  const std::string text =
      "\xef\xbb\xbf# comment\r\n"
      "plain: two words  # comment\r\n"
      "single: 'it''s'\n"
      "double: \"a\\tb\"\n"
      "literal: |\n  x\n  y\n"
      "folded: >\n  x\n  y\n"
      "list: &l [1, {a: 2}]\n"
      "again: *l\n"
      "nothing:\n";
  const ConfigDocument document = ConfigDocument::parse(text, "x.yaml");
  const ConfigNode root = document.root();
  EXPECT_EQ(root["plain"].string(), "two words");
  EXPECT_EQ(root["single"].string(), "it's");
  EXPECT_EQ(root["double"].string(), "a\tb");
  EXPECT_EQ(root["literal"].string(), "x\ny\n");
  EXPECT_EQ(root["folded"].string(), "x y\n");
  EXPECT_EQ(root["again"].items()[1]["a"].integer(0, 9), 2);
  EXPECT_EQ(root["again"].items()[1]["a"].path(), "again[1].a");
  EXPECT_TRUE(root.find("nothing").has_value());
}

TEST(ConfigParse, RepeatsAnAliasAsItWasWritten) {
  const ConfigDocument document = ConfigDocument::parse("a: &x [\"12\", 12]\nb: *x\n", "x.yaml");
  EXPECT_EQ(document.canonical(), "a: [\"12\", 12]\nb: [\"12\", 12]\n");  // A string stays a string.
  EXPECT_EQ(document.root()["b"].items()[0].where().text(), "x.yaml:1:8");
}

TEST(ConfigParse, ReadsJson) {
  const ConfigDocument document = ConfigDocument::parse("{\n  \"name\": \"x\",\n  \"list\": [1, 2.5],\n  \"yes\": true\n}\n", "x.json");
  EXPECT_EQ(document.root()["name"].string(), "x");
  EXPECT_EQ(document.root()["list"].items()[1].number(), 2.5);
  EXPECT_TRUE(document.root()["yes"].boolean());
}

}  // namespace
}  // namespace rooftrace
