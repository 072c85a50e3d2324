// Suites of measurements: whatever a cell says, a row answers with a value or RowSkipped.
#include "sim/app/validate_csv.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rooftrace;
  const auto ask = [](const auto& question) {
    try {
      question();
    } catch (const RowSkipped&) {
    }
  };
  fuzz::expect_user_errors_only([&] {
    const Suite suite = parse_suite("gemm.csv", "gemm", fuzz::text_of(data, size), {"m", "n"});
    for (const SuiteRow& row : suite.rows) {
      ask([&] { static_cast<void>(row.number("m")); });
      ask([&] { static_cast<void>(row.maybe_number("n")); });
      ask([&] { static_cast<void>(row.integer("n", 1, 1000)); });
      ask([&] { static_cast<void>(row.data_type("type")); });
    }
  });
  return 0;
}
