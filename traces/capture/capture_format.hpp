// The file of captured warp records, `.rtcap`, version 1: what the tracing kernels, the CPU shim and the injected library write, and what
// `rooftrace trace import --format rooftrace-capture` reads. Plain C++ without CUDA and without any other header of this project.
//
// All numbers are little-endian; every struct below is written as it stands (no padding that is not named). The sections follow one
// another without gaps, each a multiple of 8 bytes long:
//
//   FileHeader
//   KernelEntry      x kernel_count      in launch order
//   AllocationEntry  x allocation_count  sorted by base, then first_kernel
//   SlabEntry        x slab_count        sorted by kernel, then block: one per captured block
//   text             text_bytes          UTF-8 without terminators, padded with zero bytes to a multiple of 8 (the padding is counted)
//   Record           x record_count      slab after slab, without gaps
//
// The records of a slab stand warp by warp (ascending), and in each warp in program order (`sequence` ascending, starting at 0; a hole in
// the sequence is a dropped record). Between warps of a block only barrier markers order anything: a record before a warp's n-th barrier
// marker was issued before any record of another warp after that warp's n-th. `clock` may break ties, but is coarse.
//
// What a record is: one access of one warp that was contiguous (Shape::range), or one 128-byte line of an access that was not
// (Shape::line), or one row of the box of a tensor copy (Shape::box_row), or one bulk copy (Shape::range). Only global memory is
// recorded, never shared or local memory. Markers carry no address: Op::barrier (a block barrier passed) and Op::work (arithmetic).
//
// Not modeled: which bytes of a sector an uncoalesced lane touched (lines carry a sector mask), the physical address (no capture sees
// it), hits in L1 (records are what the SM asked of its L1; cached loads repeat), instruction fetches and constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rooftrace::capture {

inline constexpr unsigned char kMagic[8] = {'R', 'T', 'C', 'A', 'P', '\r', '\n', 0x1A};  // Line ends: a text-mode copy is noticed.
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kByteOrder = 0x01020304;  ///< Read back as 0x04030201 by a reader of the other byte order.
inline constexpr std::uint32_t kLineBytes = 128;
inline constexpr std::uint32_t kSectorBytes = 32;
inline constexpr std::uint32_t kNoKernel = 0xFFFFFFFF;
inline constexpr std::uint16_t kNoSm = 0xFFFF;           ///< Captured without a GPU: no SM ran it.
inline constexpr std::uint32_t kMaxTextBytes = 1 << 26;  ///< A reader refuses more.

/// What made the file.
enum class Source : std::uint32_t { cpu_shim = 0, gpu_kernel = 1, gpu_injected = 2 };

/// What a record did. The numbers are the file's: never renumber.
enum class Op : std::uint8_t {
  load = 0,         ///< Global load into registers.
  store = 1,        ///< Global store from registers.
  reduce = 2,       ///< Atomic or reduction at the L2, with or without a result.
  async_load = 3,   ///< cp.async: global to shared by the threads of a warp.
  tensor_load = 4,  ///< TMA, tensor map: global to shared.
  tensor_store = 5,
  tensor_reduce = 6,
  bulk_load = 7,  ///< cp.async.bulk without a tensor map.
  bulk_store = 8,
  bulk_reduce = 9,
  prefetch = 10,  ///< Global to L2 only.
  barrier = 11,   ///< Marker: this warp passed a barrier of all threads of its block. address, bytes, lanes are 0.
  work = 12,      ///< Marker: arithmetic done since the last work marker of this warp; address = FLOP, lanes = Pipe, bytes = 0.
};
inline constexpr std::uint8_t kOpCount = 13;

/// How `address`, `bytes` and `lanes` are meant.
enum class Shape : std::uint8_t {
  range = 0,    ///< [address, address + bytes) without holes; lanes = number of lanes that took part (bulk copies: 1).
  line = 1,     ///< address is a multiple of 128; lanes = mask of the sectors touched, bit 0 the lowest; bytes = 32 x bits set.
  box_row = 2,  ///< One row of a tensor box inside the tensor: [address, address + bytes); lanes = rows of the box left, this one counted.
  marker = 3,   ///< Op::barrier or Op::work.
};
inline constexpr std::uint8_t kShapeCount = 4;

/// The unit that a work marker names.
enum class Pipe : std::uint16_t { tensor = 0, cuda_core = 1, special = 2 };
inline constexpr std::uint16_t kPipeCount = 3;

struct Record {
  std::uint64_t address = 0;  ///< Virtual, as the GPU used it (CPU shim: the allocation table's made-up bases).
  std::uint32_t bytes = 0;
  std::uint32_t clock = 0;     ///< Low 32 bits of %globaltimer (ns); 0 in CPU captures.
  std::uint32_t block = 0;     ///< blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z).
  std::uint16_t warp = 0;      ///< Of the block, by linear thread index / 32.
  Op op = Op::load;            ///<
  Shape shape = Shape::range;  ///<
  std::uint16_t sm = kNoSm;    ///< %smid.
  std::uint16_t lanes = 0;     ///< By shape, above.
  std::uint32_t sequence = 0;  ///< Counts what this warp of this block tried to record, dropped ones included.
};

/// Why a kernel's records are not all it did; a bit mask, 0: complete.
namespace incomplete {
inline constexpr std::uint32_t kOverflow = 1;      ///< Slabs were full: `dropped` says how many records are missing.
inline constexpr std::uint32_t kSampled = 2;       ///< Only every `block_sample`-th block was captured.
inline constexpr std::uint32_t kUnseenTensor = 4;  ///< The kernel holds tensor copies (TMA) that the capturing interface cannot see.
inline constexpr std::uint32_t kUnseenOther = 8;   ///< Holds other accesses to global memory that could not be captured.
inline constexpr std::uint32_t kUnknownCode = 16;  ///< The machine code could not be inspected: nobody knows what was missed.
inline constexpr std::uint32_t kAll = 31;
}  // namespace incomplete

