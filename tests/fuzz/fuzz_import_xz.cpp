// Any bytes as a .traceg.xz.
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_accelsim.hpp"

using namespace rooftrace;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  NullSink sink;
  ImportSummary summary;
  fuzz::expect_user_errors_only([&] {
    const auto text = unpack_xz(open_memory("fuzz.traceg.xz", fuzz::text_of(data, size)));
    import_traceg(*text, {}, sink, summary);
  });
  return 0;
}
