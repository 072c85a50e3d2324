#include "traces/import/import_capture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>

#include "sim/core/error.hpp"
#include "traces/capture/capture_format.hpp"
#include "traces/import/accelsim_header.hpp"
#include "traces/import/captured_kernel.hpp"

namespace rooftrace {
namespace {

namespace cap = capture;

constexpr std::size_t kRecordsAtOnce = 4096;
constexpr std::uint64_t kMostTables = 1ULL << 30;     // Bytes of kernels, allocations and slabs together.
constexpr std::uint64_t kMostRangeBytes = 32 * 256;   // What the lanes of a warp reach at once; more is damage.
constexpr std::uint64_t kMostCopyBytes = 1ULL << 26;  // Of one bulk copy or box row: far above the shared memory of an SM.
constexpr double kMostWork = 1e12;                    // FLOP of one marker: a step, which it may fill alone, takes kMostStepWork.
static_assert(kMostWork + 2 * kMostStepFlop <= kMostStepWork);

static_assert(std::endian::native == std::endian::little, "the file's structs are read as they stand");

class CaptureFile {
 public:
  explicit CaptureFile(std::unique_ptr<Seekable> file) : file_(std::move(file)) {
    const Seekable& f = *file_;
    if (f.size() < sizeof(header_)) f.refuse(f.size(), "too short for a capture (.rtcap)");
    f.read_at(0, &header_, sizeof(header_));
    if (std::memcmp(header_.magic, cap::kMagic, sizeof(cap::kMagic)) != 0) f.refuse(0, "is no capture: the file does not start with RTCAP");
    if (header_.byte_order != cap::kByteOrder) f.refuse(12, "was written in another byte order");
    if (header_.version != cap::kVersion)
      f.refuse(8, fmt::format("version {} of the format; this program reads version {}", header_.version, cap::kVersion));
    if (header_.header_bytes != sizeof(cap::FileHeader) || header_.record_bytes != sizeof(cap::Record))
      f.refuse(16, "sizes of another format");
    at_ = cap::layout_of(header_);
    if (at_.end == 0 || at_.end != header_.file_bytes || at_.end != f.size()) {
      f.refuse(f.size(), fmt::format("the head promises {} bytes, the file has {}: cut off, or damaged", header_.file_bytes, f.size()));
    }
    if (at_.text - at_.kernels > kMostTables) f.refuse(0, "more than 1 GiB of tables");
    check_sum();
    read_table(kernels, header_.kernel_count, at_.kernels);
    read_table(allocations, header_.allocation_count, at_.allocations);
    read_table(slabs, header_.slab_count, at_.slabs);
    text_.resize(header_.text_bytes);
    f.read_at(at_.text, text_.data(), text_.size());
    check_tables();
  }

  [[nodiscard]] const cap::FileHeader& header() const { return header_; }
  [[nodiscard]] std::string text(std::uint32_t offset, std::uint32_t bytes) const {
    if (offset > text_.size() || bytes > text_.size() - offset) file_->refuse(at_.text, "a name lies outside of the text section");
    return text_.substr(offset, bytes);
  }
  void records(std::uint64_t first, std::span<cap::Record> out) const {
    file_->read_at(at_.records + first * sizeof(cap::Record), out.data(), out.size_bytes());
  }
  [[noreturn]] void refuse_record(std::uint64_t record, const std::string& why) const {
    file_->refuse(at_.records + record * sizeof(cap::Record), why);
  }
  [[noreturn]] void refuse(const std::string& why) const { file_->refuse(0, why); }

  std::vector<cap::KernelEntry> kernels;
  std::vector<cap::AllocationEntry> allocations;
  std::vector<cap::SlabEntry> slabs;

 private:
  template <class T>
  void read_table(std::vector<T>& table, std::uint64_t count, std::uint64_t at) {
    table.resize(count);
    file_->read_at(at, table.data(), count * sizeof(T));
  }

