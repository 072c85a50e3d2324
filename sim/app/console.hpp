// Standard output for results, standard error for everything else.
//
// Promises: a reader that went away (a closed pipe) is no error and stops nothing; any other failure to write (disk full, closed
// descriptor) is a UserError, so that no truncated report passes for a whole one. Errors are one line, with "rooftrace: " in front unless
// the line already begins with the place of the mistake.
#pragma once

#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace rooftrace {

/// Makes sure that descriptors 0 to 2 are taken (or a file opened later could receive a report) and that closed pipes give errors, not
/// signals.
void prepare_console();

void print_out(const std::string& text);
void print_error(const std::string& message);

/// Remarks beside the result ("wrote result.h5") on standard error; silent when quiet.
class Notes {
 public:
  explicit Notes(bool quiet);
  void note(const std::string& text) const;

 private:
  std::shared_ptr<spdlog::logger> log_;
};

}  // namespace rooftrace
