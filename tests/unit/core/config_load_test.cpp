// Files: extends, loops, and every way a file can be missing or unreadable.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/core/text_file.hpp"
#include "tests/unit/core/config_support.hpp"

namespace rooftrace {
namespace {

std::string load_message(const std::string& path) {
  return message_of([&] { (void)ConfigDocument::load(path); });
}

TEST(ConfigExtends, LaysTheFileOnTopOfTheOther) {
  const Folder folder;
  folder.write("base.yaml", "name: base\nl2:\n  ways: 16\n  capacity: 50 MiB\nlist: [1, 2, 3]\nlink:\n  rate: 1 GB/s\nword: w\n");
  const std::string top = folder.write(
      "top.yaml", "# top\nextends: base\nname: top\nl2:\n  capacity: 60 MiB\n  line: 128\nlist: [9]\nlink: none\nword:\n  a: 1\n");
  const ConfigDocument document = ConfigDocument::load(top);
  EXPECT_EQ(document.canonical(), "name: top\nl2:\n  ways: 16\n  capacity: 60 MiB\n  line: 128\nlist: [9]\nlink: none\nword:\n  a: 1\n");
  // Each value stays where it was written.
  EXPECT_EQ(document.root()["l2"]["ways"].where().text(), folder.path() + "/base.yaml:3:9");
  EXPECT_EQ(document.root()["l2"]["capacity"].where().text(), top + ":5:13");
  EXPECT_EQ(document.root()["l2"]["line"].path(), "l2.line");
  EXPECT_FALSE(document.has("extends"));
  EXPECT_EQ(document.root().where().text(), top);
}

TEST(ConfigExtends, FollowsChainsAndPaths) {
  const Folder folder;
  folder.write("lib/a.yaml", "from: a\na: 1\n");
  folder.write("lib/b.yaml", "extends: a\nfrom: b\nb: 1\n");
  const std::string by_path = folder.write("c.yaml", "extends: lib/b.yaml\nfrom: c\n");
  EXPECT_EQ(ConfigDocument::load(by_path).canonical(), "from: c\na: 1\nb: 1\n");
  const std::string absolute = folder.write("d.yaml", "extends: " + folder.path() + "/lib/a.yaml\n");
  EXPECT_EQ(ConfigDocument::load(absolute).canonical(), "from: a\na: 1\n");
  const std::string up = folder.write("lib/deep/e.yaml", "extends: ../a.yaml\n");
  EXPECT_EQ(ConfigDocument::load(up).canonical(), "from: a\na: 1\n");
  const std::string beside = folder.write("lib/g.yaml", "extends: a.yaml\n");
  EXPECT_EQ(ConfigDocument::load(beside).canonical(), "from: a\na: 1\n");
  // A name with a dot is a name: "v1.5" is v1.5.yaml.
  folder.write("v1.5.yaml", "v: 15\n");
  EXPECT_EQ(ConfigDocument::load(folder.write("f.yaml", "extends: v1.5\n")).canonical(), "v: 15\n");
  // Text that claims to be a file of that folder finds its neighbours too.
  EXPECT_EQ(ConfigDocument::parse("extends: v1.5\n", folder.path() + "/none.yaml").canonical(), "v: 15\n");
}

TEST(ConfigExtends, NamesLoops) {
  const Folder folder;
  const std::string a = folder.write("a.yaml", "extends: a\n");
  EXPECT_EQ(load_message(a), a + ":1:10: extends: \"a\" is this file itself");
  const std::string b = folder.write("b.yaml", "extends: c\n");
  const std::string c = folder.write("c.yaml", "extends: ./b.yaml\n");
  EXPECT_EQ(load_message(b), c + ":1:10: extends: goes round in a loop: " + b + " -> " + c + " -> " + b);
  // A loop that the file itself is not part of.
  EXPECT_EQ(load_message(folder.write("d.yaml", "extends: b\n")),
            c + ":1:10: extends: goes round in a loop: " + b + " -> " + c + " -> " + b);
  // The same file under another name.
  std::filesystem::create_symlink(a, folder.path() + "/alias.yaml");
  const std::string e = folder.write("a.yaml", "extends: alias\n");
  EXPECT_EQ(load_message(e), e + ":1:10: extends: \"alias\" is this file itself");
}

TEST(ConfigExtends, RefusesWhatIsNoFile) {
  const Folder folder;
  folder.write("h100-sxm.yaml", "a: 1\n");
  folder.write("sub/x.yaml", "a: 1\n");
  const std::string file = folder.path() + "/top.yaml";
  const auto message = [&](const std::string& value) { return load_message(folder.write("top.yaml", "a: 2\nextends: " + value + "\n")); };
  EXPECT_EQ(message("h100-smx"),
            file + ":2:10: extends: \"h100-smx\" is not there (" + folder.path() + "/h100-smx.yaml); did you mean \"h100-sxm.yaml\"?");
  EXPECT_EQ(message("[a, b]"), file + ":2:10: extends: the name of one file is needed, not a list");
  EXPECT_EQ(message(""), file + ":2:1: extends: the name of one file is needed, not nothing");
  EXPECT_EQ(message("\"\""), file + ":2:10: extends: the name of one file is needed, not \"\"");
  EXPECT_EQ(message("\"a\\0b\""), file + ":2:10: extends: \"a\\x00b\" is not a file name");
  EXPECT_EQ(message("sub/"), folder.path() + "/sub/: is a folder; a file is needed");
  EXPECT_EQ(message("nowhere/x"), file + ":2:10: extends: \"nowhere/x\" is not there (" + folder.path() + "/nowhere/x)");
}

TEST(ConfigExtends, PointsIntoTheFileThatIsWrong) {
  const Folder folder;
  const std::string base = folder.write("base.yaml", "a: 1\na: 2\n");
  EXPECT_EQ(load_message(folder.write("top.yaml", "extends: base\n")), base + ":2:1: the key \"a\" is here twice (first on line 1)");
}

TEST(ConfigExtends, BoundsTheChain) {
  const Folder folder;
  folder.write("f0.yaml", "a: 1\n");
  for (int i = 1; i <= 16; ++i) folder.write(fmt::format("f{}.yaml", i), fmt::format("extends: f{}\n", i - 1));
  EXPECT_EQ(load_message(folder.path() + "/f15.yaml"), "no error");  // f15 ... f0: 16 files.
  EXPECT_EQ(load_message(folder.path() + "/f16.yaml"), folder.path() + "/f1.yaml:1:10: extends: the chain is longer than 16 files");
}

TEST(TextFile, TellsApartWhyAFileCannotBeRead) {
  const Folder folder;
  folder.write("h100-sxm.yaml", "a: 1\n");
  EXPECT_EQ(load_message(folder.path() + "/h100-smx.yaml"),
            folder.path() + "/h100-smx.yaml: no such file; did you mean \"h100-sxm.yaml\"?");
  EXPECT_EQ(load_message(folder.path() + "/elephant"), folder.path() + "/elephant: no such file");
  EXPECT_EQ(load_message(folder.path()), folder.path() + ": is a folder; a file is needed");
  EXPECT_EQ(load_message(folder.path() + "/no/x.yaml"),
            folder.path() + "/no/x.yaml: no such file: there is no folder \"" + folder.path() + "/no\"");
  EXPECT_EQ(load_message(folder.path() + "/h100-sxm.yaml/x"),
            folder.path() + "/h100-sxm.yaml/x: no such file: there is no folder \"" + folder.path() + "/h100-sxm.yaml\"");
  EXPECT_EQ(load_message(""), "a file name is needed, not \"\"");
  EXPECT_EQ(load_message(std::string("a\0b", 3)), "\"a\\x00b\" is not a file name");
  const std::string dangling = folder.path() + "/dangling.yaml";
  std::filesystem::create_symlink("/nonexistent/x", dangling);
  EXPECT_EQ(load_message(dangling), dangling + ": no such file");
}

TEST(TextFile, SaysWhenPermissionIsMissing) {
  const Folder folder;
  const std::string file = folder.write("secret.yaml", "a: 1\n");
  std::filesystem::permissions(file, std::filesystem::perms::none);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  // Root may read everything, so root reads as nobody (65534).
  const uid_t user = geteuid();
  if (user == 0) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const std::string message = load_message(file);
  ASSERT_EQ(seteuid(user), 0);
  EXPECT_EQ(message, file + ": cannot be read: Permission denied");
}

TEST(TextFile, StopsAtTheLimit) {
  const Folder folder;
  const std::string text(1000, 'x');
  const std::string file = folder.write("x.txt", text);
  EXPECT_EQ(read_text_file(file, 1000), text);
  EXPECT_THROW((void)read_text_file(file, 999), UserError);
  EXPECT_EQ(load_message("/dev/zero"), "/dev/zero: is larger than 1024 KiB; no file of this kind is");
  EXPECT_EQ(load_message("/dev/null"), "/dev/null: is empty");
}

}  // namespace
}  // namespace rooftrace
