// Any bytes as a profile.
#include "sim/core/error.hpp"
#include "tests/fuzz/null_sink.hpp"
#include "traces/import/kineto_events.hpp"
#include "traces/import/kineto_lowering.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace rooftrace;
  try {
    const auto text = open_memory("fuzz.json", std::string(reinterpret_cast<const char*>(data), size));
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
  } catch (const UserError&) {
  }
  return 0;
}
