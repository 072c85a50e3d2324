// Blocks from text.
#include <fmt/format.h>

#include "traces/import/accelsim_blocks.hpp"

namespace rooftrace {
namespace {

class TracegReader {
 public:
  TracegReader(LineReader& reader, const AccelsimHeader& header, AccelsimHandler& handler)
      : reader_(reader), header_(header), handler_(handler) {}

  void read() {
    std::string_view line;
    while (reader_.next_filled(line)) take(line);
    if (in_block_) reader_.refuse(1, "the file ends inside a thread block (no #END_TB)");
  }

 private:
  void take(std::string_view line) {
    Words words(line, reader_);
    if (!in_block_) {
      if (words.skip("#BEGIN_TB")) {
        in_block_ = true;
        block_ = {};
        named_ = false;
      } else if (!line.starts_with("#")) {  // The tracer's own comment line, and nothing else, may stand here.
        reader_.refuse(1, fmt::format("{} stands outside of a thread block (#BEGIN_TB ... #END_TB)", quoted_word(line)));
      }
      return;
    }
    if (instructions_left_ > 0 && !line.starts_with("#") && !is_word(line)) {
      --instructions_left_;
      parse_accelsim_instruction(line, reader_, header_.version, header_.lineinfo, instruction_);
      handler_.instruction(instruction_, reader_);
      return;
    }
    structure(line, words);
  }

  /// Instructions start with hexadecimal digits; of the words below only "cluster" begins with one, and goes on otherwise.
  static bool is_word(std::string_view line) {
    return line.starts_with("warp =") || line.starts_with("insts =") || line.starts_with("thread block") || line.starts_with("cluster ");
  }

  void structure(std::string_view line, Words& words) {
    if (words.skip("#END_TB")) {
      end_warp();
      begin_block_once();
      handler_.end_block();
      in_block_ = false;
      last_warp_ = -1;
    } else if (words.skip("#BEGIN_TB")) {
      words.refuse("a thread block begins inside another one");
    } else if (words.skip("thread block =")) {
      name_block(words);
    } else if (words.skip("cluster id =") || words.skip("cluster cta =")) {
      (void)parse_dim3(words, "the cluster", UINT32_MAX);
    } else if (words.skip("cluster rank =")) {
      block_.cluster_rank = static_cast<std::uint32_t>(words.decimal("the rank", 1024));
    } else if (words.skip("warp =")) {
      begin_warp(words);
    } else if (words.skip("insts =")) {
      if (last_warp_ < 0) words.refuse("no warp was named before its instructions");
      end_warp();
      instructions_left_ = instructions_named_ = words.decimal("the number of instructions", UINT32_MAX);
    } else {
      words.more();
      const bool known = line.starts_with("#");
      reader_.refuse(1, known
                            ? fmt::format("{} stands inside a thread block", quoted_word(line))
                            : fmt::format("{} follows the {} instructions that \"insts =\" names", quoted_word(line), instructions_named_));
    }
  }

  void name_block(Words& words) {
    if (named_) words.refuse("the thread block is named twice");
    block_.index = parse_dim3(words, "the thread block", UINT32_MAX);
    for (std::size_t i = 0; i < 3; ++i) {
      if (block_.index[i] >= header_.grid[i]) {
        words.refuse(fmt::format("block ({},{},{}) lies outside of the grid ({},{},{})", block_.index[0], block_.index[1], block_.index[2],
                                 header_.grid[0], header_.grid[1], header_.grid[2]));
      }
    }
    block_.linear = header_.linear(block_.index);
    if (std::int64_t{block_.linear} <= last_block_) {
      words.refuse("this block stands behind a later one or twice; blocks must ascend (x fastest), as post-traces-processing writes them");
    }
    last_block_ = block_.linear;
    named_ = true;
    begun_ = false;
  }

  /// Cluster lines follow the block's; it begins with its first warp or at its end.
  void begin_block_once() {
    if (!named_) reader_.refuse(1, "the thread block has no \"thread block = x,y,z\"");
    if (!begun_) handler_.begin_block(block_);
    begun_ = true;
  }

  void begin_warp(Words& words) {
    end_warp();
    const auto warp = static_cast<std::int64_t>(words.decimal("the warp", header_.warps() - 1));
    if (warp <= last_warp_) words.refuse(fmt::format("warp {} stands behind warp {}; warps must ascend", warp, last_warp_));
    begin_block_once();
    last_warp_ = warp;
    instructions_named_ = 0;
    handler_.begin_warp(static_cast<std::uint32_t>(warp));
  }

  void end_warp() {
    if (instructions_left_ == 0) return;
    reader_.refuse(1, fmt::format("warp {} has {} instructions, not the {} that \"insts =\" names", last_warp_,
                                  instructions_named_ - instructions_left_, instructions_named_));
  }

  LineReader& reader_;
  const AccelsimHeader& header_;
  AccelsimHandler& handler_;
  AccelsimInstruction instruction_;
  AccelsimBlock block_;
  bool in_block_ = false, named_ = false, begun_ = false;
  std::int64_t last_block_ = -1, last_warp_ = -1;
  std::uint64_t instructions_left_ = 0, instructions_named_ = 0;
};

}  // namespace

void read_traceg_blocks(LineReader& reader, const AccelsimHeader& header, AccelsimHandler& handler) {
  TracegReader(reader, header, handler).read();
}

}  // namespace rooftrace
