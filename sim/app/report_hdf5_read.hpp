// Reading a result file back: datasets, or parts of them, and texts by path, for tests and for comparing results.
//
// Promise: a file that cannot be opened, or is no HDF5 file, is a UserError of one line; everything else as in report_hdf5_calls.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/app/report_hdf5_calls.hpp"

namespace rooftrace::h5 {

class Reader {
 public:
  explicit Reader(const std::string& path);

  /// Names in a group, in order of creation.
  [[nodiscard]] std::vector<std::string> members(const std::string& group) const;
  [[nodiscard]] bool is_group(const std::string& object) const;
  [[nodiscard]] std::vector<std::uint64_t> shape(const std::string& dataset) const;
  /// Names of the dimension scales, one per dimension; "" where there is not exactly one.
  [[nodiscard]] std::vector<std::string> dimensions(const std::string& dataset) const;
  [[nodiscard]] std::vector<std::string> filters(const std::string& dataset) const;
  /// Row-major, converted to T by HDF5.
  template <typename T>
  [[nodiscard]] std::vector<T> values(const std::string& dataset) const {
    std::vector<T> result(count(dataset));
    if (!result.empty()) read(dataset, ElementOf<T>::value, result.data());
    return result;
  }
  /// The part that begins at `start` and has `count` along every dimension; it must be there.
  template <typename T>
  [[nodiscard]] std::vector<T> part(const std::string& dataset, const std::vector<std::uint64_t>& start,
                                    const std::vector<std::uint64_t>& count) const {
    std::size_t size = 1;
    for (const std::uint64_t length : count) size *= length;
    std::vector<T> result(size);
    read_part(dataset, ElementOf<T>::value, start, count, result.data());
    return result;
  }
  [[nodiscard]] std::vector<std::string> strings(const std::string& dataset) const;
  [[nodiscard]] std::string text(const std::string& object, const std::string& attribute) const;

 private:
  [[nodiscard]] Handle dataset(const std::string& path) const;
  [[nodiscard]] std::size_t count(const std::string& path) const;
  void read(const std::string& path, Element type, void* out) const;
  void read_part(const std::string& path, Element type, const std::vector<std::uint64_t>& start, const std::vector<std::uint64_t>& count,
                 void* out) const;

  Silence silence_;
  Handle file_;
};

}  // namespace rooftrace::h5
