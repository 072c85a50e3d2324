// Trace files, three ways, by the first byte of the input: the rest is a whole file; or changes of single values of a sound trace (column,
// row, how, eight bytes), which get past HDF5's checksums to our own checks; or the stored bytes of one chunk.
//
// Leaks inside the HDF5 library on damaged files are its own (run with -detect_leaks=0).
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/fuzz/fuzz.hpp"
#include "tests/support/column_memory.hpp"
#include "tests/support/walk_trace.hpp"
#include "traces/file/column_file.hpp"

namespace {

using namespace rooftrace;
using namespace rooftrace::trace_file;

/// In memory where the system has such a place, one per process.
std::string scratch() {
  const std::string folder = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path().string();
  return folder + "/rooftrace-fuzz-" + std::to_string(::getpid()) + ".trace.h5";
}

void use(const TraceFile& file) {
  toy::walk(file);
  static_cast<void>(check_trace_file(file));
}

void whole_file(const std::uint8_t* data, std::size_t size) {
  const std::string path = scratch();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  fuzz::expect_user_errors_only([&] { use(open_trace_file(path)); });
  std::remove(path.c_str());
}

const ColumnMemory& sound() {
  static const ColumnMemory memory = [] {
    const std::string path = scratch();
    toy::save(toy::layered_trace(), path);
    const ColumnMemory copy(*open_column_file(path));
    std::remove(path.c_str());
    return copy;
  }();
  return memory;
}

void changed_values(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kChange = 11;
  const auto memory = std::make_shared<ColumnMemory>(sound());
  for (; size >= kChange; data += kChange, size -= kChange) {
    const auto column = static_cast<Column>(data[0] % kColumns);
    const Table table = shape_of(column).table;
    const std::size_t element = bytes_of(shape_of(column).element);
    if (data[1] % 16 == 15) {  // A table of another length.
      memory->set_rows(table, data[2]);
    } else if (memory->rows(table) > 0) {
      std::memcpy(memory->bytes(column).data() + data[2] % memory->rows(table) * element, data + 3, element);
    }
  }
  fuzz::expect_user_errors_only([&] { use(open_trace(memory)); });
}

void one_chunk(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> raw(4096), scratch_space;
  for (const std::size_t element : {1U, 4U, 8U}) {
    try {
      decode_chunk(std::as_bytes(std::span(data, size)), 0, element, raw, scratch_space);
    } catch (const BadChunk&) {
    }
    // The same with a checksum that fits, so that the inflater sees it.
    std::vector<std::byte> checked(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
    const std::uint32_t check = fletcher32(checked);
    for (int i = 0; i < 4; ++i) checked.push_back(static_cast<std::byte>(check >> (8 * i) & 0xff));
    try {
      decode_chunk(checked, size % 2 == 0 ? 0 : kDeflateSkipped, element, raw, scratch_space);
    } catch (const BadChunk&) {
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  switch (data[0] % 4) {
    case 0:
      whole_file(data + 1, size - 1);
      break;
    case 1:
      one_chunk(data + 1, size - 1);
      break;
    default:
      changed_values(data + 1, size - 1);
      break;
  }
  return 0;
}
