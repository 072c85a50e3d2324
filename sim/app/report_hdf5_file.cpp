// Groups, variables and the file in memory, on the HDF5 C API and its dimension scales (hdf5_hl).
#include "sim/app/report_hdf5_file.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "sim/app/report_hdf5_disk.hpp"
#include "sim/app/report_hdf5_times.hpp"

namespace rooftrace::h5 {
namespace {

/// Rows of the first dimension are put into chunks of about this size: HDF5's chunk cache (1 MiB) holds one, and a reader who wants some
/// kernels only does not inflate all of them.
constexpr std::uint64_t kChunkBytes = 1 << 20;
/// HDF5 clears its conversion buffer on every write of texts; its default of 1 MiB cost more than all the rest of a small file.
constexpr std::size_t kTextBuffer = 16 << 10;
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

Handle data_space(const std::vector<std::uint64_t>& shape) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), H5Sclose, "make a scalar"};
  const std::vector<hsize_t> extent(shape.begin(), shape.end());
  return {H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose, "make an array shape"};
}

std::vector<std::uint64_t> rows_of_a_chunk(const std::vector<std::uint64_t>& shape, std::size_t element_bytes) {
  std::vector<std::uint64_t> chunk = shape;
  std::uint64_t row_bytes = element_bytes;
  for (std::size_t i = 1; i < shape.size(); ++i) row_bytes *= shape[i];
  chunk[0] = std::clamp<std::uint64_t>(kChunkBytes / row_bytes, 1, shape[0]);
  return chunk;
}

void set_filters(Id properties, const std::vector<std::uint64_t>& shape) {
  const std::vector<hsize_t> chunk(shape.begin(), shape.end());
  check(H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data()), "set chunks");
  check(H5Pset_shuffle(properties), "set the shuffle filter");
  check(H5Pset_deflate(properties, 1), "set the deflate filter");
  check(H5Pset_fletcher32(properties), "set the checksum filter");
}

/// HDF5's in-memory driver works on the bytes of a string, which keep living when the file is closed. H5Fget_file_image, the call meant for
/// this, leaves a wrong superblock checksum behind in 1.10.8 for files in the 1.8 format.
void* resize_image(void* /*old*/, std::size_t size, H5FD_file_image_op_t /*operation*/, void* image) {
  auto& bytes = *static_cast<std::string*>(image);
  try {
    bytes.resize(size);  // New bytes are 0: gaps in the file are the same on every run.
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return bytes.data();
}
void* new_image(std::size_t size, H5FD_file_image_op_t operation, void* image) {
  return resize_image(nullptr, size, operation, image);
}
herr_t keep_image(void* /*bytes*/, H5FD_file_image_op_t /*operation*/, void* /*image*/) {
  return 0;
}
void* same_image(void* image) {
  return image;
}
herr_t keep_pointer(void* /*image*/) {
  return 0;
}

/// The driver grows in steps; how much of it is the file says the "end of file" of the superblock: 8 bytes at offset 28 in versions 2
/// and 3.
std::uint64_t end_of_file(const std::string& image) {
  constexpr std::size_t kAt = 28;
  if (image.size() < kAt + 8 || image.compare(1, 3, "HDF") != 0 || (image[8] != 2 && image[8] != 3) || image[9] != 8) {
    throw std::logic_error("report_hdf5: HDF5 wrote a superblock of an unexpected version");
  }
  std::uint64_t end = 0;
  for (std::size_t i = 8; i-- > 0;) end = end << 8 | static_cast<unsigned char>(image[kAt + i]);
  if (end > image.size()) throw std::logic_error("report_hdf5: the file in memory is shorter than it says");
  return end;
}

Handle new_file(std::string& image) {
  const Handle access = file_access();
  check(H5Pset_fapl_core(access.get(), kChunkBytes, 0), "choose the in-memory driver");
  H5FD_file_image_callbacks_t callbacks{new_image, nullptr, resize_image, keep_image, same_image, keep_pointer, &image};
  check(H5Pset_file_image_callbacks(access.get(), &callbacks), "set up the in-memory driver");
  return {H5Fcreate("in memory", H5F_ACC_TRUNC, file_creation().get(), access.get()), H5Fclose, "create a file in memory"};
}

/// Length of the UTF-8 sequence at the start of `text`, 0 when there is none (RFC 3629: no overlong forms, no surrogates, <= U+10FFFF).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  const unsigned char second = byte(1);
  const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
                     (first == 0xF4 && second > 0x8F);
  return wrong ? 0 : length;
}

}  // namespace

