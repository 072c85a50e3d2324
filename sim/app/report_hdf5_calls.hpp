// What writing and reading share: owners of HDF5 objects, checked calls, element types. No header here includes hdf5.h.
//
// Promises: a failing call becomes one std::runtime_error on one line, with HDF5's own explanation; HDF5 prints nothing by itself while a
// Silence lives; a handle is closed exactly once.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace rooftrace::h5 {

using Id = std::int64_t;  ///< hid_t; the .cpp asserts it.

/// Returns `result` unless it is negative, HDF5's sign of failure: then throws "HDF5: cannot <what>: <why>".
Id check(Id result, std::string_view what);

/// One open HDF5 object.
class Handle {
 public:
  using Close = int (*)(Id);
  Handle() = default;
  /// Takes what an opening or creating call returned, failed or not.
  Handle(Id id, Close close, std::string_view what) : id_(check(id, what)), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { reset(); }

  [[nodiscard]] Id get() const { return id_; }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }

 private:
  Id id_ = -1;
  Close close_ = nullptr;
};

/// Turns HDF5's automatic error printing off for this thread, and back to what it was.
class Silence {
 public:
  Silence();
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int (*function_)(Id, void*) = nullptr;
  void* data_ = nullptr;
};

/// The types that are stored, little-endian whatever the host.
enum class Element : std::uint8_t { u8, i32, u32, i64, u64, f64 };
template <typename T>
struct ElementOf;
template <>
struct ElementOf<std::uint8_t> {
  static constexpr Element value = Element::u8;
};
template <>
struct ElementOf<std::int32_t> {
  static constexpr Element value = Element::i32;
};
template <>
struct ElementOf<std::uint32_t> {
  static constexpr Element value = Element::u32;
};
template <>
struct ElementOf<std::int64_t> {
  static constexpr Element value = Element::i64;
};
template <>
struct ElementOf<std::uint64_t> {
  static constexpr Element value = Element::u64;
};
template <>
struct ElementOf<double> {
  static constexpr Element value = Element::f64;
};

[[nodiscard]] Id file_type(Element element);    ///< Borrowed: not to be closed.
[[nodiscard]] Id memory_type(Element element);  ///< Borrowed: not to be closed.
[[nodiscard]] Handle text_type();               ///< UTF-8 of any length.

}  // namespace rooftrace::h5
