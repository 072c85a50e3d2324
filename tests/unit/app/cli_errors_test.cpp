// The mistakes of a user of the real program: one line on standard error, exit code 2, nothing on standard output, nothing written.
#include <gmock/gmock.h>

#include "tests/unit/app/program.hpp"

namespace rooftrace::test {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class Mistakes : public ProgramTest {
 protected:
  /// Runs the program with -o and returns its only line of complaint, without the newline.
  [[nodiscard]] std::string line_of(std::vector<std::string> arguments) const {
    const std::vector<std::string> before = files();
    if (arguments.front() == "simulate") arguments.insert(arguments.end(), {"-o", "result.h5"});
    const Said said = run(arguments);
    EXPECT_EQ(said.code, 2) << said.err;
    EXPECT_THAT(said.out, IsEmpty());
    EXPECT_THAT(said.err, EndsWith("\n"));
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
    EXPECT_EQ(files(), before) << "something was written";
    return said.err.substr(0, said.err.find('\n'));
  }

  /// The same for the plain job with these options added.
  [[nodiscard]] std::string line_with(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"simulate", "--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--fidelity", "bound"};
    words.insert(words.end(), more.begin(), more.end());
    return line_of(words);
  }

  static std::string shipped(const std::string& path) { return std::string(ROOFTRACE_SOURCE_DIR) + "/configs/" + path; }
};

TEST_F(Mistakes, UnknownVerbOptionOrWord) {
  EXPECT_EQ(line_of({"simulat"}),
            "rooftrace: no verb \"simulat\"; did you mean \"simulate\"? (verbs: simulate, trace, sweep, merge, slurm, pareto, "
            "describe, selfcheck, validate, calibrate, curve, list, help)");
  EXPECT_EQ(line_with({"--contxt", "5"}),
            "rooftrace: no option \"--contxt\"; did you mean \"--context\"? (\"rooftrace simulate --help\" lists the options)");
  EXPECT_EQ(line_with({"--format", "jsn"}), "rooftrace: --format: \"jsn\" is not one of text, json; did you mean \"json\"?");
  EXPECT_EQ(line_with({"--start", "hot"}), "rooftrace: --start: \"hot\" is not one of cold, warm");
  EXPECT_EQ(line_of({"list", "model"}), "rooftrace: list: \"model\" is not one of hardware, models, scenarios; did you mean \"models\"?");
  EXPECT_EQ(line_of({"list"}), "rooftrace: list what? One of hardware, models, scenarios");
  EXPECT_EQ(line_of({"describe", "hardwre", "x"}), "rooftrace: describe: \"hardwre\" is not hardware or model; did you mean \"hardware\"?");
  EXPECT_EQ(line_of({"selfcheck", "hardware"}), "rooftrace: selfcheck which hardware? \"rooftrace list hardware\" shows the names");
}

TEST_F(Mistakes, UnknownNames) {
  EXPECT_THAT(line_of({"describe", "hardware", "h100-smx"}),
              StartsWith("rooftrace: no hardware \"h100-smx\"; did you mean \"h100-sxm\"? (known: a10, "));
  EXPECT_THAT(line_of({"describe", "model", "lama-3.1-8b"}),
              StartsWith("rooftrace: no model \"lama-3.1-8b\"; did you mean \"llama-3.1-8b\"? (known: bloom-176b, "));
  EXPECT_THAT(line_of({"simulate", "mian"}), StartsWith("rooftrace: no scenario \"mian\"; did you mean \"main\"? (known: "));
  EXPECT_THAT(line_of({"simulate"}), StartsWith("rooftrace: which hardware? Give --hardware NAME (a10, "));
  EXPECT_EQ(line_with({"--configs", "nowhere"}), "rooftrace: --configs: \"nowhere\" is not a folder");
}

TEST_F(Mistakes, MissingFiles) {
  EXPECT_THAT(line_of({"simulate", "missing.yaml"}), StartsWith("rooftrace: missing.yaml: "));
  EXPECT_THAT(line_of({"simulate", "--model", "mistral-7b", "--hardware", "./missing.yaml"}), StartsWith("rooftrace: ./missing.yaml: "));
  EXPECT_EQ(line_of({"simulate", "--hardware", "l40s", "--model", "./missing/config.json"}),
            "rooftrace: ./missing/config.json: no such file");
  EXPECT_THAT(line_of({"simulate", "./"}), StartsWith("rooftrace: ./: "));
}