Handle file_access() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make file access properties");
  // Readable by HDF5 1.8, which is what h5py wheels, MATLAB and netCDF builds of the last ten years can all open.
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110), "set the file format");
  // Whatever is still open when an exception passes is closed with the file: nothing may write to the image once it is gone.
  check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG), "set how the file closes");
  return access;
}

Handle file_creation() {
  Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "make file creation properties");
  // netCDF-4 opens a file for appending only if every group keeps creation order.
  check(H5Pset_link_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "keep creation order");
  check(H5Pset_attr_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "keep creation order");
  check(H5Pset_obj_track_times(creation.get(), false), "leave times out");
  // Most arrays are one chunk; room for 64 of them in every index would be half of a small file.
  check(H5Pset_istore_k(creation.get(), 2), "set the size of chunk indices");
  return creation;
}

void check_closed(Id file) {
  const auto open_objects = H5Fget_obj_count(file, H5F_OBJ_ALL);
  if (open_objects != 1) throw std::logic_error(fmt::format("report_hdf5: {} objects are still open", open_objects - 1));
}

std::string valid_utf8(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      result += "\xEF\xBF\xBD";
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

Group Group::child(const std::string& name) {
  const Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "make group properties");
  check(H5Pset_link_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "keep creation order");
  check(H5Pset_attr_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "keep creation order");
  check(H5Pset_obj_track_times(creation.get(), false), "leave times out");
  return Group(Handle(H5Gcreate2(group_.get(), name.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Gclose,
                      fmt::format("create group \"{}\"", name)));
}

Handle Group::create(const std::string& name, Id type, const std::vector<std::uint64_t>& shape, const std::vector<std::uint64_t>& chunk) {
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make dataset properties");
  check(H5Pset_obj_track_times(properties.get(), false), "leave times out");
  check(H5Pset_attr_creation_order(properties.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), "keep creation order");
  if (!chunk.empty()) set_filters(properties.get(), chunk);
  if (H5Tget_class(type) == H5T_FLOAT) check(H5Pset_fill_value(properties.get(), H5T_NATIVE_DOUBLE, &kMissing), "set the fill value");
  const Handle space = data_space(shape);
  return {H5Dcreate2(group_.get(), name.c_str(), type, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), H5Dclose,
          fmt::format("create dataset \"{}\"", name)};
}

std::vector<std::uint64_t> Group::shape_over(const std::string& name, const std::vector<std::string>& dimensions) const {
  std::vector<std::uint64_t> shape;
  for (const std::string& dimension : dimensions) {
    const auto found = dimensions_.find(dimension);
    if (found == dimensions_.end()) throw std::logic_error(fmt::format("report_hdf5: \"{}\" has no dimension \"{}\"", name, dimension));
    shape.push_back(found->second.size);
  }
  return shape;
}

void Group::describe(Id dataset, const std::string& name, const std::vector<std::string>& dimensions, Element type,
                     const Meaning& meaning) {
  if (type == Element::f64) put_attribute(dataset, "_FillValue", Element::f64, &kMissing, 1);
  if (!meaning.units.empty()) put_text(dataset, "units", meaning.units);
  if (!meaning.long_name.empty()) put_text(dataset, "long_name", meaning.long_name);
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    check(H5DSattach_scale(dataset, dimensions_.at(dimensions[i]).scale.get(), static_cast<unsigned>(i)),
          fmt::format("attach dimension \"{}\" to \"{}\"", dimensions[i], name));
  }
}

