// TensorMap: pages are handed out in order; a tensor of zero bytes still gets one page, so that its address is its own.
#include "traces/tensor_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace rooftrace {
namespace {

constexpr std::uint64_t kAddressSpace = 1ULL << kAddressBits;

void refuse_if_beyond(std::uint64_t pages) {
  if (pages <= kAddressSpace / kPageBytes) return;
  throw std::invalid_argument(fmt::format("the tensors need {:.1f} TiB of addresses, more than the {} TiB that a trace can name",
                                          static_cast<double>(pages) * static_cast<double>(kPageBytes) / static_cast<double>(1ULL << 40),
                                          kAddressSpace >> 40));
}

std::uint64_t take(std::vector<TensorRole>& pages, std::uint64_t bytes, TensorRole role) {
  const std::uint64_t first = pages.size();
  const std::uint64_t count = std::max<std::uint64_t>(1, bytes / kPageBytes + (bytes % kPageBytes != 0 ? 1 : 0));
  refuse_if_beyond(first + count);  // before the vector grows: absurd sizes must not eat the host's memory
  pages.resize(first + count, role);
  return first * kPageBytes;
}

}  // namespace

std::uint64_t TensorMap::allocate(std::uint64_t bytes, TensorRole role) {
  if (placed_) throw std::logic_error("TensorMap: the front area is closed");
  return take(front_, bytes, role);
}

std::uint64_t TensorMap::allocate_in_layer(std::uint64_t bytes, TensorRole role) {
  if (placed_) throw std::logic_error("TensorMap: the arenas are closed");
  return take(arena_, bytes, role);
}

void TensorMap::place_layers(std::uint32_t layers) {
  if (placed_) throw std::logic_error("TensorMap: layers are placed already");
  const std::uint64_t pages_per_frame = kFrameBytes / kPageBytes;
  const std::uint64_t frames = std::max<std::uint64_t>(1, (arena_.size() + pages_per_frame - 1) / pages_per_frame);
  refuse_if_beyond(front_.size() + layers * frames * pages_per_frame);
  stride_ = frames * kFrameBytes;
  layers_ = layers;
  placed_ = true;
}

std::uint64_t TensorMap::address(std::uint64_t offset, std::uint32_t layer) const {
  if (!placed_ || layer >= layers_) throw std::logic_error("TensorMap: no such layer");
  return front_.size() * kPageBytes + layer * stride_ + offset;
}

void TensorMap::describe(Trace& trace) const {
  const std::uint64_t stride_pages = stride_ / kPageBytes;
  trace.layer_stride = stride_;
  trace.layers_begin = front_.size() * kPageBytes;
  trace.layers_end = trace.layers_begin + layers_ * stride_;
  trace.address_end = trace.layers_end;
  trace.page_role.assign(front_.size() + layers_ * stride_pages, TensorRole::activations);
  std::copy(front_.begin(), front_.end(), trace.page_role.begin());
  for (std::uint64_t layer = 0; layer < layers_; ++layer) {
    std::copy(arena_.begin(), arena_.end(), trace.page_role.begin() + static_cast<std::ptrdiff_t>(front_.size() + layer * stride_pages));
  }
}

}  // namespace rooftrace
