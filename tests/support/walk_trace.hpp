// Small traces to save, and a walk over every step of what was read back.
#pragma once

#include <random>

#include "tests/support/random_world.hpp"
#include "traces/file/save_trace.hpp"
#include "traces/file/trace_file.hpp"
#include "traces/file/trace_writer.hpp"

namespace rooftrace::toy {

/// A few random kernels, no layers.
inline Trace random_trace(std::uint32_t seed, std::uint64_t range = 1 << 20) {
  std::mt19937 random(seed);
  Trace trace;
  trace.kernels = random_kernels(random, range);
  for (std::size_t k = 0; k < trace.kernels.size(); ++k) {
    trace.kernels[k].label = "kernel " + std::to_string(k);
    trace.kernels[k].footprint = {{TensorRole::kv, Home::peer, 64 * k, 32, k % 2 == 0}, {TensorRole::scales, Home::local, 0, k, false}};
  }
  trace.address_end = range + (1 << 16);
  trace.page_role = {TensorRole::kv, TensorRole::tables};
  return trace;
}

/// Two kernels in each of four layers; those of layer 0 do something else first.
inline Trace layered_trace() {
  Trace trace;
  trace.layer_stride = kFrameBytes;
  trace.layers_begin = kPageBytes;
  trace.layers_end = trace.address_end = kPageBytes + 4 * kFrameBytes;
  for (std::uint32_t layer = 0; layer < 4; ++layer) {
    for (std::uint32_t which = 0; which < 2; ++which) {
      Kernel k = kernel(3, which == 0 && layer == 0 ? 1 : 2, [layer, which](std::uint32_t block, std::uint32_t step) {
        Step out;
        out.loads.push_back(load(kPageBytes + layer * kFrameBytes + block * 4096 + step * 64, 64, TensorRole::weights));
        out.loads.push_back(load(block * 128, 32));  // shared by all layers
        out.work = {which == 0 ? 100.0 : 0.0, 7, 0};
        if (step == 1) out.stores.push_back(store(1024 + block * 32, 32));
        return out;
      });
      k.label = which == 0 ? "first" : "second";
      k.layer = static_cast<std::int32_t>(layer);
      trace.kernels.push_back(std::move(k));
    }
  }
  return trace;
}

inline void save(const Trace& trace, const std::string& path, StoredLayers layers = StoredLayers::automatic) {
  const auto sink = make_trace_writer(path);
  sink->add_note("command", "a test");
  sink->add_tensor({"table", 4096, 512, TensorRole::tables, Home::host});
  save_trace(trace, {}, *sink, layers);
  sink->finish();
}

/// Accesses met; UserError from any of them.
inline std::uint64_t walk(const TraceFile& file) {
  std::uint64_t count = 0;
  Step step;
  for (const TraceFileStage& stage : file.stages) {
    for (const Kernel& kernel : stage.trace.kernels) {
      for (std::uint32_t block = 0; block < kernel.grid; ++block) {
        const std::uint32_t steps = kernel.program->steps(block);
        for (std::uint32_t s = 0; s < steps; ++s) {
          step.clear();
          kernel.program->fill(block, s, step);
          count += step.loads.size() + step.stores.size();
        }
      }
    }
  }
  return count;
}

}  // namespace rooftrace::toy
