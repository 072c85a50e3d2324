#include "traces/import/kineto_events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "traces/import/json_stream.hpp"
#include "traces/import/kineto_join.hpp"

namespace rooftrace {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kDeepest = 32;
constexpr std::size_t kMostNodes = 100'000;        // Values inside one event.
constexpr std::size_t kMostEventText = 16U << 20;  // Bytes of their texts.
constexpr std::size_t kLongestName = 4096;
constexpr std::size_t kLongestInput = 64;        // What is kept of a type or a concrete input.
constexpr std::uint64_t kMostKept = 2ULL << 30;  // Bytes of all operators and kernels.
constexpr double kLongest = 1e15;                // us of one kernel: thirty years.

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// An argument by its lower-case name.
const Json* find(const Json& object, std::string_view wanted) {
  if (!object.is_object()) return nullptr;
  for (const auto& [key, value] : object.items()) {
    if (lower(key) == wanted) return &value;
  }
  return nullptr;
}

/// Numbers come as numbers or, in older files, as text.
std::optional<double> number(const Json* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const double n = value->get<double>();
    return std::isfinite(n) ? std::optional(n) : std::nullopt;
  }
  if (!value->is_string()) return std::nullopt;
  const auto& text = value->get_ref<const std::string&>();
  char* end = nullptr;
  const double n = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || !std::isfinite(n)) return std::nullopt;
  return n;
}

std::uint64_t whole(const Json* value, std::uint64_t otherwise = 0) {
  const auto n = number(value);
  return n && *n >= 0 && *n < 9e18 ? static_cast<std::uint64_t>(*n) : otherwise;
}

std::string text_of(const Json* value, std::size_t longest = kLongestName) {
  if (value == nullptr) return "";
  if (value->is_string()) return value->get_ref<const std::string&>().substr(0, longest);
  if (value->is_boolean()) return value->get<bool>() ? "True" : "False";
  return "";
}

std::array<std::uint32_t, 3> sides(const Json* value) {
  std::array<std::uint32_t, 3> out{1, 1, 1};
  if (value == nullptr || !value->is_array()) return out;
  for (std::size_t i = 0; i < 3 && i < value->size(); ++i) {
    out[i] = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(whole(&(*value)[i], 1), 1, UINT32_MAX));
  }
  return out;
}

enum class Category : std::uint8_t { none, kernel, memcpy, memset, runtime, op };

struct CategoryRow {
  const char* word;
  Category category;
};
constexpr std::array kCategories = {
    CategoryRow{"kernel", Category::kernel},       CategoryRow{"gpu_memcpy", Category::memcpy},
    CategoryRow{"memcpy", Category::memcpy},       CategoryRow{"gpu_memset", Category::memset},
    CategoryRow{"memset", Category::memset},       CategoryRow{"cuda_runtime", Category::runtime},
    CategoryRow{"cuda_driver", Category::runtime}, CategoryRow{"runtime", Category::runtime},
    CategoryRow{"cpu_op", Category::op},           CategoryRow{"operator", Category::op},
};

/// Collects events; afterwards joins them.
class Collector {
 public:
  explicit Collector(std::string file) : file_(std::move(file)) {}

  void take(const Json& event) {
    ++profile_.events;
    if (text_of(find(event, "ph")) != "X") return;
    const std::string word = lower(text_of(find(event, "cat")));
    for (const CategoryRow& row : kCategories) {
      if (word == row.word) return take(event, row.category);
    }
  }

  KinetoProfile finish() {
    join_.join(profile_);
    return std::move(profile_);
  }

 private:
  static constexpr std::uint64_t kNoId = KinetoJoin::kNoId;

  void take(const Json& event, Category category) {
    static const Json kNothing = Json::object();
    const Json* const found = find(event, "args");
    const Json& args = found != nullptr ? *found : kNothing;
    const std::uint64_t correlation = whole(find(args, "correlation"), kNoId), external = whole(find(args, "external id"), kNoId);
    if (category == Category::runtime) {
      join_.add_launch(correlation, external);
      check_count(join_.launches(), kMostOperators, "runtime calls");
    } else if (category == Category::op) {
      take_operator(event, args, external);
    } else {
      take_gpu(event, args, category);
      join_.add_gpu_event(correlation, external);
    }
  }

