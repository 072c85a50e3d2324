#include "traces/capture/kernels/swiglu.hpp"

#include "traces/capture/cases.hpp"

namespace rooftrace::capture {
namespace {

class SwiGlu : public Case {
 public:
  SwiGlu(const Sizes& sizes, bool fused) : rows_(sizes.at("rows")), cols_(static_cast<unsigned>(sizes.at("cols"))), fused_(fused) {
    require(cols_ % 8 == 0 && cols_ > 0 && sizes.at("cols") < (1U << 20), "swiglu: cols must be a multiple of 8, below 1048576");
    require(rows_ > 0 && rows_ * cols_ < (std::uint64_t{1} << 40), "swiglu: rows must be 1 or more, rows x cols below 2^40");
  }
  void prepare(Device& device, unsigned copies) override {
    for (unsigned i = 0; i < copies; ++i) {
      gate_up_.push_back(device.allocate_random("gate_up" + std::to_string(i), rows_ * cols_ * 2, 3));
      if (!fused_) activated_.push_back(device.allocate<Bf16>("activated" + std::to_string(i), rows_ * cols_));
      out_.push_back(device.allocate<Bf16>("out" + std::to_string(i), rows_ * cols_));
    }
  }
  void launch(Device& device, unsigned copy) override {
    const std::uint64_t each = kGluThreads * 8;
    LaunchShape shape{"swiglu", static_cast<unsigned>((rows_ * cols_ + each - 1) / each), 1, 1, kGluThreads, 0};
    if (fused_) {
      device.launch(shape, swiglu<NoTrace>, swiglu<WarpTrace>, gate_up_[copy], out_[copy], rows_, cols_);
      return;
    }
    shape.name = "silu";
    device.launch(shape, silu<NoTrace>, silu<WarpTrace>, gate_up_[copy], activated_[copy], rows_, cols_);
    shape.name = "multiply";
    device.launch(shape, multiply<NoTrace>, multiply<WarpTrace>, gate_up_[copy], activated_[copy], out_[copy], rows_, cols_);
  }
  double error(Device& device) override {
    RelativeError error;
    const std::uint64_t step = rows_ / 64 + 1;
    for (std::uint64_t row = 0; row < rows_; row += step) {
      const std::vector<Bf16> got = device.download(out_[0] + row * cols_, cols_);
      for (unsigned c = 0; c < cols_; ++c) {
        const double gate = random_bf16(3, row * 2 * cols_ + c);
        error.add(to_float(got[c]), gate / (1 + std::exp(-gate)) * random_bf16(3, row * 2 * cols_ + cols_ + c));
      }
    }
    return error.value();
  }
  Cost cost() const override { return {5 * rows_ * cols_, rows_ * cols_ * 4, rows_ * cols_ * 2}; }

 private:
  std::uint64_t rows_;
  unsigned cols_;
  bool fused_;
  std::vector<Bf16*> gate_up_;
  std::vector<Bf16*> activated_;
  std::vector<Bf16*> out_;
};

}  // namespace

CaseKind swiglu_fused_case() {
  return {"swiglu_fused", "silu(gate) x up in one kernel", {{"rows", 16}, {"cols", 1024}}, [](const Sizes& s) {
            return std::make_unique<SwiGlu>(s, true);
          }};
}

CaseKind swiglu_unfused_case() {
  return {"swiglu_unfused", "silu(gate), then x up: two kernels", {{"rows", 16}, {"cols", 1024}}, [](const Sizes& s) {
            return std::make_unique<SwiGlu>(s, false);
          }};
}

}  // namespace rooftrace::capture
