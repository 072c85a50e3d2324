// Files that lie, are cut off or damaged: an error that says where, never a crash, a hang or memory without end.
#include <gmock/gmock.h>

#include <functional>
#include <limits>

#include "sim/core/error.hpp"
#include "tests/support/column_memory.hpp"
#include "tests/support/walk_trace.hpp"
#include "tests/unit/trace_file/temporary.hpp"
#include "traces/file/column_file.hpp"

namespace rooftrace::trace_file {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HostileTraceFile : public test::Temporary {
 protected:
  /// "" when the file is taken, else the message. Anything but a UserError escapes and fails the test.
  static std::string complaint(const std::function<TraceFile()>& open) {
    try {
      const TraceFile file = open();
      toy::walk(file);
      static_cast<void>(check_trace_file(file));
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  }
  [[nodiscard]] std::string complaint_about(const std::string& name) const {
    return complaint([&] { return open_trace_file(path(name)); });
  }
  /// What is said about a sound file after `change`.
  [[nodiscard]] std::string after(const std::function<void(ColumnMemory&)>& change) const {
    toy::save(toy::layered_trace(), path("sound.h5"));
    const auto memory = std::make_shared<ColumnMemory>(*open_column_file(path("sound.h5")));
    change(*memory);
    return complaint([&] { return open_trace(memory); });
  }
};

TEST_F(HostileTraceFile, FlippedBitsAndCuts) {
  toy::save(toy::random_trace(7), path("sound.h5"));
  const std::string sound = bytes("sound.h5");
  ASSERT_EQ(complaint_about("sound.h5"), "");
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string damaged = sound;
    const std::size_t at = random() % damaged.size();
    switch (i % 4) {
      case 0:
        damaged.resize(at);
        break;
      case 1:
        damaged.replace(at, std::min<std::size_t>(64, damaged.size() - at), std::min<std::size_t>(64, damaged.size() - at), '\xff');
        break;
      default:
        damaged[at] = static_cast<char>(damaged[at] ^ 1 << random() % 8);
        break;
    }
    put("damaged.h5", damaged);
    const std::string said = complaint_about("damaged.h5");
    if (said.empty()) continue;  // A byte that nobody reads.
    ++refused;
    EXPECT_THAT(said, HasSubstr("damaged.h5")) << i;
    EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  }
  EXPECT_GT(refused, 150);
}

TEST_F(HostileTraceFile, TheStartOfTheFile) {
  toy::save(toy::random_trace(7), path("sound.h5"));
  const std::string sound = bytes("sound.h5");
  for (std::size_t at = 0; at < 64; ++at) {
    for (const char with : {'\0', '\xff', '\x01'}) {
      std::string damaged = sound;
      damaged[at] = with;
      put("damaged.h5", damaged);
      static_cast<void>(complaint_about("damaged.h5"));
    }
  }
}

TEST_F(HostileTraceFile, WhatIsNoTraceFile) {
  put("empty.h5", "");
  put("text.h5", "hardware: h100-sxm\n");
  std::string old = "\x89HDF\r\n\x1a\n";
  put("old.h5", old + std::string(100, '\0'));
  EXPECT_THAT(complaint_about("empty.h5"), HasSubstr("empty.h5: byte 0: not a trace file (no HDF5 signature)"));
  EXPECT_THAT(complaint_about("text.h5"), HasSubstr("text.h5: byte 0: not a trace file (no HDF5 signature)"));
  EXPECT_THAT(complaint_about("old.h5"), HasSubstr("old.h5: byte 8: written in another HDF5 format (superblock 0)"));
  EXPECT_THAT(complaint_about("."), HasSubstr("it is not a regular file"));
  EXPECT_THAT(complaint_about("absent.h5"), HasSubstr("No such file or directory"));
  EXPECT_THAT(complaint([] { return open_trace_file("/dev/zero"); }), HasSubstr("it is not a regular file"));
}

// Every column: the first row all ones or zeros, the second with its highest or lowest bit flipped; taken or refused in words.
TEST_F(HostileTraceFile, EveryColumnTurnedIntoNonsense) {
  toy::save(toy::layered_trace(), path("sound.h5"));
  const ColumnMemory sound(*open_column_file(path("sound.h5")));
  int refused = 0;
  for (std::size_t c = 0; c < kColumns; ++c) {
    const std::size_t element = bytes_of(column_shapes()[c].element);
    const std::uint64_t rows = sound.rows(column_shapes()[c].table);
    for (const int how : {0x00, 0xff, 0x80, 0x01}) {
      const std::uint64_t row = how == 0x00 || how == 0xff ? 0 : 1;
      if (row >= rows) continue;
      const auto memory = std::make_shared<ColumnMemory>(sound);
      std::vector<std::byte>& bytes = memory->bytes(static_cast<Column>(c));
      for (std::size_t i = 0; i < element; ++i) {
        if (row == 0) bytes[i] = static_cast<std::byte>(how);
      }
      // The highest, or the lowest bit.
      if (how == 0x80) bytes[row * element + element - 1] ^= std::byte{0x80};
      if (how == 0x01) bytes[row * element] ^= std::byte{0x01};
      const std::string said = complaint([&] { return open_trace(memory); });
      refused += said.empty() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST_F(HostileTraceFile, TheMessageNamesThePlace) {
  EXPECT_EQ(after([](ColumnMemory&) {}), "");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint32_t>(Column::kernel_depth, 1, 4'000'000'000U); }),
            "memory: /kernel/depth: row 1: it is not 1 to 1024");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint32_t>(Column::kernel_grid, 0, 4'000'000'000U); }),
            "memory: /kernel/grid: row 0: more than the rows that are left of /block");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint8_t>(Column::kernel_class, 2, 200); }),
            "memory: /kernel/class: row 2: kernel_class 200, but the file names only " + std::to_string(kKernelClasses));
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<double>(Column::kernel_tensor_work, 0, std::numeric_limits<double>::infinity()); }),
            "memory: /kernel/tensor_work: row 0: inf is not an amount of work");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint32_t>(Column::kernel_like, 3, 5); }),
            "memory: /kernel/like: row 3: it is not an earlier kernel with records of its own");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint64_t>(Column::kernel_label_at, 0, UINT64_MAX - 2); }).substr(0, 45),
            "memory: /kernel/label_at: row 0: 5 bytes at 1");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint32_t>(Column::step_kind, 1, 77); }),
            "memory: /step/kind: row 77: there are only 4 kinds");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint64_t>(Column::access_address, 0, 1ULL << 41); }),
            "memory: kernel 0 (\"first\") block 0 step 0: access 0 at 0x20000000000 ends beyond the stage's address_end 0x100200000");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint32_t>(Column::access_shape_rows, 0, (1U << 20) + 1); }),
            "memory: /access_shape/rows: row 0: an access of more than 2^20 rows");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint8_t>(Column::access_shape_multicast, 0, 0); }),
            "memory: /access_shape/rows: row 0: multicast is zero");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint32_t>(Column::step_kind_loads, 0, UINT32_MAX); }),
            "memory: /step_kind/loads: row 0: more than 2^20 accesses in a step");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set<std::uint32_t>(Column::block_steps, 1, UINT32_MAX); }),
            "memory: kernel 0 (\"first\") block 1 step 0: its steps do not end where others begin");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set_rows(Table::kernel, kMostKernels + 1); }),
            "memory: /kernel: 1048577 rows; a trace has at most 1048576");
  EXPECT_EQ(after([](ColumnMemory& m) { m.set_rows(Table::note, 0); }), "memory: /note: there is no note \"words.stage\"");
}

TEST_F(HostileTraceFile, BrokenLawsAreFoundByTheCheck) {
  Trace trace = toy::layered_trace();
  trace.kernels[0].work = {300, 21, 0};
  trace.kernels[6].layer = 3;
  toy::save(trace, path("t.h5"));
  const std::vector<std::string> broken = check_trace_file(open_trace_file(path("t.h5")));
  EXPECT_THAT(broken, testing::Contains(StartsWith("kernel 1 (second): work on pipe 1: the kernel says 0, its steps do 42")));
  EXPECT_THAT(broken, testing::Contains(StartsWith("kernel 0 (first): footprint of role 0 home 0")));

  // A trace that claims to repeat but does not: layer 2 was moved by two strides.
  Trace liar = toy::layered_trace();
  liar.kernels[4] = liar.kernels[6];
  liar.kernels[4].layer = 2;
  toy::save(liar, path("liar.h5"));
  EXPECT_THAT(check_trace_file(open_trace_file(path("liar.h5"))),
              testing::Contains(StartsWith("kernel 4 (first): layer 2 is not layer 1 moved by layer_stride")));
}

}  // namespace
}  // namespace rooftrace::trace_file
