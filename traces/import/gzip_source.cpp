// Looking at the first two bytes, and zlib's loop (RFC 1952).
#include "traces/import/gzip_source.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;

/// The first bytes again, then the rest.
class PeekedSource final : public ByteSource {
 public:
  explicit PeekedSource(std::unique_ptr<ByteSource> rest) : ByteSource(rest->name()), rest_(std::move(rest)) {
    while (held_ < first_.size()) {
      const std::size_t got = rest_->read(first_.data() + held_, first_.size() - held_);
      if (got == 0) break;
      held_ += got;
    }
  }
  [[nodiscard]] bool gzip() const { return held_ == 2 && first_[0] == '\x1f' && first_[1] == '\x8b'; }

  std::size_t read(char* to, std::size_t most) override {
    if (at_ == held_) return rest_->read(to, most);
    const std::size_t got = std::min(most, held_ - at_);
    std::copy_n(first_.data() + at_, got, to);
    at_ += got;
    return got;
  }

 private:
  std::unique_ptr<ByteSource> rest_;
  std::array<char, 2> first_{};
  std::size_t held_ = 0, at_ = 0;
};

class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<ByteSource> packed) : ByteSource(packed->name()), packed_(std::move(packed)) {
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  std::size_t read(char* to, std::size_t most) override {
    const auto room = static_cast<uInt>(std::min<std::size_t>(most, 1U << 30));
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = room;
    while (stream_.avail_out == room && room > 0) {
      if (stream_.avail_in == 0 && !fill()) {
        if (!member_over_) refuse("ends in the middle: the .gz file is cut off");
        break;
      }
      if (member_over_ && inflateReset(&stream_) != Z_OK) throw std::bad_alloc();
      member_over_ = false;
      check(inflate(&stream_, Z_NO_FLUSH));
    }
    const std::size_t got = room - stream_.avail_out;
    unpacked_ += got;
    if (unpacked_ > kLeastGzipBomb && unpacked_ / kMostGzipRatio > taken_)
      refuse(fmt::format("unpacks to more than {} times its size: no profile does", kMostGzipRatio));
    return got;
  }

 private:
  bool fill() {
    const std::size_t got = packed_->read(buffer_.data(), buffer_.size());
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_in = static_cast<uInt>(got);
    taken_ += got;
    return got > 0;
  }
  void check(int result) {
    if (result == Z_STREAM_END) {
      member_over_ = true;
    } else if (result == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      refuse("the .gz file is damaged");
    }
  }
  [[noreturn]] void refuse(const std::string& why) const {
    throw UserError({name()}, fmt::format("byte {}: {}", taken_ - stream_.avail_in, why));
  }

  std::unique_ptr<ByteSource> packed_;
  z_stream stream_{};
  std::array<char, 64 * 1024> buffer_{};
  std::uint64_t taken_ = 0, unpacked_ = 0;
  bool member_over_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> unpack_if_gzip(std::unique_ptr<ByteSource> source) {
  auto peeked = std::make_unique<PeekedSource>(std::move(source));
  if (!peeked->gzip()) return peeked;
  return std::make_unique<GzipSource>(std::move(peeked));
}

}  // namespace rooftrace
