// Blocks from a .tracez file; the only file that sees zstd.
//
// Layout (all integers little-endian): head text and a zero byte; u32 dictionary bytes, u32 instructions of a sub-chunk; the dictionary;
// per warp u32 instructions, u32 sub-chunks and for each u32 packed bytes and a zstd frame of instruction lines; at the end the index (u32
// blocks; per block 10 u32: its x y z, cluster x y z, CTA in the cluster x y z, rank; u32 warps; per warp u32 instructions, u32 sub-chunks,
// u64 where the warp starts, u32 instructions of each sub-chunk) and, last, u64 where the index starts.
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

#include "traces/import/accelsim_blocks.hpp"

namespace rooftrace {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's integers are read as they stand");

constexpr std::uint64_t kMostHeadBytes = 64 * 1024;
constexpr std::uint64_t kMostDictionary = 16 << 20;
constexpr std::uint64_t kMostIndexBytes = 1ULL << 30;
constexpr int kMostWindowBits = 27;  // 128 MiB: what a frame may ask the decoder to keep.
constexpr std::uint64_t kPiece = 64 * 1024;

template <class T>
T take(const Seekable& file, std::uint64_t& at) {
  T value;
  file.read_at(at, &value, sizeof(value));
  at += sizeof(value);
  return value;
}

struct FreeDecoder {
  void operator()(ZSTD_DCtx* decoder) const { ZSTD_freeDCtx(decoder); }
};
using Decoder = std::unique_ptr<ZSTD_DCtx, FreeDecoder>;

/// The text of one warp: its frames one behind the other, a line end between two where the first lacks it.
class WarpSource final : public ByteSource {
 public:
  WarpSource(std::string name, const Seekable& file, ZSTD_DCtx* decoder, std::uint64_t at, std::uint32_t frames)
      : ByteSource(std::move(name)), file_(file), decoder_(decoder), at_(at), frames_left_(frames), packed_(kPiece) {}

  std::size_t read(char* to, std::size_t most) override {
    ZSTD_outBuffer out{to, most, 0};
    while (out.pos == 0) {
      if (frame_over_) {
        if (owed_line_end_) {
          owed_line_end_ = false;
          *to = '\n';
          return 1;
        }
        if (frames_left_ == 0) return 0;
        begin_frame();
      }
      if (in_.pos == in_.size && left_ > 0) {
        const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left_, packed_.size()));
        file_.read_at(at_, packed_.data(), bytes);
        at_ += bytes;
        left_ -= bytes;
        in_ = {packed_.data(), bytes, 0};
      }
      const std::size_t before = in_.pos;
      const std::size_t more = ZSTD_decompressStream(decoder_, &out, &in_);
      if (ZSTD_isError(more) != 0U) file_.refuse(at_, fmt::format("damaged zstd frame: {}", ZSTD_getErrorName(more)));
      if (more == 0) {
        if (left_ > 0 || in_.pos < in_.size) file_.refuse(at_, "a zstd frame is shorter than its sub-chunk");
        frame_over_ = true;
        owed_line_end_ = frames_left_ > 0;
      } else if (out.pos == 0 && in_.pos == before && left_ == 0 && in_.pos == in_.size) {
        file_.refuse(at_, "a zstd frame is cut off");
      }
      unpacked_ += out.pos;
      if (unpacked_ > kMostUnpacked) file_.refuse(at_, "a warp holds more than 1 TiB unpacked");
    }
    if (frame_over_ && owed_line_end_) owed_line_end_ = static_cast<char*>(out.dst)[out.pos - 1] != '\n';
    return out.pos;
  }

 private:
  void begin_frame() {
    left_ = take<std::uint32_t>(file_, at_);
    if (left_ > file_.size() - at_) file_.refuse(at_ - 4, fmt::format("a sub-chunk of {} bytes does not fit into the file", left_));
    if (left_ == 0) file_.refuse(at_ - 4, "a sub-chunk of no bytes");
    --frames_left_;
    frame_over_ = false;
    in_ = {packed_.data(), 0, 0};
    ZSTD_DCtx_reset(decoder_, ZSTD_reset_session_only);
  }

  const Seekable& file_;
  ZSTD_DCtx* decoder_;
  std::uint64_t at_;
  std::uint32_t frames_left_;
  std::uint64_t left_ = 0, unpacked_ = 0;
  std::vector<char> packed_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool frame_over_ = true, owed_line_end_ = false;
};

struct WarpEntry {
  std::uint32_t instructions = 0, frames = 0;
  std::uint64_t offset = 0;
};
struct BlockEntry {
  AccelsimBlock block;
  std::size_t first_warp = 0;
  std::uint32_t warps = 0;
};

}  // namespace

struct TracezFile::Index {
  std::vector<BlockEntry> blocks;
  std::vector<WarpEntry> warps;
  std::vector<char> dictionary;
};

TracezFile::~TracezFile() = default;