  void check_sum() const {
    cap::FileHeader blank = header_;
    blank.checksum = 0;
    std::uint64_t sum = cap::checksum(0, &blank, sizeof(blank));
    std::vector<char> piece(1 << 20);
    for (std::uint64_t at = sizeof(blank); at < file_->size();) {
      const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), file_->size() - at));
      file_->read_at(at, piece.data(), bytes);
      sum = cap::checksum(sum, piece.data(), bytes);
      at += bytes;
    }
    if (sum != header_.checksum) file_->refuse(0, "the checksum does not fit: the file is damaged");
  }

  void check_tables() const {
    std::uint64_t slab = 0, record = 0;
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      const cap::KernelEntry& kernel = kernels[k];
      const auto bad = [&](const std::string& why) {
        file_->refuse(at_.kernels + k * sizeof(kernel), fmt::format("kernel {}: {}", k, why));
      };
      const std::uint64_t plane = std::uint64_t{kernel.grid[0]} * kernel.grid[1];
      if (plane == 0 || kernel.grid[2] == 0 || plane > kMostImportedBlocks || plane * kernel.grid[2] > kMostImportedBlocks) {
        bad(fmt::format("a grid of 0 or more than {} blocks", kMostImportedBlocks));
      }
      const std::uint64_t threads = std::uint64_t{kernel.block[0]} * kernel.block[1];
      if (threads == 0 || kernel.block[2] == 0 || threads > kMostThreads || threads * kernel.block[2] > kMostThreads) {
        bad(fmt::format("a block of 0 or more than {} threads", kMostThreads));
      }
      if (kernel.first_slab != slab || kernel.slab_count > slabs.size() - slab) bad("its slabs are not where they should be");
      slab += kernel.slab_count;
    }
    if (slab != slabs.size()) file_->refuse(at_.slabs, "slabs that belong to no kernel");
    for (std::size_t s = 0; s < slabs.size(); ++s) {
      const cap::SlabEntry& entry = slabs[s];
      const auto bad = [&](const char* why) { file_->refuse(at_.slabs + s * sizeof(entry), fmt::format("slab {}: {}", s, why)); };
      if (entry.kernel >= kernels.size() || s < kernels[entry.kernel].first_slab ||
          s - kernels[entry.kernel].first_slab >= kernels[entry.kernel].slab_count) {
        bad("belongs to another kernel");
      }
      const cap::KernelEntry& kernel = kernels[entry.kernel];
      if (entry.block >= kernel.grid[0] * kernel.grid[1] * kernel.grid[2]) bad("its block lies outside of the grid");
      if (s > kernel.first_slab && entry.block <= slabs[s - 1].block) bad("blocks must ascend");
      if (entry.first_record != record || entry.records > header_.record_count - record) bad("its records are not where they should be");
      record += entry.records;
    }
    if (record != header_.record_count) file_->refuse(at_.records, "records that belong to no slab");
  }

  std::unique_ptr<Seekable> file_;
  cap::FileHeader header_{};
  cap::Layout at_;
  std::string text_;
};

/// Allocations come and go with the kernels.
class Allocations {
 public:
  Allocations(const CaptureFile& file, AddressRebase& rebase, TraceSink& sink) : file_(file), rebase_(rebase), sink_(sink) {
    for (std::size_t i = 0; i < file.allocations.size(); ++i) order_.push_back(i);
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return file.allocations[a].first_kernel < file.allocations[b].first_kernel; });
  }

  void before_kernel(std::uint32_t kernel) {
    std::erase_if(alive_, [&](std::size_t i) {
      const bool freed = file_.allocations[i].end_kernel <= kernel;
      if (freed) alive_bytes_ -= file_.allocations[i].bytes;
      if (freed) rebase_.remove_allocation(file_.allocations[i].base);
      return freed;
    });
    for (; next_ < order_.size() && file_.allocations[order_[next_]].first_kernel <= kernel; ++next_) add(order_[next_], kernel);
  }

  /// The most that were alive at once.
  [[nodiscard]] std::uint64_t peak() const { return peak_; }

 private:
  void add(std::size_t i, std::uint32_t kernel) {
    const cap::AllocationEntry& entry = file_.allocations[i];
    if (entry.end_kernel <= kernel || entry.bytes == 0) return;
    TraceTensor tensor;
    tensor.name = label_of(file_.text(entry.name_text, entry.name_bytes));
    tensor.bytes = entry.bytes;
    tensor.role = role_of_name(tensor.name).value_or(TensorRole::activations);
    try {
      tensor.base = rebase_.add_allocation(entry.base, entry.bytes, tensor.role);
    } catch (const std::invalid_argument& error) {
      file_.refuse(fmt::format("allocation {}: {}", i, error.what()));
    }
    sink_.add_tensor(tensor);
    alive_.push_back(i);
    alive_bytes_ += entry.bytes;
    peak_ = std::max(peak_, alive_bytes_);
  }

  const CaptureFile& file_;
  AddressRebase& rebase_;
  TraceSink& sink_;
  std::vector<std::size_t> order_, alive_;
  std::size_t next_ = 0;
  std::uint64_t alive_bytes_ = 0, peak_ = 0;
};

struct Unit {
  AccessOp op = AccessOp::load;
  bool copy = false;  ///< By TMA or as a bulk copy.
};
Unit unit_of(cap::Op op) {
  switch (op) {
    case cap::Op::store:
      return {AccessOp::store, false};
    case cap::Op::reduce:
      return {AccessOp::reduce, false};
    case cap::Op::tensor_store:
    case cap::Op::bulk_store:
      return {AccessOp::store, true};
    case cap::Op::tensor_reduce:
    case cap::Op::bulk_reduce:
      return {AccessOp::reduce, true};
    case cap::Op::tensor_load:
    case cap::Op::bulk_load:
      return {AccessOp::load, true};
    default:
      return {AccessOp::load, false};
  }
}

