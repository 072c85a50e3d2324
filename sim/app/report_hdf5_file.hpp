// A new HDF5 file: groups, attributes, and variables with dimension scales.
//
// Promises: every array has a dimension scale on every dimension, is chunked, shuffled, deflated and checksummed (fletcher32; names and
// arrays of length 0 are stored plainly: HDF5 can do nothing else with them); creation order is kept and no times are stored, so that
// netCDF-4 readers open every group and the same content gives the same bytes. The file is built in memory: no locks, and no half-closed
// file when the disk is full (too large for that: report_hdf5_disk.hpp). Errors: see report_hdf5_calls.hpp; what cannot be said in a file
// (a variable over an unknown dimension, too few values) is std::logic_error, and so is an object left open at the end. Not supported:
// unlimited dimensions; compound types and booleans, which netCDF-4 silently does not show.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/app/report_hdf5_calls.hpp"

namespace rooftrace::h5 {

/// What a reader needs to understand a variable. Units in UDUNITS spelling; "" for none.
struct Meaning {
  std::string_view units;
  std::string_view long_name;
};

/// A variable that is written part by part; parts that are whole chunks take no memory of their own. To be gone before its group.
class Slabs {
 public:
  Slabs(std::string name, Element type, Handle dataset) : name_(std::move(name)), type_(type), dataset_(std::move(dataset)) {}
  /// Row-major values of the part that begins at `start` and has `count` along every dimension.
  template <typename T>
  void write(const std::vector<std::uint64_t>& start, const std::vector<std::uint64_t>& count, const std::vector<T>& values) {
    put(start, count, values.data());
  }

 private:
  friend class Group;
  void put(const std::vector<std::uint64_t>& start, const std::vector<std::uint64_t>& count, const void* values);

  std::string name_;
  Element type_;
  Handle dataset_;
};

/// Attributes and variables of one group; a dimension must be there before the variables over it.
class Group {
 public:
  explicit Group(Handle group) : group_(std::move(group)) {}

  [[nodiscard]] Group child(const std::string& name);

  /// Bytes that are not UTF-8 become U+FFFD, because readers stumble over them; the text ends at a NUL.
  void attribute(const std::string& name, std::string_view text);
  template <typename T>
  requires std::is_arithmetic_v<T>
  void attribute(const std::string& name, T value) { put_attribute(group_.get(), name, ElementOf<T>::value, &value, kScalar); }

  /// A dimension and its coordinate variable: names, or 0 .. size - 1.
  void coordinate(const std::string& name, const std::vector<std::string>& labels, std::string_view long_name);
  void coordinate(const std::string& name, std::size_t size, std::string_view long_name);
  /// A dimension whose coordinates are numbers.
  void coordinate(const std::string& name, const std::vector<double>& values, const Meaning& meaning) {
    put_coordinate(name, ElementOf<double>::value, values.data(), values.size(), meaning);
  }
  void coordinate(const std::string& name, const std::vector<std::int64_t>& values, const Meaning& meaning) {
    put_coordinate(name, ElementOf<std::int64_t>::value, values.data(), values.size(), meaning);
  }
  /// Texts along a dimension that is there already: readers cannot compress them, so labels only.
  void texts(const std::string& name, const std::string& dimension, const std::vector<std::string>& labels, std::string_view long_name);

  /// Row-major values over the named dimensions. NaN is the fill value ("not there") of doubles; integers have none.
  template <typename T>
  void variable(const std::string& name, const std::vector<std::string>& dimensions, const std::vector<T>& values, const Meaning& meaning) {
    put(name, dimensions, ElementOf<T>::value, values.data(), values.size(), meaning);
  }
  template <typename T>
  void scalar(const std::string& name, T value, const Meaning& meaning) {
    put(name, {}, ElementOf<T>::value, &value, 1, meaning);
  }
  /// The same in parts; what is never written is NaN, or 0. `chunk`: the shape of a chunk.
  [[nodiscard]] Slabs slabs(const std::string& name, const std::vector<std::string>& dimensions, Element type,
                            const std::vector<std::uint64_t>& chunk, const Meaning& meaning);
  /// An enumeration in the way of the CF conventions: the value i means words[i].
  [[nodiscard]] Slabs flag_slabs(const std::string& name, const std::vector<std::string>& dimensions,
                                 const std::vector<std::uint64_t>& chunk, const std::vector<std::string>& words,
                                 std::string_view long_name);
  void flags(const std::string& name, const std::vector<std::string>& dimensions, const std::vector<std::uint8_t>& values,
             const std::vector<std::string>& words, std::string_view long_name);

 private:
  struct Dimension {
    std::uint64_t size = 0;
    Handle scale;
  };
  static constexpr std::size_t kScalar = 0;  ///< Length of an attribute that is not an array.

  /// Creates, writes and describes; returns the open dataset.
  Handle put(const std::string& name, const std::vector<std::string>& dimensions, Element type, const void* values, std::size_t count,
             const Meaning& meaning);
  void put_coordinate(const std::string& name, Element type, const void* values, std::size_t count, const Meaning& meaning);
  [[nodiscard]] Handle create_texts(const std::string& name, const std::vector<std::string>& labels);
  /// `chunk`: of what shape; empty: stored plainly, without filters.
  [[nodiscard]] Handle create(const std::string& name, Id type, const std::vector<std::uint64_t>& shape,
                              const std::vector<std::uint64_t>& chunk);
  [[nodiscard]] std::vector<std::uint64_t> shape_over(const std::string& name, const std::vector<std::string>& dimensions) const;
  void describe(Id dataset, const std::string& name, const std::vector<std::string>& dimensions, Element type, const Meaning& meaning);
  static void put_words(Id dataset, const std::vector<std::string>& words);
  void make_dimension(const std::string& name, std::uint64_t size, Handle dataset, std::string_view long_name);
  static void put_attribute(Id object, const std::string& name, Element type, const void* values, std::size_t length);
  static void put_text(Id object, const std::string& name, std::string_view text);

  Handle group_;
  std::map<std::string, Dimension> dimensions_;
};

/// The bytes of a new file whose root group `fill` has filled.
[[nodiscard]] std::string build_file(const std::function<void(Group&)>& fill);

/// Valid UTF-8 made of `text` up to its first NUL.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace rooftrace::h5
