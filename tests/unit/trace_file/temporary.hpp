// A folder that goes away, and files in it as bytes.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace rooftrace::test {

class Temporary : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "rooftraceXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string bytes(const std::string& name) const {
    std::ifstream stream(path(name), std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  void put(const std::string& name, const std::string& content) const { std::ofstream(path(name), std::ios::binary) << content; }

 private:
  std::filesystem::path folder_;
};

}  // namespace rooftrace::test
