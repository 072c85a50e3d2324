// Any bytes as a .traceg.xz.
#include "sim/core/error.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/import_accelsim.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace rooftrace;
  NullSink sink;
  ImportSummary summary;
  try {
    const auto text = unpack_xz(open_memory("fuzz.traceg.xz", std::string(reinterpret_cast<const char*>(data), size)));
    import_traceg(*text, {}, sink, summary);
  } catch (const UserError&) {
  }
  return 0;
}
