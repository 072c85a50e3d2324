#include "traces/import/import_kineto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "sim/core/error.hpp"
#include "traces/import/captured_kernel.hpp"
#include "traces/import/kineto_lowering.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kMostStreams = 64;

/// The GPU that tilings are chosen for: an H100 but for what ImportOptions say.
DeviceShape shape_of(const ImportOptions& options) {
  DeviceShape gpu;
  gpu.sms = options.sms;
  gpu.shared_memory_per_sm = kSmSharedBytes;
  gpu.shared_memory_per_block = kSmSharedBytes - kReservedShared;
  gpu.max_blocks_per_sm = kSmBlocks;
  gpu.l2_bytes = 50ULL << 20;
  gpu.max_cluster = 8;
  gpu.fp8_tensor = true;
  return gpu;
}

class ProfileImport {
 public:
  ProfileImport(const std::string& file, const KinetoProfile& profile, const ImportOptions& options, TraceSink& sink,
                ImportSummary& summary)
      : file_(file),
        profile_(profile),
        gpu_(shape_of(options)),
        sink_(sink),
        summary_(summary),
        memory_(file),
        known_(profile.operators.size(), kNotAsked) {}

  void run() {
    pick_device();
    pick_main_kernels();
    for (std::size_t i = 0; i < profile_.gpu.size(); ++i) {
      const KinetoGpuEvent& event = profile_.gpu[i];
      if (event.device != device_) {
        summary_.leave_out("kernels and copies of other GPUs", event.bytes);
        continue;
      }
      take(i, event);
    }
  }

 private:
  void pick_device() {
    std::map<std::int64_t, std::size_t> events;
    for (const KinetoGpuEvent& event : profile_.gpu) ++events[event.device];
    std::size_t most = 0;
    for (const auto& [device, count] : events) {
      if (count <= most) continue;
      most = count;
      device_ = device;
    }
  }

  /// The operator of the table at or around `op`; -1: none. What is found is kept: operators may be nested a million deep.
  [[nodiscard]] std::int64_t known_operator(std::int64_t op) {
    std::int64_t found = -1;
    walked_.clear();
    for (; op >= 0; op = profile_.operators[static_cast<std::size_t>(op)].parent) {
      std::int64_t& known = known_[static_cast<std::size_t>(op)];
      if (known == kNotAsked && find_kineto_operator(profile_.operators[static_cast<std::size_t>(op)].name) != nullptr) known = op;
      if (known != kNotAsked) {
        found = known;
        break;
      }
      walked_.push_back(op);
    }
    for (const std::int64_t inner : walked_) known_[static_cast<std::size_t>(inner)] = found;
    return found;
  }

  /// Counts until it is too many: programs are pure, so asking costs only time, and that of all kernels is bounded, taken or not.
  [[nodiscard]] bool fits(const Kernel& kernel) {
    std::uint64_t steps = kernel.grid > kMostSyntheticSteps ? kernel.grid : 0;
    for (std::uint32_t block = 0; block < kernel.grid && steps <= kMostSyntheticSteps; ++block) steps += kernel.program->steps(block);
    asked_ += std::min(steps, kMostSyntheticSteps);
    if (asked_ > kMostStepsOfProfile) throw UserError({file_}, "its kernels make more than 2^31 steps; cut it to fewer iterations");
    return steps <= kMostSyntheticSteps;
  }

  void pick_main_kernels() {
    for (std::size_t i = 0; i < profile_.gpu.size(); ++i) {
      const KinetoGpuEvent& event = profile_.gpu[i];
      if (event.kind != KinetoGpuEvent::Kind::kernel || event.device != device_) continue;
      const std::int64_t op = known_operator(event.op);
      if (op < 0) continue;
      const auto [found, fresh] = main_.try_emplace(op, i);
      if (!fresh && event.duration > profile_.gpu[found->second].duration) found->second = i;
    }
  }

  void take(std::size_t i, const KinetoGpuEvent& event) {
    std::vector<Kernel> kernels = lower_gpu_event(event, gpu_, memory_);
    std::string as = kernels.empty() ? "" : kernels.front().label;
    std::string helper_of;
    const std::int64_t op = known_operator(event.op);
    const bool collective = is_nccl_kernel(event);
    if (kernels.empty() && op >= 0 && !collective && event.kind == KinetoGpuEvent::Kind::kernel) {
      const KinetoOperator& o = profile_.operators[static_cast<std::size_t>(op)];
      if (main_.at(op) == i) {
        kernels = lower_operator(*find_kineto_operator(o.name), o, gpu_, memory_);
        as = o.name;
      } else {
        helper_of = o.name;
      }
    }
    const bool small = std::all_of(kernels.begin(), kernels.end(), [this](const Kernel& kernel) { return fits(kernel); });
    if (!small) kernels.clear();
    tally(event, !kernels.empty(), as, helper_of, op);
    if (kernels.empty()) {
      add_empty(event);
      return;
    }
    for (std::size_t k = 0; k < kernels.size(); ++k) add(event, kernels[k], k == 0);
  }

  void tally(const KinetoGpuEvent& event, bool lowered, const std::string& as, const std::string& helper_of, std::int64_t op) {
    KernelTally& tally = summary_.kernel(event.name);
    const bool first = tally.count++ == 0;
    tally.measured_ns += event.duration * 1000;
    ++tally.measured;
    // A name with one kernel that has no accesses is listed among those.
    tally.lowered = (first || tally.lowered) && lowered;
    if (lowered) {
      tally.as = as;
      return;
    }
    summary_.leave_out("kernels without accesses", event.bytes);
    if (const std::string why = why_no_collective(event); !why.empty()) {
      summary_.meet_unknown(why);
    } else if (!helper_of.empty()) {
      summary_.meet_unknown(fmt::format("one more kernel of {}", helper_of));
    } else if (event.kind != KinetoGpuEvent::Kind::kernel) {
      summary_.meet_unknown("copy or fill without its bytes");
    } else if (op >= 0) {
      summary_.meet_unknown(
          fmt::format("{} without usable shapes (record_shapes=True gives them)", profile_.operators[static_cast<std::size_t>(op)].name));
    } else {
      const bool named = event.op >= 0;
      summary_.meet_unknown(named ? "operator " + profile_.operators[static_cast<std::size_t>(event.op)].name
                                  : "kernel without an operator");
    }
  }

