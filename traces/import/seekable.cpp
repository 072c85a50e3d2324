#include "traces/import/seekable.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sim/core/error.hpp"
#include "sim/core/text_file.hpp"

namespace rooftrace {
namespace {

class SeekableFile final : public Seekable {
 public:
  SeekableFile(const std::string& path, int descriptor, std::uint64_t size) : Seekable(path, size), descriptor_(descriptor) {}
  ~SeekableFile() override { ::close(descriptor_); }
  SeekableFile(const SeekableFile&) = delete;
  SeekableFile& operator=(const SeekableFile&) = delete;

 protected:
  bool fetch(std::uint64_t offset, char* to, std::size_t bytes) const override {
    while (bytes > 0) {
      const ssize_t got = ::pread(descriptor_, to, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      to += got;
      offset += static_cast<std::uint64_t>(got);
      bytes -= static_cast<std::size_t>(got);
    }
    return true;
  }

 private:
  int descriptor_;
};

class SeekableMemory final : public Seekable {
 public:
  SeekableMemory(const std::string& name, std::string bytes) : Seekable(name, bytes.size()), bytes_(std::move(bytes)) {}

 protected:
  bool fetch(std::uint64_t offset, char* to, std::size_t bytes) const override {
    std::copy_n(bytes_.data() + offset, bytes, to);
    return true;
  }

 private:
  std::string bytes_;
};

}  // namespace

void Seekable::refuse(std::uint64_t byte, const std::string& why) const {
  throw UserError({name_}, fmt::format("byte {}: {}", byte, why));
}

void Seekable::read_at(std::uint64_t offset, void* to, std::size_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) refuse(std::min(offset, size_), "the file ends too early");
  if (!fetch(offset, static_cast<char*>(to), bytes)) refuse(offset, "cannot be read");
}

std::unique_ptr<Seekable> open_seekable(const std::string& path) {
  if (path.find('\0') != std::string::npos) throw UserError(quoted_word(path) + " is not a file name");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR) throw UserError({path}, "no such file" + similar_file(path));
    throw UserError({path}, fmt::format("cannot be read: {}", std::strerror(reason)));
  }
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw UserError({path}, "is not a regular file; one is needed, because the file is read out of order");
  }
  return std::make_unique<SeekableFile>(path, descriptor, static_cast<std::uint64_t>(status.st_size));
}

std::unique_ptr<Seekable> seekable_memory(const std::string& name, std::string bytes) {
  return std::make_unique<SeekableMemory>(name, std::move(bytes));
}

}  // namespace rooftrace
