// The house as it stands, and proof that the checker sees each kind of mistake.
#include "tests/architecture/include_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rooftrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kTop = "// What it is.\n#pragma once\n";  // Of a header; what follows starts on line 3.

TEST(Architecture, TheTreeKeepsItsRules) {
  const std::vector<SourceFile> files = read_tree(ROOFTRACE_SOURCE_DIR, {"sim", "traces", "analysis", "tests", "validation"});
  ASSERT_GT(files.size(), 20U) << "the tree was not found";
  std::string all;
  for (const std::string& line : check_tree(files)) all += line + "\n";
  EXPECT_EQ(all, "");
}

TEST(CheckTree, AcceptsWhatIsAllowed) {
  EXPECT_THAT(check_tree({{"sim/core/units.hpp", kTop + "#include <string>\n#include <fmt/format.h>\n"},
                          {"sim/core/config.cpp", "#include <yaml-cpp/yaml.h>\n"},
                          {"sim/engine/engine.hpp", kTop + "#include \"sim/core/units.hpp\"\n"},
                          {"sim/engine/kernel_graph.cpp", "#include <boost/graph/adjacency_list.hpp>\n"},
                          {"sim/machine/machine.hpp", kTop + "#include \"sim/core/units.hpp\"\n#include \"sim/engine/engine.hpp\"\n"},
                          {"sim/machine/topology.cpp", "#include <boost/graph/dijkstra_shortest_paths.hpp>\n"},
                          {"traces/gemm.hpp", kTop + "#include \"sim/core/units.hpp\"\n"},
                          {"traces/model_spec.cpp", "#include <nlohmann/json.hpp>\n#include \"traces/gemm.hpp\"\n"},
                          {"analysis/roofline.hpp", kTop + "#include \"sim/core/units.hpp\"\n"},
                          {"sim/app/report_hdf5_file.cpp", "#include <hdf5.h>\n#include <hdf5_hl.h>\n"},
                          {"sim/app/sweep_run.cpp", "#include <tbb/parallel_for.h>\n"},
                          {"traces/file/column_file_read.cpp", "#include <hdf5.h>\n#include \"traces/gemm.hpp\"\n"},
                          {"traces/file/chunk_codec.cpp", "#include <zlib.h>\n"},
                          {"sim/app/run.cpp",
                           "#include \"analysis/roofline.hpp\"\n#include \"sim/machine/machine.hpp\"\n#include \"traces/gemm.hpp\"\n"},
                          {"tests/unit/core/units_test.cpp",
                           "#include <gtest/gtest.h>\n#include <nlohmann/json.hpp>\n#include \"sim/machine/machine.hpp\"\n"}}),
              IsEmpty());
}

TEST(CheckTree, RoomsAreOneWay) {
  const std::vector<std::string> headers = {"sim/core/a.hpp", "sim/engine/a.hpp", "sim/machine/a.hpp", "traces/a.hpp",
                                            "analysis/a.hpp", "sim/app/a.hpp",    "traces/file/a.hpp", "traces/import/a.hpp"};
  std::vector<SourceFile> tree;
  for (const std::string& path : headers) tree.push_back({path, kTop});
  // Rows: who includes; columns: whom, in the order above. y: allowed.
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"sim/core", "ynnnnnnn"}, {"sim/engine", "yynnnnnn"}, {"sim/machine", "yyynnnnn"}, {"traces", "ynnynnnn"},
      {"analysis", "ynnnynnn"}, {"sim/app", "yyyyyyyy"},    {"traces/file", "ynnynnyn"}, {"traces/import", "ynnynnyy"}};
  for (const auto& [room, row] : rows) {
    for (std::size_t i = 0; i < headers.size(); ++i) {
      std::vector<SourceFile> with = tree;
      with.push_back({room + "/b.cpp", "\n#include \"" + headers[i] + "\"\n"});
      const auto broken = check_tree(with);
      if (row[i] == 'y') {
        EXPECT_THAT(broken, IsEmpty()) << room << " -> " << headers[i];
      } else {
        EXPECT_THAT(broken, ElementsAre(room + "/b.cpp:2: " + room + "/ may not include \"" + headers[i] + "\""));
      }
    }
  }
}

