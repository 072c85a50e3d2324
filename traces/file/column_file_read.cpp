// Opening a file that may be anything, and handing out its chunks.
#include <fmt/format.h>
#include <hdf5.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <mutex>
#include <system_error>

#include "sim/core/error.hpp"
#include "sim/core/text_file.hpp"
#include "traces/file/chunk_codec.hpp"
#include "traces/file/column_file.hpp"
#include "traces/file/hdf5_calls.hpp"

namespace rooftrace::trace_file {
namespace {

/// No deflated stream inflates to more than 1032 times its size (RFC 1951: 258 bytes from a quarter of a byte); rows beyond that are a lie.
constexpr std::uint64_t kMostInflation = 1040;

/// Refuses what is no regular file, and no HDF5 file of the right format, before the library sees it.
std::uint64_t look_at(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    throw UserError(fmt::format("cannot read \"{}\": {}{}", path, std::generic_category().message(errno), similar_file(path)));
  }
  if (!S_ISREG(info.st_mode)) throw UserError(fmt::format("cannot read \"{}\": it is not a regular file", path));
  std::array<unsigned char, 9> start{};
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw UserError(fmt::format("cannot read \"{}\": {}", path, std::generic_category().message(errno)));
  stream.read(reinterpret_cast<char*>(start.data()), start.size());
  constexpr std::array<unsigned char, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  if (!stream || !std::equal(kSignature.begin(), kSignature.end(), start.begin())) {
    throw UserError(fmt::format("{}: byte 0: not a trace file (no HDF5 signature)", path));
  }
  constexpr int kSuperblock = 3;
  if (start[8] != kSuperblock) {
    throw UserError(fmt::format("{}: byte 8: written in another HDF5 format (superblock {}) than the {} of a trace file (HDF5 1.10)", path,
                                start[8], kSuperblock));
  }
  return static_cast<std::uint64_t>(info.st_size);
}

class ColumnFile final : public ColumnSource {
 public:
  explicit ColumnFile(const std::string& path) : name_(path), bytes_(look_at(path)) {
    try {
      open();
    } catch (const UserError&) {
      throw;
    } catch (const std::runtime_error& error) {
      throw UserError(fmt::format("{}: damaged or not a trace file: HDF5 {}", name_, error.what()));
    }
  }

