#include "traces/import/accelsim_header.hpp"

#include <fmt/format.h>

#include <charconv>

#include "traces/import/accelsim_instruction.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kMostListed = 1 << 20;            // Kernels and copies of one list.
constexpr std::uint64_t kMostCopied = 1ULL << 38;       // Bytes of one copy: 256 GiB, more than any GPU holds.
constexpr std::uint64_t kMostCopiedInAll = 1ULL << 42;  // Bytes of all copies of a list: each 256 KiB become a step.
constexpr std::uint64_t kMostSharedBytes = 1 << 20;     // 228 KiB today.
constexpr std::uint32_t kMostGridSide = 0x7FFFFFFF;     // CUDA's limit.

/// "-name = value": where it applies, moves `words` behind the equals sign.
bool field(Words& words, std::string_view name) {
  return words.skip(name);
}

void check(const AccelsimHeader& header, const LineReader& reader) {
  if (header.version == 0) reader.refuse(1, "the head names no accelsim tracer version");
  if (header.version < kOldestTracer || header.version > kNewestTracer) {
    reader.refuse(1, fmt::format("tracer version {} is not one of {} to {}", header.version, kOldestTracer, kNewestTracer));
  }
  if (header.grid[0] == 0) reader.refuse(1, "the head names no grid dim");
  if (header.block[0] == 0) reader.refuse(1, "the head names no block dim");
  const std::uint64_t plane = std::uint64_t{header.grid[0]} * header.grid[1];
  if (plane > kMostImportedBlocks || plane * header.grid[2] > kMostImportedBlocks) {
    reader.refuse(1, fmt::format("the grid has more than {} blocks", kMostImportedBlocks));
  }
  if (std::uint64_t{header.block[0]} * header.block[1] * header.block[2] > kMostThreads) {
    reader.refuse(1, fmt::format("a block has more than {} threads", kMostThreads));
  }
}

Dim3 sides(Words& words, const char* what, std::uint32_t most) {
  const Dim3 dim = parse_dim3(words, what, most);
  for (const std::uint32_t side : dim) {
    if (side == 0) words.refuse(fmt::format("{} has a side of 0", what));
  }
  return dim;
}

void read_field(std::string_view line, const LineReader& reader, AccelsimHeader& out) {
  Words words(line, reader);
  const auto u32 = [&](const char* what, std::uint64_t most) { return static_cast<std::uint32_t>(words.decimal(what, most)); };
  if (field(words, "-kernel name =")) {
    words.more();
    out.kernel_name = words.more() ? std::string(line.substr(line.find('=') + 2)) : "";
  } else if (field(words, "-grid dim =")) {
    out.grid = sides(words, "the grid", kMostGridSide);
  } else if (field(words, "-block dim =")) {
    out.block = sides(words, "the block", kMostThreads);
  } else if (field(words, "-shmem =")) {
    out.shared_bytes = u32("the shared memory", kMostSharedBytes);
  } else if (field(words, "-nregs =")) {
    out.registers = u32("the number of registers", 1024);
  } else if (field(words, "-cuda stream id =")) {
    out.stream = words.decimal("the stream");
  } else if (field(words, "-shmem base_addr =")) {
    out.shared_base = words.hex("the base of shared memory");
  } else if (field(words, "-local mem base_addr =")) {
    out.local_base = words.hex("the base of local memory");
  } else if (field(words, "-accelsim tracer version =")) {
    out.version = words.decimal("the tracer version");
  } else if (field(words, "-enable lineinfo =")) {
    out.lineinfo = words.decimal("enable lineinfo", 1) == 1;
  }
}

}  // namespace

Dim3 parse_dim3(Words& words, const char* what, std::uint32_t most) {
  std::string_view text = words.word(what);
  const std::string_view whole = text;
  Dim3 dim{};
  if (text.starts_with("(") && text.ends_with(")")) text = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), dim[i]);
    const auto used = static_cast<std::size_t>(stop - text.data());
    const bool right = error == std::errc{} && dim[i] <= most && (i == 2 ? used == text.size() : used < text.size() && *stop == ',');
    if (!right) words.refuse(fmt::format("{} is {}, not three numbers as in (4,2,1), each at most {}", what, quoted_word(whole), most));
    text.remove_prefix(i == 2 ? used : used + 1);
  }
  return dim;
}

AccelsimHeader read_accelsim_header(LineReader& reader) {
  AccelsimHeader header;
  std::string_view line;
  while (reader.next_filled(line)) {
    if (line.starts_with("#")) {
      reader.push_back();
      break;
    }
    if (!line.starts_with("-")) {
      reader.refuse(1, fmt::format("{} is no line of a kernel's head (\"-name = value\")", quoted_word(line)));
    }
    read_field(line, reader, header);
  }
  check(header, reader);
  return header;
}

KernelList read_kernel_list(LineReader& reader, const std::string& folder) {
  KernelList list;
  std::uint64_t copied = 0;
  std::string_view line;
  while (reader.next_filled(line)) {
    KernelListEntry entry;
    entry.where = reader.at();
    Words words(line, reader);
    if (line.starts_with("kernel")) {
      const std::string_view name = words.word("a file");
      // A list names files of its own folder only: nothing of it leads elsewhere.
      if (name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos || words.more()) {
        words.refuse(fmt::format("{} is not the name of a file in the list's folder", quoted_word(line)));
      }
      entry.file = folder.empty() ? std::string(name) : folder + "/" + std::string(name);
    } else if (words.skip("MemcpyHtoD,")) {
      entry.kind = KernelListEntry::Kind::copy_to_device;
      std::string text(line.substr(line.find(',') + 1));
      const std::size_t comma = text.find(',');
      if (comma == std::string::npos) words.refuse("a copy is written MemcpyHtoD,0xADDRESS,BYTES");
      text[comma] = ' ';
      Words numbers(text, reader);
      entry.address = numbers.hex("the address of the copy");
      entry.bytes = numbers.decimal("the bytes of the copy", kMostCopied);
      copied += entry.bytes;
      if (copied > kMostCopiedInAll) reader.refuse(1, fmt::format("the copies move more than {} TiB", kMostCopiedInAll >> 40));
    } else {
      ++list.ignored;
      continue;
    }
    if (list.entries.size() == kMostListed) reader.refuse(1, fmt::format("more than {} kernels and copies", kMostListed));
    list.entries.push_back(std::move(entry));
  }
  return list;
}

}  // namespace rooftrace
