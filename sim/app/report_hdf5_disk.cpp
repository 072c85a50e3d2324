// The driver: positional reads and writes on one descriptor (HDF5 User's Guide, "Virtual File Layer"; struct H5FD_class_t).
#include "sim/app/report_hdf5_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <sys/mman.h>
#include <unistd.h>
#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>  // Where 1.14 keeps what 1.10 has in hdf5.h.
#endif

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "sim/app/atomic_file.hpp"
#include "sim/app/report_hdf5_times.hpp"
#include "sim/core/error.hpp"

namespace rooftrace::h5 {
namespace {

/// Whose bytes a file's are; HDF5 copies the pointer.
struct Disk {
  int descriptor = -1;
  int error = 0;  ///< The first errno.
  void note(int what) { error = error == 0 ? what : error; }
};

/// HDF5 sees the first member only.
struct OpenFile {
  H5FD_t base{};
  Disk* disk = nullptr;
  haddr_t allocated = 0, written = 0;
};

OpenFile& of(H5FD_t* file) {
  return *reinterpret_cast<OpenFile*>(file);
}
const OpenFile& of(const H5FD_t* file) {
  return *reinterpret_cast<const OpenFile*>(file);
}

H5FD_t* open_file(const char* /*name*/, unsigned /*flags*/, hid_t access, haddr_t /*most*/) {
  Disk* disk = nullptr;
  const void* info = H5Pget_driver_info(access);
  if (info == nullptr) return nullptr;
  std::memcpy(&disk, info, sizeof(Disk*));
  auto* file = new OpenFile;
  file->disk = disk;
  return &file->base;
}

herr_t close_file(H5FD_t* file) {
  delete &of(file);
  return 0;
}

/// What a driver on a plain file can say: metadata may be gathered, small raw data too.
herr_t query(const H5FD_t* /*file*/, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t get_allocated(const H5FD_t* file, H5FD_mem_t /*type*/) {
  return of(file).allocated;
}
herr_t set_allocated(H5FD_t* file, H5FD_mem_t /*type*/, haddr_t end) {
  of(file).allocated = end;
  return 0;
}
haddr_t get_written(const H5FD_t* file, H5FD_mem_t /*type*/) {
  return of(file).written;
}

/// What lies behind the end reads as 0.
herr_t read_bytes(H5FD_t* file, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t at, std::size_t size, void* out) {
  auto* to = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = pread(of(file).disk->descriptor, to, size, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) of(file).disk->note(errno);
    if (got <= 0) break;
    to += got;
    at += static_cast<haddr_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  std::memset(to, 0, size);
  return 0;
}

herr_t write_bytes(H5FD_t* file, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t at, std::size_t size, const void* bytes) {
  OpenFile& self = of(file);
  const auto* from = static_cast<const char*>(bytes);
  if (at + size > self.written) self.written = at + size;
  while (size > 0 && self.disk->error == 0) {
    const ssize_t put = pwrite(self.disk->descriptor, from, size, static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      self.disk->note(errno);
      break;
    }
    from += put;
    at += static_cast<haddr_t>(put);
    size -= static_cast<std::size_t>(put);
  }
  return 0;
}

herr_t truncate_file(H5FD_t* file, hid_t /*transfer*/, hbool_t /*closing*/) {
  OpenFile& self = of(file);
  if (self.disk->error == 0 && ftruncate(self.disk->descriptor, static_cast<off_t>(self.allocated)) != 0) self.disk->note(errno);
  self.written = self.allocated;
  return 0;
}

H5FD_class_t driver_class() {
  constexpr haddr_t kMost = HADDR_MAX >> 2;
  H5FD_class_t driver;
  std::memset(&driver, 0, sizeof driver);
#ifdef H5FD_CLASS_VERSION
  driver.version = H5FD_CLASS_VERSION;
  driver.value = static_cast<H5FD_class_value_t>(610);  // Of those that are free for anybody's use.
#endif
  driver.name = "rooftrace_disk";
  driver.maxaddr = kMost;
  driver.fc_degree = H5F_CLOSE_STRONG;
  driver.fapl_size = sizeof(Disk*);
  driver.open = open_file;
  driver.close = close_file;
  driver.query = query;
  driver.get_eoa = get_allocated;
  driver.set_eoa = set_allocated;
  driver.get_eof = get_written;
  driver.read = read_bytes;
  driver.write = write_bytes;
  driver.truncate = truncate_file;
  for (H5FD_mem_t& kind : driver.fl_map) kind = H5FD_MEM_SUPER;  // One list of free space for all kinds.
  return driver;
}

/// A descriptor and where it is mapped.
struct Mapping {
  explicit Mapping(int descriptor) : size(static_cast<std::size_t>(lseek(descriptor, 0, SEEK_END))) {
    if (size == static_cast<std::size_t>(-1) || size == 0) throw std::logic_error("report_hdf5: an empty file");
    address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "map a file");
  }
  ~Mapping() { munmap(address, size); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::size_t size;
  void* address;
};

struct Closer {
  int descriptor;
  ~Closer() { static_cast<void>(close(descriptor)); }
};

void fill_file(Disk& disk, const std::function<void(Group&)>& fill) {
  const Silence silence;
  static const H5FD_class_t kDriver = driver_class();  // HDF5 1.10 copies it, others may not.
  const Handle driver(H5FDregister(&kDriver), H5FDunregister, "register the driver");
  const Handle access = file_access();
  Disk* const info = &disk;
  check(H5Pset_driver(access.get(), driver.get(), &info), "choose the driver");
  const Handle creation = file_creation();
  try {
    Handle file(H5Fcreate("on disk", H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose, "create a file");
    {
      Group root(Handle(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, "open the root group"));
      fill(root);
    }
    check_closed(file.get());
    check(H5Fflush(file.get(), H5F_SCOPE_LOCAL), "finish the file");
  } catch (const std::runtime_error&) {
    if (disk.error == 0) throw;  // Otherwise HDF5 stumbled over what could not be written.
  }
}

}  // namespace

void write_file(const std::string& path, const std::function<void(Group&)>& fill) {
  AtomicFile target(path);
  const Closer own{open(target.temporary().c_str(), O_RDWR | O_CLOEXEC)};
  Disk disk{own.descriptor, own.descriptor < 0 ? errno : 0};
  if (disk.error == 0) fill_file(disk, fill);
  if (disk.error != 0) throw UserError(fmt::format("cannot write \"{}\": {}", path, std::generic_category().message(disk.error)));
  {
    const Mapping image(own.descriptor);
    clear_header_times({static_cast<char*>(image.address), image.size});
  }
  target.commit();
}

}  // namespace rooftrace::h5
