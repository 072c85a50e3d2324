// Any bytes as a table of accesses.
#include "sim/core/error.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_csv.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace rooftrace;
  NullSink sink;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    (void)import_csv([&] { return open_memory("fuzz.csv", bytes); }, {}, sink);
  } catch (const UserError&) {
  }
  return 0;
}
