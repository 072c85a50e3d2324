// The note, written and read, and the comparison.
#include "sim/app/trace_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "sim/core/error.hpp"
#include "sim/core/names.hpp"
#include "sim/core/units.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kMostBytes = 1ULL << 50;  // Of one word of a note: sums of them stay far from 2^64.

std::string bytes_text(std::uint64_t bytes) {
  return format_quantity(static_cast<double>(bytes), Dimension::bytes);
}

struct Part {
  std::string_view word, shown;
  std::uint64_t bytes = 0;
};
enum PartNumber : std::size_t { weights, kv, activations, allocations, host };
using Parts = std::array<Part, 5>;

Parts parts_of(const std::string& note, const std::string& where) {
  Parts parts = {Part{"weights", "weights"}, Part{"kv", "KV"}, Part{"activations", "activations"}, Part{"allocations", "allocations"},
                 Part{"host", ""}};
  std::string_view rest = note;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const std::size_t equals = std::min(one.find('='), one.size());
    bool good = false;
    for (Part& part : parts) {
      if (one.substr(0, equals) != part.word || equals == one.size()) continue;
      const auto [stop, error] = std::from_chars(one.data() + equals + 1, one.data() + one.size(), part.bytes);
      good = error == std::errc{} && stop == one.data() + one.size() && part.bytes <= kMostBytes;
    }
    if (!good)
      throw UserError(fmt::format("{}: {} is not WORD=BYTES with one of weights, kv, activations, allocations, host", where,
                                  quoted_word(std::string(one))));
  }
  return parts;
}

void check_note(const MachineSpec& machine, const TraceFile& file, const TraceStageInfo& info, const Parts& parts) {
  std::uint64_t total = 0;
  std::string sum;
  std::size_t terms = 0;
  for (std::size_t p = 0; p < host; ++p) {
    if (parts[p].bytes == 0) continue;
    total += parts[p].bytes;
    sum += fmt::format("{}{} {}", terms++ > 0 ? " + " : "", parts[p].shown, bytes_text(parts[p].bytes));
  }
  const std::string job = info.model.empty() ? std::string(name(info.stage)) : fmt::format("{} {}", info.model, name(info.stage));
  if (total > machine.hbm.capacity) {
    throw UserError(fmt::format("{}: {} does not fit {}: {}{} per GPU, memory {}; take a machine with more, or generate another trace",
                                file.path, job, machine.name, sum, terms > 1 ? " = " + bytes_text(total) : "",
                                bytes_text(machine.hbm.capacity)));
  }
  if (parts[host].bytes > machine.host.capacity / info.gpus) {
    throw UserError(fmt::format("{}: {} keeps {} per GPU in host memory, which holds {} for {} GPU{}", file.path, job,
                                bytes_text(parts[host].bytes), bytes_text(machine.host.capacity), info.gpus, info.gpus == 1 ? "" : "s"));
  }
}

}  // namespace

std::string memory_note_key(std::size_t stage) {
  return fmt::format("memory.{}", stage);
}

std::string memory_note(const MemoryNeed& need) {
  return fmt::format("weights={} kv={} activations={} host={}", need.weights, need.kv, need.activations, need.host);
}

void check_trace_memory(const MachineSpec& machine, const TraceFile& file, std::size_t stage) {
  const TraceFileStage& of = file.stages.at(stage);
  const std::string key = memory_note_key(stage);
  if (const std::string note = file.note(key); !note.empty()) {
    return check_note(machine, file, of.info, parts_of(note, fmt::format("{}: note {}", file.path, key)));
  }
  for (const TraceTensor& tensor : file.tensors) {
    if (tensor.home != Home::local || tensor.bytes <= machine.hbm.capacity) continue;
    throw UserError(fmt::format("{}: tensor {} of {} does not fit the {} of {}", file.path, quoted_word(tensor.name),
                                bytes_text(tensor.bytes), bytes_text(machine.hbm.capacity), machine.name));
  }
  for (std::size_t k = 0; k < of.trace.kernels.size(); ++k) {
    // What is read and what is written may be the same bytes: the larger of the two is there for certain.
    std::uint64_t read = 0, written = 0;
    for (const Footprint& f : of.trace.kernels[k].footprint) {
      if (f.home != Home::local) continue;
      read += f.read;
      written += f.written;
    }
    if (std::max(read, written) <= machine.hbm.capacity) continue;
    throw UserError(fmt::format("{}: kernel {} ({}) touches {}, more than the {} of {}", file.path, k,
                                quoted_word(of.trace.kernels[k].label), bytes_text(std::max(read, written)),
                                bytes_text(machine.hbm.capacity), machine.name));
  }
}

}  // namespace rooftrace
