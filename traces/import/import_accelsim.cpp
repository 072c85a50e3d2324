#include "traces/import/import_accelsim.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <unordered_map>

#include "traces/import/captured_kernel.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kWindowBytes = 16 << 20;  // Shared and local windows of generic addresses.
constexpr std::size_t kMostOpcodes = 4096;        // Remembered decodings; GPUs know a few hundred.

/// What all kernels of one import share.
struct Import {
  const ImportOptions& options;
  TraceSink& sink;
  ImportSummary& summary;
  AddressRebase rebase;
  StreamNumbers streams;
  std::optional<std::uint32_t> last_copy;  ///< Its index; kernels of every stream wait for it.
};

class KernelImport final : public AccelsimHandler {
 public:
  KernelImport(Import& import, const AccelsimHeader& header)
      : import_(import), summary_(import.summary), header_(header), kernel_(make_kernel(import, header)) {
    KernelTally& tally = summary_.kernel(header.kernel_name.empty() ? "kernel" : header.kernel_name);
    ++tally.count;
  }

  void begin_block(const AccelsimBlock& block) override { kernel_.begin_block(block.linear); }
  void begin_warp(std::uint32_t) override { kernel_.lowering().begin_warp(); }
  void end_block() override { kernel_.end_block(); }
  void end() { kernel_.end(); }

  void instruction(const AccelsimInstruction& i, const LineReader& reader) override {
    ++summary_.instructions;
    const Opcode& op = decode(i);
    if (op.lane_work + op.warp_work > 0) {
      const double amount = op.warp_work > 0 ? (i.mask != 0 ? op.warp_work : 0) : op.lane_work * i.active();
      if (op.warp_work > 0) kernel_.computed_in(op.tensor_type);
      (op.pipe == Pipe::tensor ? summary_.tensor_flop : op.pipe == Pipe::cuda ? summary_.cuda_flop : summary_.special_operations) += amount;
      kernel_.lowering().work(op.pipe, amount);
    }
    if (!op.known) {
      summary_.meet_unknown(i.opcode);
      summary_.leave_out("memory instructions of unknown opcodes", std::uint64_t{i.width} * static_cast<std::uint64_t>(i.active()));
      return;
    }
    if (op.kind == OpcodeKind::barrier && i.immediate == 0) kernel_.lowering().barrier();
    if (op.kind == OpcodeKind::invalidate_l1) kernel_.lowering().invalidate_l1();
    if (op.space != MemorySpace::none && i.mask != 0 && (i.width > 0 || i.tensor_copy)) memory(i, op, reader);
  }

 private:
  static CapturedKernel make_kernel(Import& import, const AccelsimHeader& header) {
    Kernel kernel;
    kernel.label = label_of(header.kernel_name);
    kernel.stream = import.streams.of(header.stream);
    if (import.last_copy && kernel.stream != 0) kernel.waits_for = {*import.last_copy};
    kernel.grid = static_cast<std::uint32_t>(header.blocks());
    kernel.blocks_per_sm = resident_blocks(header.block[0] * header.block[1] * header.block[2], header.registers, header.shared_bytes);
    kernel.depth = import.options.depth;
    const std::uint64_t l1 = l1_capacity(import.options, kernel.blocks_per_sm, header.shared_bytes);
    KernelExtras extras;
    extras.source_name = header.kernel_name.substr(0, kMostLabelBytes);
    return {import.sink, import.options, import.rebase, import.summary, std::move(kernel), std::move(extras), l1};
  }

  const Opcode& decode(const AccelsimInstruction& i) {
    key_.assign(i.opcode);
    key_ += i.width > 0 ? '+' : '-';
    const auto found = opcodes_.find(key_);
    if (found != opcodes_.end()) return found->second;
    if (opcodes_.size() >= kMostOpcodes) opcodes_.clear();
    return opcodes_.emplace(key_, decode_opcode(i.opcode, i.width > 0)).first->second;
  }

  void memory(const AccelsimInstruction& i, const Opcode& op, const LineReader& reader) {
    starts_.clear();
    std::uint64_t piece = i.tensor_copy ? i.width : op.lane_bytes;
    if (i.tensor_copy) {
      starts_ = i.transfers;
      if (piece == 0 || starts_.empty()) {
        if (i.bytes > i.out_of_bounds)
          summary_.leave_out("tensor copies whose addresses the tracer did not give", i.bytes - i.out_of_bounds);
        return;
      }
    } else {
      for (std::size_t lane = 0; lane < kWarpLanes; ++lane) {
        if (((i.mask >> lane) & 1) != 0) starts_.push_back(i.lanes[lane]);
      }
    }
    MemorySpace space = op.space;
    if (space == MemorySpace::generic) space = resolve_generic(piece);
    const std::uint64_t bytes = piece * starts_.size();
    if (!starts_.empty()) summary_.spaces[static_cast<std::size_t>(space)].add(bytes);
    if (space == MemorySpace::local) return summary_.leave_out("local memory (spills; assumed to stay in L1)", bytes);
    if (space == MemorySpace::texture) return summary_.leave_out("texture and surface accesses", bytes);
    if (space != MemorySpace::global || starts_.empty()) return;  // Shared memory and constants never leave the SM.
    if (op.kind == OpcodeKind::prefetch) return summary_.leave_out("prefetches into L2 (the later load brings the bytes)", bytes);
    if (i.multicast > 1) ++multicasts_;
    lower(op, piece, reader);
  }

