// Any bytes as a .tracez.
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_accelsim.hpp"

using namespace rooftrace;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  NullSink sink;
  ImportSummary summary;
  fuzz::expect_user_errors_only([&] { import_tracez(seekable_memory("fuzz.tracez", fuzz::text_of(data, size)), {}, sink, summary); });
  return 0;
}