Handle Group::put(const std::string& name, const std::vector<std::string>& dimensions, Element type, const void* values, std::size_t count,
                  const Meaning& meaning) {
  const std::vector<std::uint64_t> shape = shape_over(name, dimensions);
  std::uint64_t expected = 1;
  for (const std::uint64_t length : shape) expected *= length;
  if (count != expected) throw std::logic_error(fmt::format("report_hdf5: \"{}\" needs {} values, got {}", name, expected, count));

  const Id stored = file_type(type);
  Handle dataset =
      create(name, stored, shape, shape.empty() || count == 0 ? std::vector<std::uint64_t>{} : rows_of_a_chunk(shape, H5Tget_size(stored)));
  if (count > 0) {
    check(H5Dwrite(dataset.get(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), fmt::format("write dataset \"{}\"", name));
  }
  describe(dataset.get(), name, dimensions, type, meaning);
  return dataset;
}

Slabs Group::slabs(const std::string& name, const std::vector<std::string>& dimensions, Element type,
                   const std::vector<std::uint64_t>& chunk, const Meaning& meaning) {
  Handle made = create(name, file_type(type), shape_over(name, dimensions), chunk);
  describe(made.get(), name, dimensions, type, meaning);
  made.reset();
  // Opened anew without a cache of chunks: every variable would keep the last MiB that was written.
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, "make dataset access properties");
  check(H5Pset_chunk_cache(access.get(), 1, 0, 1), "set the chunk cache");
  return {name, type, {H5Dopen2(group_.get(), name.c_str(), access.get()), H5Dclose, fmt::format("open dataset \"{}\"", name)}};
}

Slabs Group::flag_slabs(const std::string& name, const std::vector<std::string>& dimensions, const std::vector<std::uint64_t>& chunk,
                        const std::vector<std::string>& words, std::string_view long_name) {
  Slabs made = slabs(name, dimensions, Element::u8, chunk, {"", long_name});
  put_words(made.dataset_.get(), words);
  return made;
}

void Slabs::put(const std::vector<std::uint64_t>& start, const std::vector<std::uint64_t>& count, const void* values) {
  const Handle file(H5Dget_space(dataset_.get()), H5Sclose, "read a shape");
  const std::vector<hsize_t> from(start.begin(), start.end()), length(count.begin(), count.end());
  check(H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, from.data(), nullptr, length.data(), nullptr), "select a part");
  const Handle memory = data_space(count);
  check(H5Dwrite(dataset_.get(), memory_type(type_), memory.get(), file.get(), H5P_DEFAULT, values),
        fmt::format("write dataset \"{}\"", name_));
}

void Group::flags(const std::string& name, const std::vector<std::string>& dimensions, const std::vector<std::uint8_t>& values,
                  const std::vector<std::string>& words, std::string_view long_name) {
  const Handle dataset = put(name, dimensions, Element::u8, values.data(), values.size(), {"", long_name});
  put_words(dataset.get(), words);
}

void Group::put_words(Id dataset, const std::vector<std::string>& words) {
  std::vector<std::uint8_t> codes(words.size());
  std::string meanings;
  for (std::size_t i = 0; i < words.size(); ++i) {
    codes[i] = static_cast<std::uint8_t>(i);
    meanings += (i == 0 ? "" : " ") + words[i];
  }
  put_attribute(dataset, "flag_values", Element::u8, codes.data(), codes.size());
  put_text(dataset, "flag_meanings", meanings);
}

void Group::make_dimension(const std::string& name, std::uint64_t size, Handle dataset, std::string_view long_name) {
  check(H5DSset_scale(dataset.get(), name.c_str()), fmt::format("make dimension \"{}\"", name));
  put_text(dataset.get(), "long_name", long_name);
  if (!dimensions_.emplace(name, Dimension{size, std::move(dataset)}).second) {
    throw std::logic_error(fmt::format("report_hdf5: dimension \"{}\" is there already", name));
  }
}

