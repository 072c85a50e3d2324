// Any bytes as a table of accesses.
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_csv.hpp"

using namespace rooftrace;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  NullSink sink;
  const std::string bytes = fuzz::text_of(data, size);
  fuzz::expect_user_errors_only([&] { (void)import_csv([&] { return open_memory("fuzz.csv", bytes); }, {}, sink); });
  return 0;
}
