// make_workload: one step from the embedding to the logits.
//
// With vocabulary shards (tp > 1) an all-reduce follows the embedding too, as in vLLM: 2 * layers + 1 of them. Logits stay sharded.
// Precision: the linear layers of the layers take `weights`; below 16 bit they carry one fp32 scale per output channel (or 4 B per group of
// weights), and embedding, LM head, norms and biases stay bf16. fp8 weights run on fp8 tensor cores where the GPU has them (activations are
// converted on the way to them, which moves no bytes), else they are widened.
#include "traces/workload.hpp"

#include "traces/workload_layer.hpp"
#include "traces/workload_plan.hpp"

namespace rooftrace {

Trace make_workload(const ModelSpec& model, const DeviceShape& gpu, const WorkloadOptions& options) {
  check_workload(model, options);
  const WorkloadPlan plan(model, gpu, options);
  WorkloadBuilder builder(plan);
  builder.embed();
  builder.prefetch(0);
  builder.prefetch(1);
  for (std::uint32_t layer = 0; layer < model.layers; ++layer) {
    builder.layer(layer);
    builder.prefetch(layer + 2);
  }
  builder.lm_head();
  Trace trace = builder.take();
  plan.map.describe(trace);
  // Two staging slots alternate: layers are no longer the same up to one shift.
  if (plan.offloads()) trace.layer_stride = 0;
  return trace;
}

}  // namespace rooftrace