TEST_F(Mistakes, BadUnitsInAFileAndOnTheCommandLine) {
  write("x.yaml", "extends: " + shipped("hardware/h100-sxm.yaml") + "\nhbm:\n  bandwidth: 3.35 TBps\n");
  EXPECT_EQ(line_of({"describe", "hardware", "x.yaml"}),
            "x.yaml:3:14: bandwidth: \"3.35 TBps\" has no unit I know; did you mean \"3.35 TB/s\"?");
  EXPECT_EQ(line_with({"--set", "hardware.hbm.bandwidth=3.35 TBps"}),
            "rooftrace: --set: bandwidth: \"3.35 TBps\" has no unit I know; did you mean \"3.35 TB/s\"?");
  EXPECT_THAT(line_with({"--set", "hardware.l2.capacity=50"}), HasSubstr("--set: capacity: "));
}

TEST_F(Mistakes, UnknownAndDuplicateKeys) {
  write("s.yaml", "hardware: h100-sxm\nmodel: llama-3.1-8b\nstges: [decode]\n");
  EXPECT_EQ(line_of({"simulate", "s.yaml"}), "s.yaml:3:1: unknown key \"stges\"; did you mean \"stages\"?");
  write("d.yaml", "hardware: h100-sxm\nmodel: llama-3.1-8b\nhardware: l40s\n");
  EXPECT_EQ(line_of({"simulate", "d.yaml"}), "d.yaml:3:1: the key \"hardware\" is here twice (first on line 1)");
  write("k.yaml", "hardware: h100-sxm\nmodel: llama-3.1-8b\nstages:\n  - {stage: decode, prompt: 5}\n");
  EXPECT_THAT(line_of({"simulate", "k.yaml"}), StartsWith("k.yaml:4:21: unknown key \"prompt\" in stages[0]"));
  write("t.yaml", "hardware: h100-sxm\nmodel: llama-3.1-8b\ntiling:\n  norm: {block_m: 64}\n");
  EXPECT_THAT(line_of({"simulate", "t.yaml"}), StartsWith("t.yaml:4:3: unknown key \"norm\" in tiling"));
  EXPECT_THAT(line_with({"--set", "hardware.l2.capcity=50 MiB"}),
              StartsWith("rooftrace: --set: unknown key \"capcity\" in l2; did you mean \"capacity\"?"));
  EXPECT_THAT(line_with({"--set", "hardware.l3.capacity=50 MiB"}), StartsWith("rooftrace: --set: unknown key \"l3\""));
  EXPECT_THAT(line_with({"--set", "no-equals-sign"}), StartsWith("rooftrace: --set: \"no-equals-sign\" has no \"=\""));
}

TEST_F(Mistakes, NegativeZeroAndAbsurdNumbers) {
  for (const char* option : {"--batch", "--context", "--prompt", "--tp", "--threads"}) {
    for (const char* number : {"0", "-1", "1.5", "many", "99999999999999999999", "1e3", ""}) {
      EXPECT_THAT(line_with({option, number}), StartsWith(std::string("rooftrace: ") + option + ": ")) << number;
    }
  }
  EXPECT_EQ(line_with({"--batch", "0"}), "rooftrace: --batch: \"0\" is not a whole number from 1 to 65536");
  EXPECT_EQ(line_with({"--context", "0"}), "rooftrace: --context: \"0\" is not a whole number from 1 to 16777216");
  EXPECT_EQ(line_with({"--offload", "weights=-0.5"}), "rooftrace: --offload: weights: \"-0.5\" is not a share from 0 to 1");
  EXPECT_THAT(line_with({"--set", "hardware.hbm.capacity=-80 GiB"}), StartsWith("rooftrace: --set: capacity: "));
  EXPECT_THAT(line_with({"--set", "hardware.hbm.bandwidth=0 B/s"}), StartsWith("rooftrace: --set: bandwidth: "));
  EXPECT_THAT(line_with({"--set", "hardware.hbm.bandwidth=1e300 TB/s"}), StartsWith("rooftrace: --set: bandwidth: "));
  EXPECT_THAT(line_with({"--set", "hardware.l2.ways=0"}), StartsWith("rooftrace: --set: ways: "));
  EXPECT_THAT(line_with({"--set", "hardware.sm.count=4000000000"}), StartsWith("rooftrace: --set: count: "));
  EXPECT_THAT(line_with({"--set", "page_tokens=0"}), StartsWith("rooftrace: --set: page_tokens: 0 is outside 1 to "));
  write("z.yaml", "hardware: h100-sxm\nmodel: llama-3.1-8b\nstages: [{stage: decode, context: 0}]\n");
  EXPECT_EQ(line_of({"simulate", "z.yaml"}), "z.yaml:3:35: context: 0 is outside 1 to 16777216");
  write("e.yaml", "hardware: h100-sxm\nmodel: llama-3.1-8b\nstages: []\n");
  EXPECT_THAT(line_of({"simulate", "e.yaml"}), StartsWith("e.yaml:3:9: stages: is empty"));
}

