// Any bytes as a capture; the checksum is put right first, or nothing would ever get past it.
#include <cstring>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/capture/capture_format.hpp"
#include "traces/import/import_capture.hpp"

using namespace rooftrace;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes = fuzz::text_of(data, size);
  if (size >= sizeof(capture::FileHeader)) {
    capture::FileHeader head;
    std::memcpy(&head, bytes.data(), sizeof(head));
    head.checksum = 0;
    head.file_bytes = size;
    head.checksum = capture::checksum(capture::checksum(0, &head, sizeof(head)), bytes.data() + sizeof(head), size - sizeof(head));
    std::memcpy(bytes.data(), &head, sizeof(head));
  }
  NullSink sink;
  fuzz::expect_user_errors_only([&] { (void)import_capture(seekable_memory("fuzz.rtcap", bytes), {}, sink); });
  return 0;
}