class SlabImport {
 public:
  SlabImport(const CaptureFile& file, CapturedKernel& kernel, ImportSummary& summary, std::uint32_t warps)
      : file_(file), kernel_(kernel), summary_(summary), warps_(warps) {}

  void read(const cap::SlabEntry& slab) {
    std::vector<cap::Record> some(kRecordsAtOnce);
    bool begun = false;
    warp_ = -1;
    for (std::uint64_t done = 0; done < slab.records || !begun;) {
      const std::span<cap::Record> records(some.data(),
                                           static_cast<std::size_t>(std::min<std::uint64_t>(kRecordsAtOnce, slab.records - done)));
      file_.records(slab.first_record + done, records);
      if (!begun) begin(slab, records);
      begun = true;
      for (const cap::Record& record : records) take(record, slab, slab.first_record + done++);
    }
    flush(slab.first_record + slab.records);
    kernel_.end_block();
  }

 private:
  void begin(const cap::SlabEntry& slab, std::span<const cap::Record> records) {
    std::optional<std::uint32_t> sm;
    if (!records.empty() && records[0].sm != cap::kNoSm) sm = records[0].sm;
    if (sm && *sm >= kMostSms) file_.refuse_record(slab.first_record, fmt::format("SM {}; below {} are taken", *sm, kMostSms));
    kernel_.begin_block(slab.block, sm);
  }

  void take(const cap::Record& record, const cap::SlabEntry& slab, std::uint64_t at) {
    ++summary_.instructions;
    if (static_cast<std::uint8_t>(record.op) >= cap::kOpCount || static_cast<std::uint8_t>(record.shape) >= cap::kShapeCount) {
      file_.refuse_record(at, "a record of unknown kind");
    }
    if (record.block != slab.block) file_.refuse_record(at, "a record of another block");
    if (record.warp >= warps_ || std::int32_t{record.warp} < warp_)
      file_.refuse_record(at, "warps of a block must ascend, and lie in the block");
    if (record.warp != warp_) {
      flush(at);
      warp_ = record.warp;
      kernel_.lowering().begin_warp();
    }
    const bool marker = record.op == cap::Op::barrier || record.op == cap::Op::work;
    if (marker != (record.shape == cap::Shape::marker)) file_.refuse_record(at, "a marker that is an access, or the reverse");
    if (record.op == cap::Op::barrier) {
      flush(at);
      kernel_.lowering().barrier();
    } else if (record.op == cap::Op::work) {
      flush(at);
      work(record, at);
    } else {
      access(record, at);
    }
  }

  void work(const cap::Record& record, std::uint64_t at) {
    const auto amount = static_cast<double>(record.address);
    if (record.lanes >= cap::kPipeCount || amount > kMostWork) file_.refuse_record(at, "work of an unknown pipe, or too much of it");
    const auto pipe = static_cast<cap::Pipe>(record.lanes);
    (pipe == cap::Pipe::tensor      ? summary_.tensor_flop
     : pipe == cap::Pipe::cuda_core ? summary_.cuda_flop
                                    : summary_.special_operations) += amount;
    kernel_.lowering().work(pipe == cap::Pipe::tensor ? Pipe::tensor : pipe == cap::Pipe::cuda_core ? Pipe::cuda : Pipe::sfu, amount);
  }

  void access(const cap::Record& record, std::uint64_t at) {
    const Unit unit = unit_of(record.op);
    const bool row = record.shape == cap::Shape::box_row;
    if (!box_.empty() && (!row || record.op != box_op_)) flush(at);
    std::uint64_t bytes = record.bytes;
    std::vector<SectorRun>& runs = row ? box_ : runs_;
    if (!row) runs.clear();
    if (record.shape == cap::Shape::line) {
      bytes = std::uint64_t{cap::kSectorBytes} * static_cast<std::uint64_t>(std::popcount(record.lanes));
      if (record.address % cap::kLineBytes != 0 || record.lanes == 0 || record.lanes > 15)
        file_.refuse_record(at, "a line without sectors, or off its place");
      for (std::uint64_t s = 0; s < 4; ++s) {
        if (((record.lanes >> s) & 1) == 0) continue;
        const std::uint64_t address = record.address + s * kSectorBytes;
        if (!runs.empty() && runs.back().end() == address) {
          ++runs.back().sectors;
        } else {
          runs.push_back({address, 1});
        }
      }
    } else {
      const std::uint64_t most = row || unit.copy || record.op == cap::Op::prefetch ? kMostCopyBytes : kMostRangeBytes;
      if (bytes == 0 || bytes > most || record.address > UINT64_MAX - bytes)
        file_.refuse_record(at, fmt::format("an access of {} bytes", bytes));
      runs.push_back(sectors_of(record.address, bytes));
    }
    summary_.spaces[static_cast<std::size_t>(MemorySpace::global)].add(bytes);
    if (record.op == cap::Op::prefetch) {
      if (row) box_.clear();
      return summary_.leave_out("prefetches into L2 (the later load brings the bytes)", bytes);
    }
    if (row) {
      box_op_ = record.op;
      if (record.lanes <= 1 || box_.size() >= kRecordsAtOnce) flush(at);
      return;
    }
    push(unit.op, record.op == cap::Op::load, runs, at);
  }

