// Address allocation: which 2 MiB pages belong to which tensor.
//
// A front area (shared by all layers: embedding, activations, tables, workspaces, staging) starts at the second page, so that address 0
// means "no tensor"; behind it lie the arenas of the layers, all alike, layer_stride (a multiple of kFrameBytes) apart. Promises: tensors
// never share a page; the same calls give the same addresses; nothing at or above 2^kAddressBits. Not modeled: physical placement, freeing.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/access.hpp"
#include "sim/core/kernel.hpp"

namespace rooftrace {

class TensorMap {
 public:
  /// First byte of a tensor in the front area. Only before place_layers.
  [[nodiscard]] std::uint64_t allocate(std::uint64_t bytes, TensorRole role);
  /// Offset of a tensor inside every layer's arena. Only before place_layers.
  [[nodiscard]] std::uint64_t allocate_in_layer(std::uint64_t bytes, TensorRole role);
  /// Fixes where the arenas lie. std::invalid_argument when they do not fit the address space.
  void place_layers(std::uint32_t layers);
  /// Address in layer `layer`'s arena; only after place_layers.
  [[nodiscard]] std::uint64_t address(std::uint64_t offset, std::uint32_t layer) const;

  [[nodiscard]] std::uint64_t layer_stride() const { return stride_; }
  /// Fills page_role, address_end, layers_begin, layers_end and layer_stride of a trace.
  void describe(Trace& trace) const;

 private:
  std::vector<TensorRole> front_{TensorRole::activations};  ///< Role of each page; page 0 stays empty.
  std::vector<TensorRole> arena_;
  std::uint64_t stride_ = 0;
  std::uint32_t layers_ = 0;
  bool placed_ = false;
};

}  // namespace rooftrace
