// Bytes from a file, from memory or out of an .xz file, in pieces: what every parser of this room reads from.
//
// Promises: memory is one piece (and, for .xz, at most kXzMemory for the decoder) however large the file claims to be; a file that cannot
// be read, that is damaged or that ends too early is a UserError with the file's name and the byte. Not for: seeking (see seekable.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rooftrace {

inline constexpr std::uint64_t kXzMemory = 256ULL << 20;    ///< `xz -9` needs 65 MiB to unpack; a file that asks for more is refused.
inline constexpr std::uint64_t kMostUnpacked = 1ULL << 40;  ///< Bytes out of one compressed file: 1 TiB.

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills at most `most` bytes; 0 only at the end.
  virtual std::size_t read(char* to, std::size_t most) = 0;
  /// For messages.
  [[nodiscard]] const std::string& name() const { return name_; }

 protected:
  explicit ByteSource(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

/// A plain file; UserError when there is none.
[[nodiscard]] std::unique_ptr<ByteSource> open_file(const std::string& path);
[[nodiscard]] std::unique_ptr<ByteSource> open_memory(const std::string& name, std::string bytes);
/// What an .xz file (one or several streams) holds.
[[nodiscard]] std::unique_ptr<ByteSource> unpack_xz(std::unique_ptr<ByteSource> packed);
/// A file by its name: ".xz" is unpacked, everything else is plain.
[[nodiscard]] std::unique_ptr<ByteSource> open_by_suffix(const std::string& path);

}  // namespace rooftrace
