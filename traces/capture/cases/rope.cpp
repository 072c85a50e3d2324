#include "traces/capture/kernels/rope.hpp"

#include "traces/capture/cases.hpp"

namespace rooftrace::capture {
namespace {

constexpr unsigned kRopePositions = 4096;
constexpr double kRopeTheta = 500000;  // Llama 3's.

class Rope : public Case {
 public:
  explicit Rope(const Sizes& sizes) : tokens_(sizes.at("tokens")), heads_(static_cast<unsigned>(sizes.at("heads"))) {
    require(tokens_ > 0 && heads_ > 0 && tokens_ * heads_ < (std::uint64_t{1} << 32), "rope: tokens and heads must be 1 or more");
  }
  void prepare(Device& device, unsigned copies) override {
    std::vector<float> cosines;
    std::vector<float> sines;
    for (unsigned position = 0; position < kRopePositions; ++position) {
      for (unsigned i = 0; i < kRopeHead / 2; ++i) {
        cosines.push_back(static_cast<float>(std::cos(angle(position, i))));
        sines.push_back(static_cast<float>(std::sin(angle(position, i))));
      }
    }
    std::vector<unsigned> positions(tokens_);
    for (std::uint64_t t = 0; t < tokens_; ++t) positions[t] = position_of(t);
    cosines_ = device.allocate("cosines", cosines);
    sines_ = device.allocate("sines", sines);
    positions_ = device.allocate("positions", positions);
    for (unsigned i = 0; i < copies; ++i) {
      q_.push_back(device.allocate_random("q" + std::to_string(i), tokens_ * heads_ * kRopeHead, 4));
    }
  }
  void launch(Device& device, unsigned copy) override {
    constexpr unsigned warps = kRopeThreads / kLanes;
    const LaunchShape shape{"rope", static_cast<unsigned>((tokens_ * heads_ + warps - 1) / warps), 1, 1, kRopeThreads, 0};
    device.launch(shape, rope<NoTrace>, rope<WarpTrace>, q_[copy], cosines_, sines_, positions_, tokens_, heads_);
  }
  double error(Device& device) override {
    RelativeError error;
    const std::uint64_t step = tokens_ * heads_ / 256 + 1;
    for (std::uint64_t row = 0; row < tokens_ * heads_; row += step) {
      const std::vector<Bf16> got = device.download(q_[0] + row * kRopeHead, kRopeHead);
      for (unsigned i = 0; i < kRopeHead / 2; ++i) {
        const double a = random_bf16(4, row * kRopeHead + i);
        const double b = random_bf16(4, row * kRopeHead + kRopeHead / 2 + i);
        const double turn = angle(position_of(row / heads_), i);
        error.add(to_float(got[i]), a * std::cos(turn) - b * std::sin(turn));
        error.add(to_float(got[kRopeHead / 2 + i]), b * std::cos(turn) + a * std::sin(turn));
      }
    }
    return error.value();
  }
  Cost cost() const override {
    const std::uint64_t data = tokens_ * heads_ * kRopeHead * 2;
    return {3 * tokens_ * heads_ * kRopeHead, data + std::min<std::uint64_t>(tokens_, kRopePositions) * kRopeHead * 4 + tokens_ * 4, data};
  }

 private:
  static double angle(unsigned position, unsigned i) { return position * std::pow(kRopeTheta, -2.0 * i / kRopeHead); }
  static unsigned position_of(std::uint64_t token) { return static_cast<unsigned>(token % kRopePositions); }

  std::uint64_t tokens_;
  unsigned heads_;
  std::vector<Bf16*> q_;
  float* cosines_ = nullptr;
  float* sines_ = nullptr;
  unsigned* positions_ = nullptr;
};

}  // namespace

CaseKind rope_case() {
  return {"rope", "rotary embedding, in place", {{"tokens", 5}, {"heads", 6}}, [](const Sizes& s) { return std::make_unique<Rope>(s); }};
}

}  // namespace rooftrace::capture
