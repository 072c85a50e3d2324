// A file that appears whole or not at all.
//
// Promise: until commit() the name the user gave is untouched; commit() puts the complete file there in one step (temporary name in the
// same folder, fsync, rename, fsync of the folder), keeping the permissions of a file it replaces and following symbolic links. Whatever
// fails, or whoever throws, the temporary is removed. Every refusal is a UserError of one line: folder missing, a directory, not a regular
// file, write-protected, no permission, disk full. A process killed between
// creation and commit leaves its temporary ".rooftrace-PID-N.tmp"; the next file made in that folder removes it, which is safe because a
// living writer holds a lock on its own (not done where the file system has no locks).
#pragma once

#include <string>
#include <string_view>

namespace rooftrace {

class AtomicFile {
 public:
  /// Creates the temporary; throws UserError when `path` cannot be written.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  /// The temporary's name, for writers that open it themselves; what they write is synced by commit(), after they have closed it.
  [[nodiscard]] const std::string& temporary() const { return temporary_; }
  void commit();  ///< At most once, after the last write.

 private:
  [[noreturn]] void fail(int error) const;
  void discard() noexcept;

  std::string path_;       ///< As the user wrote it, for messages.
  std::string target_;     ///< After symbolic links.
  std::string folder_;     ///< Of the target.
  std::string temporary_;  ///< "" when there is none (any more).
  int descriptor_ = -1;
};

/// Writes `bytes` to `path`, whole or not at all.
void write_file_atomically(const std::string& path, std::string_view bytes);

/// Throws the UserError that writing `path` would throw, before hours of work are spent. Creates and removes a temporary beside it.
void check_writable(const std::string& path);

}  // namespace rooftrace
