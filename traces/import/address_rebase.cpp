#include "traces/import/address_rebase.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "sim/core/error.hpp"
#include "sim/core/names.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kSpace = 1ULL << kAddressBits;
constexpr std::uint64_t kKeptBytes = 256;  // What cudaMalloc aligns to: a start keeps its place in such a piece.

std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}

}  // namespace

std::optional<TensorRole> role_of_name(const std::string& name) {
  std::string word;
  for (const char c : name) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (const auto role = tensor_role_from(word)) return role;
  struct Alias {
    const char* word;
    TensorRole role;
  };
  static constexpr std::array kAliases = {
      Alias{"k", TensorRole::kv},         Alias{"v", TensorRole::kv},           Alias{"key", TensorRole::kv},
      Alias{"value", TensorRole::kv},     Alias{"weight", TensorRole::weights}, Alias{"w", TensorRole::weights},
      Alias{"scale", TensorRole::scales}, Alias{"table", TensorRole::tables},   Alias{"block", TensorRole::tables},
  };
  for (const Alias& alias : kAliases) {
    if (word == alias.word) return alias.role;
  }
  return std::nullopt;
}

std::uint64_t AddressRebase::add_allocation(std::uint64_t base, std::uint64_t bytes, TensorRole role) {
  if (bytes == 0 || bytes > kSpace || base > UINT64_MAX - bytes) throw std::invalid_argument("an allocation of no or too many bytes");
  const auto after = allocations_.lower_bound(base);
  const bool hits_next = after != allocations_.end() && after->first < base + bytes;
  const bool hits_previous = after != allocations_.begin() && std::prev(after)->second.end > base;
  if (hits_next || hits_previous) throw std::invalid_argument("two allocations overlap");
  const std::uint64_t to = next_page_ + base % kKeptBytes;
  next_page_ = round_up(to + bytes, kPageBytes);
  if (next_page_ > kSpace) full();
  allocations_[base] = {base + bytes, to, role};
  return to;
}

void AddressRebase::remove_allocation(std::uint64_t base) {
  allocations_.erase(base);
}

void AddressRebase::full() const {
  throw UserError({file_}, fmt::format("its addresses need more than {} TiB", kSpace >> 40));
}

std::uint64_t AddressRebase::frame(std::uint64_t number) {
  if (number == last_frame_) return last_frame_to_;
  const auto [found, fresh] = frames_.try_emplace(number, 0);
  if (fresh) {
    found->second = round_up(next_page_, kFrameBytes);
    next_page_ = found->second + kFrameBytes;
    if (next_page_ > kSpace) full();
  }
  last_frame_ = number;
  last_frame_to_ = found->second;
  return found->second;
}

void AddressRebase::rebase(SectorRun run, std::vector<Place>& out) {
  while (run.sectors > 0) {
    // An allocation's sectors: from the one that holds its first byte to the one that holds its last.
    auto after = allocations_.upper_bound(run.address + (kSectorBytes - 1));
    std::uint64_t stop = UINT64_MAX;  // First address, of a sector, that this piece must not reach.
    if (after != allocations_.end()) stop = after->first / kSectorBytes * kSectorBytes;
    Place place;
    if (after != allocations_.begin() && std::prev(after)->second.end > run.address) {
      const auto& [base, allocation] = *std::prev(after);
      // An allocation that ends in the last sector of all ends at 2^64, which does not fit: one less serves as well.
      const bool last = allocation.end > UINT64_MAX / kSectorBytes * kSectorBytes;
      stop = std::min(stop, last ? UINT64_MAX : round_up(allocation.end, kSectorBytes));
      place.run.address = allocation.to / kSectorBytes * kSectorBytes + (run.address - base / kSectorBytes * kSectorBytes);
      place.role = allocation.role;
    } else {
      stop = std::min(stop, (run.address / kFrameBytes + 1) * kFrameBytes - 1);  // - 1: the highest frame ends at 2^64.
      place.run.address = frame(run.address / kFrameBytes) + run.address % kFrameBytes;
    }
    const std::uint64_t fit = std::max<std::uint64_t>((stop - run.address + kSectorBytes - 1) / kSectorBytes, 1);
    place.run.sectors = std::min(run.sectors, fit);
    out.push_back(place);
    run.address += place.run.sectors * kSectorBytes;
    run.sectors -= place.run.sectors;
  }
}

}  // namespace rooftrace