TracezFile::TracezFile(std::unique_ptr<Seekable> file) : file_(std::move(file)), index_(std::make_unique<Index>()) {
  const Seekable& f = *file_;
  std::string head;
  std::uint64_t at = 0;
  for (char c = 1; c != 0;) {
    c = take<char>(f, at);
    if (c != 0) head += c;
    if (head.size() > kMostHeadBytes) f.refuse(at, "the head does not end within 64 KiB; is this a .tracez file?");
  }
  const auto source = open_memory(f.name(), head);
  LineReader reader(*source);
  header_ = read_accelsim_header(reader);

  const auto dictionary = take<std::uint32_t>(f, at);
  (void)take<std::uint32_t>(f, at);  // Instructions of a sub-chunk: the index says it for each.
  if (dictionary > kMostDictionary) f.refuse(at - 8, fmt::format("a dictionary of {} bytes", dictionary));
  index_->dictionary.resize(std::min<std::uint64_t>(dictionary, f.size()));
  f.read_at(at, index_->dictionary.data(), dictionary);
  const std::uint64_t payload = at + dictionary;

  std::uint64_t tail = f.size() - std::min<std::uint64_t>(f.size(), 8);
  const std::uint64_t end = tail;
  at = take<std::uint64_t>(f, tail);
  if (at < payload || at > end) f.refuse(end, fmt::format("the index cannot start at byte {}", at));
  if (end - at > kMostIndexBytes) f.refuse(at, "the index is longer than 1 GiB");
  const auto blocks = take<std::uint32_t>(f, at);
  for (std::uint32_t b = 0; b < blocks; ++b) {
    const std::uint64_t here = at;
    BlockEntry entry;
    std::array<std::uint32_t, 11> words{};
    f.read_at(at, words.data(), sizeof(words));
    at += sizeof(words);
    entry.block.index = {words[0], words[1], words[2]};
    for (std::size_t i = 0; i < 3; ++i) {
      if (words[i] >= header_.grid[i])
        f.refuse(here, fmt::format("block ({},{},{}) lies outside of the grid", words[0], words[1], words[2]));
    }
    entry.block.linear = header_.linear(entry.block.index);
    entry.block.cluster_rank = words[9];
    entry.warps = words[10];
    entry.first_warp = index_->warps.size();
    if (entry.warps > header_.warps())
      f.refuse(here, fmt::format("a block with {} warps; its threads make {}", entry.warps, header_.warps()));
    for (std::uint32_t w = 0; w < entry.warps; ++w) {
      WarpEntry warp;
      warp.instructions = take<std::uint32_t>(f, at);
      warp.frames = take<std::uint32_t>(f, at);
      warp.offset = take<std::uint64_t>(f, at);
      const bool inside = warp.instructions == 0 || (warp.offset >= payload && warp.offset < end);
      if (!inside || std::uint64_t{warp.frames} * 4 > end - std::min(at, end)) f.refuse(at - 16, "the index is damaged");
      std::uint64_t sum = 0;
      for (std::uint32_t i = 0; i < warp.frames; ++i) sum += take<std::uint32_t>(f, at);
      if (sum != warp.instructions) {
        f.refuse(at, fmt::format("the sub-chunks of a warp hold {} instructions, the warp {}", sum, warp.instructions));
      }
      index_->warps.push_back(warp);
    }
    index_->blocks.push_back(entry);
  }
  if (at != end) f.refuse(at, "the index ends here, but not the file");
  std::stable_sort(index_->blocks.begin(), index_->blocks.end(),
                   [](const BlockEntry& a, const BlockEntry& b) { return a.block.linear < b.block.linear; });
  for (std::size_t b = 1; b < index_->blocks.size(); ++b) {
    if (index_->blocks[b].block.linear == index_->blocks[b - 1].block.linear) f.refuse(end, "the index names a block twice");
  }
}

void TracezFile::read_blocks(AccelsimHandler& handler) {
  const Decoder decoder(ZSTD_createDCtx());
  if (!decoder) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(decoder.get(), ZSTD_d_windowLogMax, kMostWindowBits);
  if (!index_->dictionary.empty()) {
    const std::size_t result = ZSTD_DCtx_loadDictionary(decoder.get(), index_->dictionary.data(), index_->dictionary.size());
    if (ZSTD_isError(result) != 0U) file_->refuse(0, fmt::format("damaged dictionary: {}", ZSTD_getErrorName(result)));
  }
  AccelsimInstruction instruction;
  for (const BlockEntry& entry : index_->blocks) {
    handler.begin_block(entry.block);
    for (std::uint32_t w = 0; w < entry.warps; ++w) {
      const WarpEntry& warp = index_->warps[entry.first_warp + w];
      handler.begin_warp(w);
      if (warp.instructions == 0) continue;
      std::uint64_t at = warp.offset;
      const auto instructions = take<std::uint32_t>(*file_, at), frames = take<std::uint32_t>(*file_, at);
      if (instructions != warp.instructions || frames != warp.frames) {
        file_->refuse(at - 8, fmt::format("the warp says {} instructions in {} sub-chunks, the index {} in {}", instructions, frames,
                                          warp.instructions, warp.frames));
      }
      const Dim3& b = entry.block.index;
      WarpSource text(fmt::format("{}[block {},{},{} warp {}]", file_->name(), b[0], b[1], b[2], w), *file_, decoder.get(), at, frames);
      LineReader reader(text);
      std::string_view line;
      std::uint64_t read = 0;
      for (; reader.next_filled(line); ++read) {
        if (read == instructions) reader.refuse(1, fmt::format("more than the {} instructions of the index", instructions));
        parse_accelsim_instruction(line, reader, header_.version, header_.lineinfo, instruction);
        handler.instruction(instruction, reader);
      }
      if (read != instructions) reader.refuse(1, fmt::format("{} instructions, not the {} of the index", read, instructions));
    }
    handler.end_block();
  }
}

}  // namespace rooftrace
