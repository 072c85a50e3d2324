#include "traces/capture/kernels/moe_gemm.hpp"

#include "traces/capture/cases.hpp"

namespace rooftrace::capture {
namespace {

constexpr std::uint64_t kMoeTokenSeed = 14;
constexpr std::uint64_t kMoeWeightSeed = 15;

class MoeGemm : public Case {
 public:
  explicit MoeGemm(const Sizes& sizes)
      : tokens_(static_cast<unsigned>(sizes.at("tokens"))),
        experts_(static_cast<unsigned>(sizes.at("experts"))),
        top_k_(static_cast<unsigned>(sizes.at("top_k"))),
        n_(static_cast<unsigned>(sizes.at("n"))),
        k_(static_cast<unsigned>(sizes.at("k"))),
        group_(static_cast<unsigned>(sizes.at("group"))) {
    require(tokens_ > 0 && tokens_ < (1U << 20) && experts_ > 0 && experts_ < 4096, "moe_gemm: tokens below 1048576, experts below 4096");
    require(top_k_ > 0 && top_k_ <= experts_, "moe_gemm: top_k: 1 to experts");
    require(n_ > 0 && n_ % 8 == 0 && k_ > 0 && k_ % 64 == 0, "moe_gemm: n must be a multiple of 8 and k of 64");
    require(group_ > 0, "moe_gemm: group must be 1 or more");
    route();
  }
  void prepare(Device& device, unsigned copies) override {
    slot_token_device_ = device.allocate("slot_token", slot_token_);
    tile_expert_device_ = device.allocate("tile_expert", tile_expert_);
    tile_used_device_ = device.allocate("tile_rows_used", tile_used_);
    for (unsigned i = 0; i < copies; ++i) {
      const std::string number = std::to_string(i);
      x_.push_back(device.allocate_random("tokens" + number, std::uint64_t{tokens_} * k_, kMoeTokenSeed));
      weights_.push_back(device.allocate_random("weights" + number, std::uint64_t{experts_} * n_ * k_, kMoeWeightSeed));
      out_.push_back(device.allocate<Bf16>("out" + number, slot_token_.size() * n_));
    }
  }
  void launch(Device& device, unsigned copy) override {
    const auto tiles = static_cast<unsigned>(tile_expert_.size());
    const LaunchShape shape{"moe_gemm", tiles * ((n_ + kTileN - 1) / kTileN), 1, 1, kTileThreads, tile_shared_bytes(kMoeTiles)};
    device.launch(shape, moe_gemm<NoTrace>, moe_gemm<WarpTrace>, x_[copy], weights_[copy], out_[copy], slot_token_device_,
                  tile_expert_device_, tile_used_device_, tiles, n_, k_, group_);
  }
  double error(Device& device) override {
    RelativeError error;
    const std::size_t step = slot_token_.size() / 128 + 1;
    const unsigned column_step = n_ / 64 + 1;
    for (std::size_t slot = 0; slot < slot_token_.size(); slot += step) {
      if (slot_token_[slot] == kEmptySlot) continue;
      const std::vector<Bf16> got = device.download(out_[0] + slot * n_, n_);
      const std::uint64_t weight = std::uint64_t{tile_expert_[slot / kMoeM]} * n_ * k_;
      for (auto column = static_cast<unsigned>(slot % column_step); column < n_; column += column_step) {
        double want = 0;
        for (unsigned i = 0; i < k_; ++i) {
          want += double{random_bf16(kMoeTokenSeed, std::uint64_t{slot_token_[slot]} * k_ + i)} *
                  random_bf16(kMoeWeightSeed, weight + std::uint64_t{column} * k_ + i);
        }
        error.add(to_float(got[column]), want);
      }
    }
    return error.value();
  }
  Cost cost() const override {
    std::uint64_t used = 0;
    std::vector<bool> met(experts_, false);
    for (const unsigned expert : tile_expert_) {
      used += met[expert] ? 0 : 1;
      met[expert] = true;
    }
    const std::uint64_t rows = std::uint64_t{tokens_} * top_k_;
    return {2 * rows * n_ * k_, (tokens_ + used * n_) * k_ * 2, rows * n_ * 2};
  }

 private:
  /// Every token to top_k different experts, the first by hash; slots sorted by expert and padded to whole tiles.
  void route() {
    std::vector<std::vector<unsigned>> of_expert(experts_);
    for (unsigned token = 0; token < tokens_; ++token) {
      const auto first = static_cast<unsigned>((random_value(16, token) + 1) / 2 * static_cast<float>(experts_)) % experts_;
      for (unsigned j = 0; j < top_k_; ++j) of_expert[(first + j) % experts_].push_back(token);
    }
    for (unsigned expert = 0; expert < experts_; ++expert) {
      const std::vector<unsigned>& list = of_expert[expert];
      for (std::size_t first = 0; first < list.size(); first += kMoeM) {
        const auto used = static_cast<unsigned>(std::min<std::size_t>(kMoeM, list.size() - first));
        tile_expert_.push_back(expert);
        tile_used_.push_back(used);
        for (unsigned i = 0; i < kMoeM; ++i) slot_token_.push_back(i < used ? list[first + i] : kEmptySlot);
      }
    }
  }

  unsigned tokens_;
  unsigned experts_;
  unsigned top_k_;
  unsigned n_;
  unsigned k_;
  unsigned group_;
  std::vector<unsigned> slot_token_;
  std::vector<unsigned> tile_expert_;
  std::vector<unsigned> tile_used_;
  unsigned* slot_token_device_ = nullptr;
  unsigned* tile_expert_device_ = nullptr;
  unsigned* tile_used_device_ = nullptr;
  std::vector<Bf16*> x_;
  std::vector<Bf16*> weights_;
  std::vector<Bf16*> out_;
};

}  // namespace

CaseKind moe_gemm_case() {
  return {"moe_gemm",
          "grouped GEMM of a mixture of experts: cp.async, ldmatrix, mma.sync",
          {{"tokens", 20}, {"experts", 4}, {"top_k", 2}, {"n", 136}, {"k", 128}, {"group", 8}},
          [](const Sizes& s) { return std::make_unique<MoeGemm>(s); }};
}

}  // namespace rooftrace::capture
