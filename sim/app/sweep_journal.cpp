// Lines: "CHECKSUM POINT ID RECORD"; the first is "CHECKSUM rooftrace-sweep-journal/1 IDENTITY".
#include "sim/app/sweep_journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/crc.hpp>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

constexpr const char* kSchema = "rooftrace-sweep-journal/1";
constexpr std::chrono::seconds kSyncEvery{1};

std::string checked(const std::string& body) {
  boost::crc_32_type crc;
  crc.process_bytes(body.data(), body.size());
  return fmt::format("{:08x} {}\n", crc.checksum(), body);
}

/// The line without its checksum; "" when it is not whole.
std::string body_of(const std::string& line) {
  if (line.size() < 10 || line[8] != ' ') return "";
  std::string body = line.substr(9);
  return checked(body) == line + "\n" ? body : "";
}

/// Words of a line, as numbers where numbers are due.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}
  std::string_view word() {
    const std::size_t end = std::min(text_.find(' '), text_.size());
    const std::string_view result = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    ok_ = ok_ && !result.empty();
    return result;
  }
  template <typename T>
  T number() {
    const std::string_view text = word();
    T value{};
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    ok_ = ok_ && error == std::errc() && stop == text.data() + text.size();
    return value;
  }
  [[nodiscard]] std::string_view rest() const { return text_; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view text_;
  bool ok_ = true;
};

}  // namespace

std::string record_text(const PointRecord& record) {
  std::string text = fmt::format("{} {}", static_cast<int>(record.status), record.stages.size());
  for (const StageNumbers& stage : record.stages) {
    text += fmt::format(" {} {}", stage.stage, stage.binding);
    for (const double value : stage.columns) text += fmt::format(" {}", value);
    for (const double value : stage.q) text += fmt::format(" {}", value);
  }
  return text + " " + record.message;
}

bool read_record(std::string_view text, PointRecord& record) {
  Words words(text);
  record = {};
  const int status = words.number<int>();
  const auto stages = words.number<std::size_t>();
  if (!words.ok() || status < 0 || status >= kPointStatuses || stages > 64) return false;
  record.status = static_cast<PointStatus>(status);
  for (std::size_t i = 0; i < stages; ++i) {
    StageNumbers& stage = record.stages.emplace_back();
    stage.stage = words.word();
    stage.binding = words.number<std::uint8_t>();
    for (double& value : stage.columns) value = words.number<double>();
    for (double& value : stage.q) value = words.number<double>();
  }
  record.message = words.rest();
  return words.ok();
}

SweepJournal::SweepJournal(const std::string& output, SweepTable& table, bool resume)
    : path_(output + ".part"), table_(table), places_(table.status.size()) {
  open();
  try {
    load(resume);
  } catch (...) {
    static_cast<void>(close(descriptor_));
    throw;
  }
}

SweepJournal::~SweepJournal() {
  if (descriptor_ < 0) return;
  static_cast<void>(fsync(descriptor_));
  static_cast<void>(close(descriptor_));
}

void SweepJournal::fail(int error) const {
  throw UserError(fmt::format("cannot write \"{}\": {}", path_, std::generic_category().message(error)));
}

void SweepJournal::open() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(errno);
    const int locked = flock(descriptor_, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (locked == EWOULDBLOCK) {
      static_cast<void>(close(descriptor_));
      descriptor_ = -1;
      throw UserError(fmt::format("cannot write \"{}\": another rooftrace is writing it", path_));
    }
    struct stat mine {};
    struct stat there {};
    // Whoever finished in between removed the file that was opened here.
    if (fstat(descriptor_, &mine) == 0 && stat(path_.c_str(), &there) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
      return;
    static_cast<void>(close(descriptor_));
    descriptor_ = -1;
  }
  throw UserError(fmt::format("cannot write \"{}\": it keeps vanishing", path_));
}

namespace {

/// Lines of a file from its begin, read a piece at a time.
class Lines {
 public:
  explicit Lines(int descriptor) : descriptor_(descriptor) {}

  /// The next line without its end; false at the end of the file. A line that is longer than any journal's is cut into several.
  bool next(std::string& line) {
    for (;;) {
      const std::size_t end = text_.find('\n', from_);
      if (end == std::string::npos && !ended_ && text_.size() - from_ < kLongest) {
        fill();
        continue;
      }
      if (end == std::string::npos && from_ == text_.size()) return false;
      at_ += taken_;
      whole_ = end != std::string::npos;
      const std::size_t stop = whole_ ? end : text_.size();
      line.assign(text_, from_, stop - from_);
      taken_ = stop - from_ + (whole_ ? 1 : 0);
      from_ += taken_;
      return true;
    }
  }
  [[nodiscard]] std::uint64_t at() const { return at_; }  ///< Where the last line begins.
  [[nodiscard]] std::uint64_t end() const { return at_ + taken_; }
  [[nodiscard]] bool whole() const { return whole_; }  ///< The last line had its end.

