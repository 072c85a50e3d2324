#include "sim/app/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw UserError(fmt::format("cannot write \"{}\": {}", path, why));
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

/// Where the bytes really go: rename() would replace a symbolic link instead of the file it points to. A dangling link is followed too, one
/// link at a time, as open() would.
std::string follow_links(const std::string& path) {
  std::filesystem::path target = path;
  std::error_code error;
  for (int hops = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(target, error)); ++hops) {
    if (hops == 40) refuse(path, reason(ELOOP));
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) refuse(path, reason(error.value()));
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target.string();
}

/// Refuses what rename() would either not do or do too well: with enough rights it replaces a device or a write-protected file.
void check_target(const std::string& path, const std::string& target, const std::string& folder) {
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) {
    refuse(path, errno == ENOENT ? fmt::format("the folder \"{}\" does not exist", folder) : reason(errno));
  }
  if (!S_ISDIR(info.st_mode)) refuse(path, fmt::format("\"{}\" is not a folder", folder));
  if (stat(target.c_str(), &info) != 0) {
    if (errno != ENOENT) refuse(path, reason(errno));
    return;
  }
  if (S_ISDIR(info.st_mode)) refuse(path, "it is a folder");
  if (!S_ISREG(info.st_mode)) refuse(path, "it is not a regular file");
  if ((info.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0 || access(target.c_str(), W_OK) != 0) {
    refuse(path, "the file exists and is write-protected");
  }
}

/// ".rooftrace-PID-N.tmp" and nothing else.
bool is_temporary_name(std::string_view name) {
  constexpr std::string_view kFront = ".rooftrace-", kBack = ".tmp";
  if (!name.starts_with(kFront) || !name.ends_with(kBack) || name.size() <= kFront.size() + kBack.size()) return false;
  const std::string_view middle = name.substr(kFront.size(), name.size() - kFront.size() - kBack.size());
  const std::size_t dash = middle.find('-');
  return dash != std::string_view::npos && dash > 0 && dash + 1 < middle.size() && middle.find_first_not_of("0123456789") == dash &&
         middle.find_first_not_of("0123456789", dash + 1) == std::string_view::npos;
}

enum class Lock { mine, taken, impossible };

/// A lock that ends with the open file. Of the open file description and not flock(), which the HDF5 library takes for itself.
Lock lock(int descriptor) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(descriptor, F_OFD_SETLK, &whole) == 0) return Lock::mine;
  return errno == EAGAIN || errno == EACCES ? Lock::taken : Lock::impossible;
}

/// Whether `path` still is the file that was opened.
bool still_there(int descriptor, const std::string& path) {
  struct stat mine {};
  struct stat there {};
  return fstat(descriptor, &mine) == 0 && lstat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

/// Removes temporaries whose writers were killed: a writer holds a lock on its own as long as it lives, on any machine that shares the
/// folder. Where the file system has no locks, nothing is removed.
void remove_left_over(const std::string& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string();
    if (!is_temporary_name(entry->path().filename().string())) continue;
    const int descriptor = open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) continue;
    struct stat info {};
    const bool ours = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid();
    if (ours && lock(descriptor) == Lock::mine && still_there(descriptor, path)) static_cast<void>(unlink(path.c_str()));
    static_cast<void>(close(descriptor));
  }
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  if (path.empty()) refuse(path, "the name is empty");
  if (path.back() == '/') refuse(path, "it names a folder");
  target_ = follow_links(path);
  const std::filesystem::path parent = std::filesystem::path(target_).parent_path();
  folder_ = parent.empty() ? std::string(1, '.') : parent.string();
  check_target(path, target_, folder_);
  if (std::filesystem::path(target_).filename().string().size() > NAME_MAX) refuse(path, reason(ENAMETOOLONG));

  remove_left_over(folder_);
  // O_EXCL: two runs, two threads or a leftover of a killed run never share a temporary.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const std::string candidate = fmt::format("{}/.rooftrace-{}-{}.tmp", folder_, getpid(), attempt);
    descriptor_ = open(candidate.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) {
      // Between open() and lock() somebody may have taken it for left over; without locks nobody does.
      if (lock(descriptor_) != Lock::taken && still_there(descriptor_, candidate)) {
        temporary_ = candidate;
        break;
      }
      static_cast<void>(close(descriptor_));
      descriptor_ = -1;
      continue;
    }
    if (errno != EEXIST)
      refuse(path, errno == EACCES ? fmt::format("no permission to write in the folder \"{}\"", folder_) : reason(errno));
  }
  if (descriptor_ < 0) refuse(path, fmt::format("too many temporary files in \"{}\"", folder_));
  struct stat info {};
  if (stat(target_.c_str(), &info) == 0) static_cast<void>(fchmod(descriptor_, info.st_mode & 07777));
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) static_cast<void>(close(descriptor_));
  descriptor_ = -1;
  if (!temporary_.empty()) static_cast<void>(unlink(temporary_.c_str()));
  temporary_.clear();
}

void AtomicFile::fail(int error) const {
  refuse(path_, reason(error));
}

void AtomicFile::write(std::string_view bytes) {
  if (descriptor_ < 0) throw std::logic_error("AtomicFile: write after commit");
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) throw std::logic_error("AtomicFile: committed twice");
  if (fsync(descriptor_) != 0 && errno != EINVAL) fail(errno);  // EINVAL: this file system has nothing to sync.
  // close() can be the first to report a full disk (NFS).
  const int closed = close(descriptor_);
  descriptor_ = -1;
  if (closed != 0 && errno != EINTR) fail(errno);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  temporary_.clear();
  // The file is in place; a folder that cannot be opened or synced only makes it less certain to survive a power cut.
  const int folder = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    static_cast<void>(fsync(folder));
    static_cast<void>(close(folder));
  }
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void check_writable(const std::string& path) {
  const AtomicFile probe(path);
}

}  // namespace rooftrace
