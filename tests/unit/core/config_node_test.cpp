// Reading values: every conversion, every refusal with its exact line.
#include <gtest/gtest.h>

#include "tests/unit/core/config_support.hpp"

namespace rooftrace {
namespace {

// The message of reading the key "v" of the text "v: TEXT"; the value begins in column 4.
template <typename Read>
std::string reading(const std::string& text, Read read) {
  const ConfigDocument document = ConfigDocument::parse("v: " + text + "\n", "x.yaml");
  return message_of([&] { (void)read(document.root()["v"]); });
}

TEST(ConfigNode, Strings) {
  const auto read = [](const ConfigNode& node) { return node.string(); };
  const ConfigDocument document = ConfigDocument::parse("a: 12\nb: \"12\"\nc: h100-sxm\n", "x.yaml");
  EXPECT_EQ(document.root()["a"].string(), "12");
  EXPECT_EQ(document.root()["b"].string(), "12");
  EXPECT_EQ(document.root()["c"].string(), "h100-sxm");
  EXPECT_EQ(reading("[1]", read), "x.yaml:1:4: v: a text is needed, not a list");
  EXPECT_EQ(reading("{a: 1}", read), "x.yaml:1:1: v: a text is needed, not a mapping");
  EXPECT_EQ(reading("", read), "x.yaml:1:1: v: a text is needed, not nothing");
}

TEST(ConfigNode, Numbers) {
  const auto read = [](const ConfigNode& node) { return node.number(); };
  const ConfigDocument numbers = ConfigDocument::parse("v: [0.9, -1e3, 7, .5]\n", "x.yaml");
  const std::vector<ConfigNode> items = numbers.root()["v"].items();
  EXPECT_EQ(items[0].number(), 0.9);
  EXPECT_EQ(items[1].number(), -1000);
  EXPECT_EQ(items[2].number(), 7);
  EXPECT_EQ(items[3].number(), 0.5);
  EXPECT_EQ(reading("fast", read), "x.yaml:1:4: v: \"fast\" is not a number");
  EXPECT_EQ(reading("5 GB", read), "x.yaml:1:4: v: \"5 GB\" is not a number");
  EXPECT_EQ(reading("1_000", read), "x.yaml:1:4: v: \"1_000\" is not a number; did you mean \"1000\"?");
  EXPECT_EQ(reading("0x10", read), "x.yaml:1:4: v: \"0x10\" is not a number");
  EXPECT_EQ(reading(".inf", read), "x.yaml:1:4: v: \".inf\" is not a number");
  EXPECT_EQ(reading("inf", read), "x.yaml:1:4: v: \"inf\" is not a number");
  EXPECT_EQ(reading("nan", read), "x.yaml:1:4: v: \"nan\" is not a number");
  EXPECT_EQ(reading("1e999", read), "x.yaml:1:4: v: \"1e999\" is out of range");
  EXPECT_EQ(reading("\"5\"", read), "x.yaml:1:4: v: \"5\" is a string because of its quotes; a number is needed");
  EXPECT_EQ(reading("[5]", read), "x.yaml:1:4: v: a number is needed, not a list");
}

TEST(ConfigNode, NumbersInARange) {
  const auto share = [](const ConfigNode& node) { return node.number(0, 1); };
  EXPECT_EQ(reading("0", share), "no error");
  EXPECT_EQ(reading("1", share), "no error");
  EXPECT_EQ(reading("1.01", share), "x.yaml:1:4: v: 1.01 is outside 0 to 1");
  EXPECT_EQ(reading("-0.1", share), "x.yaml:1:4: v: -0.1 is outside 0 to 1");
  EXPECT_EQ(reading("9", [](const ConfigNode& node) { return node.number(0.5, 2.25); }), "x.yaml:1:4: v: 9 is outside 0.5 to 2.25");
}

TEST(ConfigNode, Integers) {
  const auto read = [](const ConfigNode& node) { return node.integer(1, 1024); };
  const ConfigDocument document = ConfigDocument::parse("v: [1, 1024, -5, 9223372036854775807]\n", "x.yaml");
  const std::vector<ConfigNode> items = document.root()["v"].items();
  EXPECT_EQ(items[0].integer(1, 1024), 1);
  EXPECT_EQ(items[1].integer(1, 1024), 1024);
  EXPECT_EQ(items[2].integer(-5, 0), -5);
  EXPECT_EQ(items[3].integer(0, INT64_MAX), INT64_MAX);
  EXPECT_EQ(reading("0", read), "x.yaml:1:4: v: 0 is outside 1 to 1024");
  EXPECT_EQ(reading("1025", read), "x.yaml:1:4: v: 1025 is outside 1 to 1024");
  EXPECT_EQ(reading("99999999999999999999", read), "x.yaml:1:4: v: 99999999999999999999 is outside 1 to 1024");
  EXPECT_EQ(reading("1.0", read), "x.yaml:1:4: v: \"1.0\" is not a whole number");
  EXPECT_EQ(reading("1e3", read), "x.yaml:1:4: v: \"1e3\" is not a whole number");
  EXPECT_EQ(reading("4k", read), "x.yaml:1:4: v: \"4k\" is not a whole number");
  EXPECT_EQ(reading("1,024", read), "x.yaml:1:4: v: \"1,024\" is not a whole number; did you mean \"1024\"?");
  EXPECT_EQ(reading("+7", read), "x.yaml:1:4: v: \"+7\" is not a whole number; did you mean \"7\"?");
  EXPECT_EQ(reading("010", read), "x.yaml:1:4: v: \"010\" has a leading zero; did you mean \"10\"?");
  EXPECT_EQ(reading("00", read), "x.yaml:1:4: v: \"00\" has a leading zero; did you mean \"0\"?");
  EXPECT_EQ(reading("0x10", read), "x.yaml:1:4: v: \"0x10\" is not a whole number");
  EXPECT_EQ(reading("\"8\"", read), "x.yaml:1:4: v: \"8\" is a string because of its quotes; a whole number is needed");
  EXPECT_EQ(reading(std::string(70, '9'), read), "x.yaml:1:4: v: \"" + std::string(60, '9') + "...\" is outside 1 to 1024");
}

TEST(ConfigNode, Booleans) {
  const auto read = [](const ConfigNode& node) { return node.boolean(); };
  const ConfigDocument document = ConfigDocument::parse("t: true\nf: false\n", "x.yaml");
  EXPECT_TRUE(document.root()["t"].boolean());
  EXPECT_FALSE(document.root()["f"].boolean());
  EXPECT_EQ(reading("yes", read), "x.yaml:1:4: v: \"yes\" is not true or false; did you mean \"true\"?");
  EXPECT_EQ(reading("Off", read), "x.yaml:1:4: v: \"Off\" is not true or false; did you mean \"false\"?");
  EXPECT_EQ(reading("0", read), "x.yaml:1:4: v: \"0\" is not true or false; did you mean \"false\"?");
  EXPECT_EQ(reading("flase", read), "x.yaml:1:4: v: \"flase\" is not true or false; did you mean \"false\"?");
  EXPECT_EQ(reading("maybe", read), "x.yaml:1:4: v: \"maybe\" is not true or false");
  EXPECT_EQ(reading("\"true\"", read), "x.yaml:1:4: v: \"true\" is a string because of its quotes; true or false is needed");
}

TEST(ConfigNode, Quantities) {
  const auto read = [](const ConfigNode& node) { return node.quantity(Dimension::bytes_per_second); };
  const ConfigDocument document = ConfigDocument::parse("a: 3.35 TB/s\nb: \"50 GB/s\"\n", "x.yaml");
  EXPECT_EQ(document.root()["a"].quantity(Dimension::bytes_per_second), 3.35e12);
  EXPECT_EQ(document.root()["b"].quantity(Dimension::bytes_per_second), 5e10);
  EXPECT_EQ(reading("3.35 TBps", read), "x.yaml:1:4: v: \"3.35 TBps\" has no unit I know; did you mean \"3.35 TB/s\"?");
  EXPECT_EQ(reading("[1]", read), "x.yaml:1:4: v: a number with a unit is needed, not a list");
}

TEST(ConfigNode, TheExampleOfTheDesign) {
  const std::string text = std::string(13, '\n') + "    bandwidth: 3.35 TBps\n";
  const ConfigDocument document = ConfigDocument::parse(text, "configs/hardware/x.yaml");
  EXPECT_EQ(message_of([&] { (void)document.root()["bandwidth"].quantity(Dimension::bytes_per_second); }),
            "configs/hardware/x.yaml:14:16: bandwidth: \"3.35 TBps\" has no unit I know; did you mean \"3.35 TB/s\"?");
}

TEST(ConfigNode, OneOf) {
  const std::vector<std::string> types = {"bf16", "fp8", "int4"};
  const auto read = [&](const ConfigNode& node) { return node.one_of(types); };
  const ConfigDocument document = ConfigDocument::parse("a: int4\n", "x.yaml");
  EXPECT_EQ(document.root()["a"].one_of(types), 2U);
  EXPECT_EQ(reading("bf61", read), "x.yaml:1:4: v: \"bf61\" is not one of bf16, fp8, int4; did you mean \"bf16\"?");
  EXPECT_EQ(reading("elephant", read), "x.yaml:1:4: v: \"elephant\" is not one of bf16, fp8, int4");
  EXPECT_EQ(reading("[bf16]", read), "x.yaml:1:4: v: a word is needed, not a list");
}

TEST(ConfigNode, ListsAndMappings) {
  const ConfigDocument document = ConfigDocument::parse("list: [a, b]\nmap:\n  x: 1\n  y: 2\nword: w\n", "x.yaml");
  const ConfigNode root = document.root();
  EXPECT_EQ(root["list"].items()[1].string(), "b");
  const auto entries = root["map"].entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].first, "y");
  EXPECT_EQ(entries[1].second.integer(0, 9), 2);
  EXPECT_TRUE(root["map"].is_map());
  EXPECT_FALSE(root["map"].is_list());
  EXPECT_TRUE(root["list"].is_list());
  EXPECT_FALSE(root["word"].is_list());
  EXPECT_EQ(message_of([&] { (void)root["word"].items(); }), "x.yaml:5:7: word: a list is needed, as in [1, 2], not \"w\"");
  EXPECT_EQ(message_of([&] { (void)root["word"].entries(); }), "x.yaml:5:7: word: a mapping is needed, not \"w\"");
  EXPECT_EQ(message_of([&] { (void)root["word"]["x"]; }), "x.yaml:5:7: word: a mapping is needed, not \"w\"");
  EXPECT_EQ(message_of([&] { (void)root["list"].find("x"); }), "x.yaml:1:7: list: a mapping is needed, not a list");
}

