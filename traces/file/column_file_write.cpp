// Creating the file, and putting encoded chunks into it.
#include <fmt/format.h>
#include <hdf5.h>

#include <array>

#include "sim/core/error.hpp"
#include "traces/file/column_file.hpp"
#include "traces/file/hdf5_calls.hpp"

namespace rooftrace::trace_file {
namespace {

Hid file_type(Element element) {
  constexpr std::size_t kTypes = 6;
  const std::array<Hid, kTypes> types = {H5T_STD_U8LE, H5T_STD_U32LE, H5T_STD_I32LE, H5T_STD_U64LE, H5T_STD_I64LE, H5T_IEEE_F64LE};
  return types.at(static_cast<std::size_t>(element));
}

void put_attributes(Hid file) {
  const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose, "make a scalar");
  const Handle text(H5Tcopy(H5T_C_S1), H5Tclose, "make a text type");
  check(H5Tset_size(text.get(), kFormatName.size()), "make a text type");
  check(H5Tset_strpad(text.get(), H5T_STR_NULLPAD), "make a text type");
  const Handle format(H5Acreate2(file, "format", text.get(), scalar.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, "write the format");
  check(H5Awrite(format.get(), text.get(), kFormatName.data()), "write the format");
  const Handle version(H5Acreate2(file, "format_version", H5T_STD_U32LE, scalar.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                       "write the format's version");
  check(H5Awrite(version.get(), H5T_NATIVE_UINT32, &kFormatVersion), "write the format's version");
}

Handle create_file(const std::string& path) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make file access properties");
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110), "set the file format");
  check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG), "set how the file closes");
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "make file creation properties");
  check(H5Pset_obj_track_times(creation.get(), false), "leave times out");
  return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose, "create the file"};
}

Handle create_group(Hid file, Table table) {
  const Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "make group properties");
  check(H5Pset_obj_track_times(creation.get(), false), "leave times out");
  return {H5Gcreate2(file, std::string(shape_of(table).name).c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Gclose, "make a group"};
}

Handle create_dataset(Hid group, const ColumnShape& shape) {
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make dataset properties");
  const hsize_t none = 0, unlimited = H5S_UNLIMITED, chunk = shape_of(shape.table).chunk_rows;
  check(H5Pset_obj_track_times(creation.get(), false), "leave times out");
  check(H5Pset_chunk(creation.get(), 1, &chunk), "set chunks");
  check(H5Pset_shuffle(creation.get()), "set the shuffle filter");
  check(H5Pset_deflate(creation.get(), 1), "set the deflate filter");
  check(H5Pset_fletcher32(creation.get()), "set the checksum filter");
  const Handle space(H5Screate_simple(1, &none, &unlimited), H5Sclose, "make a shape");
  return {
      H5Dcreate2(group, std::string(shape.name).c_str(), file_type(shape.element), space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
      H5Dclose, "make a dataset"};
}

}  // namespace

struct ColumnFileWriter::Impl {
  Impl(const std::string& path, std::string name) : shown(std::move(name)) {
    guarded([&] {
      file = create_file(path);
      put_attributes(file.get());
      std::array<Handle, kTables> groups;
      for (std::size_t t = 0; t < kTables; ++t) groups[t] = create_group(file.get(), static_cast<Table>(t));
      for (std::size_t c = 0; c < kColumns; ++c) {
        const ColumnShape& shape = column_shapes()[c];
        datasets[c] = create_dataset(groups[static_cast<std::size_t>(shape.table)].get(), shape);
      }
    });
  }

  template <typename Call>
  void guarded(Call call) {
    try {
      call();
    } catch (const std::runtime_error& error) {
      throw UserError(fmt::format("cannot write \"{}\": HDF5 {}", shown, error.what()));
    }
  }

  void extend(std::size_t column, std::uint64_t rows) {
    if (rows == extent[column]) return;
    const hsize_t size = rows;
    check(H5Dset_extent(datasets[column].get(), &size), "set the length of " + path_of(static_cast<Column>(column)));
    extent[column] = rows;
  }

  Quiet quiet;  ///< First, so that closing what follows is silent too.
  std::string shown;
  Handle file;
  std::array<Handle, kColumns> datasets;
  std::array<std::uint64_t, kColumns> extent{};
};

ColumnFileWriter::ColumnFileWriter(const std::string& path, const std::string& shown) : impl_(std::make_unique<Impl>(path, shown)) {}
ColumnFileWriter::~ColumnFileWriter() = default;

void ColumnFileWriter::write(Column column, std::uint64_t chunk, std::span<const std::byte> stored) {
  const std::uint64_t chunk_rows = shape_of(shape_of(column).table).chunk_rows;
  impl_->guarded([&] {
    const auto c = static_cast<std::size_t>(column);
    impl_->extend(c, (chunk + 1) * chunk_rows);
    const hsize_t offset = chunk * chunk_rows;
    check(H5Dwrite_chunk(impl_->datasets[c].get(), H5P_DEFAULT, 0, &offset, stored.size(), stored.data()), "write " + path_of(column));
  });
}

void ColumnFileWriter::set_rows(Table table, std::uint64_t rows) {
  impl_->guarded([&] {
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (column_shapes()[c].table == table) impl_->extend(c, rows);
    }
  });
}

void ColumnFileWriter::close() {
  impl_->guarded([&] {
    for (Handle& dataset : impl_->datasets) dataset.reset();
    if (H5Fget_obj_count(impl_->file.get(), H5F_OBJ_ALL) != 1) throw std::logic_error("trace file: objects are still open");
    check(H5Fflush(impl_->file.get(), H5F_SCOPE_LOCAL), "finish the file");
    impl_->file.reset();
  });
}

}  // namespace rooftrace::trace_file
