// Files appear whole or not at all, nothing is left behind, and every refusal is one line that says why.
#include "sim/app/atomic_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest() { fs::create_directory(folder_); }
  ~AtomicFileTest() override {
    chmod(folder_.c_str(), 0755);
    fs::remove_all(folder_);
  }

  [[nodiscard]] std::string in(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::vector<std::string> listing() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  static std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static void put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  /// The message of the UserError, or "written".
  static std::string refusal(const std::function<void()>& action) {
    try {
      action();
    } catch (const UserError& error) {
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
      return error.what();
    }
    return "written";
  }
  static std::string checked(const std::string& path) {
    return refusal([&] { check_writable(path); });
  }
  /// Runs `action` in a child process, so that limits and identities do not outlive it; returns what refusal() returned there.
  static std::string in_child(const std::function<void()>& action) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("pipe");
    const pid_t child = fork();
    if (child == 0) {
      const std::string message = refusal(action);
      const bool sent = write(ends[1], message.data(), message.size()) == static_cast<ssize_t>(message.size());
      _exit(sent ? 0 : 1);
    }
    close(ends[1]);
    std::string message;
    char buffer[4096];
    for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;) message.append(buffer, static_cast<std::size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return message;
  }

  fs::path folder_ =
      fs::temp_directory_path() / ("atomic_" + std::to_string(getpid()) + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(AtomicFileTest, NewFileAppearsOnCommitOnly) {
  AtomicFile file(in("a"));
  file.write("half ");
  EXPECT_FALSE(fs::exists(in("a")));
  file.write("whole");
  file.commit();
  EXPECT_EQ(content(in("a")), "half whole");
  EXPECT_THAT(listing(), ElementsAre("a"));
  EXPECT_THROW(file.commit(), std::logic_error);
  EXPECT_THROW(file.write("more"), std::logic_error);
}

TEST_F(AtomicFileTest, AWriterThatThrowsLeavesNothingAndKeepsWhatWasThere) {
  put(in("old"), "precious");
  for (const char* name : {"new", "old"}) {
    EXPECT_THROW(
        {
          AtomicFile file(in(name));
          file.write(std::string(100'000, 'x'));
          throw std::runtime_error("midway");
        },
        std::runtime_error);
  }
  EXPECT_THAT(listing(), ElementsAre("old"));
  EXPECT_EQ(content(in("old")), "precious");
}

TEST_F(AtomicFileTest, ADiskThatFillsUpLeavesNothing) {
  put(in("old"), "precious");
  // A limit on file sizes fails in write() midway, as a full disk does.
  const std::string message = in_child([&] {
    const rlimit limit{65'536, 65'536};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, SIG_IGN);
    write_file_atomically(in("old"), std::string(1'000'000, 'x'));
  });
  EXPECT_EQ(message, "cannot write \"" + in("old") + "\": File too large");
  EXPECT_THAT(listing(), ElementsAre("old"));
  EXPECT_EQ(content(in("old")), "precious");
}

TEST_F(AtomicFileTest, TwoAtOnceDoNotShareATemporary) {
  AtomicFile first(in("a"));
  AtomicFile second(in("a"));
  first.write("first");
  second.write("second");
  first.commit();
  second.commit();
  EXPECT_EQ(content(in("a")), "second");
  EXPECT_THAT(listing(), ElementsAre("a"));
}

TEST_F(AtomicFileTest, KeepsPermissionsAndFollowsLinks) {
  put(in("old"), "old");
  fs::permissions(in("old"), fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("old", in("link"));
  fs::create_symlink("not_yet", in("dangling"));
  write_file_atomically(in("link"), "new");
  write_file_atomically(in("dangling"), "fresh");
  EXPECT_TRUE(fs::is_symlink(in("link")));
  EXPECT_EQ(content(in("old")), "new");
  EXPECT_EQ(fs::status(in("old")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(content(in("not_yet")), "fresh");
}

TEST_F(AtomicFileTest, ANewFileHasThePermissionsOfTheUmask) {
  const mode_t before = umask(027);
  write_file_atomically(in("a"), "");
  umask(before);
  EXPECT_EQ(static_cast<unsigned>(fs::status(in("a")).permissions()), 0640U);
}

TEST_F(AtomicFileTest, NamesInTheCurrentFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  write_file_atomically("plain", "x");
  fs::current_path(before);
  EXPECT_THAT(listing(), ElementsAre("plain"));
}

TEST_F(AtomicFileTest, CheckWritableChangesNothing) {
  put(in("old"), "precious");
  EXPECT_EQ(checked(in("old")), "written");
  EXPECT_EQ(checked(in("new")), "written");
  EXPECT_THAT(listing(), ElementsAre("old"));
  EXPECT_EQ(content(in("old")), "precious");
}

TEST_F(AtomicFileTest, Refusals) {
  put(in("file"), "");
  const auto says = [](const std::string& path, const std::string& why) { return "cannot write \"" + path + "\": " + why; };
  EXPECT_EQ(checked(""), says("", "the name is empty"));
  EXPECT_EQ(checked(in("none/a")), says(in("none/a"), "the folder \"" + in("none") + "\" does not exist"));
  EXPECT_EQ(checked(in("file/a")), says(in("file/a"), "\"" + in("file") + "\" is not a folder"));
  EXPECT_EQ(checked(in(".")), says(in("."), "it is a folder"));
  EXPECT_EQ(checked(in("file/")), says(in("file/"), "it names a folder"));
  EXPECT_EQ(checked("/dev/null"), says("/dev/null", "it is not a regular file"));
  EXPECT_EQ(checked(in(std::string(256, 'a'))), says(in(std::string(256, 'a')), "File name too long"));
  EXPECT_EQ(checked(in(std::string(255, 'a'))), "written");  // The longest name there can be: the temporary's is not made from it.
  fs::create_symlink("loop", in("loop"));
  EXPECT_EQ(checked(in("loop")), says(in("loop"), "Too many levels of symbolic links"));
  EXPECT_THAT(listing(), ElementsAre("file", "loop"));
}

TEST_F(AtomicFileTest, AWriteProtectedFileIsNotReplaced) {
  put(in("kept"), "precious");
  chmod(in("kept").c_str(), 0444);
  EXPECT_EQ(checked(in("kept")), "cannot write \"" + in("kept") + "\": the file exists and is write-protected");
  EXPECT_EQ(content(in("kept")), "precious");
}

TEST_F(AtomicFileTest, AFolderWithoutPermission) {
  chmod(folder_.c_str(), 0555);
  const std::string message = in_child([&] {
    // Root may write everywhere; "nobody" (65534) may not.
    if (getuid() == 0 && setuid(65534) != 0) throw std::runtime_error("setuid");
    check_writable(in("a"));
  });
  EXPECT_EQ(message, "cannot write \"" + in("a") + "\": no permission to write in the folder \"" + folder_.string() + "\"");
  EXPECT_THAT(listing(), IsEmpty());
}

// A writer that was killed leaves its temporary; the next file of that folder removes it, but neither that of a living writer nor a file
// whose name only looks like one.
TEST_F(AtomicFileTest, RemovesWhatAKilledWriterLeft) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    AtomicFile file(in("a"));
    file.write("half");
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_THAT(listing(), UnorderedElementsAre(testing::StartsWith(".rooftrace-" + std::to_string(child))));
  std::ofstream(in(".rooftrace-notes-1.tmp")) << "mine";
  std::ofstream(in(".rooftrace-12-3.tmp.old")) << "mine";

  AtomicFile living(in("b"));
  write_file_atomically(in("a"), "whole");
  EXPECT_THAT(listing(), UnorderedElementsAre(testing::StartsWith(".rooftrace-" + std::to_string(getpid())), ".rooftrace-12-3.tmp.old",
                                              ".rooftrace-notes-1.tmp", "a"));
  living.commit();
  EXPECT_THAT(listing(), UnorderedElementsAre(".rooftrace-12-3.tmp.old", ".rooftrace-notes-1.tmp", "a", "b"));
}

}  // namespace
}  // namespace rooftrace
