// The strict YAML layer: what it takes must survive being written and read again.
#include "sim/core/config.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rooftrace;
  const std::string text = fuzz::text_of(data, size);
  std::string canonical;
  fuzz::expect_user_errors_only([&] { canonical = ConfigDocument::parse(text, "fuzz.yaml").canonical(); });
  if (canonical.empty()) return 0;
  // Outside the guard: our own text must be taken.
  if (ConfigDocument::parse(canonical, "canonical.yaml").canonical() != canonical) __builtin_trap();
  return 0;
}
