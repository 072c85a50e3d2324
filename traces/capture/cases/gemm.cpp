#include "traces/capture/cases.hpp"
#include "traces/capture/kernels/gemm_mma.hpp"
#include "traces/capture/kernels/gemm_tma.hpp"

namespace rooftrace::capture {
namespace {

constexpr std::uint64_t kGemmSeedA = 12;
constexpr std::uint64_t kGemmSeedB = 13;

/// C[m, n] = A[m, k] x B[n, k]^T with either kernel.
class Gemm : public Case {
 public:
  Gemm(const Sizes& sizes, bool tma)
      : m_(static_cast<unsigned>(sizes.at("m"))),
        n_(static_cast<unsigned>(sizes.at("n"))),
        k_(static_cast<unsigned>(sizes.at("k"))),
        group_(static_cast<unsigned>(sizes.at("group"))),
        tma_(tma) {
    require(m_ > 0 && n_ > 0 && n_ % 8 == 0 && k_ > 0 && k_ % 64 == 0, "gemm: n must be a multiple of 8 and k of 64");
    require(std::max({sizes.at("m"), sizes.at("n"), sizes.at("k")}) < (1U << 24), "gemm: m, n and k below 16777216");
    require(group_ > 0, "gemm: group must be 1 or more");
  }
  void prepare(Device& device, unsigned copies) override {
    for (unsigned i = 0; i < copies; ++i) {
      const std::string number = std::to_string(i);
      a_.push_back(device.allocate_random("a" + number, std::uint64_t{m_} * k_, kGemmSeedA));
      b_.push_back(device.allocate_random("b" + number, std::uint64_t{n_} * k_, kGemmSeedB));
      c_.push_back(device.allocate<Bf16>("c" + number, std::uint64_t{m_} * n_));
      if (tma_) {
        map_a_.push_back(device.tensor_map(a_.back(), m_, k_, kGemmM));
        map_b_.push_back(device.tensor_map(b_.back(), n_, k_, kTileN));
      }
    }
  }
  void launch(Device& device, unsigned copy) override {
    const unsigned blocks = ((m_ + kGemmM - 1) / kGemmM) * ((n_ + kTileN - 1) / kTileN);
    if (tma_) {
      const LaunchShape shape{"gemm_tma", blocks, 1, 1, kTmaThreads, kTmaShared};
      device.launch(shape, gemm_tma<NoTrace>, gemm_tma<WarpTrace>, map_a_[copy], map_b_[copy], a_[copy], b_[copy], c_[copy], m_, n_, k_,
                    group_);
    } else {
      const LaunchShape shape{"gemm_mma", blocks, 1, 1, kTileThreads, tile_shared_bytes(kGemmTiles)};
      device.launch(shape, gemm_mma<NoTrace>, gemm_mma<WarpTrace>, a_[copy], b_[copy], c_[copy], m_, n_, k_, group_);
    }
  }
  double error(Device& device) override {
    RelativeError error;
    const unsigned row_step = m_ / 64 + 1;
    const unsigned column_step = n_ / 64 + 1;  // Sampled columns move from row to row, so that all are met.
    for (unsigned row = 0; row < m_; row += row_step) {
      const std::vector<Bf16> got = device.download(c_[0] + std::uint64_t{row} * n_, n_);
      for (unsigned column = row % column_step; column < n_; column += column_step) {
        double want = 0;
        for (unsigned i = 0; i < k_; ++i) {
          want += double{random_bf16(kGemmSeedA, std::uint64_t{row} * k_ + i)} * random_bf16(kGemmSeedB, std::uint64_t{column} * k_ + i);
        }
        error.add(to_float(got[column]), want);
      }
    }
    return error.value();
  }
  Cost cost() const override {
    const std::uint64_t m = m_;
    return {2 * m * n_ * k_, (m + n_) * k_ * 2, m * n_ * 2};
  }

 private:
  unsigned m_;
  unsigned n_;
  unsigned k_;
  unsigned group_;
  bool tma_;
  std::vector<Bf16*> a_;
  std::vector<Bf16*> b_;
  std::vector<Bf16*> c_;
  std::vector<TensorMap> map_a_;
  std::vector<TensorMap> map_b_;
};

const std::vector<std::pair<std::string, std::uint64_t>>& gemm_sizes() {
  static const std::vector<std::pair<std::string, std::uint64_t>> kSizes = {{"m", 200}, {"n", 136}, {"k", 320}, {"group", 8}};
  return kSizes;
}

}  // namespace

CaseKind gemm_mma_case() {
  return {"gemm_mma", "tiled GEMM: cp.async, ldmatrix, mma.sync", gemm_sizes(),
          [](const Sizes& s) { return std::make_unique<Gemm>(s, false); }};
}

CaseKind gemm_tma_case() {
  return {"gemm_tma", "tiled GEMM for sm_90a: TMA, mbarrier, wgmma", gemm_sizes(),
          [](const Sizes& s) { return std::make_unique<Gemm>(s, true); }};
}

}  // namespace rooftrace::capture
