// What `rooftrace slurm` writes and reads, without a cluster; tests/python/test_slurm.py has one.
#include <gmock/gmock.h>

#include "sim/app/slurm_folder.hpp"
#include "sim/app/sweep_table.hpp"
#include "sim/core/error.hpp"
#include "tests/unit/app/program.hpp"

namespace rooftrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Numbers = std::vector<std::uint64_t>;

TEST(SlurmArray, ReadsWhatSlurmPrints) {
  EXPECT_THAT(array_tasks("5"), ElementsAre(5));
  EXPECT_THAT(array_tasks("0-2,7%4"), ElementsAre(0, 1, 2, 7));
  EXPECT_THAT(array_tasks("1-8:3"), ElementsAre(1, 4, 7));
  for (const char* wrong : {"", "x", "3-", "-3", "1-2:0", "1,,2", "1-99999999999999999999"})
    EXPECT_THAT(array_tasks(wrong), IsEmpty()) << wrong;
}

TEST(SlurmArray, ComesBackFromItsExpression) {
  for (const Numbers& numbers : {Numbers{0}, Numbers{0, 1, 2, 3}, Numbers{2, 4, 5, 9, 10, 11, 40}}) {
    EXPECT_EQ(array_tasks(array_expression(numbers)), numbers);
  }
}

TEST(SlurmScripts, QuoteForTheShell) {
  EXPECT_EQ(shell_word("it's $HOME"), "'it'\\''s $HOME'");
  const std::string odd = "a 'b' \"c\" $d `e` \\f *";
  EXPECT_EQ(run_shell("printf %s " + shell_word(odd)).text, odd);
}

TEST(SlurmScripts, SayWhatThePlanSays) {
  SlurmPlan plan;
  plan.program = "/opt/rooftrace";
  plan.sweep = "/home/me/my sweep.yaml";
  plan.folder = "/shared/it's";
  plan.shards = 12;
  plan.nodes = 3;
  const std::string whole_node = slurm_shards_script(plan);
  EXPECT_THAT(whole_node, HasSubstr("#SBATCH --exclusive\n"));
  EXPECT_THAT(whole_node, HasSubstr("--threads \"$SLURM_CPUS_ON_NODE\""));
  EXPECT_THAT(whole_node, HasSubstr("cd '/shared/it'\\''s' || exit 2\n"));
  EXPECT_THAT(whole_node,
              HasSubstr("'/opt/rooftrace' sweep '/home/me/my sweep.yaml' --shard \"$task/12\" -o \"shards/shard-$task.h5\" --resume"));
  EXPECT_THAT(whole_node, Not(HasSubstr("--time")));
  EXPECT_THAT(slurm_submit_script(plan), HasSubstr("tasks=${1:-0-11}\n"));
  EXPECT_THAT(slurm_submit_script(plan), HasSubstr("--array=\"$tasks%3\""));
  plan.threads = 4;
  plan.time = "1:00:00";
  plan.partition = "big";
  plan.extra = "--account=mine";
  const std::string four = slurm_shards_script(plan);
  EXPECT_THAT(four, HasSubstr("#SBATCH --cpus-per-task=4\n"));
  EXPECT_THAT(four, Not(HasSubstr("--exclusive")));
  EXPECT_THAT(four, HasSubstr("#SBATCH --time=1:00:00\n"));
  for (const std::string& script : {four, slurm_merge_script(plan)}) {
    EXPECT_THAT(script, HasSubstr("#SBATCH --partition=big\n#SBATCH --account=mine\n"));
  }
}

// Lines as Slurm 22.05 prints them, shortened to the fields that are read.
TEST(SlurmQueue, ReadsScontrol) {
  const std::vector<SlurmJob> jobs = parse_slurm_jobs(
      "JobId=1 ArrayJobId=1 ArrayTaskId=3-5 JobState=PENDING Reason=JobArrayTaskLimit Restarts=0 ExitCode=0:0 NodeList= "
      "Command=/a b/shards.sbatch WorkDir=/a b StdErr=/a \n"
      "JobId=4 ArrayJobId=1 ArrayTaskId=2 JobState=FAILED Reason=NonZeroExitCode Restarts=1 ExitCode=0:9 NodeList=n2 BatchHost=n2 "
      "Command=/a b/shards.sbatch WorkDir=/a b\n"
      "JobId=9 JobName=x JobState=RUNNING Reason=None Restarts=0 ExitCode=0:0 NodeList=(null) Command=/c WorkDir=/\n\n");
  ASSERT_EQ(jobs.size(), 3U);
  EXPECT_THAT(jobs[0].tasks, ElementsAre(3, 4, 5));
  EXPECT_FALSE(jobs[0].ended());
  EXPECT_EQ(jobs[0].command, "/a b/shards.sbatch");
  EXPECT_EQ(jobs[0].text(), "1 PENDING (JobArrayTaskLimit)");
  EXPECT_TRUE(jobs[1].ended());
  EXPECT_EQ(jobs[1].text(), "1_2 FAILED on n2, exit 0:9, restarts 1");
  EXPECT_EQ(jobs[2].id, "9");
  EXPECT_THAT(jobs[2].tasks, IsEmpty());
  EXPECT_EQ(jobs[2].text(), "9 RUNNING");
}

