#include "traces/capture/capture_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>

namespace rooftrace::capture {
namespace {

/// The text section while it is written.
class Text {
 public:
  void add(const std::string& text, std::uint32_t& offset, std::uint32_t& bytes) {
    const auto [place, is_new] = places_.emplace(text, static_cast<std::uint32_t>(all_.size()));
    if (is_new) all_ += text;
    if (all_.size() > kMaxTextBytes) throw CaptureError("the names and notes of a capture are longer than 64 MiB");
    offset = place->second;
    bytes = static_cast<std::uint32_t>(text.size());
  }
  [[nodiscard]] std::string padded() const {
    std::string text = all_;
    text.resize((text.size() + 7) / 8 * 8, '\0');
    return text;
  }

 private:
  std::string all_;
  std::map<std::string, std::uint32_t> places_;
};

template <typename Entry>
void append(std::string& bytes, const std::vector<Entry>& entries) {
  if (!entries.empty()) bytes.append(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Entry));
}

/// Once for the entries of one kind; the layout was checked against the size before.
template <typename Entry>
std::vector<Entry> entries_at(std::string_view bytes, std::uint64_t offset, std::uint64_t count) {
  std::vector<Entry> entries(count);
  if (count > 0) std::memcpy(entries.data(), bytes.data() + offset, count * sizeof(Entry));
  return entries;
}

std::uint32_t narrow(std::size_t count, const char* what) {
  if (count > 0xFFFFFFFE) throw CaptureError(std::string("too many ") + what + " for one capture");
  return static_cast<std::uint32_t>(count);
}

std::string text_at(std::string_view text, std::uint32_t offset, std::uint32_t length, const char* what) {
  if (offset > text.size() || length > text.size() - offset) throw CaptureError(std::string(what) + " lies outside of the text section");
  return std::string(text.substr(offset, length));
}

void check_header(std::string_view bytes, const FileHeader& header) {
  const auto no = [](const std::string& what) { throw CaptureError(what); };
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) no("not a capture: the file does not begin with RTCAP");
  if (header.byte_order != kByteOrder) no("written on a machine of the other byte order");
  if (header.version != kVersion) no("capture version " + std::to_string(header.version) + "; this program reads version 1");
  if (header.header_bytes != sizeof(FileHeader) || header.record_bytes != sizeof(Record)) no("header or record size is not version 1's");
  if (header.file_bytes != bytes.size() || layout_of(header).end != bytes.size()) {
    no("the sections do not add up to the file's " + std::to_string(bytes.size()) + " bytes: cut off or damaged");
  }
  FileHeader unsummed = header;
  unsummed.checksum = 0;
  std::uint64_t sum = checksum(0, &unsummed, sizeof unsummed);
  sum = checksum(sum, bytes.data() + sizeof header, bytes.size() - sizeof header);
  if (sum != header.checksum) no("the checksum is wrong: the file is damaged");
  if (static_cast<std::uint32_t>(header.source) > 2) no("unknown source");
}

void check_record(const Record& record, const SlabEntry& slab) {
  const bool marker = record.op == Op::barrier || record.op == Op::work;
  if (static_cast<std::uint8_t>(record.op) >= kOpCount || static_cast<std::uint8_t>(record.shape) >= kShapeCount ||
      marker != (record.shape == Shape::marker) || record.block != slab.block) {
    throw CaptureError("a record that means nothing");
  }
  if (!marker && (record.bytes == 0 || record.address + record.bytes < record.address)) throw CaptureError("a record without a range");
  if (record.shape == Shape::line && (record.address % kLineBytes != 0 || record.lanes == 0 || record.lanes > 15)) {
    throw CaptureError("a record of a line that is none");
  }
}

}  // namespace