TEST(CheckTree, OfTheCaptureOnlyItsFormatIsSeen) {
  const std::vector<SourceFile> tree = {
      {"traces/capture/capture_format.hpp", kTop}, {"traces/capture/device.hpp", kTop}, {"sim/core/a.hpp", kTop}};
  const auto broken = [&](const std::string& path, const std::string& header) {
    std::vector<SourceFile> with = tree;
    with.push_back({path, "#include \"" + header + "\"\n"});
    return check_tree(with);
  };
  EXPECT_THAT(broken("traces/import.cpp", "traces/capture/capture_format.hpp"), IsEmpty());
  EXPECT_THAT(broken("validation/gpu/a.cpp", "traces/capture/device.hpp"), IsEmpty());
  EXPECT_THAT(broken("traces/import.cpp", "traces/capture/device.hpp"), ElementsAre(HasSubstr("traces/ may not include")));
  EXPECT_THAT(broken("sim/app/run.cpp", "traces/capture/capture_format.hpp"), ElementsAre(HasSubstr("sim/app/ may not include")));
  EXPECT_THAT(broken("traces/capture/cases.cpp", "sim/core/a.hpp"), ElementsAre(HasSubstr("traces/capture/ may not include")));
}

TEST(CheckTree, NobodyIncludesTests) {
  EXPECT_THAT(check_tree({{"sim/app/main.cpp", "#include \"tests/support.hpp\"\n"}, {"tests/support.hpp", kTop}}),
              ElementsAre(HasSubstr("sim/app/ may not include \"tests/support.hpp\"")));
  EXPECT_THAT(check_tree({{"sim/app/main.cpp", "#include \"validation/rows.hpp\"\n"}, {"validation/rows.hpp", kTop}}),
              ElementsAre(HasSubstr("sim/app/ may not include \"validation/rows.hpp\"")));
}

TEST(CheckTree, IncludesStartAtTheRootAndNameHeaders) {
  EXPECT_THAT(check_tree({{"sim/core/a.hpp", kTop}, {"sim/core/b.cpp", "#include \"a.hpp\"\n"}}),
              ElementsAre(HasSubstr("sim/core/b.cpp:1: \"a.hpp\" is not a file of the tree")));
  EXPECT_THAT(check_tree({{"sim/core/a.cpp", ""}, {"sim/core/b.cpp", "#include \"sim/core/a.cpp\"\n"}}),
              ElementsAre("sim/core/b.cpp:1: \"sim/core/a.cpp\" is not a header"));
}

TEST(CheckTree, CyclesAreNamed) {
  EXPECT_THAT(check_tree({{"traces/a.hpp", kTop + "#include \"traces/b.hpp\"\n"},
                          {"traces/b.hpp", kTop + "#include \"traces/c.hpp\"\n"},
                          {"traces/c.hpp", kTop + "#include \"traces/b.hpp\"\n"}}),
              ElementsAre("traces/c.hpp:3: include cycle: traces/b.hpp -> traces/c.hpp -> traces/b.hpp"));
  EXPECT_THAT(check_tree({{"traces/a.hpp", kTop + "#include \"traces/a.hpp\"\n"}}),
              ElementsAre("traces/a.hpp:3: include cycle: traces/a.hpp -> traces/a.hpp"));
  // Two ways to the same header are no cycle.
  EXPECT_THAT(check_tree({{"traces/a.hpp", kTop + "#include \"traces/b.hpp\"\n#include \"traces/c.hpp\"\n"},
                          {"traces/b.hpp", kTop + "#include \"traces/c.hpp\"\n"},
                          {"traces/c.hpp", kTop}}),
              IsEmpty());
}

