// Hugging Face's config.json.
#include "tests/fuzz/fuzz.hpp"
#include "traces/model_spec.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rooftrace;
  fuzz::expect_user_errors_only([&] { static_cast<void>(parse_model(fuzz::text_of(data, size), "config.json", "fuzz").parameters()); });
  return 0;
}
