// Plain write(2) for results and errors, so that every failure is seen; spdlog for remarks.
#include "sim/app/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "sim/core/error.hpp"

namespace rooftrace {
namespace {

/// 0, or the errno that ended it.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(descriptor, text.data(), text.size());
    if (done >= 0) {
      text.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno == EAGAIN) {
      pollfd ready{descriptor, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

/// "file:12:5: ..." or "file:12: ...": a place that tools can jump to.
bool begins_with_place(std::string_view message) {
  const std::size_t colon = message.find(':');
  return colon != std::string_view::npos && colon + 1 < message.size() && std::isdigit(static_cast<unsigned char>(message[colon + 1])) != 0;
}

}  // namespace

void prepare_console() {
  std::signal(SIGPIPE, SIG_IGN);
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    // For reading only: what is written to a closed standard output must fail, not vanish.
    if (::fcntl(descriptor, F_GETFD) == -1) (void)::open("/dev/null", O_RDONLY);
  }
}

void print_out(const std::string& text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error != 0 && error != EPIPE) throw UserError(std::string("standard output: ") + std::strerror(error));
}

void print_error(const std::string& message) {
  std::string line = (begins_with_place(message) ? "" : "rooftrace: ") + message;
  // Paths and foreign messages may hold anything; an error stays one line whatever they hold.
  for (char& c : line) {
    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) c = '?';
  }
  (void)write_all(STDERR_FILENO, line + "\n");
}

Notes::Notes(bool quiet) {
  if (quiet) return;
  log_ = std::make_shared<spdlog::logger>("rooftrace", std::make_shared<spdlog::sinks::stderr_color_sink_st>());
  log_->set_pattern("rooftrace: %v");
}

void Notes::note(const std::string& text) const {
  if (log_) log_->info("{}", text);
}

}  // namespace rooftrace
