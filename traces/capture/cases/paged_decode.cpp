#include "traces/capture/kernels/paged_decode.hpp"

#include "traces/capture/cases.hpp"

namespace rooftrace::capture {
namespace {

constexpr std::uint64_t kDecodeQuerySeed = 5;
constexpr std::uint64_t kDecodeKeySeed = 6;
constexpr std::uint64_t kDecodeValueSeed = 7;

class PagedDecode : public Case {
 public:
  explicit PagedDecode(const Sizes& sizes)
      : sequences_(static_cast<unsigned>(sizes.at("sequences"))),
        kv_heads_(static_cast<unsigned>(sizes.at("kv_heads"))),
        group_(static_cast<unsigned>(sizes.at("group"))),
        length_(static_cast<unsigned>(sizes.at("length"))),
        window_(static_cast<unsigned>(sizes.at("window"))),
        splits_(static_cast<unsigned>(sizes.at("splits"))),
        shuffled_(sizes.at("shuffled") != 0),
        ragged_(static_cast<unsigned>(sizes.at("ragged"))) {
    require(sequences_ > 0 && sequences_ < 65536 && kv_heads_ > 0 && kv_heads_ < 65536, "paged_decode: sequences and kv_heads: 1 to 65535");
    require(group_ == 4 || group_ == 8, "paged_decode: group must be 4 or 8");
    require(splits_ > 0 && window_ > 0 && length_ > 0, "paged_decode: splits, window and length must be 1 or more");
    require(length_ > std::uint64_t{ragged_} * (sequences_ - 1), "paged_decode: ragged leaves the last sequence without a token");
  }
  void prepare(Device& device, unsigned copies) override {
    const unsigned per_sequence = (length_ + kPageTokens - 1) / kPageTokens;
    const std::uint64_t pages = std::uint64_t{per_sequence} * sequences_;
    std::vector<unsigned> table(pages);
    for (std::uint64_t i = 0; i < pages; ++i) table[i] = static_cast<unsigned>(i);
    for (std::uint64_t i = pages; shuffled_ && i > 1; --i) {  // Fisher and Yates, from the hash.
      const auto other = static_cast<std::uint64_t>((random_value(8, i) + 1) / 2 * static_cast<float>(i));
      std::swap(table[i - 1], table[std::min(other, i - 1)]);
    }
    std::vector<unsigned> lengths(sequences_);
    for (unsigned s = 0; s < sequences_; ++s) lengths[s] = length_of(s);
    table_ = table;
    pitch_ = per_sequence;
    const std::uint64_t heads = std::uint64_t{sequences_} * kv_heads_ * group_;
    const std::uint64_t cache = pages * kPageTokens * kv_heads_ * kDecodeHead;
    unsigned* const device_table = device.allocate("block_table", table);
    unsigned* const device_lengths = device.allocate("lengths", lengths);
    q_ = device.allocate_random("q", heads * kDecodeHead, kDecodeQuerySeed);
    for (unsigned i = 0; i < copies; ++i) {
      const std::string number = std::to_string(i);
      PagedCache paged{device.allocate_random("keys" + number, cache, kDecodeKeySeed),
                       device.allocate_random("values" + number, cache, kDecodeValueSeed),
                       device_table,
                       device_lengths,
                       per_sequence,
                       kv_heads_};
      cache_.push_back(paged);
      sums_.push_back({device.allocate<float>("partial_sums" + number, heads * splits_ * kDecodeHead),
                       device.allocate<float>("partial_scale" + number, heads * splits_ * 2)});
      out_.push_back(device.allocate<Bf16>("out" + number, heads * kDecodeHead));
    }
  }
  void launch(Device& device, unsigned copy) override {
    const LaunchShape shape{"paged_decode", splits_, kv_heads_, sequences_, kDecodeThreads, decode_shared_bytes(group_)};
    if (group_ == 4) {
      device.launch(shape, paged_decode<4, NoTrace>, paged_decode<4, WarpTrace>, q_, cache_[copy], sums_[copy], window_, splits_, scale());
    } else {
      device.launch(shape, paged_decode<8, NoTrace>, paged_decode<8, WarpTrace>, q_, cache_[copy], sums_[copy], window_, splits_, scale());
    }
    const unsigned heads = sequences_ * kv_heads_ * group_;
    const LaunchShape reduce{"reduce_splits", (heads + kDecodeWarps - 1) / kDecodeWarps, 1, 1, kDecodeThreads, 0};
    device.launch(reduce, reduce_splits<NoTrace>, reduce_splits<WarpTrace>, sums_[copy], out_[copy], heads, splits_);
  }
  double error(Device& device) override {
    RelativeError error;
    const std::uint64_t heads = std::uint64_t{sequences_} * kv_heads_ * group_;
    // Long contexts: fewer heads, about 2^24 elements of keys and values in all.
    const std::uint64_t sample = std::max<std::uint64_t>(1, std::min<std::uint64_t>(heads, (1U << 24) / (length_ * kDecodeHead * 2)));
    for (std::uint64_t i = 0; i < sample; ++i) check_head(device, i * heads / sample, error);
    return error.value();
  }
  Cost cost() const override {
    std::uint64_t tokens = 0;
    for (unsigned s = 0; s < sequences_; ++s) tokens += std::min(length_of(s), window_);
    const std::uint64_t heads = std::uint64_t{sequences_} * kv_heads_ * group_;
    return {tokens * kv_heads_ * group_ * kDecodeHead * 4, tokens * kv_heads_ * kDecodeHead * 4 + heads * kDecodeHead * 2,
            heads * kDecodeHead * 2};
  }

