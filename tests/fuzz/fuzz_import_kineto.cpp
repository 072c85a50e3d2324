// Any bytes as a profile, packed or not.
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/gzip_source.hpp"
#include "traces/import/kineto_events.hpp"
#include "traces/import/kineto_lowering.hpp"

using namespace rooftrace;

namespace {

/// Kernels are made, but of their steps, which may be millions, only the first ones of the first and of the last block are asked for.
void look_at(const std::vector<Kernel>& kernels, NullSink& sink) {
  constexpr std::uint32_t kSteps = 8;
  Step step;
  for (const Kernel& kernel : kernels) {
    sink.begin_kernel(kernel);
    for (const std::uint32_t block : {0U, kernel.grid - 1}) {
      const std::uint32_t steps = std::min(kernel.program->steps(block), kSteps);
      for (std::uint32_t s = 0; s < steps; ++s) {
        step.clear();
        kernel.program->fill(block, s, step);
        sink.add_step(block, s, step);
      }
      if (kernel.grid == 1) break;
    }
    sink.end_kernel();
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect_user_errors_only([&] {
    const auto text = unpack_if_gzip(open_memory("fuzz.json", fuzz::text_of(data, size)));
    const KinetoProfile profile = read_kineto(*text);
    DeviceShape gpu;
    gpu.sms = 132;
    gpu.shared_memory_per_sm = 228 * 1024;
    gpu.shared_memory_per_block = 227 * 1024;
    KinetoMemory memory;
    NullSink sink;
    for (const KinetoOperator& op : profile.operators) {
      if (const KinetoOperatorRow* row = find_kineto_operator(op.name)) look_at(lower_operator(*row, op, gpu, memory), sink);
    }
    for (const KinetoGpuEvent& event : profile.gpu) {
      look_at(lower_gpu_event(event, gpu, memory), sink);
      (void)why_no_collective(event);
    }
  });
  return 0;
}