std::string to_bytes(const Capture& capture) {
  Text text;
  FileHeader header;
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.header_bytes = sizeof(FileHeader);
  header.record_bytes = sizeof(Record);
  header.source = capture.source;
  header.sm_count = capture.sm_count;
  text.add(capture.device, header.device_text, header.device_bytes);
  text.add(capture.note, header.note_text, header.note_bytes);

  std::vector<KernelEntry> kernels;
  std::vector<SlabEntry> slabs;
  for (const CapturedKernel& kernel : capture.kernels) {
    KernelEntry& entry = kernels.emplace_back(kernel.entry);
    text.add(kernel.name, entry.name_text, entry.name_bytes);
    entry.first_slab = narrow(slabs.size(), "blocks");
    entry.slab_count = narrow(kernel.slabs.size(), "blocks");
    entry.dropped = 0;
    for (const Slab& slab : kernel.slabs) {
      slabs.push_back({narrow(kernels.size() - 1, "kernels"), slab.block, header.record_count, narrow(slab.records.size(), "records"),
                       static_cast<std::uint32_t>(std::min<std::uint64_t>(slab.dropped, 0xFFFFFFFF))});
      header.record_count += slab.records.size();
      entry.dropped += slab.dropped;
    }
    header.dropped += entry.dropped;
  }
  std::vector<Allocation> sorted = capture.allocations;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Allocation& one, const Allocation& other) {
    return one.base != other.base ? one.base < other.base : one.first_kernel < other.first_kernel;
  });
  std::vector<AllocationEntry> allocations;
  for (const Allocation& allocation : sorted) {
    AllocationEntry& entry = allocations.emplace_back();
    text.add(allocation.name, entry.name_text, entry.name_bytes);
    entry.base = allocation.base;
    entry.bytes = allocation.bytes;
    entry.first_kernel = allocation.first_kernel;
    entry.end_kernel = allocation.end_kernel;
  }

  const std::string names = text.padded();
  header.text_bytes = names.size();
  header.kernel_count = narrow(kernels.size(), "kernels");
  header.allocation_count = narrow(allocations.size(), "allocations");
  header.slab_count = narrow(slabs.size(), "blocks");
  header.file_bytes = layout_of(header).end;

  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.reserve(header.file_bytes);
  append(bytes, kernels);
  append(bytes, allocations);
  append(bytes, slabs);
  bytes += names;
  for (const CapturedKernel& kernel : capture.kernels) {
    for (const Slab& slab : kernel.slabs) append(bytes, slab.records);
  }
  header.checksum = checksum(0, bytes.data(), bytes.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

Capture parse_capture(std::string_view bytes) {
  FileHeader header;
  if (bytes.size() < sizeof header) throw CaptureError("not a capture: shorter than a header");
  std::memcpy(&header, bytes.data(), sizeof header);
  check_header(bytes, header);
  const Layout at = layout_of(header);
  const std::string_view text = bytes.substr(at.text, header.text_bytes);
  const auto kernels = entries_at<KernelEntry>(bytes, at.kernels, header.kernel_count);
  const auto allocations = entries_at<AllocationEntry>(bytes, at.allocations, header.allocation_count);
  const auto slabs = entries_at<SlabEntry>(bytes, at.slabs, header.slab_count);

  Capture capture;
  capture.source = header.source;
  capture.sm_count = header.sm_count;
  capture.device = text_at(text, header.device_text, header.device_bytes, "the device's name");
  capture.note = text_at(text, header.note_text, header.note_bytes, "the note");
  for (const AllocationEntry& entry : allocations) {
    if (entry.base + entry.bytes < entry.base) throw CaptureError("an allocation past the end of memory");
    capture.allocations.push_back({text_at(text, entry.name_text, entry.name_bytes, "an allocation's name"), entry.base, entry.bytes,
                                   entry.first_kernel, entry.end_kernel});
  }
  std::uint64_t next_record = 0;
  std::uint32_t next_slab = 0;
  for (std::uint32_t k = 0; k < kernels.size(); ++k) {
    const KernelEntry& entry = kernels[k];
    CapturedKernel& kernel = capture.kernels.emplace_back();
    kernel.name = text_at(text, entry.name_text, entry.name_bytes, "a kernel's name");
    kernel.entry = entry;
    if ((entry.incomplete & ~incomplete::kAll) != 0) throw CaptureError("kernel " + kernel.name + ": unknown bits in `incomplete`");
    if (entry.first_slab != next_slab || entry.slab_count > slabs.size() - next_slab) {
      throw CaptureError("kernel " + kernel.name + ": its slabs are not where they should be");
    }
    next_slab += entry.slab_count;
    for (std::uint32_t s = entry.first_slab; s < next_slab; ++s) {
      const SlabEntry& slab = slabs[s];
      if (slab.kernel != k || slab.first_record != next_record || slab.records > header.record_count - next_record) {
        throw CaptureError("kernel " + kernel.name + ": the records of a block are not where they should be");
      }
      next_record += slab.records;
      Slab& out = kernel.slabs.emplace_back(
          Slab{slab.block, slab.dropped, entries_at<Record>(bytes, at.records + slab.first_record * sizeof(Record), slab.records)});
      for (const Record& record : out.records) check_record(record, slab);
    }
  }
  if (next_slab != slabs.size() || next_record != header.record_count) throw CaptureError("blocks or records that belong to no kernel");
  return capture;
}

void write_capture(const std::string& path, const Capture& capture) {
  const std::string bytes = to_bytes(capture);
  const std::string beside = path + ".part" + std::to_string(getpid());
  std::ofstream out(beside, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out || std::rename(beside.c_str(), path.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    std::remove(beside.c_str());
    throw CaptureError(path + ": cannot be written: " + why);
  }
}

Capture read_capture(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw CaptureError(path + ": cannot be read");
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  try {
    return parse_capture(bytes);
  } catch (const CaptureError& error) {
    throw CaptureError(path + ": " + error.what());
  }
}

void add_slabs(CapturedKernel& kernel, const Record* records, const std::vector<std::uint32_t>& counts, std::uint32_t capacity) {
  const KernelEntry& entry = kernel.entry;
  const std::uint32_t warps = (entry.block[0] * entry.block[1] * entry.block[2] + 31) / 32;
  constexpr std::uint32_t never_finished = 0xFFFFFFFF;
  for (std::size_t first = 0; first < counts.size(); first += warps) {
    Slab& slab = kernel.slabs.emplace_back();
    slab.block = static_cast<std::uint32_t>(first / warps * entry.block_sample);
    for (std::size_t warp = first; warp < first + warps; ++warp) {
      if (counts[warp] == never_finished) {
        throw CaptureError("kernel " + kernel.name + ": warp " + std::to_string(warp - first) + " of block " + std::to_string(slab.block) +
                           " never finished its trace");
      }
      const std::uint32_t kept = std::min(counts[warp], capacity);
      slab.dropped += counts[warp] - kept;
      slab.records.insert(slab.records.end(), records + warp * capacity, records + warp * capacity + kept);
    }
    if (slab.dropped > 0) kernel.entry.incomplete |= incomplete::kOverflow;
  }
  if (entry.block_sample > 1) kernel.entry.incomplete |= incomplete::kSampled;
}

void rebase(Capture& capture) {
  constexpr std::uint64_t page = 2ULL << 20;
  std::uint64_t next = 1ULL << 40;
  std::vector<std::uint64_t> base;
  for (const Allocation& allocation : capture.allocations) {
    base.push_back(next);
    next += (allocation.bytes / page + 2) * page;
  }
  std::vector<std::size_t> order(base.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return capture.allocations[a].base < capture.allocations[b].base; });
  for (CapturedKernel& kernel : capture.kernels) {
    for (Slab& slab : kernel.slabs) {
      for (Record& record : slab.records) {
        if (record.shape == Shape::marker) continue;
        const auto after = std::upper_bound(order.begin(), order.end(), record.address,
                                            [&](std::uint64_t address, std::size_t i) { return address < capture.allocations[i].base; });
        const Allocation* const in = after == order.begin() ? nullptr : &capture.allocations[*(after - 1)];
        if (in == nullptr || record.address - in->base + record.bytes > in->bytes) {
          throw CaptureError("kernel " + kernel.name + ", block " + std::to_string(record.block) + ": " + std::to_string(record.bytes) +
                             " B at " + std::to_string(record.address) + " lie in no named allocation");
        }
        record.address += base[*(after - 1)] - in->base;
      }
    }
  }
  for (std::size_t i = 0; i < base.size(); ++i) capture.allocations[i].base = base[i];
}

std::string difference(Capture one, Capture other) {
  for (Capture* const capture : {&one, &other}) {
    std::stable_sort(capture->allocations.begin(), capture->allocations.end(),
                     [](const Allocation& a, const Allocation& b) { return a.name < b.name; });
    rebase(*capture);
  }
  const auto same_allocation = [](const Allocation& a, const Allocation& b) { return a.name == b.name && a.bytes == b.bytes; };
  if (!std::equal(one.allocations.begin(), one.allocations.end(), other.allocations.begin(), other.allocations.end(), same_allocation)) {
    return "the allocations have other names or sizes";
  }
  if (one.kernels.size() != other.kernels.size()) return "the numbers of kernels differ";
  for (std::size_t k = 0; k < one.kernels.size(); ++k) {
    const CapturedKernel& a = one.kernels[k];
    const CapturedKernel& b = other.kernels[k];
    const bool same_shape =
        std::equal(a.entry.grid, a.entry.grid + 3, b.entry.grid) && std::equal(a.entry.block, a.entry.block + 3, b.entry.block);
    if (a.name != b.name || !same_shape || a.slabs.size() != b.slabs.size()) return "kernel " + a.name + ": name, grid or blocks differ";
    for (std::size_t s = 0; s < a.slabs.size(); ++s) {
      const std::string where = "kernel " + a.name + ", block " + std::to_string(a.slabs[s].block);
      const std::vector<Record>& left = a.slabs[s].records;
      const std::vector<Record>& right = b.slabs[s].records;
      if (left.size() != right.size() || a.slabs[s].block != b.slabs[s].block || a.slabs[s].dropped != b.slabs[s].dropped) {
        return where + ": " + std::to_string(left.size()) + " and " + std::to_string(right.size()) + " records";
      }
      for (std::size_t i = 0; i < left.size(); ++i) {
        Record x = left[i];
        Record y = right[i];
        x.clock = y.clock = 0;
        x.sm = y.sm = kNoSm;
        if (std::memcmp(&x, &y, sizeof x) != 0)
          return where + ", warp " + std::to_string(x.warp) + ": record " + std::to_string(x.sequence) + " differs";
      }
    }
  }
  return "";
}

Totals totals_of(const CapturedKernel& kernel) {
  Totals totals;
  for (const Slab& slab : kernel.slabs) {
    totals.dropped += slab.dropped;
    totals.records += slab.records.size();
    for (const Record& record : slab.records) {
      switch (record.op) {
        case Op::load:
        case Op::async_load:
        case Op::tensor_load:
        case Op::bulk_load:
          totals.load_bytes += record.bytes;
          break;
        case Op::store:
        case Op::tensor_store:
        case Op::bulk_store:
          totals.store_bytes += record.bytes;
          break;
        case Op::reduce:
        case Op::tensor_reduce:
        case Op::bulk_reduce:
          totals.reduce_bytes += record.bytes;
          break;
        case Op::prefetch:
          totals.prefetch_bytes += record.bytes;
          break;
        case Op::work:
          totals.flop += record.address;
          break;
        case Op::barrier:
          break;
      }
    }
  }
  return totals;
}

}  // namespace rooftrace::capture
