// Filters of sweeps, over axes of every type.
#include "sim/app/sweep_where.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rooftrace;
  static const ConfigDocument document = ConfigDocument::parse(
      "base: main\naxes:\n  - {key: batch, values: [1, 8]}\n  - {key: weights, values: [bf16, fp8]}\n"
      "  - {key: hardware.hbm.bandwidth, values: [2 TB/s, 3 TB/s]}\n",
      "sweep.yaml");
  fuzz::expect_user_errors_only([&] {
    const SweepSpec spec = parse_sweep(document, ".", {fuzz::text_of(data, size)});
    const SweepWhere where(spec);
    for (std::uint64_t point = 0; point < spec.points(); ++point) static_cast<void>(where.takes(point));
  });
  return 0;
}
