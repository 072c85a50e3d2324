// The calls behind report_hdf5_read.hpp.
#include "sim/app/report_hdf5_read.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <hdf5_hl.h>

#include <array>
#include <filesystem>

#include "sim/core/error.hpp"

namespace rooftrace::h5 {
namespace {

Handle open_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) throw UserError(fmt::format("cannot read \"{}\": no such file", path));
  const Id file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) throw UserError(fmt::format("cannot read \"{}\": not an HDF5 file, incomplete, or open for writing elsewhere", path));
  return {file, H5Fclose, "open a file"};
}

herr_t first_scale(hid_t /*dataset*/, unsigned /*dimension*/, hid_t scale, void* out) {
  std::array<char, 256> name{};
  if (H5DSget_scale_name(scale, name.data(), name.size()) < 0) return -1;
  *static_cast<std::string*>(out) = name.data();
  return 0;
}

}  // namespace

Reader::Reader(const std::string& path) : file_(open_file(path)) {}

Handle Reader::dataset(const std::string& path) const {
  return {H5Dopen2(file_.get(), path.c_str(), H5P_DEFAULT), H5Dclose, fmt::format("open dataset \"{}\"", path)};
}

std::vector<std::string> Reader::members(const std::string& group) const {
  const Handle handle(H5Gopen2(file_.get(), group.c_str(), H5P_DEFAULT), H5Gclose, fmt::format("open group \"{}\"", group));
  H5G_info_t info{};
  check(H5Gget_info(handle.get(), &info), "look into a group");
  std::vector<std::string> result;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const auto name = [&](char* out, std::size_t size) {
      const auto length = H5Lget_name_by_idx(handle.get(), ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, out, size, H5P_DEFAULT);
      return static_cast<std::size_t>(check(length, "list a group"));
    };
    std::string text(name(nullptr, 0), '\0');
    static_cast<void>(name(text.data(), text.size() + 1));
    result.push_back(text);
  }
  return result;
}

bool Reader::is_group(const std::string& object) const {
  const Handle handle(H5Oopen(file_.get(), object.c_str(), H5P_DEFAULT), H5Oclose, fmt::format("open \"{}\"", object));
  return H5Iget_type(handle.get()) == H5I_GROUP;
}

std::vector<std::uint64_t> Reader::shape(const std::string& path) const {
  const Handle handle = dataset(path);
  const Handle space(H5Dget_space(handle.get()), H5Sclose, "read a shape");
  std::vector<hsize_t> extent(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), "read a shape")));
  if (!extent.empty()) check(H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr), "read a shape");
  return {extent.begin(), extent.end()};
}

std::vector<std::string> Reader::dimensions(const std::string& path) const {
  const Handle handle = dataset(path);
  std::vector<std::string> result(shape(path).size());
  for (unsigned i = 0; i < result.size(); ++i) {
    if (H5DSis_scale(handle.get()) > 0) {
      first_scale(handle.get(), i, handle.get(), &result[i]);  // A coordinate variable is its own dimension.
    } else if (H5DSget_num_scales(handle.get(), i) == 1) {
      check(H5DSiterate_scales(handle.get(), i, nullptr, first_scale, &result[i]), fmt::format("read the dimensions of \"{}\"", path));
    }
  }
  return result;
}

std::vector<std::string> Reader::filters(const std::string& path) const {
  const Handle handle = dataset(path);
  const Handle properties(H5Dget_create_plist(handle.get()), H5Pclose, "read filters");
  std::vector<std::string> result;
  const int filters = static_cast<int>(check(H5Pget_nfilters(properties.get()), "read filters"));
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    unsigned config = 0;
    std::size_t parameters = 0;
    std::array<char, 64> name{};
    check(H5Pget_filter2(properties.get(), static_cast<unsigned>(i), &flags, &parameters, nullptr, name.size(), name.data(), &config),
          "read filters");
    result.emplace_back(name.data());
  }
  return result;
}

std::size_t Reader::count(const std::string& path) const {
  std::size_t result = 1;
  for (const std::uint64_t length : shape(path)) result *= length;
  return result;
}

void Reader::read(const std::string& path, Element type, void* out) const {
  const Handle handle = dataset(path);
  check(H5Dread(handle.get(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out), fmt::format("read dataset \"{}\"", path));
}

void Reader::read_part(const std::string& path, Element type, const std::vector<std::uint64_t>& start,
                       const std::vector<std::uint64_t>& count, void* out) const {
  const Handle handle = dataset(path);
  const Handle file(H5Dget_space(handle.get()), H5Sclose, "read a shape");
  const std::vector<hsize_t> from(start.begin(), start.end()), length(count.begin(), count.end());
  check(H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, from.data(), nullptr, length.data(), nullptr), "select a part");
  const Handle memory(H5Screate_simple(static_cast<int>(length.size()), length.data(), nullptr), H5Sclose, "make an array shape");
  check(H5Dread(handle.get(), memory_type(type), memory.get(), file.get(), H5P_DEFAULT, out), fmt::format("read dataset \"{}\"", path));
}

std::vector<std::string> Reader::strings(const std::string& path) const {
  const Handle handle = dataset(path);
  const Handle space(H5Dget_space(handle.get()), H5Sclose, "read a shape");
  const Handle type = text_type();
  std::vector<char*> pointers(count(path), nullptr);
  check(H5Dread(handle.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), fmt::format("read dataset \"{}\"", path));
  std::vector<std::string> result;
  for (const char* text : pointers) result.emplace_back(text == nullptr ? "" : text);
  check(H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, pointers.data()), "release texts");
  return result;
}

std::string Reader::text(const std::string& object, const std::string& attribute) const {
  const Handle handle(H5Aopen_by_name(file_.get(), object.c_str(), attribute.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                      fmt::format("open attribute \"{}\" of \"{}\"", attribute, object));
  const Handle type = text_type();
  char* pointer = nullptr;
  check(H5Aread(handle.get(), type.get(), &pointer), fmt::format("read attribute \"{}\" of \"{}\"", attribute, object));
  const std::string result = pointer == nullptr ? "" : pointer;
  check(H5free_memory(pointer), "release a text");
  return result;
}

}  // namespace rooftrace::h5
