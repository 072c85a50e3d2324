// A rectangle of a matrix as one access: what every kernel family does in fill(), written once and cheap.
//
// Promise: appends at most one access; nothing for an empty rectangle; rows that happen to lie back to back become one long run. Bit widths
// are resolved when the operand is made, so fill() touches no floating point. Not modeled: how threads split a rectangle.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/access.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

/// One run of bytes with the role, hint and home of a matrix.
[[nodiscard]] inline Access run_access(std::uint64_t address, std::uint64_t bytes, AccessOp op, const Matrix& like) {
  Access access;
  access.address = address;
  access.row_bytes = static_cast<std::uint32_t>(bytes);
  access.op = op;
  access.hint = like.hint;
  access.role = like.role;
  access.home = like.home;
  return access;
}

class TileOperand {
 public:
  TileOperand() = default;
  TileOperand(const Matrix& matrix, AccessOp op)
      : address_(matrix.address),
        pitch_(matrix.pitch),
        bits_(static_cast<std::uint32_t>(bytes_per_element(matrix.type) * 8)),
        op_(op),
        hint_(matrix.hint),
        role_(matrix.role),
        home_(matrix.home) {}

  /// Rows [row, row + rows) x columns [col, col + cols), in elements. `multicast` as in Access.
  void push(std::vector<Access>& out, std::uint64_t row, std::uint64_t rows, std::uint64_t col, std::uint64_t cols,
            std::uint32_t multicast = 1) const {
    if (rows == 0 || cols == 0) return;
    push_strided(out, address_ + row * pitch_ + col * bits_ / 8, pitch_, rows, (cols * bits_ + 7) / 8, multicast);
  }

  /// `rows` runs of `run` bytes whose starts lie `pitch` apart; for rectangles that skip rows of the matrix.
  void push_strided(std::vector<Access>& out, std::uint64_t address, std::uint64_t pitch, std::uint64_t rows, std::uint64_t run,
                    std::uint32_t multicast = 1) const {
    if (rows > 1 && pitch == run && rows * run <= UINT32_MAX) {
      run *= rows;
      rows = 1;
    }
    Access& access = out.emplace_back();
    access.address = address;
    access.pitch = rows > 1 ? pitch : run;
    access.rows = static_cast<std::uint32_t>(rows);
    access.row_bytes = static_cast<std::uint32_t>(run);
    access.op = op_;
    access.hint = hint_;
    access.role = role_;
    access.home = home_;
    access.multicast = static_cast<std::uint8_t>(multicast);
  }

  [[nodiscard]] std::uint64_t address_of(std::uint64_t row, std::uint64_t col) const { return address_ + row * pitch_ + col * bits_ / 8; }
  [[nodiscard]] std::uint64_t pitch() const { return pitch_; }
  [[nodiscard]] std::uint64_t run_bytes(std::uint64_t cols) const { return (cols * bits_ + 7) / 8; }

 private:
  std::uint64_t address_ = 0;
  std::uint64_t pitch_ = 0;
  std::uint32_t bits_ = 16;
  AccessOp op_ = AccessOp::load;
  CacheHint hint_ = CacheHint::normal;
  TensorRole role_ = TensorRole::activations;
  Home home_ = Home::local;
};

[[nodiscard]] inline Footprint read_footprint(const Matrix& matrix) {
  return {matrix.role, matrix.home, matrix.bytes(), 0, matrix.produced};
}
[[nodiscard]] inline Footprint write_footprint(const Matrix& matrix) {
  return {matrix.role, matrix.home, 0, matrix.bytes(), matrix.produced};
}

}  // namespace rooftrace
