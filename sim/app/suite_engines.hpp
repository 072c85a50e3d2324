// What is known of serving engines: what the host and the order of streams add to a step, whose decode attention they call, and the age of
// their kernels, each one visible table.
//
// A step that the host launches kernel by kernel cannot be shorter than the launching takes: max(time on the GPU, layers * per_layer). Both
// run side by side, so nothing is added to a long step. Steps replayed as a CUDA graph have no such floor. Between two steps the GPU waits
// while tokens are sampled, come back and the next step is scheduled: added to every step. Where nothing is known both are 0. Not modeled:
// that this time grows with the batch; queues.
#pragma once

#include <map>
#include <string>

#include "sim/core/kernel.hpp"
#include "traces/attention_splits.hpp"
#include "traces/workload.hpp"

namespace rooftrace {

/// The time of a step that takes `gpu` s on the GPUs, of a model of `layers` layers, with the host beside that machine; s.
[[nodiscard]] double with_host(double gpu, const std::string& engine, const std::string& hardware, Stage stage, std::uint32_t layers);

/// s that the kernels of a step wait for events between streams, where `engine` runs the collectives of its library on a stream of their
/// own: two dependencies for each, one to it and one back, and a dependency costs the launch of a kernel once more (`kernel_gap`, s;
/// assumed: the waiting stream starts where it would have been launched).
[[nodiscard]] double stream_events(const std::string& engine, const std::string& collective, double kernel_gap, std::uint32_t collectives);

/// The split rule of the engine that `words` (an engine's name or a row's source) names; automatic where none is known. `clusters`: the
/// machine is Hopper or later, where engines with FlashAttention take version 3.
[[nodiscard]] AttentionEngine attention_engine_of(std::string words, bool clusters);

/// The tilings of an engine's own kernels for weights of this type at this batch; empty where it calls a library.
[[nodiscard]] std::map<KernelClass, TilingOverride> own_tilings(const std::string& engine, DataType weights, std::uint32_t batch);

/// Whether the version of the engine that a row's source ran adds residuals in kernels of their own.
[[nodiscard]] bool separate_residual(const std::string& source);

/// Whether the engine's GEMMs of experts are kernels made for A100 on any later GPU.
[[nodiscard]] bool experts_for_a100(const std::string& engine);

/// Whether a token waits for the prefills of other requests: engines that batch continuously, told by their name ("-serving") or by what
/// they report (the latency between tokens of a server under load).
[[nodiscard]] bool batches_continuously(const std::string& engine, const std::string& quantity);

}  // namespace rooftrace