  /// The rows of a box that have come so far are one access.
  void flush(std::uint64_t at) {
    if (box_.empty()) return;
    push(unit_of(box_op_).op, false, box_, at);
    box_.clear();
  }

  void push(AccessOp op, bool through_l1, const std::vector<SectorRun>& runs, std::uint64_t at) {
    if (kernel_.lowering().access(op, through_l1, runs)) return;
    file_.refuse_record(at, fmt::format("one thread block holds more than {} memory records", kMostBlockEvents));
  }

  const CaptureFile& file_;
  CapturedKernel& kernel_;
  ImportSummary& summary_;
  std::uint32_t warps_;
  std::int32_t warp_ = -1;
  std::vector<SectorRun> runs_, box_;
  cap::Op box_op_ = cap::Op::tensor_load;
};

void remark_incomplete(const cap::KernelEntry& entry, const std::string& label, ImportSummary& summary) {
  const auto say = [&](const char* what) {
    if (summary.remarks.size() < kMostSummaryWords) summary.remarks.push_back(fmt::format("{}: {}", label, what));
  };
  if ((entry.incomplete & cap::incomplete::kOverflow) != 0) say("the capture dropped records: traffic is missing");
  if ((entry.incomplete & cap::incomplete::kSampled) != 0) say("only some blocks were captured: the others are empty");
  if ((entry.incomplete & cap::incomplete::kUnseenTensor) != 0)
    say("tensor copies (TMA) that the capture could not see: traffic is missing");
  if ((entry.incomplete & cap::incomplete::kUnseenOther) != 0) say("accesses that the capture could not see: traffic is missing");
  if ((entry.incomplete & cap::incomplete::kUnknownCode) != 0) say("machine code that could not be inspected: traffic may be missing");
  if (entry.dropped > 0) summary.left_out["records that the capture dropped"].count += entry.dropped;
}

}  // namespace

ImportSummary import_capture(std::unique_ptr<Seekable> source, const ImportOptions& options, TraceSink& sink) {
  ImportSummary summary;
  summary.format = "rooftrace-capture";
  summary.instructions_are = "records";
  const std::string path = source->name();
  const CaptureFile file(std::move(source));
  if (file.kernels.empty()) file.refuse("the capture holds no kernel");
  AddressRebase rebase(path);
  StreamNumbers streams;
  Allocations allocations(file, rebase, sink);
  if (file.header().device_bytes > 0) sink.add_note("gpu", label_of(file.text(file.header().device_text, file.header().device_bytes)));
  sink.begin_stage({});
  for (std::uint32_t k = 0; k < file.kernels.size(); ++k) {
    const cap::KernelEntry& entry = file.kernels[k];
    const std::string name = file.text(entry.name_text, entry.name_bytes);
    allocations.before_kernel(k);
    Kernel kernel;
    kernel.label = label_of(name);
    kernel.stream = streams.of(entry.stream);
    kernel.grid = entry.grid[0] * entry.grid[1] * entry.grid[2];
    const std::uint32_t threads = entry.block[0] * entry.block[1] * entry.block[2];
    kernel.blocks_per_sm = resident_blocks(threads, entry.registers, entry.shared_bytes);
    kernel.depth = options.depth;
    const std::uint64_t l1 = l1_capacity(options, kernel.blocks_per_sm, entry.shared_bytes);
    KernelExtras extras;
    extras.source_name = name.substr(0, kMostLabelBytes);
    remark_incomplete(entry, kernel.label, summary);
    ++summary.kernel(kernel.label).count;
    CapturedKernel captured(sink, options, rebase, summary, std::move(kernel), std::move(extras), l1);
    SlabImport slabs(file, captured, summary, (threads + 31) / 32);
    for (std::uint32_t s = 0; s < entry.slab_count; ++s) slabs.read(file.slabs[entry.first_slab + s]);
    captured.end();
  }
  sink.end_stage();
  if (allocations.peak() > 0) sink.add_note("memory.0", fmt::format("allocations={}", allocations.peak()));
  return summary;
}

}  // namespace rooftrace
