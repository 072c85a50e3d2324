// A file whose size is known and that is read at any place: for formats with an index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rooftrace {

class Seekable {
 public:
  virtual ~Seekable() = default;
  /// Exactly `bytes` bytes from `offset` on; UserError with the file's name and the byte when they are not all there.
  void read_at(std::uint64_t offset, void* to, std::size_t bytes) const;
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[noreturn]] void refuse(std::uint64_t byte, const std::string& why) const;

 protected:
  Seekable(std::string name, std::uint64_t size) : name_(std::move(name)), size_(size) {}
  virtual bool fetch(std::uint64_t offset, char* to, std::size_t bytes) const = 0;

 private:
  std::string name_;
  std::uint64_t size_;
};

[[nodiscard]] std::unique_ptr<Seekable> open_seekable(const std::string& path);
[[nodiscard]] std::unique_ptr<Seekable> seekable_memory(const std::string& name, std::string bytes);

}  // namespace rooftrace