TEST_F(Mistakes, UnwritableOutput) {
  const std::vector<std::string> job = {"simulate", "--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--fidelity", "bound"};
  const auto line_writing = [&](const std::string& output) {
    std::vector<std::string> words = job;
    words.insert(words.end(), {"-o", output});
    const Said said = run(words);
    EXPECT_EQ(said.code, 2) << said.err;
    EXPECT_THAT(said.out, IsEmpty());
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
    EXPECT_THAT(files(), IsEmpty());
    return said.err;
  };
  EXPECT_THAT(line_writing("nowhere/result.h5"), HasSubstr("nowhere/result.h5"));
  EXPECT_THAT(line_writing("."), HasSubstr("\".\""));
  EXPECT_THAT(line_writing("/dev/null/result.h5"), HasSubstr("/dev/null/result.h5"));
}

TEST_F(Mistakes, AModelThatDoesNotFitSaysWhatWould) {
  const std::string line = line_of({"simulate", "--hardware", "a30", "--model", "llama-2-70b", "--fidelity", "bound"});
  EXPECT_THAT(line, StartsWith("rooftrace: llama-2-70b decode (batch 1, context 4095) does not fit a30: weights 138"));
  EXPECT_THAT(line, HasSubstr(" + KV "));
  EXPECT_THAT(line, HasSubstr(" + activations "));
  // A node of four cards of 24 GiB (25.8 GB): 138 GB / 4 is too much in bf16; 69 GB in fp8 and 35 GB in fp4 need 3 and 2 cards, of which
  // 3 does not divide the heads.
  EXPECT_THAT(line, EndsWith("; what would fit: --tp 4 --weights fp8, or --tp 2 --weights fp4"));
}

TEST_F(Mistakes, TensorParallelismThatCannotBe) {
  EXPECT_THAT(line_with({"--tp", "3"}), HasSubstr("tp 3 does not divide the 32 query heads of llama-3.1-8b; tp that work: 1, 2, 4, 8"));
  EXPECT_EQ(line_with({"--tp", "8", "--set", "hardware.node.gpus=4"}),
            "rooftrace: tp: 8 is more than the 4 GPUs of a h100-sxm node (hardware.node.gpus)");
}

TEST_F(Mistakes, APromptLongerThanTheModelsMaximum) {
  EXPECT_THAT(line_of({"simulate", "--hardware", "h100-sxm", "--model", "llama-2-7b", "--stage", "prefill", "--prompt", "4097"}),
              HasSubstr("prompt 4097 is longer than the 4096 positions of llama-2-7b"));
}

TEST_F(Mistakes, AMachineFileThatExtendsItself) {
  write("self.yaml", "title: a snake\nextends: self\n");
  EXPECT_EQ(line_of({"describe", "hardware", "self.yaml"}), "self.yaml:2:10: extends: \"self\" is this file itself");
  write("a.yaml", "extends: b\n");
  write("b.yaml", "extends: a\n");
  EXPECT_THAT(line_of({"describe", "hardware", "a.yaml"}), HasSubstr("loop: a.yaml -> b.yaml -> a.yaml"));
}

TEST_F(Mistakes, AnotherArchitectureIsNamedWithTheKnownOnes) {
  write("m/config.json", "{\"architectures\": [\"T5ForCausalLM\"]}\n");
  EXPECT_THAT(line_of({"simulate", "--hardware", "h100-sxm", "--model", "m/config.json"}),
              StartsWith("m/config.json:1:19: architectures: unknown architecture \"T5ForCausalLM\"; known: LlamaForCausalLM, "));
  write("broken/config.json", "{\"architectures\": \n");
  EXPECT_THAT(line_of({"describe", "model", "broken/config.json"}), StartsWith("broken/config.json:2:1: not JSON: "));
}

