// Any bytes as a .traceg text: it is refused or imported, and nothing else happens.
#include "sim/core/error.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_accelsim.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace rooftrace;
  NullSink sink;
  ImportSummary summary;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto text = open_memory("fuzz.traceg", bytes);
    import_traceg(*text, {}, sink, summary);
    (void)summary.text();
  } catch (const UserError&) {
  }
  try {
    const auto text = open_memory("kernelslist.g", bytes);
    LineReader reader(*text);
    (void)read_kernel_list(reader, "");
  } catch (const UserError&) {
  }
  return 0;
}
