// Runs the real program in a folder of its own and keeps what it said.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace rooftrace::test {

struct Said {
  int code = -1;  ///< Exit code; 128 + signal when it was killed.
  std::string out, err;
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// Tests run inside an empty folder (`folder()`), which the program has as its working directory; its output goes to a second folder.
class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "rooftraceXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    std::filesystem::create_directories(folder());
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  [[nodiscard]] std::filesystem::path folder() const { return top_ / "here"; }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder() / name).parent_path());
    std::ofstream(folder() / name, std::ios::binary) << text;
  }

  /// The files in the folder, sorted.
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder())) {
      if (!entry.is_directory()) names.push_back(std::filesystem::relative(entry.path(), folder()).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  /// `out` is where standard output goes: a file of its own, "closed", or any path such as /dev/full.
  [[nodiscard]] Said run(const std::vector<std::string>& arguments, const std::string& out = "") const {
    const std::string out_path = out.empty() ? (top_ / "out").string() : out;
    const std::string err_path = (top_ / "err").string();
    std::vector<std::string> words = arguments;
    words.insert(words.begin(), ROOFTRACE_BINARY);
    const pid_t child = ::fork();
    if (child == 0) become(words, out_path, err_path);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    Said said;
    said.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (out.empty()) said.out = slurp(out_path);
    said.err = slurp(err_path);
    return said;
  }

 private:
  [[noreturn]] void become(std::vector<std::string>& words, const std::string& out, const std::string& err) const {
    constexpr int kFailed = 126;
    if (::chdir(folder().c_str()) != 0) ::_exit(kFailed);
    const int error = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(error, STDERR_FILENO);
    if (out == "closed") {
      ::close(STDOUT_FILENO);
    } else {
      const int output = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      if (output < 0) ::_exit(kFailed);
      ::dup2(output, STDOUT_FILENO);
    }
    ::unsetenv("ROOFTRACE_CONFIGS");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv.front(), argv.data());
    ::_exit(kFailed);
  }

  std::filesystem::path top_;
};

}  // namespace rooftrace::test
