#include "traces/capture/kernels/rms_norm.hpp"

#include "traces/capture/cases.hpp"

namespace rooftrace::capture {
namespace {

constexpr float kNormEpsilon = 1e-5F;

class RmsNorm : public Case {
 public:
  explicit RmsNorm(const Sizes& sizes) : rows_(sizes.at("rows")), cols_(static_cast<unsigned>(sizes.at("cols"))) {
    require(cols_ % 8 == 0 && cols_ > 0 && sizes.at("cols") <= 8192, "rms_norm: cols must be a multiple of 8, at most 8192");
    require(rows_ > 0 && rows_ < (1U << 31), "rms_norm: rows: 1 to 2147483647");
  }
  void prepare(Device& device, unsigned copies) override {
    weight_ = device.allocate_random("weight", cols_, 2);
    for (unsigned i = 0; i < copies; ++i) {
      x_.push_back(device.allocate_random("x" + std::to_string(i), rows_ * cols_, 1));
      y_.push_back(device.allocate<Bf16>("y" + std::to_string(i), rows_ * cols_));
    }
  }
  void launch(Device& device, unsigned copy) override {
    const LaunchShape shape{"rms_norm", static_cast<unsigned>(rows_), 1, 1, kNormThreads, kNormShared};
    device.launch(shape, rms_norm<NoTrace>, rms_norm<WarpTrace>, x_[copy], weight_, y_[copy], cols_, kNormEpsilon);
  }
  double error(Device& device) override {
    RelativeError error;
    const std::uint64_t step = rows_ / 64 + 1;
    for (std::uint64_t row = 0; row < rows_; row += step) {
      const std::vector<Bf16> got = device.download(y_[0] + row * cols_, cols_);
      double sum = 0;
      for (unsigned c = 0; c < cols_; ++c) sum += std::pow(random_bf16(1, row * cols_ + c), 2);
      const double scale = 1 / std::sqrt(sum / cols_ + kNormEpsilon);
      for (unsigned c = 0; c < cols_; ++c) error.add(to_float(got[c]), random_bf16(1, row * cols_ + c) * scale * random_bf16(2, c));
    }
    return error.value();
  }
  Cost cost() const override { return {4 * rows_ * cols_, rows_ * cols_ * 2 + cols_ * 2, rows_ * cols_ * 2}; }

 private:
  std::uint64_t rows_;
  unsigned cols_;
  std::vector<Bf16*> x_;
  std::vector<Bf16*> y_;
  Bf16* weight_ = nullptr;
};

}  // namespace

CaseKind rms_norm_case() {
  return {
      "rms_norm", "RMSNorm, one block per row", {{"rows", 8}, {"cols", 1024}}, [](const Sizes& s) { return std::make_unique<RmsNorm>(s); }};
}

}  // namespace rooftrace::capture