  void check_count(std::size_t count, std::size_t most, const char* what) const {
    if (count > most) throw UserError({file_}, fmt::format("the profile holds more than {} {}", most, what));
  }

  /// Beyond what a profile of hours needs, and within a file of any size, packed or not.
  void keep(std::uint64_t bytes) {
    kept_ += bytes;
    if (kept_ > kMostKept) throw UserError({file_}, fmt::format("its operators and kernels need more than {} GiB", kMostKept >> 30));
  }

  static double duration(const Json& event) { return std::clamp(number(find(event, "dur")).value_or(0), 0.0, kLongest); }

  void take_operator(const Json& event, const Json& args, std::uint64_t external) {
    KinetoOperator op;
    op.name = text_of(find(event, "name"));
    op.begin = number(find(event, "ts")).value_or(0);
    op.end = op.begin + duration(event);
    op.thread = whole(find(event, "tid"));
    read_inputs(args, op);
    std::uint64_t bytes = sizeof(op) + op.name.size();
    for (const KinetoTensor& tensor : op.inputs) bytes += sizeof(tensor) + tensor.type.size() + tensor.dims.size() * sizeof(tensor.dims[0]);
    for (const std::string& text : op.concrete) bytes += sizeof(text) + text.size();
    keep(bytes);
    join_.add_operator(external);
    profile_.operators.push_back(std::move(op));
    check_count(profile_.operators.size(), kMostOperators, "operators");
  }

  static void read_inputs(const Json& args, KinetoOperator& op) {
    const Json* const dims = find(args, "input dims");
    const Json* const types = find(args, "input type");
    const Json* const concrete = find(args, "concrete inputs");
    if (concrete != nullptr && concrete->is_array()) {
      for (std::size_t i = 0; i < concrete->size() && i < kMostTensorsOfOperator; ++i)
        op.concrete.push_back(text_of(&(*concrete)[i], kLongestInput));
    }
    if (dims == nullptr || !dims->is_array()) return;
    for (std::size_t i = 0; i < dims->size() && op.inputs.size() < kMostTensorsOfOperator; ++i) {
      const Json& one = (*dims)[i];
      const Json* const type = types != nullptr && types->is_array() && i < types->size() ? &(*types)[i] : nullptr;
      const bool list = one.is_array() && !one.empty() && one[0].is_array();  // A list of tensors: cat.
      if (!list) {
        op.inputs.push_back(tensor(one, type));
        continue;
      }
      for (std::size_t j = 0; j < one.size() && op.inputs.size() < kMostTensorsOfOperator; ++j) {
        const Json* const own = type != nullptr && type->is_array() && j < type->size() ? &(*type)[j] : type;
        op.inputs.push_back(tensor(one[j], own));
      }
    }
  }

  static KinetoTensor tensor(const Json& dims, const Json* type) {
    KinetoTensor out;
    out.type = text_of(type, kLongestInput);
    if (!dims.is_array()) return out;
    for (std::size_t i = 0; i < dims.size() && i < 16; ++i) {
      const auto n = number(&dims[i]);
      out.dims.push_back(n && std::abs(*n) < 9e18 ? static_cast<std::int64_t>(*n) : -1);
    }
    return out;
  }

  void take_gpu(const Json& event, const Json& args, Category category) {
    KinetoGpuEvent gpu;
    gpu.kind = category == Category::kernel   ? KinetoGpuEvent::Kind::kernel
               : category == Category::memcpy ? KinetoGpuEvent::Kind::memcpy
                                              : KinetoGpuEvent::Kind::memset;
    gpu.name = text_of(find(event, "name"));
    gpu.begin = number(find(event, "ts")).value_or(0);
    gpu.duration = duration(event);
    gpu.device = static_cast<std::int64_t>(whole(find(args, "device")));
    gpu.stream = whole(find(args, "stream"));
    gpu.bytes = whole(find(args, "bytes"));
    gpu.grid = sides(find(args, "grid"));
    gpu.block = sides(find(args, "block"));
    gpu.elements = whole(find(args, "in msg nelems"));
    gpu.elements_out = whole(find(args, "out msg nelems"));
    gpu.ranks = static_cast<std::uint32_t>(std::min<std::uint64_t>(whole(find(args, "group size")), UINT32_MAX));
    gpu.type = text_of(find(args, "dtype"), kLongestInput);
    keep(sizeof(gpu) + gpu.name.size() + gpu.type.size());
    profile_.gpu.push_back(std::move(gpu));
    check_count(profile_.gpu.size(), kMostGpuEvents, "kernels and copies");
  }

