// Any bytes as a profile.
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/kineto_events.hpp"
#include "traces/import/kineto_lowering.hpp"

using namespace rooftrace;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect_user_errors_only([&] {
    const auto text = open_memory("fuzz.json", fuzz::text_of(data, size));
    const KinetoProfile profile = read_kineto(*text);
    // Kernels are made, but their steps, which may be millions, are not asked for.
    DeviceShape gpu;
    gpu.sms = 132;
    gpu.shared_memory_per_sm = 228 * 1024;
    gpu.shared_memory_per_block = 227 * 1024;
    KinetoMemory memory;
    for (const KinetoOperator& op : profile.operators) {
      if (const KinetoOperatorRow* row = find_kineto_operator(op.name)) (void)lower_operator(*row, op, gpu, memory);
    }
    for (const KinetoGpuEvent& event : profile.gpu) (void)lower_gpu_event(event, gpu, memory);
  });
  return 0;
}
