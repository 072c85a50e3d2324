// Messages in one line, and the words that are close enough to be meant.
#include "sim/core/error.hpp"

#include <gtest/gtest.h>

namespace rooftrace {
namespace {

TEST(SourceLocation, LeavesOutWhatItDoesNotKnow) {
  EXPECT_EQ((SourceLocation{"a.yaml", 3, 7}.text()), "a.yaml:3:7");
  EXPECT_EQ((SourceLocation{"a.yaml", 0, 0}.text()), "a.yaml");
  EXPECT_EQ((SourceLocation{"", 0, 0}.text()), "");
  EXPECT_EQ((SourceLocation{"", 3, 7}.text()), "");
}

TEST(UserError, SaysWhereAndWhat) {
  EXPECT_STREQ(UserError(SourceLocation{"a.yaml", 3, 7}, "wrong").what(), "a.yaml:3:7: wrong");
  EXPECT_STREQ(UserError(SourceLocation{"a.yaml", 0, 0}, "wrong").what(), "a.yaml: wrong");
  EXPECT_STREQ(UserError(SourceLocation{}, "wrong").what(), "wrong");
  EXPECT_STREQ(UserError("wrong").what(), "wrong");
}

TEST(UserError, IsOneLineWhateverTheFileIsCalled) {
  EXPECT_STREQ(UserError(SourceLocation{"a\nb\x1b[31m", 1, 1}, "x\r\ny").what(), "a?b?[31m:1:1: x??y");
}

TEST(QuotedWord, ShowsWhatCannotBeSeenAndCutsWhatIsLong) {
  EXPECT_EQ(quoted_word("3.35 TBps"), "\"3.35 TBps\"");
  EXPECT_EQ(quoted_word(""), "\"\"");
  EXPECT_EQ(quoted_word("a\nb\t\x7f"), "\"a\\x0ab\\x09\\x7f\"");
  EXPECT_EQ(quoted_word(std::string(60, 'x')), "\"" + std::string(60, 'x') + "\"");
  EXPECT_EQ(quoted_word(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
  // 59 letters and a two-byte character: cutting after 60 bytes would halve it, so it is left out.
  EXPECT_EQ(quoted_word(std::string(59, 'x') + "\u00e9y"), "\"" + std::string(59, 'x') + "...\"");
}

TEST(Closest, FindsTheTypingMistake) {
  const std::vector<std::string> keys = {"bandwidth", "latency_near", "latency_far", "capacity", "tp"};
  EXPECT_EQ(closest("bandwith", keys), "bandwidth");   // One letter left out.
  EXPECT_EQ(closest("bandwdith", keys), "bandwidth");  // Two neighbours swapped: one step, not two.
  EXPECT_EQ(closest("Capacity", keys), "capacity");    // Case.
  EXPECT_EQ(closest("latency-far", keys), "latency_far");
  EXPECT_EQ(closest("capazitie", keys), "capacity");  // Distance 3 = 9 / 3: just close enough.
  EXPECT_EQ(closest("kapazitie", keys), "");          // Distance 4.
  EXPECT_EQ(closest("TP", keys), "tp");
}

TEST(Closest, CountsASwapOfNeighboursAsOneStep) {
  // Two swaps: distance 2 = 7 / 3 rounded down. As substitutions they would be four, too far.
  EXPECT_EQ(closest("wieghst", {"weights"}), "weights");
}

TEST(Closest, DoesNotSuggestWhatSharesNothing) {
  EXPECT_EQ(closest("kv", {"tp"}), "");  // Distance 2 would be allowed, but not a letter is left.
  EXPECT_EQ(closest("", {"tp"}), "");
  EXPECT_EQ(closest("x", {}), "");
  EXPECT_EQ(closest("word", {""}), "");
  EXPECT_EQ(closest(std::string(100000, 'a'), {std::string(100000, 'b'), "a"}), "");  // And it returns at once.
}

TEST(Closest, PrefersTheNearestThenTheFirst) {
  EXPECT_EQ(closest("fp9", {"fp16", "fp8", "fp4"}), "fp8");
  EXPECT_EQ(closest("fp6", {"fp32", "fp4", "fp8"}), "fp4");
}

TEST(DidYouMean, IsThePartBehindTheMessage) {
  EXPECT_EQ(did_you_mean("bf61", {"fp16", "bf16"}), "; did you mean \"bf16\"?");
  EXPECT_EQ(did_you_mean("elephant", {"fp16", "bf16"}), "");
}

}  // namespace
}  // namespace rooftrace
