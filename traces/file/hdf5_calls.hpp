// Owners of HDF5 objects and checked calls, for the two files of this folder that see HDF5. Included by .cpp files only.
//
// Promises: a failing call becomes one std::runtime_error with HDF5's own explanation; HDF5 prints nothing by itself while a Quiet lives;
// a handle is closed exactly once.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace rooftrace::trace_file {

using Hid = std::int64_t;  ///< hid_t; hdf5_calls.cpp asserts it.

/// Returns `result` unless it is negative, HDF5's sign of failure: then throws "cannot <what>: <why>".
Hid check(Hid result, const std::string& what);

class Handle {
 public:
  using Close = int (*)(Hid);
  Handle() = default;
  Handle(Hid id, Close close, const std::string& what) : id_(check(id, what)), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { reset(); }

  [[nodiscard]] Hid get() const { return id_; }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }

 private:
  Hid id_ = -1;
  Close close_ = nullptr;
};

/// Turns HDF5's automatic error printing off for this thread, and back to what it was.
class Quiet {
 public:
  Quiet();
  ~Quiet();
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  int (*function_)(Hid, void*) = nullptr;
  void* data_ = nullptr;
};

}  // namespace rooftrace::trace_file