  std::string file_;
  KinetoProfile profile_;
  std::uint64_t kept_ = 0;
  KinetoJoin join_;
};

/// Builds one event at a time and forgets everything else.
class Handler final : public nlohmann::json_sax<Json> {
 public:
  Handler(const JsonStream& stream, Collector& collector) : stream_(stream), collector_(collector) {}

  bool null() override { return value(nullptr); }
  bool boolean(bool b) override { return value(b); }
  bool number_integer(number_integer_t n) override { return value(n); }
  bool number_unsigned(number_unsigned_t n) override { return value(n); }
  bool number_float(number_float_t n, const string_t&) override { return value(n); }
  bool string(string_t& s) override {
    if (!building()) return true;
    count_text(s);
    return value(s);
  }
  bool binary(binary_t&) override { return value(nullptr); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& k) override {
    if (!building()) {
      if (depth_ == 1) in_events_ = k == "traceEvents";
    } else {
      key_ = k;
      count_text(k);
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 4: syntax error ...": the part behind the place.
    const std::string what = error.what();
    const std::size_t place = what.find(": ");
    throw UserError(stream_.place(), "is not JSON: " + (place == std::string::npos ? what : what.substr(place + 2)));
  }

  [[nodiscard]] bool found() const { return found_; }

 private:
  [[nodiscard]] bool building() const { return !stack_.empty(); }

  void count_text(const std::string& text) {
    text_ += text.size();
    if (text_ > kMostEventText)
      throw UserError(stream_.place(), fmt::format("one event holds more than {} MiB of text", kMostEventText >> 20));
  }

  bool value(Json v) {
    if (building()) add(std::move(v));
    return true;
  }

  Json* add(Json v) {
    if (++nodes_ > kMostNodes) throw UserError(stream_.place(), fmt::format("one event holds more than {} values", kMostNodes));
    Json& into = *stack_.back();
    if (into.is_object()) return &(into[key_] = std::move(v));
    into.push_back(std::move(v));
    return &into.back();
  }

  bool open(Json v) {
    if (++depth_ > kDeepest) throw UserError(stream_.place(), fmt::format("nested more than {} deep", kDeepest));
    if (building()) {
      stack_.push_back(add(std::move(v)));
    } else if (depth_ == 2 && in_events_ && v.is_array()) {
      found_ = true;
    } else if (depth_ == 1 && v.is_array()) {  // The bare array of events, which Chrome reads as well.
      found_ = in_events_ = bare_ = true;
    } else if (in_events_ && depth_ == (bare_ ? 2U : 3U) && v.is_object()) {
      event_ = std::move(v);
      nodes_ = text_ = 0;
      stack_.push_back(&event_);
    }
    return true;
  }

  bool close() {
    --depth_;
    if (!building()) {
      if (depth_ == 1 && !bare_) in_events_ = false;
      return true;
    }
    stack_.pop_back();
    if (stack_.empty()) collector_.take(event_);
    return true;
  }

  const JsonStream& stream_;
  Collector& collector_;
  Json event_;
  std::vector<Json*> stack_;  ///< Pointers stay good: a container is only added to while it is the last one.
  std::string key_;
  std::size_t depth_ = 0, nodes_ = 0, text_ = 0;
  bool in_events_ = false, found_ = false, bare_ = false;
};

}  // namespace

KinetoProfile read_kineto(ByteSource& text) {
  JsonStream stream(text);
  if (!stream.over() && stream.current() == '\x1f')
    throw UserError({text.name()}, "is compressed with gzip twice; unpack it once (gunzip)");
  Collector collector(text.name());
  Handler handler(stream, collector);
  Json::sax_parse(JsonIterator(stream), JsonIterator(), &handler);
  if (!handler.found()) throw UserError({text.name()}, "has no \"traceEvents\": is it a profile of the PyTorch profiler?");
  return collector.finish();
}

}  // namespace rooftrace