 private:
  static constexpr std::size_t kPiece = 1 << 16, kLongest = 1 << 22;
  void fill() {
    text_.erase(0, from_);
    from_ = 0;
    const std::size_t held = text_.size();
    text_.resize(held + kPiece);
    ssize_t got = 0;
    do {
      got = ::read(descriptor_, text_.data() + held, kPiece);
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw std::system_error(errno, std::generic_category());
    text_.resize(held + static_cast<std::size_t>(got));
    ended_ = got == 0;
  }

  int descriptor_;
  std::string text_;
  std::size_t from_ = 0;
  std::uint64_t at_ = 0, taken_ = 0;
  bool ended_ = false, whole_ = true;
};

}  // namespace

void SweepJournal::load(bool resume) {
  const std::string head = fmt::format("{} {}", kSchema, table_.identity);
  Lines lines(descriptor_);
  std::string line;
  bool first = true, headed = false;
  std::uint64_t known = 0;
  try {
    while (lines.next(line)) {
      const std::string body = body_of(line);
      if (first && !body.empty() && body != head) {
        throw UserError(
            fmt::format("\"{}\" holds points of another sweep, of other files or of another version; remove it, or choose another "
                        "output",
                        path_));
      }
      headed = headed || (first && body == head);
      // New, or killed before its first line was whole. Anything else is somebody's file that happens to have this name.
      if (!headed && (lines.whole() || checked(head).rfind(line, 0) != 0)) {
        throw UserError(fmt::format("\"{}\" is in the way: it is no journal of a sweep; remove it, or choose another output", path_));
      }
      first = false;
      std::uint64_t point = 0;
      PointRecord record;
      if (body.empty() || body == head || !read_body(body, point, record)) continue;
      known += table_.status[point] == PointStatus::not_run ? 1 : 0;
      keep(point, record, lines.at());
    }
  } catch (const std::system_error& error) {
    fail(error.code().value());
  }
  if (known > 0 && !resume) {
    throw UserError(fmt::format("\"{}\" holds {} finished points; go on with --resume, or remove it", path_, known));
  }
  if (!headed && ftruncate(descriptor_, 0) != 0) fail(errno);
  size_ = headed ? lines.end() : 0;
  if (!headed) write(checked(head));
  if (headed && !lines.whole()) write("\n");
}

bool SweepJournal::read_body(const std::string& body, std::uint64_t& point, PointRecord& record) const {
  Words words(body);
  point = words.number<std::uint64_t>();
  const auto id = words.number<std::uint64_t>();
  return words.ok() && point < table_.status.size() && id == point_id(table_, point) && read_record(words.rest(), record);
}

void SweepJournal::keep(std::uint64_t point, const PointRecord& record, std::uint64_t at) {
  names_.note(point, record);
  places_[point] = at;
  table_.status[point] = record.status;
}

PointRecord SweepJournal::read(std::uint64_t point) const {
  std::string text;
  std::array<char, 4096> piece{};
  for (std::size_t end = std::string::npos; end == std::string::npos; end = text.find('\n')) {
    const ssize_t got = pread(descriptor_, piece.data(), piece.size(), static_cast<off_t>(places_[point] + text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw UserError(fmt::format("cannot read \"{}\": {}", path_, std::generic_category().message(errno)));
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  std::uint64_t found = 0;
  PointRecord record;
  if (!read_body(body_of(text.substr(0, text.find('\n'))), found, record) || found != point) {
    throw UserError(fmt::format("\"{}\": the line of point {} has been changed; run this again with --resume", path_, point));
  }
  return record;
}

void SweepJournal::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    size_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void SweepJournal::add(std::uint64_t point, const PointRecord& record) {
  const std::uint64_t at = size_;
  write(checked(fmt::format("{} {} {}", point, point_id(table_, point), record_text(record))));
  keep(point, record, at);
  if (std::chrono::steady_clock::now() - synced_ > kSyncEvery) sync();
}

void SweepJournal::sync() {
  if (fsync(descriptor_) != 0 && errno != EINVAL) fail(errno);
  synced_ = std::chrono::steady_clock::now();
}

void SweepJournal::remove() {
  static_cast<void>(unlink(path_.c_str()));
}

}  // namespace rooftrace
