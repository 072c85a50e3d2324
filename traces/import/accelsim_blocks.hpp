// The blocks of one kernel's trace, handed over instruction by instruction, from text (.traceg, .traceg.xz) or from a .tracez file.
//
// Calls: begin_block, then for each warp begin_warp and its instructions in program order, then end_block; blocks by ascending linear
// index. Text must have that order (the tracer's post-processing writes it); a .tracez is read through its index. Memory: one line and, for
// .tracez, the index, which is as long as in the file. Wrong counts, missing ends and damage are UserErrors with their place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "traces/import/accelsim_header.hpp"
#include "traces/import/accelsim_instruction.hpp"
#include "traces/import/seekable.hpp"

namespace rooftrace {

struct AccelsimBlock {
  Dim3 index{};
  std::uint32_t linear = 0;
  std::uint32_t cluster_rank = 0;
};

class AccelsimHandler {
 public:
  virtual ~AccelsimHandler() = default;
  virtual void begin_block(const AccelsimBlock& block) = 0;
  virtual void begin_warp(std::uint32_t warp) = 0;
  virtual void instruction(const AccelsimInstruction& instruction, const LineReader& reader) = 0;
  virtual void end_block() = 0;
};

/// After read_accelsim_header on the same reader.
void read_traceg_blocks(LineReader& reader, const AccelsimHeader& header, AccelsimHandler& handler);

/// A .tracez file: head, dictionary and index are read by the constructor.
class TracezFile {
 public:
  explicit TracezFile(std::unique_ptr<Seekable> file);
  ~TracezFile();
  TracezFile(const TracezFile&) = delete;
  TracezFile& operator=(const TracezFile&) = delete;

  [[nodiscard]] const AccelsimHeader& header() const { return header_; }
  void read_blocks(AccelsimHandler& handler);

 private:
  struct Index;
  std::unique_ptr<Seekable> file_;
  AccelsimHeader header_;
  std::unique_ptr<Index> index_;
};

}  // namespace rooftrace