 private:
  [[nodiscard]] unsigned length_of(unsigned sequence) const { return length_ - ragged_ * sequence; }
  [[nodiscard]] static float scale() { return static_cast<float>(1 / std::sqrt(static_cast<double>(kDecodeHead)) / std::log(2.0)); }

  void check_head(Device& device, std::uint64_t head, RelativeError& error) const {
    const auto sequence = static_cast<unsigned>(head / (kv_heads_ * group_));
    const std::uint64_t kv_head = head / group_ % kv_heads_;
    const unsigned length = length_of(sequence);
    const auto place = [&](unsigned token) {
      const std::uint64_t page = table_[std::uint64_t{sequence} * pitch_ + token / kPageTokens];
      return ((page * kPageTokens + token % kPageTokens) * kv_heads_ + kv_head) * kDecodeHead;
    };
    const unsigned first = length > window_ ? length - window_ : 0;
    std::vector<double> score(length - first);
    double top = -1e300;
    for (unsigned t = first; t < length; ++t) {
      double dot = 0;
      const std::uint64_t key = place(t);
      for (unsigned d = 0; d < kDecodeHead; ++d)
        dot += double{random_bf16(kDecodeQuerySeed, head * kDecodeHead + d)} * random_bf16(kDecodeKeySeed, key + d);
      score[t - first] = dot / std::sqrt(static_cast<double>(kDecodeHead));
      top = std::max(top, score[t - first]);
    }
    double total = 0;
    std::vector<double> want(kDecodeHead, 0);
    for (unsigned t = first; t < length; ++t) {
      const double weight = std::exp(score[t - first] - top);
      const std::uint64_t value = place(t);
      total += weight;
      for (unsigned d = 0; d < kDecodeHead; ++d) want[d] += weight * random_bf16(kDecodeValueSeed, value + d);
    }
    const std::vector<Bf16> got = device.download(out_[0] + head * kDecodeHead, kDecodeHead);
    for (unsigned d = 0; d < kDecodeHead; ++d) error.add(to_float(got[d]), want[d] / total);
  }

  unsigned sequences_;
  unsigned kv_heads_;
  unsigned group_;
  unsigned length_;
  unsigned window_;
  unsigned splits_;
  bool shuffled_;
  unsigned ragged_;
  std::vector<unsigned> table_;
  unsigned pitch_ = 0;
  Bf16* q_ = nullptr;
  std::vector<PagedCache> cache_;
  std::vector<SplitSums> sums_;
  std::vector<Bf16*> out_;
};

}  // namespace

CaseKind paged_decode_case() {
  return {"paged_decode",
          "decode attention over a paged KV cache, split along the context, and its reduction",
          {{"sequences", 2},
           {"kv_heads", 2},
           {"group", 4},
           {"length", 100},
           {"window", 1U << 30},
           {"splits", 2},
           {"shuffled", 1},
           {"ragged", 7}},
          [](const Sizes& s) { return std::make_unique<PagedDecode>(s); }};
}

}  // namespace rooftrace::capture