struct FileHeader {
  unsigned char magic[8] = {};
  std::uint32_t version = kVersion;
  std::uint32_t byte_order = kByteOrder;
  std::uint32_t header_bytes = 0;  ///< sizeof(FileHeader).
  std::uint32_t record_bytes = 0;  ///< sizeof(Record).
  std::uint32_t kernel_count = 0;
  std::uint32_t allocation_count = 0;
  std::uint32_t slab_count = 0;
  Source source = Source::cpu_shim;
  std::uint64_t text_bytes = 0;
  std::uint64_t record_count = 0;
  std::uint64_t dropped = 0;      ///< Sum over the kernels.
  std::uint64_t file_bytes = 0;   ///< Of the whole file.
  std::uint32_t sm_count = 0;     ///< Of the device; 0: none.
  std::uint32_t device_text = 0;  ///< Offset into the text section: the device's name.
  std::uint32_t device_bytes = 0;
  std::uint32_t note_text = 0;  ///< Lines "key: value": producer, command, driver, date ... for people.
  std::uint32_t note_bytes = 0;
  std::uint32_t reserved = 0;
  std::uint64_t checksum = 0;  ///< checksum() of the whole file with this field 0.
};

struct KernelEntry {
  std::uint32_t name_text = 0;
  std::uint32_t name_bytes = 0;
  std::uint32_t grid[3] = {1, 1, 1};
  std::uint32_t block[3] = {1, 1, 1};    ///< Threads.
  std::uint32_t cluster[3] = {1, 1, 1};  ///< Blocks.
  std::uint32_t shared_bytes = 0;        ///< Per block, static and dynamic together.
  std::uint32_t registers = 0;           ///< Per thread; 0: unknown.
  std::uint32_t stream = 0;              ///< Kernels with the same number ran in order.
  std::uint32_t block_sample = 1;        ///< Blocks with linear index % block_sample == 0 were captured.
  std::uint32_t incomplete = 0;          ///< Mask of incomplete::.
  std::uint32_t first_slab = 0;
  std::uint32_t slab_count = 0;  ///< A captured block that recorded nothing has a slab with no records.
  std::uint64_t dropped = 0;     ///< Records that found their slab full.
};

struct AllocationEntry {
  std::uint32_t name_text = 0;
  std::uint32_t name_bytes = 0;
  std::uint64_t base = 0;
  std::uint64_t bytes = 0;
  std::uint32_t first_kernel = 0;        ///< The first kernel that could see it.
  std::uint32_t end_kernel = kNoKernel;  ///< Freed before this kernel; kNoKernel: lived to the end.
};

struct SlabEntry {
  std::uint32_t kernel = 0;
  std::uint32_t block = 0;         ///< Linear block index.
  std::uint64_t first_record = 0;  ///< Into the record section.
  std::uint32_t records = 0;
  std::uint32_t dropped = 0;  ///< Of this block (saturating).
};

static_assert(sizeof(Record) == 32 && sizeof(FileHeader) == 104 && sizeof(KernelEntry) == 80 && sizeof(AllocationEntry) == 32 &&
              sizeof(SlabEntry) == 24);
static_assert(std::is_trivially_copyable_v<Record> && std::is_trivially_copyable_v<FileHeader> &&
              std::is_trivially_copyable_v<KernelEntry> && std::is_trivially_copyable_v<AllocationEntry> &&
              std::is_trivially_copyable_v<SlabEntry>);

/// Where the sections begin, in bytes from the start of the file.
struct Layout {
  std::uint64_t kernels = 0;
  std::uint64_t allocations = 0;
  std::uint64_t slabs = 0;
  std::uint64_t text = 0;
  std::uint64_t records = 0;
  std::uint64_t end = 0;  ///< Must be file_bytes and the file's size. 0: the counts do not fit into 64 bits, or text is not padded.
};

/// From the counts of a header that may be hostile: no overflow, no trust.
inline constexpr Layout layout_of(const FileHeader& header) {
  constexpr std::uint64_t most = std::uint64_t{1} << 56;
  if (header.text_bytes % 8 != 0 || header.text_bytes > kMaxTextBytes || header.record_count > most / sizeof(Record)) return {};
  Layout at;
  at.kernels = sizeof(FileHeader);
  at.allocations = at.kernels + sizeof(KernelEntry) * std::uint64_t{header.kernel_count};
  at.slabs = at.allocations + sizeof(AllocationEntry) * std::uint64_t{header.allocation_count};
  at.text = at.slabs + sizeof(SlabEntry) * std::uint64_t{header.slab_count};
  at.records = at.text + header.text_bytes;
  at.end = at.records + sizeof(Record) * header.record_count;
  return at;
}

/// Sum of a file whose pieces are added in order; every piece a multiple of 8 bytes. Start with 0. Words are taken little-endian.
inline std::uint64_t checksum(std::uint64_t sum, const void* data, std::size_t bytes) {
  const auto* const at = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i + 8 <= bytes; i += 8) {
    std::uint64_t word = 0;
    for (std::size_t b = 0; b < 8; ++b) word |= std::uint64_t{at[i + b]} << (8 * b);
    sum = (sum ^ word) * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL;  // Odd constants; the additions keep zeros from vanishing.
    sum ^= sum >> 29;
  }
  return sum;
}

}  // namespace rooftrace::capture
