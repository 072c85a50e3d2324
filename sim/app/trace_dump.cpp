// trace dump: every record as a line that grep can find.
//
//   stage 0 decode
//   kernel 3 layer 0 attention "attention decode ..." grid 64 ...
//   block 17 step 4 tensor 65536
//     load kv local 0x40200000 rows 64 of 256 B pitch 8192 evict_first x2
#include <fmt/format.h>

#include <array>
#include <iterator>

#include "sim/app/console.hpp"
#include "sim/app/kernel_filter.hpp"
#include "sim/app/trace_report.hpp"
#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 16;

/// Text that leaves as soon as it is a piece long.
class Lines {
 public:
  template <typename... Arguments>
  void line(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Arguments>(arguments)...);
    text_ += '\n';
    if (text_.size() >= kPiece) flush();
  }
  void flush() {
    if (!text_.empty()) print_out(text_);
    text_.clear();
  }

 private:
  std::string text_;
};

void dump_access(const Access& a, Lines& out) {
  constexpr std::array<const char*, 3> kOps = {"load", "store", "reduce"};
  constexpr std::array<const char*, 4> kHints = {"", " evict_first", " evict_last", " no_allocate"};
  const std::string rows = a.rows > 1 ? fmt::format(" pitch {}", a.pitch) : "";
  const std::string shared = a.multicast > 1 ? fmt::format(" x{}", a.multicast) : "";
  out.line("  {} {} {} {:#x} rows {} of {} B{}{}{}", kOps[static_cast<std::size_t>(a.op)], name(a.role), name(a.home), a.address, a.rows,
           a.row_bytes, rows, kHints[static_cast<std::size_t>(a.hint)], shared);
}

void dump_block(const TraceFileStage& stage, std::uint32_t k, std::uint32_t block, Step& step, Lines& out) {
  const BlockProgram& program = *stage.trace.kernels[k].program;
  const auto sm = block_sm(stage, k, block);
  const std::string place = sm ? fmt::format(" sm {}", *sm) : "";
  const std::uint32_t steps = program.steps(block);
  for (std::uint32_t s = 0; s < steps; ++s) {
    step.clear();
    program.fill(block, s, step);
    std::string work;
    for (std::size_t pipe = 0; pipe < kPipes; ++pipe) {
      if (step.work[pipe] > 0) work += fmt::format(" {} {}", name(static_cast<Pipe>(pipe)), step.work[pipe]);
    }
    out.line("block {} step {}{}{}", block, s, place, work);
    for (const Access& access : step.loads) dump_access(access, out);
    for (const Access& access : step.stores) dump_access(access, out);
  }
}

void dump_kernel(const TraceFileStage& stage, std::uint32_t k, Lines& out) {
  const Kernel& kernel = stage.trace.kernels[k];
  const TraceFileKernel& extra = stage.kernels[k];
  std::string more;
  if (extra.like != k) more += fmt::format(" repeats {}", extra.like);
  if (!kernel.waits_for.empty()) more += fmt::format(" waits_for {}", fmt::join(kernel.waits_for, ","));
  if (kernel.unit == Unit::copy_engine) more += " copy_engine";
  if (kernel.serial_hops > 0) more += fmt::format(" hops {}", kernel.serial_hops);
  if (extra.measured_ns) more += fmt::format(" measured_ns {}", *extra.measured_ns);
  if (!extra.source_name.empty()) more += " source " + quoted_word(extra.source_name);
  out.line("kernel {} layer {} {} {} grid {} blocks_per_sm {} depth {} stream {} {} work {} {} {}{}", k, kernel.layer,
           name(kernel.kernel_class), quoted_word(kernel.label), kernel.grid, kernel.blocks_per_sm, kernel.depth, kernel.stream,
           name(kernel.tensor_type), kernel.work[0], kernel.work[1], kernel.work[2], more);
  for (const Footprint& f : kernel.footprint) {
    out.line("  footprint {} {} read {} written {}{}", name(f.role), name(f.home), f.read, f.written, f.produced ? " produced" : "");
  }
}

}  // namespace

void dump_trace(const TraceFile& file, const std::string& stage_word, const std::string& kernel,
                const std::optional<std::uint32_t>& block) {
  Lines out;
  Step step;
  bool any_stage = false, any_block = false;
  for (std::size_t s = 0; s < file.stages.size(); ++s) {
    const TraceFileStage& stage = file.stages[s];
    if (!stage_word.empty() && stage_word != "both" && name(stage.info.stage) != stage_word) continue;
    any_stage = true;
    std::vector<std::uint32_t> chosen;
    if (!kernel.empty()) chosen = chosen_kernels(stage.trace, kernel);
    out.line("stage {} {}", s, name(stage.info.stage));
    const auto count = kernel.empty() ? static_cast<std::uint32_t>(stage.kernels.size()) : static_cast<std::uint32_t>(chosen.size());
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t k = kernel.empty() ? i : chosen[i];
      dump_kernel(stage, k, out);
      const std::uint32_t grid = stage.trace.kernels[k].grid;
      const std::uint32_t first = block.value_or(0), end = block ? std::min(*block, grid - 1) + 1 : grid;
      for (std::uint32_t b = first; b < end; ++b) {
        dump_block(stage, k, b, step, out);
        any_block = true;
      }
    }
  }
  out.flush();
  if (!any_stage) throw UserError(fmt::format("{}: there is no {} stage in this trace", file.path, stage_word));
  if (!any_block) throw UserError(fmt::format("--block: none of these kernels has a block {}", block.value_or(0)));
}

}  // namespace rooftrace
