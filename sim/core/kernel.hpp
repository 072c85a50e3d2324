// Step, block, kernel, trace: what the machine is asked to do.
//
// A block (CTA) is a list of steps: loads, then work on the pipes, then stores; a kernel is a grid of blocks; a trace is a graph of
// kernels. Block programs are pulled lazily by (block, step), so memory is O(blocks in flight), never O(trace). Generators in traces/ make
// them; engine and machine replay them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/core/time.hpp"

namespace rooftrace {

enum class DataType : std::uint8_t { fp64, fp32, tf32, fp16, bf16, fp8, int8, fp4, int4 };
[[nodiscard]] std::string_view name(DataType type);
[[nodiscard]] double bytes_per_element(DataType type);  ///< 0.5 for the four-bit types.

/// A pipe of an SM that turns work into time.
enum class Pipe : std::uint8_t { tensor, cuda, sfu };
inline constexpr int kPipes = 3;
[[nodiscard]] std::string_view name(Pipe pipe);

/// Work of a step or kernel. Tensor and CUDA-core work in FLOP (a multiply-add is 2); special-function work in operations (one exp is 1).
using Work = std::array<double, kPipes>;

struct Step {
  std::vector<Access> loads;
  Work work{};
  double tensor_padding = 0;   ///< FLOP the tensor pipe spends on rows and columns of a tile that do not exist: time, but no work.
  std::vector<Access> stores;  ///< Issued when the work is done.
  /// The loads wait until what this block stored so many steps ago has arrived at its far end; 0: for nothing. Ranks of a group are
  /// symmetric: when this GPU's message has arrived there, the neighbour's has arrived here.
  std::uint32_t after = 0;
  /// Picoseconds that the block spends by itself before the loads: barriers, fences and flags of a protocol, the start of a library's
  /// kernel.
  Time pause = 0;
  /// Picoseconds from the step's loads to its stores at least: a block whose stores to a link are limited takes its time, whatever the
  /// machine's channels could do.
  Time least = 0;
  /// Picoseconds that the stores take to leave the block, once the work is done: its share of a link that many blocks use at once. The
  /// next step begins when they have left (loads do not overtake them); they arrive no earlier than the link's latency after that.
  Time drain = 0;

  void clear() {
    loads.clear();
    stores.clear();
    work = {};
    after = 0;
    pause = 0;
    least = 0;
    drain = 0;
    tensor_padding = 0;
  }
};

/// The steps of every block of a kernel. Pure: the same (block, step) gives the same Step at any time, on any thread.
class BlockProgram {
 public:
  virtual ~BlockProgram() = default;
  /// Number of steps of this block, >= 1.
  [[nodiscard]] virtual std::uint32_t steps(std::uint32_t block) const = 0;
  /// Fills `out` (already cleared) with step `step` of block `block`.
  virtual void fill(std::uint32_t block, std::uint32_t step, Step& out) const = 0;
};

enum class KernelClass : std::uint8_t {
  embedding,
  norm,
  qkv_projection,
  rope_kv_write,
  attention,
  output_projection,
  ffn_up,
  activation,
  ffn_down,
  residual,
  router,
  all_reduce,
  lm_head,
  copy,
  other
};
inline constexpr int kKernelClasses = 15;
[[nodiscard]] std::string_view name(KernelClass kernel_class);

enum class Stage : std::uint8_t { prefill, decode, other };
[[nodiscard]] std::string_view name(Stage stage);

/// Who executes the blocks: the SMs, or a copy engine (one block at a time, no SM used, no pipe used).
enum class Unit : std::uint8_t { sm, copy_engine };

/// Distinct bytes a kernel must read or write of one role, in one memory: the closed form beside the trace, checked against it by a
/// property test.
struct Footprint {
  TensorRole role = TensorRole::activations;
  Home home = Home::local;
  std::uint64_t read = 0;     ///< Distinct bytes loaded.
  std::uint64_t written = 0;  ///< Distinct bytes stored.
  bool produced = false;      ///< Made earlier in this stage (or, for stores, consumed in it): may stay in L2 and never cross to HBM.
  bool operator==(const Footprint& other) const = default;
};

struct Kernel {
  std::string label;  ///< For people: "qkv_projection gemm 64x128x64 split 4".
  KernelClass kernel_class = KernelClass::other;
  Stage stage = Stage::other;
  std::int32_t layer = -1;  ///< -1: belongs to no layer (embedding, final norm, LM head).
  std::uint32_t stream = 0;
  std::vector<std::uint32_t>
      waits_for;  ///< Indices of earlier kernels of the trace; the previous kernel of the same stream is waited for as well.
  Unit unit = Unit::sm;
  std::uint32_t grid = 1;           ///< Blocks.
  std::uint32_t blocks_per_sm = 1;  ///< Occupancy: blocks resident on one SM at a time.
  std::uint32_t depth = 1;          ///< Steps whose loads may be in flight ahead of the work (stages of the software pipeline), >= 1.
  /// Loads of the step `depth` ahead go out when the work of a step begins (its buffer is another one), not when it ends.
  bool early_loads = false;
  /// A block's first step says where the rest lies (lengths, block table): no other load goes out before its loads have landed.
  bool first_step_leads = false;
  DataType tensor_type = DataType::bf16;  ///< What Pipe::tensor computes in; sets its rate.
  /// Share of the sustained tensor rate that the kernel's main loop can feed (shared-memory reads, issue), 0 to 1. In a kernel without
  /// tensor work: of the CUDA cores' rate, the rest of whose slots goes to instructions that are no work (loads, branches).
  double tensor_share = 1;
  /// Share of the CUDA-core and special-function time of a step that its tensor work does not hide: 0: separate warps run at their own
  /// pace; 1: one after the other. Only for steps with tensor work.
  double exposed = 0;
  /// Messages that must cross a link one after the other (ring steps); each costs the link's latency on top of the bytes.
  std::uint32_t serial_hops = 0;
  std::uint32_t longest_wait = 0;  ///< No step has a larger Step::after.
  Work work{};                     ///< Total over all blocks (closed form).
  std::vector<Footprint> footprint;
  std::shared_ptr<const BlockProgram> program;
};

/// Kernels in an order that respects waits_for. Layers [first_repeated, last_repeated] are the same up to an address shift of layer_stride
/// per layer.
struct Trace {
  std::vector<Kernel> kernels;
  std::uint64_t layer_stride = 0;  ///< Bytes, a multiple of kFrameBytes; 0: nothing known to repeat.
  std::uint64_t address_end = 0;   ///< One past the highest address used.
  std::uint64_t layers_begin =
      0;  ///< The layer arenas cover [layers_begin, layers_end): layer i starts at layers_begin + i * layer_stride.
  std::uint64_t layers_end = 0;
  /// Role of each 2 MiB page, indexed by address / kPageBytes, for write-backs whose access is long gone; shorter than an address asks:
  /// activations.
  std::vector<TensorRole> page_role;
};

}  // namespace rooftrace