  /// Place in the trace: stream, what it waits for, measured duration.
  void place(const KinetoGpuEvent& event, Kernel& kernel) {
    kernel.stream = streams_.of(event.stream);
    if (last_.size() <= kernel.stream && kernel.stream < kMostStreams) last_.resize(kernel.stream + 1);
    if (kernel.stream >= kMostStreams) throw UserError({file_}, fmt::format("the profile uses more than {} streams", kMostStreams));
    for (std::size_t s = 0; s < last_.size(); ++s) {
      if (s == kernel.stream) continue;
      // Kernels of a stream are in order, so the last one that had ended is found from the back.
      const auto& ended = last_[s];
      const auto after = std::upper_bound(ended.begin(), ended.end(), event.begin, [](double t, const auto& e) { return t < e.first; });
      if (after != ended.begin()) kernel.waits_for.push_back(std::prev(after)->second);
    }
    std::sort(kernel.waits_for.begin(), kernel.waits_for.end());
  }

  void remember(const KinetoGpuEvent& event, std::uint32_t stream) {
    auto& ended = last_[stream];
    const double end = std::max(event.begin + event.duration, ended.empty() ? 0.0 : ended.back().first);
    ended.emplace_back(end, index_);
    if (ended.size() > 4096) ended.erase(ended.begin(), ended.begin() + 2048);  // Only recent ones can be the last that ended.
    ++index_;
  }

  void add(const KinetoGpuEvent& event, Kernel& kernel, bool main) {
    const std::string made = kernel.label;
    kernel.label = main ? label_of(event.name) : fmt::format("{} ({})", made, label_of(event.name).substr(0, 80));
    place(event, kernel);
    KernelExtras extras;
    if (main) {
      extras.source_name = event.name.substr(0, kMostLabelBytes);
      extras.measured_ns = event.duration * 1000;
    } else {
      ++summary_.kernel(made + " (made for the lowering, not in the profile)").count;
    }
    sink_.begin_kernel(kernel, extras);
    Step step;
    for (std::uint32_t block = 0; block < kernel.grid; ++block) {
      const std::uint32_t steps = kernel.program->steps(block);
      for (std::uint32_t s = 0; s < steps; ++s) {
        step.clear();
        kernel.program->fill(block, s, step);
        sink_.add_step(block, s, step);
        ++summary_.steps;
        summary_.accesses += step.loads.size() + step.stores.size();
        for (const Access& access : step.loads) summary_.load_bytes += access.bytes() / access.multicast;
        for (const Access& access : step.stores) {
          (access.op == AccessOp::reduce ? summary_.reduce_bytes : summary_.store_bytes) += access.bytes();
        }
      }
    }
    sink_.end_kernel();
    summary_.tensor_flop += kernel.work[0];
    summary_.cuda_flop += kernel.work[1];
    summary_.special_operations += kernel.work[2];
    summary_.blocks += kernel.grid;
    ++summary_.kernels;
    remember(event, kernel.stream);
  }

  void add_empty(const KinetoGpuEvent& event) {
    Kernel kernel;
    kernel.label = label_of(event.name);
    place(event, kernel);
    KernelExtras extras;
    extras.source_name = event.name.substr(0, kMostLabelBytes);
    extras.measured_ns = event.duration * 1000;
    sink_.begin_kernel(kernel, extras);
    sink_.add_step(0, 0, Step{});
    sink_.end_kernel();
    ++summary_.kernels;
    ++summary_.blocks;
    ++summary_.steps;
    remember(event, kernel.stream);
  }

  std::string file_;
  const KinetoProfile& profile_;
  DeviceShape gpu_;
  TraceSink& sink_;
  ImportSummary& summary_;
  KinetoMemory memory_;
  StreamNumbers streams_;
  static constexpr std::int64_t kNotAsked = -2;
  std::vector<std::int64_t> known_, walked_;                         ///< Per operator: known_operator.
  std::uint64_t asked_ = 0;                                          ///< Steps counted by fits.
  std::vector<std::vector<std::pair<double, std::uint32_t>>> last_;  ///< Per stream: when a kernel ended, its index.
  std::unordered_map<std::int64_t, std::size_t> main_;               ///< Operator -> the longest of its kernels.
  std::int64_t device_ = 0;
  std::uint32_t index_ = 0;
};

}  // namespace

ImportSummary import_kineto(ByteSource& text, const ImportOptions& options, TraceSink& sink) {
  ImportSummary summary;
  summary.format = "kineto";
  summary.instructions_are = "events";
  const KinetoProfile profile = read_kineto(text);
  summary.instructions = profile.events;
  if (profile.gpu.empty()) throw UserError({text.name()}, "holds no kernel, copy or fill of a GPU (was ProfilerActivity.CUDA on?)");
  sink.begin_stage({});
  ProfileImport(text.name(), profile, options, sink, summary).run();
  sink.end_stage();
  summary.remarks.emplace_back(
      "accesses are synthetic: made from operators and shapes, tiled by rule; addresses and reuse between kernels are assumed");
  return summary;
}

}  // namespace rooftrace
