// One captured kernel on its way into a trace: L1 filters per SM, block after block, and the calls of the sink in their order.
//
// The kernel is announced to the sink when its first block is complete, because only then it is known what its tensor cores compute in.
// Every kernel starts with empty L1s, as on the GPU.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>

#include "traces/file/trace_sink.hpp"
#include "traces/import/block_lowering.hpp"
#include "traces/import/import_options.hpp"

namespace rooftrace {

inline constexpr std::uint32_t kMostSms = 1024;  ///< Captured SM numbers stay below.

class CapturedKernel {
 public:
  CapturedKernel(TraceSink& sink, const ImportOptions& options, AddressRebase& rebase, ImportSummary& summary, Kernel kernel,
                 KernelExtras extras, std::uint64_t l1_bytes);

  /// Blocks ascend. Fill lowering(), then end_block.
  void begin_block(std::uint32_t block, std::optional<std::uint32_t> sm = std::nullopt);
  [[nodiscard]] BlockLowering& lowering() { return lowering_; }
  void computed_in(DataType type) {
    if (!announced_) kernel_.tensor_type = type;
  }
  void end_block();
  /// Announces the kernel if no block did.
  void end();

 private:
  void announce();

  TraceSink& sink_;
  const ImportOptions& options_;
  const AddressRebase& rebase_;
  ImportSummary& summary_;
  Kernel kernel_;
  KernelExtras extras_;
  std::uint64_t l1_bytes_;
  BlockLowering lowering_;
  std::unordered_map<std::uint32_t, L1Filter> l1s_;
  std::uint32_t block_ = 0;
  std::optional<std::uint32_t> sm_;
  std::uint64_t blocks_ = 0;
  bool announced_ = false;
};

/// CUDA stream numbers -> 0, 1, 2 ... in order of appearance.
class StreamNumbers {
 public:
  [[nodiscard]] std::uint32_t of(std::uint64_t stream) {
    return numbers_.try_emplace(stream, static_cast<std::uint32_t>(numbers_.size())).first->second;
  }

 private:
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

/// A name as Kernel.label may be: at most a line of 200 characters.
[[nodiscard]] std::string label_of(const std::string& name);

/// A copy from host memory to `runs` of the device, as the copy engine does it; counted in the summary.
void add_copy_to_device(TraceSink& sink, AddressRebase& rebase, ImportSummary& summary, std::uint64_t address, std::uint64_t bytes);

}  // namespace rooftrace