TEST(CheckTree, LibrariesHaveTheirFiles) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"sim/machine/machine.cpp", "boost/graph/adjacency_list.hpp"},
      {"sim/machine/topology.hpp", "boost/graph/adjacency_list.hpp"},
      {"sim/machine/machine.cpp", "boost/program_options.hpp"},
      {"sim/app/result.cpp", "hdf5.h"},
      {"sim/app/report_hdf5.hpp", "hdf5.h"},
      {"sim/app/run.cpp", "H5Cpp.h"},
      {"traces/file/trace_writer.cpp", "hdf5.h"},
      {"traces/file/trace_writer.cpp", "zlib.h"},
      {"traces/file/trace_writer.cpp", "tbb/task_group.h"},
      {"sim/engine/engine.cpp", "tbb/parallel_for.h"},
      {"sim/engine/engine.cpp", "oneapi/tbb.h"},
      {"sim/machine/machine_spec.cpp", "yaml-cpp/yaml.h"},
      {"sim/core/config.hpp", "yaml-cpp/yaml.h"},
      {"traces/model_spec.hpp", "nlohmann/json.hpp"},
      {"traces/import/coalescer.cpp", "zstd.h"},
      {"traces/import/accelsim_tracez.cpp", "lzma.h"},
      {"sim/machine/machine.cpp", "spdlog/spdlog.h"},
      {"sim/app/run.cpp", "gtest/gtest.h"},
      {"analysis/roofline.cpp", "benchmark/benchmark.h"},
      {"traces/gemm.cpp", "cuda_runtime.h"},
      {"traces/capture/device.cpp", "sanitizer.h"},
  };
  for (const auto& [path, header] : wrong) {
    const std::string top = path.ends_with(".hpp") ? kTop : "";
    EXPECT_THAT(check_tree({{path, top + "#include <" + header + ">\n"}}), ElementsAre(HasSubstr(" may only be included by ")))
        << path << " " << header;
  }
  EXPECT_THAT(check_tree({{"sim/core/units.cpp", "#include <boost/rational.hpp>\n#include <string>\n#include <fmt/format.h>\n"}}),
              ElementsAre("sim/core/units.cpp:1: sim/core only uses the standard library and fmt, not <boost/rational.hpp>"));
}

TEST(CheckTree, SpacesDoNotHideAnInclude) {
  EXPECT_THAT(check_tree({{"sim/core/a.cpp", "  #  include   <tbb/tbb.h>  // why\n"}}), SizeIs(2));  // TBB, and a library in core.
}

TEST(CheckTree, HeadersStartWithACommentAndPragmaOnce) {
  EXPECT_THAT(check_tree({{"traces/a.hpp", "#pragma once\n"}}), ElementsAre(HasSubstr("starts with a comment")));
  EXPECT_THAT(check_tree({{"traces/a.hpp", "// What.\n#include <string>\n#pragma once\n"}}), ElementsAre(HasSubstr("#pragma once must")));
  EXPECT_THAT(check_tree({{"traces/a.hpp", "// What.\n\nint a();\n"}}), ElementsAre(HasSubstr("#pragma once must")));
  EXPECT_THAT(check_tree({{"traces/a.hpp", "// What.\n// More.\n\n#pragma once\n"}}), IsEmpty());
}

TEST(CheckTree, FilesHaveAtMost400Lines) {
  const std::string full(400, '\n');
  EXPECT_THAT(check_tree({{"traces/a.cpp", full}}), IsEmpty());
  EXPECT_THAT(check_tree({{"traces/a.cpp", full + "\n"}}), ElementsAre("traces/a.cpp:401: has 401 lines; at most 400"));
  EXPECT_THAT(check_tree({{"tests/unit/core/a.cpp", full + "\n"}}), SizeIs(1));
}

}  // namespace
}  // namespace rooftrace
