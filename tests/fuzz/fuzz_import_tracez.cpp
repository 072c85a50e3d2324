// Any bytes as a .tracez.
#include "sim/core/error.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_accelsim.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace rooftrace;
  NullSink sink;
  ImportSummary summary;
  try {
    import_tracez(seekable_memory("fuzz.tracez", std::string(reinterpret_cast<const char*>(data), size)), {}, sink, summary);
  } catch (const UserError&) {
  }
  return 0;
}
