// The command line as a value. The exact words of mistakes, as a user sees them, are in cli_errors_test.cpp.
#include "sim/app/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/app/commands.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string mistake(const std::vector<std::string>& arguments) {
  try {
    (void)parse_options(arguments);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no mistake";
}

TEST(Options, EveryOptionOfSimulateIsTaken) {
  const Options options =
      parse_options({"simulate",       "main",       "--hardware", "h100-sxm",  "--model",   "llama-3.1-8b", "--stage",
                     "decode",         "--batch",    "2",          "--context", "100",       "--prompt",     "7",
                     "--tp",           "4",          "--weights",  "fp8",       "--kv",      "int8",         "--offload",
                     "weights=1,kv=0", "--fidelity", "cache",      "--layers",  "exact",     "--start",      "warm",
                     "--threads",      "3",          "-o",         "out.h5",    "--format",  "json",         "--set",
                     "a.b=c",          "--set",      "d=e=f",      "--quiet",   "--configs", "/tmp"});
  EXPECT_EQ(options.verb, "simulate");
  EXPECT_THAT(options.arguments, ElementsAre("main"));
  EXPECT_THAT(options.sets, ElementsAre("a.b=c", "d=e=f"));
  EXPECT_TRUE(options.quiet);
  EXPECT_FALSE(options.help);
  const std::map<std::string, std::string> expected = {{"hardware", "h100-sxm"},
                                                       {"model", "llama-3.1-8b"},
                                                       {"stage", "decode"},
                                                       {"batch", "2"},
                                                       {"context", "100"},
                                                       {"prompt", "7"},
                                                       {"tp", "4"},
                                                       {"weights", "fp8"},
                                                       {"kv", "int8"},
                                                       {"threads", "3"},
                                                       {"output", "out.h5"},
                                                       {"fidelity", "cache"},
                                                       {"layers", "exact"},
                                                       {"start", "warm"},
                                                       {"format", "json"},
                                                       {"configs", "/tmp"},
                                                       {"offload", "weights=1,kv=0"}};
  EXPECT_EQ(options.values, expected);
  EXPECT_EQ(options.value("batch"), "2");
  EXPECT_FALSE(options.value("help").has_value());
}

TEST(Options, EqualsSignAndShortFormMeanTheSame) {
  EXPECT_EQ(parse_options({"simulate", "--batch=2"}).value("batch"), "2");
  EXPECT_EQ(parse_options({"simulate", "--output", "x.h5"}).values, parse_options({"simulate", "-ox.h5"}).values);
  EXPECT_TRUE(parse_options({"simulate", "-h"}).help);
  EXPECT_TRUE(parse_options({"--version"}).version);
  EXPECT_EQ(parse_options({}).verb, "");
}

TEST(Options, TheCommandIsKeptAsAShellReadsItBack) {
  EXPECT_EQ(parse_options({"simulate", "main", "--set", "hardware.l2.capacity=96 MiB"}).command,
            "rooftrace simulate main --set 'hardware.l2.capacity=96 MiB'");
  // A quote inside: close, an escaped quote, open again.
  EXPECT_EQ(parse_options({"simulate", "it's"}).command, "rooftrace simulate 'it'\\''s'");
}

TEST(Options, MistakesNameTheWordAndTheRightOnes) {
  EXPECT_EQ(mistake({"simulte"}),
            "no verb \"simulte\"; did you mean \"simulate\"? (verbs: simulate, trace, sweep, merge, slurm, pareto, describe, selfcheck, "
            "validate, calibrate, curve, list, help)");
  EXPECT_THAT(mistake({"simulate", "--bacth", "2"}), HasSubstr("no option \"--bacth\"; did you mean \"--batch\"?"));
  EXPECT_THAT(mistake({"list", "models", "--batch", "2"}), HasSubstr("no option \"--batch\"; it belongs to \"rooftrace simulate\""));
  EXPECT_EQ(mistake({"simulate", "--stage", "decod"}), "--stage: \"decod\" is not one of decode, prefill, both; did you mean \"decode\"?");
  EXPECT_EQ(mistake({"simulate", "--batch"}), "--batch: its value is missing");
  EXPECT_EQ(mistake({"simulate", "--batch="}), "--batch: its value is missing");
  EXPECT_EQ(mistake({"simulate", "--quiet=yes"}), "--quiet: takes no value");
  EXPECT_EQ(mistake({"simulate", "--tp", "2", "--tp", "4"}), "--tp: given twice");
  EXPECT_THAT(mistake({"simulate", "a.yaml", "b.yaml"}), HasSubstr("\"b.yaml\" is one argument too many"));
  EXPECT_THAT(mistake({"--batch", "2", "simulate"}), HasSubstr("\"--batch\" stands before the verb"));
}

TEST(Options, AnAbbreviationIsNoOption) {
  EXPECT_THAT(mistake({"simulate", "--hard", "h100-sxm"}), HasSubstr("no option \"--hard\""));
}

TEST(Options, ANegativeNumberIsAValueAndNoOption) {
  EXPECT_EQ(parse_options({"simulate", "--batch", "-1"}).value("batch"), "-1");
}

TEST(Options, IntegersHaveRangesAndNoOtherSpelling) {
  EXPECT_EQ(integer_option("tp", "1", 1, 8), 1U);
  EXPECT_EQ(integer_option("tp", "8", 1, 8), 8U);
  // 2^64 = 18446744073709551616 does not fit the integer that reads it.
  for (const char* text : {"0", "9", "-1", "+1", "1.0", "1e0", "0x1", " 1", "1 ", "", "one", "18446744073709551616"}) {
    EXPECT_THROW((void)integer_option("tp", text, 1, 8), UserError) << text;
  }
}

TEST(Options, OffloadSharesAreNamedAndBetweenZeroAndOne) {
  EXPECT_EQ(offload_option("weights=0.5,kv=0"), (std::map<std::string, double>{{"weights", 0.5}, {"kv", 0.0}}));
  EXPECT_EQ(offload_option("kv=1"), (std::map<std::string, double>{{"kv", 1.0}}));
  for (const char* text : {"0.5", "weights", "weights=", "weights=1.1", "weights=-0.1", "weights=nan", "weights=inf", "weights=half",
                           "wieghts=0.5", "kv=0,kv=1", ",kv=1", "=1"}) {
    EXPECT_THROW((void)offload_option(text), UserError) << text;
  }
}

TEST(Help, EveryVerbHasAPageThatNamesItsOptions) {
  for (const VerbShape& verb : verb_shapes()) {
    const std::string page = help_text(verb.name);
    EXPECT_THAT(page, HasSubstr("Usage: rooftrace " + verb.name));
    for (const std::string& option : verb.options) EXPECT_THAT(page, HasSubstr("--" + option)) << verb.name;
    EXPECT_THAT(help_text(""), HasSubstr("  " + verb.name));
  }
  EXPECT_THAT(help_text("list"), Not(HasSubstr("--batch")));
  EXPECT_THROW((void)help_text("simulte"), UserError);
}

TEST(Help, LinesFitAnOrdinaryTerminalWindow) {
  for (const std::string verb : {"", "simulate", "describe", "selfcheck", "list", "help"}) {
    std::istringstream lines(help_text(verb));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 140U) << line;
  }
}

}  // namespace
}  // namespace rooftrace
