#include "traces/capture/kernels/prefill.hpp"

#include "traces/capture/cases.hpp"

namespace rooftrace::capture {
namespace {

constexpr std::uint64_t kPrefillQuerySeed = 9;
constexpr std::uint64_t kPrefillKeySeed = 10;
constexpr std::uint64_t kPrefillValueSeed = 11;

class Prefill : public Case {
 public:
  explicit Prefill(const Sizes& sizes)
      : batch_(static_cast<unsigned>(sizes.at("batch"))),
        q_heads_(static_cast<unsigned>(sizes.at("q_heads"))),
        kv_heads_(static_cast<unsigned>(sizes.at("kv_heads"))),
        tokens_(static_cast<unsigned>(sizes.at("tokens"))) {
    require(batch_ > 0 && batch_ < 65536 && q_heads_ > 0 && q_heads_ < 65536, "prefill: batch and q_heads: 1 to 65535");
    require(kv_heads_ > 0 && q_heads_ % kv_heads_ == 0, "prefill: kv_heads must divide q_heads");
    require(tokens_ > 0 && sizes.at("tokens") < (1U << 24), "prefill: tokens: 1 to 16777215");
  }
  void prepare(Device& device, unsigned copies) override {
    const std::uint64_t matrix = std::uint64_t{tokens_} * kPrefillHead;
    for (unsigned i = 0; i < copies; ++i) {
      const std::string number = std::to_string(i);
      q_.push_back(device.allocate_random("q" + number, batch_ * q_heads_ * matrix, kPrefillQuerySeed));
      keys_.push_back(device.allocate_random("keys" + number, batch_ * kv_heads_ * matrix, kPrefillKeySeed));
      values_.push_back(device.allocate_random("values" + number, batch_ * kv_heads_ * matrix, kPrefillValueSeed));
      out_.push_back(device.allocate<Bf16>("out" + number, batch_ * q_heads_ * matrix));
    }
  }
  void launch(Device& device, unsigned copy) override {
    const unsigned tiles = (tokens_ + kPrefillTile - 1) / kPrefillTile;
    const LaunchShape shape{"prefill", tiles, q_heads_, batch_, kPrefillThreads, kPrefillShared};
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(kPrefillHead)) / std::log(2.0));
    device.launch(shape, prefill<NoTrace>, prefill<WarpTrace>, q_[copy], keys_[copy], values_[copy], out_[copy], tokens_, q_heads_,
                  kv_heads_, scale);
  }
  double error(Device& device) override {
    RelativeError error;
    const std::uint64_t rows = std::uint64_t{batch_} * q_heads_ * tokens_;
    const std::uint64_t sample =
        std::min<std::uint64_t>(rows, std::max<std::uint64_t>(16, (1U << 23) / (std::uint64_t{tokens_} * kPrefillHead)));
    for (std::uint64_t i = 0; i < sample; ++i) check_row(device, (i * 2 + 1) * rows / (sample * 2), error);
    return error.value();
  }
  Cost cost() const override {
    const std::uint64_t rows = std::uint64_t{batch_} * q_heads_ * tokens_;
    const std::uint64_t row_bytes = kPrefillHead * 2;
    return {rows * (tokens_ + 1) / 2 * kPrefillHead * 4, (rows + 2ULL * batch_ * kv_heads_ * tokens_) * row_bytes, rows * row_bytes};
  }

 private:
  void check_row(Device& device, std::uint64_t row, RelativeError& error) const {
    const std::uint64_t head = row / tokens_;
    const auto query = static_cast<unsigned>(row % tokens_);
    const std::uint64_t kv = head / q_heads_ * kv_heads_ + head % q_heads_ / (q_heads_ / kv_heads_);
    std::vector<double> score(query + 1);
    double top = -1e300;
    for (unsigned t = 0; t <= query; ++t) {
      double dot = 0;
      const std::uint64_t key = (kv * tokens_ + t) * kPrefillHead;
      for (unsigned d = 0; d < kPrefillHead; ++d)
        dot += double{random_bf16(kPrefillQuerySeed, row * kPrefillHead + d)} * random_bf16(kPrefillKeySeed, key + d);
      score[t] = dot / std::sqrt(static_cast<double>(kPrefillHead));
      top = std::max(top, score[t]);
    }
    double total = 0;
    std::vector<double> want(kPrefillHead, 0);
    for (unsigned t = 0; t <= query; ++t) {
      const double weight = std::exp(score[t] - top);
      total += weight;
      for (unsigned d = 0; d < kPrefillHead; ++d) want[d] += weight * random_bf16(kPrefillValueSeed, (kv * tokens_ + t) * kPrefillHead + d);
    }
    const std::vector<Bf16> got = device.download(out_[0] + row * kPrefillHead, kPrefillHead);
    for (unsigned d = 0; d < kPrefillHead; ++d) error.add(to_float(got[d]), want[d] / total);
  }

  unsigned batch_;
  unsigned q_heads_;
  unsigned kv_heads_;
  unsigned tokens_;
  std::vector<Bf16*> q_;
  std::vector<Bf16*> keys_;
  std::vector<Bf16*> values_;
  std::vector<Bf16*> out_;
};

}  // namespace

CaseKind prefill_case() {
  return {"prefill",
          "causal attention of a whole prompt, online softmax",
          {{"batch", 1}, {"q_heads", 2}, {"kv_heads", 1}, {"tokens", 100}},
          [](const Sizes& s) { return std::make_unique<Prefill>(s); }};
}

}  // namespace rooftrace::capture
