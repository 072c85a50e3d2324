// The three sources; the only file that sees liblzma.
#include "traces/import/byte_source.hpp"

#include <fmt/format.h>
#include <lzma.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "sim/core/error.hpp"
#include "sim/core/text_file.hpp"

namespace rooftrace {
namespace {

class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::string& path) : ByteSource(path) {
    if (path.find('\0') != std::string::npos) throw UserError(quoted_word(path) + " is not a file name");
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) throw UserError({path}, "is a folder; a file is needed");
    file_.reset(std::fopen(path.c_str(), "rb"));
    if (file_) return;
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR) throw UserError({path}, "no such file" + similar_file(path));
    throw UserError({path}, fmt::format("cannot be read: {}", std::strerror(reason)));
  }

  std::size_t read(char* to, std::size_t most) override {
    const std::size_t got = std::fread(to, 1, most, file_.get());
    if (got == 0 && std::ferror(file_.get()) != 0) throw UserError({name()}, fmt::format("cannot be read: {}", std::strerror(errno)));
    return got;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(const std::string& name, std::string bytes) : ByteSource(name), bytes_(std::move(bytes)) {}
  std::size_t read(char* to, std::size_t most) override {
    const std::size_t got = std::min(most, bytes_.size() - at_);
    std::copy_n(bytes_.data() + at_, got, to);
    at_ += got;
    return got;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

class XzSource final : public ByteSource {
 public:
  explicit XzSource(std::unique_ptr<ByteSource> packed) : ByteSource(packed->name()), packed_(std::move(packed)) {
    if (lzma_stream_decoder(&stream_, kXzMemory, LZMA_CONCATENATED) != LZMA_OK) throw std::bad_alloc();
  }
  ~XzSource() override { lzma_end(&stream_); }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;

  std::size_t read(char* to, std::size_t most) override {
    if (done_ || most == 0) return 0;
    stream_.next_out = reinterpret_cast<std::uint8_t*>(to);
    stream_.avail_out = most;
    while (stream_.avail_out == most && !done_) {
      if (stream_.avail_in == 0 && !input_over_) {
        stream_.avail_in = packed_->read(buffer_.data(), buffer_.size());
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(buffer_.data());
        input_over_ = stream_.avail_in == 0;
      }
      check(lzma_code(&stream_, input_over_ ? LZMA_FINISH : LZMA_RUN));
    }
    if (stream_.total_out > kMostUnpacked) refuse("holds more than 1 TiB unpacked");
    return most - stream_.avail_out;
  }

 private:
  void check(lzma_ret result) {
    switch (result) {
      case LZMA_OK:
        return;
      case LZMA_STREAM_END:
        done_ = true;
        return;
      case LZMA_FORMAT_ERROR:
        refuse("is not an .xz file");
      case LZMA_MEMLIMIT_ERROR:
        refuse(fmt::format("needs more than {} MiB of memory to unpack", kXzMemory >> 20));
      case LZMA_MEM_ERROR:
        throw std::bad_alloc();
      case LZMA_BUF_ERROR:
        refuse("ends in the middle: the .xz file is cut off");
      default:
        refuse("the .xz file is damaged");
    }
  }
  [[noreturn]] void refuse(const std::string& why) const { throw UserError({name()}, fmt::format("byte {}: {}", stream_.total_in, why)); }

  std::unique_ptr<ByteSource> packed_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::array<char, 64 * 1024> buffer_{};
  bool input_over_ = false;
  bool done_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> open_file(const std::string& path) {
  return std::make_unique<FileSource>(path);
}

std::unique_ptr<ByteSource> open_memory(const std::string& name, std::string bytes) {
  return std::make_unique<MemorySource>(name, std::move(bytes));
}

std::unique_ptr<ByteSource> unpack_xz(std::unique_ptr<ByteSource> packed) {
  return std::make_unique<XzSource>(std::move(packed));
}

std::unique_ptr<ByteSource> open_by_suffix(const std::string& path) {
  auto file = open_file(path);
  return path.ends_with(".xz") ? unpack_xz(std::move(file)) : std::move(file);
}

}  // namespace rooftrace