Handle Group::create_texts(const std::string& name, const std::vector<std::string>& labels) {
  std::vector<std::string> texts;
  for (const std::string& label : labels) texts.push_back(valid_utf8(label));
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  const Handle type = text_type();
  Handle dataset = create(name, type.get(), {labels.size()}, {});
  if (!pointers.empty()) {
    const Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose, "make transfer properties");
    check(H5Pset_buffer(transfer.get(), kTextBuffer, nullptr, nullptr), "set the conversion buffer");
    check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, transfer.get(), pointers.data()),
          fmt::format("write dataset \"{}\"", name));
  }
  return dataset;
}

void Group::coordinate(const std::string& name, const std::vector<std::string>& labels, std::string_view long_name) {
  make_dimension(name, labels.size(), create_texts(name, labels), long_name);
}

void Group::texts(const std::string& name, const std::string& dimension, const std::vector<std::string>& labels,
                  std::string_view long_name) {
  const auto found = dimensions_.find(dimension);
  if (found == dimensions_.end() || found->second.size != labels.size()) {
    throw std::logic_error(fmt::format("report_hdf5: \"{}\" does not fit the dimension \"{}\"", name, dimension));
  }
  const Handle dataset = create_texts(name, labels);
  put_text(dataset.get(), "long_name", long_name);
  check(H5DSattach_scale(dataset.get(), found->second.scale.get(), 0), fmt::format("attach the dimension of \"{}\"", name));
}

void Group::coordinate(const std::string& name, std::size_t size, std::string_view long_name) {
  std::vector<std::int64_t> index(size);
  for (std::size_t i = 0; i < size; ++i) index[i] = static_cast<std::int64_t>(i);
  put_coordinate(name, Element::i64, index.data(), size, {"", long_name});
}

void Group::put_coordinate(const std::string& name, Element type, const void* values, std::size_t count, const Meaning& meaning) {
  const Id stored = file_type(type);
  Handle dataset = create(name, stored, {count}, count > 0 ? rows_of_a_chunk({count}, H5Tget_size(stored)) : std::vector<std::uint64_t>{});
  if (count > 0) {
    check(H5Dwrite(dataset.get(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), fmt::format("write dataset \"{}\"", name));
  }
  if (!meaning.units.empty()) put_text(dataset.get(), "units", meaning.units);
  make_dimension(name, count, std::move(dataset), meaning.long_name);
}

void Group::attribute(const std::string& name, std::string_view text) {
  put_text(group_.get(), name, text);
}

void Group::put_attribute(Id object, const std::string& name, Element type, const void* values, std::size_t length) {
  const Handle space = length == kScalar ? data_space({}) : data_space({length});
  const Handle attribute(H5Acreate2(object, name.c_str(), file_type(type), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                         fmt::format("create attribute \"{}\"", name));
  check(H5Awrite(attribute.get(), memory_type(type), values), fmt::format("write attribute \"{}\"", name));
}

void Group::put_text(Id object, const std::string& name, std::string_view text) {
  const std::string bytes = valid_utf8(text);
  const char* pointer = bytes.c_str();
  const Handle type = text_type();
  const Handle space = data_space({});
  const Handle attribute(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                         fmt::format("create attribute \"{}\"", name));
  check(H5Awrite(attribute.get(), type.get(), &pointer), fmt::format("write attribute \"{}\"", name));
}

std::string build_file(const std::function<void(Group&)>& fill) {
  const Silence silence;
  std::string image;
  {
    Handle file = new_file(image);
    {
      Group root(Handle(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, "open the root group"));
      fill(root);
    }
    check_closed(file.get());
    check(H5Fflush(file.get(), H5F_SCOPE_LOCAL), "finish the file");
  }
  image.resize(end_of_file(image));
  clear_header_times(image);
  return image;
}

}  // namespace rooftrace::h5
