#include "traces/import/captured_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kLabelBytes = 200;
constexpr std::uint64_t kCopyChunk = 256 * 1024;  // As make_engine_copy.
constexpr std::uint32_t kCopyDepth = 4;

}  // namespace

std::string label_of(const std::string& name) {
  std::string label = name.empty() ? "kernel" : name;
  if (label.size() > kLabelBytes) {
    std::size_t end = kLabelBytes;
    while (end > 0 && (static_cast<unsigned char>(label[end]) & 0xc0) == 0x80) --end;  // Not in the middle of a UTF-8 character.
    label.resize(end);
  }
  for (char& c : label) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return label;
}

CapturedKernel::CapturedKernel(TraceSink& sink, const ImportOptions& options, AddressRebase& rebase, ImportSummary& summary, Kernel kernel,
                               KernelExtras extras, std::uint64_t l1_bytes)
    : sink_(sink),
      options_(options),
      rebase_(rebase),
      summary_(summary),
      kernel_(std::move(kernel)),
      extras_(std::move(extras)),
      l1_bytes_(l1_bytes),
      lowering_(rebase, summary) {
  extras_.measure = true;
  ++summary_.kernels;
}

void CapturedKernel::begin_block(std::uint32_t block, std::optional<std::uint32_t> sm) {
  block_ = block;
  sm_ = sm;
  ++blocks_;
  lowering_.clear();
}

void CapturedKernel::announce() {
  if (!announced_) sink_.begin_kernel(kernel_, extras_);
  announced_ = true;
}

void CapturedKernel::end_block() {
  if (lowering_.overflowed()) {
    throw UserError(fmt::format("kernel {}: block {} holds more than {} accesses, barriers and pieces of work", quoted_word(kernel_.label),
                                block_, kMostBlockEvents));
  }
  announce();
  const std::uint32_t sm = sm_ ? *sm_ : block_ % options_.sms;
  if (sm_) sink_.place_block(block_, *sm_);
  L1Filter& l1 = l1s_.try_emplace(sm, l1_bytes_).first->second;
  std::uint32_t step = 0;
  lowering_.lower(l1, [&](const Step& what) { sink_.add_step(block_, step++, what); });
}

void CapturedKernel::end() {
  summary_.miss_blocks(kernel_.grid - blocks_, rebase_.file());
  announce();
  sink_.end_kernel();
  summary_.blocks += blocks_;
}

void add_copy_to_device(TraceSink& sink, AddressRebase& rebase, ImportSummary& summary, std::uint64_t address, std::uint64_t bytes) {
  if (bytes == 0) return;
  std::vector<AddressRebase::Place> to;
  rebase.rebase(sectors_of(address, bytes), to);
  Kernel kernel;
  kernel.label = "copy to device";
  kernel.kernel_class = KernelClass::copy;
  kernel.unit = Unit::copy_engine;
  kernel.depth = kCopyDepth;
  KernelExtras extras;
  extras.source_name = "MemcpyHtoD";
  extras.measure = true;
  sink.begin_kernel(kernel, extras);
  std::uint32_t step = 0;
  for (const AddressRebase::Place& place : to) {
    for (std::uint64_t at = 0; at < place.run.sectors * kSectorBytes; at += kCopyChunk) {
      Access store;
      store.address = place.run.address + at;
      store.row_bytes = static_cast<std::uint32_t>(std::min(kCopyChunk, place.run.sectors * kSectorBytes - at));
      store.pitch = store.row_bytes;
      store.op = AccessOp::store;
      store.role = place.role;
      Access load = store;  // Host memory is a space of its own: the same address there is another byte.
      load.op = AccessOp::load;
      load.home = Home::host;
      sink.add_step(0, step++, std::span(&load, 1), Work{}, std::span(&store, 1));
      ++summary.steps;
      summary.accesses += 2;
    }
  }
  sink.end_kernel();
  ++summary.kernels;
  ++summary.blocks;
  KernelTally& tally = summary.kernel("MemcpyHtoD");
  ++tally.count;
  tally.as = "copy engine";
}

}  // namespace rooftrace
