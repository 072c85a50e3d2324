// Tensors of a profile as the generators of traces/ want them, with the bounds that keep absurd shapes from becoming absurd work.
//
// All of it throws std::invalid_argument for what is no tensor, or none that a GPU could hold; the lowering then calls the operator
// unknown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "traces/copy.hpp"
#include "traces/import/kineto_lowering.hpp"

namespace rooftrace::kineto {

inline constexpr std::uint64_t kMostElements = 1ULL << 33;  // Of one tensor: 16 GiB in 16 bit.
inline constexpr std::uint64_t kMostMoved = 1ULL << 38;     // Bytes of a copy or fill: 256 GiB.
inline constexpr std::uint64_t kMostSide = 1ULL << 31;
inline constexpr std::uint64_t kMostSequences = 1 << 16;

/// A tensor as rows of its last dimension. Throws std::invalid_argument when it is none.
struct KinetoShape {
  std::uint64_t rows = 1, cols = 1;
  DataType type = DataType::bf16;
  [[nodiscard]] std::uint64_t elements() const { return rows * cols; }
  [[nodiscard]] std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(static_cast<double>(elements()) * bytes_per_element(type));
  }
};

inline KinetoShape shape_of(const KinetoTensor& tensor) {
  const auto type = kineto_data_type(tensor.type);
  if (tensor.dims.empty() || !type) throw std::invalid_argument("no tensor, or of an unknown type");
  KinetoShape shape;
  shape.type = *type;
  std::uint64_t all = 1;
  for (std::size_t i = 0; i < tensor.dims.size(); ++i) {
    const std::int64_t side = tensor.dims[i];
    if (side <= 0 || static_cast<std::uint64_t>(side) > kMostSide) throw std::invalid_argument("an empty or absurd tensor");
    all *= static_cast<std::uint64_t>(side);
    if (all > kMostElements) throw std::invalid_argument("an absurd tensor");
  }
  shape.cols = static_cast<std::uint64_t>(tensor.dims.back());
  shape.rows = all / shape.cols;
  return shape;
}

inline KinetoShape input_shape(const KinetoOperator& op, std::size_t i) {
  if (i >= op.inputs.size()) throw std::invalid_argument("an input is missing");
  return shape_of(op.inputs[i]);
}

inline std::uint64_t side(const KinetoOperator& op, std::size_t i, std::size_t from_end) {
  const auto& dims = op.inputs.at(i).dims;
  if (dims.size() <= from_end) throw std::invalid_argument("too few dimensions");
  return static_cast<std::uint64_t>(dims[dims.size() - 1 - from_end]);
}

inline Matrix matrix(std::uint64_t address, std::uint64_t rows, std::uint64_t cols, DataType type, TensorRole role, bool produced) {
  Matrix m;
  m.address = address;
  m.rows = rows;
  m.cols = cols;
  m.type = type;
  m.role = role;
  m.produced = produced;
  m.pitch = m.row_bytes();
  return m;
}

inline Matrix matrix(std::uint64_t address, const KinetoShape& shape, TensorRole role, bool produced) {
  return matrix(address, shape.rows, shape.cols, shape.type, role, produced);
}

inline ByteRange range(std::uint64_t address, std::uint64_t bytes, Home home = Home::local) {
  ByteRange r;
  r.address = address;
  r.bytes = bytes;
  r.home = home;
  return r;
}

/// The product of two sides of a result that no input has; refused like an absurd input.
[[nodiscard]] inline std::uint64_t result_elements(std::uint64_t rows, std::uint64_t cols) {
  if (rows == 0 || cols == 0 || rows > kMostElements / cols) throw std::invalid_argument("an absurd result");
  return rows * cols;
}

}  // namespace rooftrace::kineto