TEST(ConfigNode, MissingKeys) {
  const ConfigDocument document = ConfigDocument::parse("l2:\n  capactiy: 50 MiB\n  ways: 16\n", "x.yaml");
  const ConfigNode root = document.root();
  EXPECT_EQ(message_of([&] { (void)root["hbm"]; }), "x.yaml: the key \"hbm\" is missing");
  EXPECT_EQ(message_of([&] { (void)root["l2"]["capacity"]; }),
            "x.yaml:1:1: l2: the key \"capacity\" is missing; is \"capactiy\" on line 2 meant to be it?");
  EXPECT_EQ(message_of([&] { (void)root["l2"]["latency"]; }), "x.yaml:1:1: l2: the key \"latency\" is missing");
  // A key that somebody asked for is no misspelling of another.
  (void)root["l2"]["ways"];
  EXPECT_EQ(message_of([&] { (void)root["l2"]["way"]; }), "x.yaml:1:1: l2: the key \"way\" is missing");
  EXPECT_FALSE(root["l2"].find("latency").has_value());
}

TEST(ConfigNode, KnowsItsPlace) {
  const ConfigDocument document = ConfigDocument::parse("a:\n  b:\n    - c: 1\n    - c: 2\n", "x.yaml");
  const ConfigNode c = document.root()["a"]["b"].items()[1]["c"];
  EXPECT_EQ(c.path(), "a.b[1].c");
  EXPECT_EQ(c.where().text(), "x.yaml:4:10");
  EXPECT_EQ(document.root()["a"].where().text(), "x.yaml:1:1");  // A mapping is where its key is.
  EXPECT_EQ(document.root().path(), "");
  EXPECT_EQ(document.root().where().text(), "x.yaml");
  EXPECT_EQ(message_of([&] { c.fail("no"); }), "x.yaml:4:10: c: no");
  EXPECT_EQ(message_of([&] { document.root().fail("no"); }), "x.yaml: no");
  EXPECT_EQ(message_of([&] { document.root()["a"]["b"].items()[0].fail("no"); }), "x.yaml:3:7: b[0]: no");
}

}  // namespace
}  // namespace rooftrace
