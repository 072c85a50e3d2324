// Whole documents: set, has, keys that nobody read, the canonical text.
#include <gtest/gtest.h>

#include "tests/unit/core/config_support.hpp"

namespace rooftrace {
namespace {

ConfigDocument machine() {
  return ConfigDocument::parse("name: x\nl2:\n  capacity: 50 MiB\n  ways: 16\nhbm:\n  stacks: 5\naxes: [1, 2]\nnone:\n", "x.yaml");
}

std::string set_message(const std::string& assignment) {
  ConfigDocument document = machine();
  const std::string before = document.canonical();
  const std::string message = message_of([&] { document.set(assignment); });
  if (message == "no error") return message;
  EXPECT_EQ(document.canonical(), before) << "a refused set() changed the document";
  return message;
}

TEST(ConfigSet, OverridesAndCreates) {
  ConfigDocument document = machine();
  document.set("l2.capacity=40 MiB");
  document.set("l2.policy=fifo");
  document.set("sm.clock.tensor=1.7 GHz");
  document.set("axes=[3, 4, 5]");
  document.set("none.deep=true");
  document.set("name=a=b");  // Only the first "=" splits.
  const ConfigNode root = document.root();
  EXPECT_EQ(root["l2"]["capacity"].quantity(Dimension::bytes), 41943040);  // 40 * 2^20
  EXPECT_EQ(root["l2"]["ways"].integer(1, 64), 16);
  EXPECT_EQ(root["l2"]["policy"].string(), "fifo");
  EXPECT_EQ(root["sm"]["clock"]["tensor"].quantity(Dimension::hertz), 1.7e9);
  EXPECT_EQ(root["sm"]["clock"]["tensor"].path(), "sm.clock.tensor");
  EXPECT_EQ(root["axes"].items().size(), 3U);
  EXPECT_EQ(root["axes"].items()[2].path(), "axes[2]");
  EXPECT_TRUE(root["none"]["deep"].boolean());
  EXPECT_EQ(root["name"].string(), "a=b");
}

TEST(ConfigSet, IsNamedInLaterMessages) {
  ConfigDocument document = machine();
  document.set("l2.capacity=40");
  document.set("l2.ways=fast", "sweep.yaml axis 2");
  EXPECT_EQ(message_of([&] { (void)document.root()["l2"]["capacity"].quantity(Dimension::bytes); }),
            "--set: capacity: \"40\" has no unit; units that would do: EB, PB, TB, GB, MB, kB, PiB, TiB, GiB, MiB, KiB, B");
  EXPECT_EQ(message_of([&] { (void)document.root()["l2"]["ways"].integer(1, 64); }),
            "sweep.yaml axis 2: ways: \"fast\" is not a whole number");
}

TEST(ConfigSet, KeepsViewsOfTheSameValueAlive) {
  ConfigDocument document = machine();
  const ConfigNode ways = document.root()["l2"]["ways"];
  document.set("l2.ways=8");
  document.set("l2.more=1");
  EXPECT_EQ(ways.integer(1, 64), 8);
}

TEST(ConfigSet, RefusesWhatIsNoAssignment) {
  EXPECT_EQ(set_message("l2.ways"), "--set: \"l2.ways\" has no \"=\"; write path.to.key=value");
  EXPECT_EQ(set_message(""), "--set: \"\" has no \"=\"; write path.to.key=value");
  EXPECT_EQ(set_message("=5"), "--set: \"=5\" has no key in front of the \"=\"");
  EXPECT_EQ(set_message("l2..ways=5"), "--set: \"l2..ways=5\" has an empty word in its path");
  EXPECT_EQ(set_message("l2.=5"), "--set: \"l2.=5\" has an empty word in its path");
  EXPECT_EQ(set_message("l2.ways="), "--set: \"l2.ways=\" has no value behind the \"=\"");
  EXPECT_EQ(set_message("l2.ways=~"), "--set: \"l2.ways=~\" has no value behind the \"=\"");
  EXPECT_EQ(set_message("l2.ways=# 5"), "--set: \"l2.ways=# 5\" has no value behind the \"=\"");
  EXPECT_EQ(set_message("l2={ways: 5}"), "--set: \"l2={ways: 5}\" sets a mapping; set its keys one by one");
  EXPECT_EQ(set_message("name.first=5"), "--set: \"name.first=5\" goes through name, which is \"x\" and no mapping");
  EXPECT_EQ(set_message("l2.ways.odd=5"), "--set: \"l2.ways.odd=5\" goes through l2.ways, which is \"16\" and no mapping");
  EXPECT_EQ(set_message("axes.0=5"), "--set: \"axes.0=5\" goes through axes, which is a list; set the list as a whole, as in [1, 2]");
  EXPECT_EQ(set_message("extends=y"), "--set: \"extends=y\" comes too late: extends is resolved when the file is read");
  EXPECT_EQ(set_message("l2.ways=5\nhbm: 6"), "--set: \"l2.ways=5\\x0ahbm: 6\" sets more than one value");
  EXPECT_EQ(set_message("l2.ways=5: 6"), "--set: is not YAML: illegal map value");
  EXPECT_EQ(set_message("l2.ways=[1"), "--set: is not YAML: the [ here is never closed");
  EXPECT_EQ(set_message("l2.ways=\xff"), "--set: is not text: the bytes here are not UTF-8");
  EXPECT_EQ(set_message(std::string(201, 'k') + "=1"),
            "--set: \"" + std::string(60, 'k') + "...\" has a word in its path that is too long");
  std::string deep = "a";
  for (int i = 0; i < 64; ++i) deep += ".a";
  EXPECT_EQ(set_message(deep + "=1"), "--set: \"" + deep.substr(0, 60) + "...\" is nested deeper than 64 levels");
}

TEST(ConfigHas, LooksWithoutReading) {
  const ConfigDocument document = machine();
  EXPECT_TRUE(document.has("l2.ways"));
  EXPECT_TRUE(document.has("l2"));
  EXPECT_TRUE(document.has("none"));
  EXPECT_FALSE(document.has("l2.way"));
  EXPECT_FALSE(document.has("name.first"));
  EXPECT_FALSE(document.has(""));
  EXPECT_EQ(message_of([&] { document.check_all_read(); }), "x.yaml:1:1: unknown key \"name\"");
}

TEST(ConfigCheckAllRead, IsContentWhenAllIsRead) {
  const ConfigDocument document = machine();
  const ConfigNode root = document.root();
  (void)root["name"].string();
  (void)root["l2"]["capacity"].quantity(Dimension::bytes);
  (void)root["l2"]["ways"].integer(1, 64);
  (void)root["hbm"]["stacks"].integer(1, 64);
  for (const ConfigNode& item : root["axes"].items()) (void)item.number();
  (void)root.find("none");
  EXPECT_EQ(message_of([&] { document.check_all_read(); }), "no error");
}

TEST(ConfigCheckAllRead, NamesTheFirstUnknownKeyAndWhatItMayMean) {
  const ConfigDocument document = ConfigDocument::parse("l2:\n  ways: 16\n  capactiy: 50 MiB\n  zebra: 1\n", "x.yaml");
  const ConfigNode l2 = document.root()["l2"];
  (void)l2["ways"].integer(1, 64);
  (void)l2.find("capacity");
  (void)l2.find("latency");
  EXPECT_EQ(message_of([&] { document.check_all_read(); }), "x.yaml:3:3: unknown key \"capactiy\" in l2; did you mean \"capacity\"?");
  (void)l2["capactiy"].string();
  EXPECT_EQ(message_of([&] { document.check_all_read(); }),
            "x.yaml:4:3: unknown key \"zebra\" in l2; known keys: capacity, capactiy, latency, ways");
}

TEST(ConfigCheckAllRead, FindsWhatWasAskedForButNotRead) {
  const ConfigDocument document = ConfigDocument::parse("offload:\n  weights: 0.5\n", "x.yaml");
  (void)document.root()["offload"].find("weights");
  EXPECT_EQ(message_of([&] { document.check_all_read(); }),
            "x.yaml:2:3: the key \"weights\" in offload has no effect here: nothing reads it");
}

TEST(ConfigCheckAllRead, LooksIntoMappingsAndLists) {
  const ConfigDocument document = ConfigDocument::parse("a: [1, 2]\nb:\n  - c: 1\n    d: 2\n", "x.yaml");
  const ConfigNode root = document.root();
  const std::vector<ConfigNode> items = root["a"].items();
  (void)items[0].number();
  EXPECT_EQ(message_of([&] { document.check_all_read(); }), "x.yaml:1:8: a[1] has no effect here: nothing reads it");
  (void)items[1].number();
  EXPECT_EQ(message_of([&] { document.check_all_read(); }), "x.yaml:2:1: unknown key \"b\"; known keys: a");
  (void)root["b"].items()[0]["c"].number();
  EXPECT_EQ(message_of([&] { document.check_all_read(); }), "x.yaml:4:5: unknown key \"d\" in b[0]; known keys: c");
}

TEST(ConfigCheckAllRead, SeesKeysFromSet) {
  ConfigDocument document = ConfigDocument::parse("l2:\n  ways: 16\n", "x.yaml");
  document.set("l2.wasy=8");
  (void)document.root()["l2"]["ways"].integer(1, 64);
  EXPECT_EQ(message_of([&] { document.check_all_read(); }), "--set: unknown key \"wasy\" in l2; did you mean \"ways\"?");
}

TEST(ConfigCanonical, IsTheDocumentInFileOrder) {
  ConfigDocument document = machine();
  document.set("l2.policy=fifo");
  EXPECT_EQ(document.canonical(),
            "name: x\n"
            "l2:\n"
            "  capacity: 50 MiB\n"
            "  ways: 16\n"
            "  policy: fifo\n"
            "hbm:\n"
            "  stacks: 5\n"
            "axes: [1, 2]\n"
            "none: null\n");
}

// parse(canonical()) must be the same document: the same text again, and nothing lost.
TEST(ConfigCanonical, ParsesBackToTheSame) {
  const std::string text =
      "plain: two words\nnumber: -1.5e-3\nquoted_number: \"12\"\nquoted_bool: 'true'\nquoted_null: \"null\"\ntilde: \"~\"\n"
      "colon: \"a: b\"\nhash: \"a #b\"\nnot_hash: a#b\ncomma: a, b\nquote: 'say \"hi\" \\'\nempty: \"\"\nspace: \" a \"\n"
      "lines: |\n  x\n   y\n\n  z\nescape: \"\\e[31m\\0\\t\\u00e9\\U0001f600\"\ndate: 2026-01-01\ndash: \"-\"\ndots: \"...\"\nrule: "
      "\"---\"\n"
      "star: \"*a\"\namp: \"&a\"\nbang: \"!a\"\npercent: \"%a\"\nat: \"@a\"\ntick: \"`a\"\nquestion: \"? a\"\nbracket: \"[a]\"\nbrace: "
      "\"{a}\"\n"
      "merge: \"<<\"\n\"odd key: #1\": 1\n\"null\": x\n\"-\": y\n\"...\": w\n\"end \": v\n? long\n: z\nempty_map: {}\nempty_list: "
      "[]\nnothing:\n"
      "lists: [[1, 2], [], [{a: [b]}]]\nmixed:\n  - 1\n  - {k: v}\nmaps:\n  - k: 1\n    l:\n      m: [1, 2]\n    n:\n      - o: 1\n      - "
      "o: 2\n"
      "  - k: 2\ndeep:\n  a:\n    b:\n      c: d\n";
  const ConfigDocument document = ConfigDocument::parse(text, "x.yaml");
  const std::string canonical = document.canonical();
  const ConfigDocument again = ConfigDocument::parse(canonical, "y.yaml");
  EXPECT_EQ(again.canonical(), canonical);
  const ConfigNode a = document.root();
  const ConfigNode b = again.root();
  int scalars = 0;
  for (const auto& [key, node] : a.entries()) {
    if (node.is_map() || node.is_list() || key == "nothing") continue;
    EXPECT_EQ(b[key].string(), node.string()) << key;
    ++scalars;
  }
  EXPECT_EQ(scalars, 35);
  EXPECT_EQ(b["number"].number(), -1.5e-3);
  EXPECT_EQ(message_of([&] { (void)b["quoted_number"].number(); }).find("because of its quotes") == std::string::npos, false);
  EXPECT_EQ(message_of([&] { (void)b["nothing"].string(); }).find("not nothing") == std::string::npos, false);
  EXPECT_EQ(b["lists"].items()[2].items()[0]["a"].items()[0].string(), "b");
  EXPECT_EQ(b["maps"].items()[0]["n"].items()[1]["o"].integer(0, 9), 2);
  EXPECT_TRUE(b["empty_map"].entries().empty());
  EXPECT_TRUE(b["empty_list"].items().empty());
  EXPECT_EQ(b["deep"]["a"]["b"]["c"].string(), "d");
}

TEST(ConfigOverlay, LaysAMappingOfAnotherDocumentOnTop) {
  ConfigDocument base = machine();
  const ConfigDocument scenario =
      ConfigDocument::parse("batch: 1\nhardware:\n  extends: x\n  l2: {capacity: 60 MiB, odd: 1}\n  axes: [3]\n", "s.yaml");
  (void)scenario.root()["batch"].integer(1, 9);
  base.overlay(scenario.root()["hardware"], {"extends"});
  EXPECT_EQ(base.canonical(), "name: x\nl2:\n  capacity: 60 MiB\n  ways: 16\n  odd: 1\nhbm:\n  stacks: 5\naxes: [3]\nnone: null\n");
  // Values keep the place where they were written, and get the path where they are now.
  EXPECT_EQ(base.root()["l2"]["capacity"].where().text(), "s.yaml:4:18");
  EXPECT_EQ(base.root()["l2"]["capacity"].path(), "l2.capacity");
  EXPECT_EQ(base.root()["l2"]["ways"].where().text(), "x.yaml:4:9");
  // The scenario has handed over the question of unknown keys; the machine has not answered it.
  EXPECT_EQ(message_of([&] { scenario.check_all_read(); }), "no error");
  EXPECT_NE(message_of([&] { base.check_all_read(); }), "no error");
  // A copy: the scenario is as it was.
  EXPECT_EQ(scenario.root()["hardware"]["extends"].string(), "x");
  EXPECT_EQ(message_of([&] { base.overlay(scenario.root()["batch"]); }), "s.yaml:1:8: batch: a mapping is needed");
}

TEST(ConfigDocument, Moves) {
  ConfigDocument first = machine();
  const ConfigNode ways = first.root()["l2"]["ways"];
  ConfigDocument second = std::move(first);
  EXPECT_EQ(ways.integer(1, 64), 16);  // Views survive a move.
  second = ConfigDocument::parse("a: 1\n", "y.yaml");
  EXPECT_EQ(second.root()["a"].integer(0, 9), 1);
}

}  // namespace
}  // namespace rooftrace