  /// Takes lanes that point into the windows of shared and local memory out of starts_ and counts them; what is left is global.
  MemorySpace resolve_generic(std::uint64_t piece) {
    const auto inside = [](std::uint64_t address, std::uint64_t base) { return base != 0 && address - base < kWindowBytes; };
    const std::size_t local = std::erase_if(starts_, [&](std::uint64_t a) { return inside(a, header_.local_base); });
    const std::size_t shared = std::erase_if(starts_, [&](std::uint64_t a) { return inside(a, header_.shared_base); });
    if (local > 0) {
      summary_.spaces[static_cast<std::size_t>(MemorySpace::local)].add(local * piece);
      summary_.leave_out("local memory (spills; assumed to stay in L1)", local * piece);
    }
    if (shared > 0) summary_.spaces[static_cast<std::size_t>(MemorySpace::shared)].add(shared * piece);
    return MemorySpace::global;
  }

  void lower(const Opcode& op, std::uint64_t piece, const LineReader& reader) {
    runs_.clear();
    coalesce(starts_, piece, runs_);
    AccessOp access = AccessOp::load;
    if (op.kind == OpcodeKind::store || op.kind == OpcodeKind::tensor_store) access = AccessOp::store;
    if (op.kind == OpcodeKind::reduce || op.kind == OpcodeKind::tensor_reduce) access = AccessOp::reduce;
    if (!kernel_.lowering().access(access, access == AccessOp::load && !op.bypasses_l1, runs_)) {
      reader.refuse(1, fmt::format("one thread block holds more than {} memory instructions", kMostBlockEvents));
    }
  }

 public:
  [[nodiscard]] std::uint64_t multicasts() const { return multicasts_; }

 private:
  Import& import_;
  ImportSummary& summary_;
  const AccelsimHeader& header_;
  CapturedKernel kernel_;
  std::unordered_map<std::string, Opcode> opcodes_;
  std::string key_;
  std::vector<std::uint64_t> starts_;
  std::vector<SectorRun> runs_;
  std::uint64_t multicasts_ = 0;
};

void remark_multicasts(ImportSummary& summary, const AccelsimHeader& header, std::uint64_t count) {
  if (count == 0 || summary.remarks.size() >= kMostSummaryWords) return;
  summary.remarks.push_back(
      fmt::format("{}: {} multicast copies, read once by the block that issued them; the blocks that receive them do not wait",
                  label_of(header.kernel_name), count));
}

void one_traceg(ByteSource& text, Import& import) {
  LineReader reader(text);
  const AccelsimHeader header = read_accelsim_header(reader);
  KernelImport kernel(import, header);
  read_traceg_blocks(reader, header, kernel);
  kernel.end();
  remark_multicasts(import.summary, header, kernel.multicasts());
}

void one_tracez(std::unique_ptr<Seekable> file, Import& import) {
  TracezFile tracez(std::move(file));
  KernelImport kernel(import, tracez.header());
  tracez.read_blocks(kernel);
  kernel.end();
  remark_multicasts(import.summary, tracez.header(), kernel.multicasts());
}

void one_file(const std::string& path, Import& import) {
  if (path.ends_with(".tracez")) {
    one_tracez(open_seekable(path), import);
  } else if (path.ends_with(".traceg") || path.ends_with(".traceg.xz")) {
    one_traceg(*open_by_suffix(path), import);
  } else {
    throw UserError({path},
                    "is no trace by its name: .traceg, .traceg.xz and .tracez are (raw .trace files go through post-traces-processing)");
  }
}

}  // namespace

void import_traceg(ByteSource& text, const ImportOptions& options, TraceSink& sink, ImportSummary& summary) {
  Import import{options, sink, summary, AddressRebase(text.name()), {}, {}};
  one_traceg(text, import);
}

void import_tracez(std::unique_ptr<Seekable> file, const ImportOptions& options, TraceSink& sink, ImportSummary& summary) {
  Import import{options, sink, summary, AddressRebase(file->name()), {}, {}};
  one_tracez(std::move(file), import);
}

ImportSummary import_accelsim(const std::string& path, const ImportOptions& options, TraceSink& sink) {
  ImportSummary summary;
  summary.format = "accelsim";
  Import import{options, sink, summary, AddressRebase(path), {}, {}};
  sink.begin_stage({});
  if (path.ends_with(".traceg") || path.ends_with(".traceg.xz") || path.ends_with(".tracez")) {
    one_file(path, import);
  } else {
    const auto text = open_file(path);
    LineReader reader(*text);
    const KernelList list = read_kernel_list(reader, std::filesystem::path(path).parent_path().string());
    if (list.entries.empty())
      throw UserError({path}, "names no kernel and no copy (lines \"kernel-1.traceg\" or \"MemcpyHtoD,0xADDRESS,BYTES\")");
    for (const KernelListEntry& entry : list.entries) {
      if (entry.kind == KernelListEntry::Kind::kernel) {
        one_file(entry.file, import);
      } else {
        const auto index = static_cast<std::uint32_t>(summary.kernels);
        add_copy_to_device(sink, import.rebase, summary, entry.address, entry.bytes);
        if (summary.kernels > index) import.last_copy = index;
      }
    }
    for (std::uint64_t i = 0; i < list.ignored; ++i) summary.leave_out("lines of the list that are no kernel and no MemcpyHtoD", 0);
  }
  sink.end_stage();
  return summary;
}

}  // namespace rooftrace
