// One document laid on another: merged deeply, places kept, the source marked as read.
#include <gtest/gtest.h>

#include "sim/core/config.hpp"

namespace rooftrace {
namespace {

TEST(ConfigOverlay, MappingsMergeAndEverythingElseReplaces) {
  ConfigDocument base = ConfigDocument::parse("a: 1\nb: {c: 2, d: 3}\ne: none\nf: [1, 2]\n", "base.yaml");
  const ConfigDocument over = ConfigDocument::parse("x:\n  skip: 9\n  b: {c: 20}\n  e: {g: 4}\n  f: [5]\n  h: \"7\"\n", "over.yaml");
  base.overlay(over.root()["x"], {"skip"});
  EXPECT_EQ(base.canonical(), "a: 1\nb:\n  c: 20\n  d: 3\ne:\n  g: 4\nf: [5]\nh: \"7\"\n");
}

TEST(ConfigOverlay, ValuesKeepTheirPlaceAndTheirNewPath) {
  ConfigDocument base = ConfigDocument::parse("b: {c: 2, d: 3}\n", "base.yaml");
  const ConfigDocument over = ConfigDocument::parse("x:\n  b:\n    c: many\n", "over.yaml");
  base.overlay(over.root()["x"]);
  const ConfigNode changed = base.root()["b"]["c"];
  EXPECT_EQ(changed.where().text(), "over.yaml:3:8");
  EXPECT_EQ(changed.path(), "b.c");
  EXPECT_EQ(base.root()["b"]["d"].where().text(), "base.yaml:1:14");  // b: {c: 2, d: 3}: the 3.
}

TEST(ConfigOverlay, WhatWasLaidElsewhereIsReadInItsOwnDocumentAndUnreadInTheOther) {
  ConfigDocument base = ConfigDocument::parse("a: 1\n", "base.yaml");
  const ConfigDocument over = ConfigDocument::parse("x: {z: {w: [1]}}\n", "over.yaml");
  base.overlay(over.root()["x"]);
  EXPECT_NO_THROW(over.check_all_read());
  (void)base.root()["a"].integer(0, 9);
  try {
    base.check_all_read();
    FAIL() << "z was read by nobody";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "over.yaml:1:5: unknown key \"z\"; known keys: a");
  }
}

TEST(ConfigOverlay, OnlyAMapping) {
  ConfigDocument base = ConfigDocument::parse("a: 1\n", "base.yaml");
  const ConfigDocument over = ConfigDocument::parse("x: [1]\n", "over.yaml");
  EXPECT_THROW(base.overlay(over.root()["x"]), UserError);
  EXPECT_EQ(base.canonical(), "a: 1\n");
}

}  // namespace
}  // namespace rooftrace