TEST_F(Mistakes, OneLineWhateverTheWordHolds) {
  EXPECT_EQ(line_with({"--stage", "de\ncode"}),
            "rooftrace: --stage: \"de\\x0acode\" is not one of decode, prefill, both; did you mean \"decode\"?");
  EXPECT_THAT(line_of({"simulate", "a\nb.yaml"}), StartsWith("rooftrace: a?b.yaml: "));
  EXPECT_LT(line_of({"describe", "hardware", std::string(100'000, 'x')}).size(), 1000U);
  for (const char* word : {"", "\xff\xfe", "\x1b[2J", "-", "--", "---", "=", "--=", "--set", "--batch=", "a.b.c", "/", "//", "%s%n"}) {
    (void)line_of({"list", word});
    (void)line_of({word});
  }
}

TEST_F(Mistakes, SetOnTheWrongThing) {
  EXPECT_EQ(line_of({"describe", "hardware", "h100-sxm", "--set", "l2.capacity=9 MiB"}),
            "rooftrace: --set: \"l2.capacity=9 MiB\" does not begin with \"hardware.\"");
}

TEST_F(Mistakes, ReportThatCannotBePrinted) {
  const std::vector<std::string> job = {"simulate", "--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--fidelity", "bound"};
  const Said full = run(job, "/dev/full");
  EXPECT_EQ(full.code, 2);
  EXPECT_EQ(full.err, "rooftrace: standard output: No space left on device\n");
  const Said closed = run(job, "closed");
  EXPECT_EQ(closed.code, 2);
  EXPECT_EQ(closed.err, "rooftrace: standard output: Bad file descriptor\n");
}

/// Not mistakes: what looks odd and works.
class Program : public ProgramTest {};
/// What runs on several threads.
class ProgramParallel : public ProgramTest {};

TEST_F(Program, OddButRight) {
  const std::vector<std::vector<std::string>> cases = {
      {"simulate", "--hardware", "l40s", "--model", "llama-3.1-8b", "--tp", "2", "--fidelity", "bound"},          // Over PCIe.
      {"simulate", "--hardware", "h100-sxm", "--model", "mistral-7b", "--context", "10", "--fidelity", "bound"},  // Window > context.
      {"simulate", "--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--prompt", "1", "--fidelity", "bound"},
      {"simulate", "--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--context", "1", "--fidelity", "bound"},
  };
  for (const auto& words : cases) {
    const Said said = run(words);
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, Not(IsEmpty()));
  }
  EXPECT_EQ(run(cases[0]).err, "rooftrace: l40s has no NVLink: tp 2 goes over PCIe\n");
  EXPECT_THAT(files(), IsEmpty()) << "no file without -o";
}

TEST_F(Program, QuietWritesTheFileAndNothingElse) {
  const std::vector<std::string> job = {"simulate", "main", "--fidelity", "bound", "-o", "result.h5"};
  const Said loud = run(job);
  EXPECT_EQ(loud.code, 0);
  EXPECT_EQ(loud.err, "rooftrace: wrote result.h5\n");
  std::filesystem::remove(folder() / "result.h5");
  std::vector<std::string> words = job;
  words.emplace_back("--quiet");
  const Said quiet = run(words);
  EXPECT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.out + quiet.err, "");
  EXPECT_THAT(files(), ElementsAre("result.h5"));
}

TEST_F(Program, AReaderThatGoesAwayCostsNothing) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);  // Nobody will read.
  const std::string pipe = "/proc/self/fd/" + std::to_string(ends[1]);
  const Said said = run({"simulate", "main", "--fidelity", "bound", "-o", "result.h5"}, pipe);
  ::close(ends[1]);
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.err, "rooftrace: wrote result.h5\n");
  EXPECT_THAT(files(), ElementsAre("result.h5"));
}

TEST_F(Program, HelpAndVersionAreResults) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"}, {"help"}, {"help", "simulate"}, {"simulate", "--help"}, {"list", "-h"}}) {
    const Said said = run(words);
    EXPECT_EQ(said.code, 0);
    EXPECT_THAT(said.out, HasSubstr("Usage: rooftrace"));
    EXPECT_THAT(said.err, IsEmpty());
  }
  EXPECT_EQ(run({"help", "simulate"}).out, run({"simulate", "--help"}).out);
  EXPECT_THAT(run({"--version"}).out, StartsWith("rooftrace 0."));
  EXPECT_EQ(run({}).code, 2);
}

TEST_F(ProgramParallel, ThreadsChangeNoNumber) {
  const auto report = [&](const char* threads) {
    return run({"simulate", "main", "--set", "model.layers=2", "--prompt", "128", "--format", "json", "--threads", threads}).out;
  };
  std::string one = report("1"), two = report("2");
  EXPECT_THAT(one, Not(IsEmpty()));
  const auto drop_command = [](std::string& text) {
    const std::size_t at = text.find("--threads ");
    if (at != std::string::npos) text.erase(at, 11);
  };
  drop_command(one);
  drop_command(two);
  EXPECT_EQ(one, two);
}

}  // namespace
}  // namespace rooftrace::test
