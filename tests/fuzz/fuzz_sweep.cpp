// Sweep files: axes, ranges, samples.
#include "sim/app/sweep_spec.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rooftrace;
  fuzz::expect_user_errors_only([&] {
    const ConfigDocument document = ConfigDocument::parse(fuzz::text_of(data, size), "sweep.yaml");
    const SweepSpec spec = parse_sweep(document, ".", {});
    for (std::uint64_t point = 0; point < spec.points() && point < 4; ++point) static_cast<void>(spec.assignments(point));
  });
  return 0;
}