  [[nodiscard]] std::uint64_t rows(Table table) const override { return rows_[static_cast<std::size_t>(table)]; }
  [[nodiscard]] std::uint32_t chunk_rows(Table table) const override { return chunk_rows_[static_cast<std::size_t>(table)]; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t file_bytes() const override { return bytes_; }

  void read(Column column, std::uint64_t chunk, StoredChunk& out) const override {
    const std::scoped_lock lock(mutex_);
    const Quiet quiet;
    const Hid dataset = datasets_[static_cast<std::size_t>(column)].get();
    const Table table = shape_of(column).table;
    const hsize_t at = chunk * chunk_rows(table);
    const auto refuse = [&](const std::string& why) {
      throw UserError(fmt::format("{}: {}: chunk {} (row {}): {}", name_, path_of(column), chunk, at, why));
    };
    try {
      unsigned mask = 0;
      haddr_t where = HADDR_UNDEF;
      hsize_t size = 0;
      check(H5Dget_chunk_info_by_coord(dataset, &at, &mask, &where, &size), "find it");
      if (where == HADDR_UNDEF || size == 0) refuse("it is missing");
      const std::size_t raw = std::size_t{chunk_rows(table)} * bytes_of(shape_of(column).element);
      if (size > most_stored_bytes(raw)) refuse(fmt::format("its {} stored bytes are more than {} bytes can need", size, raw));
      if (where > bytes_ || size > bytes_ - where) refuse(fmt::format("byte {}: it ends behind the end of the file", where));
      out.bytes.resize(size);
      out.offset = where;
      std::uint32_t filters = 0;
      check(H5Dread_chunk(dataset, H5P_DEFAULT, &at, &filters, out.bytes.data()), "read it");
      out.filter_mask = filters;
    } catch (const UserError&) {
      throw;
    } catch (const std::runtime_error& error) {
      refuse(fmt::format("HDF5 {}", error.what()));
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& place, const std::string& why) const {
    throw UserError(fmt::format("{}: {}: {}", name_, place, why));
  }

  void open() {
    const Quiet quiet;
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make file access properties");
    check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG), "set how the file closes");
    file_ = Handle(H5Fopen(name_.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose, "open the file");
    check_format();
    for (std::size_t t = 0; t < kTables; ++t) {
      const auto table = static_cast<Table>(t);
      bool first = true;
      for (std::size_t c = 0; c < kColumns; ++c) {
        if (column_shapes()[c].table != table) continue;
        open_column(static_cast<Column>(c), first);
        first = false;
      }
    }
  }

  void check_format() const {
    if (check(H5Aexists(file_.get(), "format"), "look for the format") == 0) refuse("attribute format", "missing: not a trace file");
    const Handle format(H5Aopen(file_.get(), "format", H5P_DEFAULT), H5Aclose, "open the format");
    const Handle type(H5Aget_type(format.get()), H5Tclose, "read the format's type");
    const Handle space(H5Aget_space(format.get()), H5Sclose, "read the format's shape");
    std::string word(kFormatName.size(), '\0');
    const bool text = H5Tget_class(type.get()) == H5T_STRING && H5Tis_variable_str(type.get()) == 0 &&
                      H5Tget_size(type.get()) == word.size() && H5Sget_simple_extent_type(space.get()) == H5S_SCALAR;
    if (text) check(H5Aread(format.get(), type.get(), word.data()), "read the format");
    if (!text || word != kFormatName) refuse("attribute format", fmt::format("it is not the text \"{}\"", kFormatName));

    if (check(H5Aexists(file_.get(), "format_version"), "look for the version") == 0) refuse("attribute format_version", "missing");
    const Handle version(H5Aopen(file_.get(), "format_version", H5P_DEFAULT), H5Aclose, "open the version");
    const Handle number(H5Aget_type(version.get()), H5Tclose, "read the version's type");
    const Handle shape(H5Aget_space(version.get()), H5Sclose, "read the version's shape");
    if (H5Tequal(number.get(), H5T_STD_U32LE) <= 0 || H5Sget_simple_extent_type(shape.get()) != H5S_SCALAR) {
      refuse("attribute format_version", "it is not one 32-bit number");
    }
    std::uint32_t value = 0;
    check(H5Aread(version.get(), H5T_NATIVE_UINT32, &value), "read the version");
    if (value != kFormatVersion) {
      refuse("attribute format_version", fmt::format("{}, but this rooftrace reads version {} only", value, kFormatVersion));
    }
  }

  void check_plain_link(Hid where, const std::string& name, const std::string& shown) const {
    if (check(H5Lexists(where, name.c_str(), H5P_DEFAULT), "look for " + shown) == 0) refuse(shown, "missing");
    H5L_info_t info{};
    check(H5Lget_info(where, name.c_str(), &info, H5P_DEFAULT), "look at " + shown);
    if (info.type != H5L_TYPE_HARD) refuse(shown, "it is a link to elsewhere");
  }

  void open_column(Column column, bool first) {
    const ColumnShape& shape = shape_of(column);
    const std::string path = path_of(column);
    const std::string group(shape_of(shape.table).name);
    check_plain_link(file_.get(), group, "/" + group);
    const Handle folder(H5Gopen2(file_.get(), group.c_str(), H5P_DEFAULT), H5Gclose, "open /" + group);
    check_plain_link(folder.get(), std::string(shape.name), path);
    Handle dataset(H5Dopen2(folder.get(), std::string(shape.name).c_str(), H5P_DEFAULT), H5Dclose, "open " + path);

    const Handle type(H5Dget_type(dataset.get()), H5Tclose, "read the type of " + path);
    const std::array<Hid, 6> types = {H5T_STD_U8LE, H5T_STD_U32LE, H5T_STD_I32LE, H5T_STD_U64LE, H5T_STD_I64LE, H5T_IEEE_F64LE};
    if (H5Tequal(type.get(), types.at(static_cast<std::size_t>(shape.element))) <= 0) refuse(path, "its elements are of another type");
    const Handle space(H5Dget_space(dataset.get()), H5Sclose, "read the shape of " + path);
    if (H5Sget_simple_extent_type(space.get()) != H5S_SIMPLE || H5Sget_simple_extent_ndims(space.get()) != 1) {
      refuse(path, "it does not have one dimension");
    }
    hsize_t rows = 0;
    check(H5Sget_simple_extent_dims(space.get(), &rows, nullptr), "read the shape of " + path);
    const hsize_t chunk = check_storage(path, dataset.get(), bytes_of(shape.element));

    const auto t = static_cast<std::size_t>(shape.table);
    if (first) {
      rows_[t] = rows;
      chunk_rows_[t] = static_cast<std::uint32_t>(chunk);
    } else if (rows_[t] != rows || chunk_rows_[t] != chunk) {
      refuse(path, fmt::format("{} rows in chunks of {}, but others of the table have {} in chunks of {}", rows, chunk, rows_[t],
                               chunk_rows_[t]));
    }
    check_chunks(path, dataset.get(), space.get(), rows, chunk, bytes_of(shape.element));
    datasets_[static_cast<std::size_t>(column)] = std::move(dataset);
  }

  /// Layout and filters; returns the rows of a chunk.
  [[nodiscard]] hsize_t check_storage(const std::string& path, Hid dataset, std::size_t element_bytes) const {
    const Handle creation(H5Dget_create_plist(dataset), H5Pclose, "read the storage of " + path);
    if (H5Pget_layout(creation.get()) != H5D_CHUNKED || H5Pget_external_count(creation.get()) != 0) refuse(path, "it is not chunked");
    hsize_t chunk = 0;
    if (H5Pget_chunk(creation.get(), 1, &chunk) != 1 || chunk == 0 || chunk > kMostChunkRows) {
      refuse(path, fmt::format("chunks of {} rows; 1 to {} are allowed", chunk, kMostChunkRows));
    }
    constexpr std::array<H5Z_filter_t, 3> kFilters = {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32};
    bool fits = H5Pget_nfilters(creation.get()) == static_cast<int>(kFilters.size());
    for (unsigned i = 0; fits && i < kFilters.size(); ++i) {
      unsigned flags = 0, config = 0, value = 0;
      std::size_t values = 1;
      fits = H5Pget_filter2(creation.get(), i, &flags, &values, &value, 0, nullptr, &config) == kFilters[i];
      if (fits && kFilters[i] == H5Z_FILTER_SHUFFLE) fits = values == 1 && value == element_bytes;
    }
    if (!fits) refuse(path, "its filters are not shuffle, deflate, fletcher32");
    return chunk;
  }

  void check_chunks(const std::string& path, Hid dataset, Hid space, hsize_t rows, hsize_t chunk, std::size_t element_bytes) const {
    const hsize_t needed = rows / chunk + (rows % chunk != 0 ? 1 : 0);
    if (needed > bytes_ || rows / kMostInflation > bytes_ / element_bytes) {
      refuse(path, fmt::format("{} rows cannot be in a file of {} bytes", rows, bytes_));
    }
    hsize_t there = 0;
    if (rows > 0) check(H5Dget_num_chunks(dataset, space, &there), "count the chunks of " + path);
    if (there != needed) refuse(path, fmt::format("{} chunks, but its {} rows need {}", there, rows, needed));
  }

  std::string name_;
  std::uint64_t bytes_;
  Handle file_;
  std::array<Handle, kColumns> datasets_;  ///< Behind the file: closed before it.
  std::array<std::uint64_t, kTables> rows_{};
  std::array<std::uint32_t, kTables> chunk_rows_{};
  mutable std::mutex mutex_;
};

}  // namespace

std::shared_ptr<const ColumnSource> open_column_file(const std::string& path) {
  return std::make_shared<ColumnFile>(path);
}

}  // namespace rooftrace::trace_file
