// Any bytes as a .traceg text: it is refused or imported, and nothing else happens.
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_accelsim.hpp"

using namespace rooftrace;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  NullSink sink;
  ImportSummary summary;
  const std::string bytes = fuzz::text_of(data, size);
  fuzz::expect_user_errors_only([&] {
    const auto text = open_memory("fuzz.traceg", bytes);
    import_traceg(*text, {}, sink, summary);
    (void)summary.text();
  });
  fuzz::expect_user_errors_only([&] {
    const auto text = open_memory("kernelslist.g", bytes);
    LineReader reader(*text);
    (void)read_kernel_list(reader, "");
  });
  return 0;
}