class SlurmCommand : public test::ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    write("sweep.yaml", "base: main\naxes:\n  - {key: batch, values: [1, 2, 4]}\n");
  }
};

TEST_F(SlurmCommand, DryRunWritesNothing) {
  const test::Said said = run({"slurm", "submit", "sweep.yaml", "--nodes", "2", "--dry-run", "--dir", "there"});
  EXPECT_EQ(said.code, 0) << said.err;
  for (const char* file : {"shards.sbatch", "merge.sbatch", "submit.sh"}) {
    EXPECT_THAT(said.out, HasSubstr("==> " + (folder() / "there" / file).string() + " <==\n"));
  }
  EXPECT_THAT(files(), ElementsAre("sweep.yaml"));
}

TEST_F(SlurmCommand, MistakesAreOneLine) {
  const auto refuses = [&](std::vector<std::string> words, const std::string& why) {
    words.insert(words.begin(), "slurm");
    const test::Said said = run(words);
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr(why));
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
  };
  refuses({}, "One of submit, status");
  refuses({"sumbit", "sweep.yaml"}, "did you mean \"submit\"?");
  refuses({"submit", "--nodes", "2"}, "which sweep?");
  refuses({"submit", "sweep.yaml"}, "--nodes is missing");
  refuses({"submit", "none.yaml", "--nodes", "2"}, "no such file");
  refuses({"submit", "sweep.yaml", "--nodes", "2", "--shards", "4"}, "the sweep has 3 points only");
  refuses({"submit", "sweep.yaml", "--nodes", "2", "--time", "1:00\n#SBATCH x"}, "--time");
  refuses({"submit", "sweep.yaml", "--nodes", "2", "--sbatch", "rm"}, "--sbatch");
  refuses({"submit", "sweep.yaml", "--nodes", "2", "--dir", "a\nb"}, "control character");
  refuses({"status"}, "of which folder?");
  refuses({"status", "."}, "submission.json");
  EXPECT_THAT(files(), ElementsAre("sweep.yaml"));
}

class SlurmFolder : public test::ProgramTest {
 protected:
  SlurmPlan plan() const {
    SlurmPlan plan;
    plan.program = "/opt/rooftrace";
    plan.sweep = "/sweep.yaml";
    plan.folder = (folder() / "it's").string();
    plan.shards = 3;
    return plan;
  }
};

TEST_F(SlurmFolder, BelongsToOneSweep) {
  write_slurm_folder(plan());
  write_slurm_folder(plan());
  const SlurmPlan read = read_slurm_folder(plan().folder);
  EXPECT_EQ(read.sweep, "/sweep.yaml");
  EXPECT_EQ(read.shards, 3U);
  SlurmPlan other = plan();
  other.shards = 4;
  EXPECT_THROW(write_slurm_folder(other), UserError);
}

TEST_F(SlurmFolder, FilesSayWhatIsDone) {
  write_slurm_folder(plan());
  write("it's/shards/shard-0.h5", "done");
  write("it's/shards/shard-2.h5.part", "head\nline\nline\ncut of");
  SlurmStatus status = slurm_status(plan());
  EXPECT_THAT(status.missing(), ElementsAre(1, 2));
  EXPECT_EQ(status.shards[2].points, 2U);
  EXPECT_FALSE(status.merged);
  const std::string text = slurm_status_text(plan(), status);
  EXPECT_THAT(text, HasSubstr("shards: 3 (1 done, 2 missing)\n"));
  EXPECT_THAT(text, HasSubstr("missing: 1-2\nresubmit them with: sh " + shell_word(plan().folder + "/submit.sh") + " 1-2\n"));

  // Shards that waited or ran are not missing; those that ended without a file are.
  status.shards[1].job.id = "7_1";
  status.shards[1].job.state = "RUNNING";
  EXPECT_THAT(status.missing(), ElementsAre(2));
  status.shards[1].job.state = "FAILED";
  EXPECT_THAT(status.missing(), ElementsAre(1, 2));

  for (const char* shard : {"1", "2"}) write(std::string("it's/shards/shard-") + shard + ".h5", "done");
  EXPECT_THAT(slurm_status_text(plan(), slurm_status(plan())), HasSubstr("merge with: bash "));
  write("it's/sweep.h5", "merged");
  status = slurm_status(plan());
  EXPECT_TRUE(status.merged);
  EXPECT_THAT(status.missing(), IsEmpty());
  // A shard that was made again afterwards is not in it.
  const auto later = std::filesystem::last_write_time(folder() / "it's/sweep.h5") + std::chrono::seconds(1);
  std::filesystem::last_write_time(folder() / "it's/shards/shard-1.h5", later);
  EXPECT_FALSE(slurm_status(plan()).merged);
}

TEST_F(SlurmFolder, RemembersItsJobs) {
  write("it's/jobs", "array 12 0-2\nmerge 13\nnonsense\narray 14;x 1\narray 15 1\n");
  const std::vector<SubmittedJob> jobs = submitted_jobs(plan().folder);
  ASSERT_EQ(jobs.size(), 3U);
  EXPECT_EQ(jobs[0].id, "12");
  EXPECT_THAT(jobs[0].tasks, ElementsAre(0, 1, 2));
  EXPECT_TRUE(jobs[1].merge);
  EXPECT_EQ(jobs[2].id, "15");
}

}  // namespace
}  // namespace rooftrace
