// What scontrol prints: nothing in it is an error.
#include "sim/app/slurm_queue.hpp"
#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const rooftrace::SlurmJob& job : rooftrace::parse_slurm_jobs(rooftrace::fuzz::text_of(data, size))) {
    static_cast<void>(job.text());
    static_cast<void>(job.ended());
  }
  return 0;
}
