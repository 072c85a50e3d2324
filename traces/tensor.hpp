// Where tensors live, and how they look to a kernel family.
//
// Tensors start on 2 MiB pages; the arenas of consecutive layers lie layer_stride (a multiple of kFrameBytes) apart, so each layer is the
// previous one plus an address shift. Activations are shared by all layers; weights and KV of a layer lie in its arena; the rest
// (embedding, LM head) in front.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/core/kernel.hpp"

namespace rooftrace {

/// A row-major matrix (or a vector: rows = 1) in some memory. Element (r, c) starts at address + r * pitch + c * element_bytes.
struct Matrix {
  std::uint64_t address = 0;
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::uint64_t pitch = 0;  ///< Bytes between rows; >= cols * element_bytes.
  DataType type = DataType::bf16;
  TensorRole role = TensorRole::activations;
  Home home = Home::local;
  bool produced = false;  ///< Made (or, if stored, consumed) inside the same stage; see Footprint.
  CacheHint hint = CacheHint::normal;

  [[nodiscard]] std::uint64_t row_bytes() const { return static_cast<std::uint64_t>(static_cast<double>(cols) * bytes_per_element(type)); }
  [[nodiscard]] std::uint64_t bytes() const { return rows * row_bytes(); }
};

}  // namespace rooftrace
