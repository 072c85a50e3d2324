#include "traces/capture/inject/options.hpp"

#include "traces/capture/capture_file.hpp"

namespace rooftrace::capture {
namespace {

std::uint32_t number_of(const std::string& name, const std::string& text, std::uint64_t low, std::uint64_t high) {
  const bool digits = !text.empty() && text.size() <= 10 && text.find_first_not_of("0123456789") == std::string::npos;
  const std::uint64_t value = digits ? std::stoull(text) : 0;
  if (!digits || value < low || value > high) {
    throw CaptureError(name + ": \"" + text + "\" is not a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<std::uint32_t>(value);
}

}  // namespace

InjectOptions inject_options(const std::function<std::optional<std::string>(const std::string&)>& variable, long process) {
  InjectOptions options;
  const auto read = [&](const char* name, std::uint32_t& into, std::uint64_t low, std::uint64_t high) {
    if (const auto text = variable(name)) into = number_of(name, *text, low, high);
  };
  options.out = variable("ROOFTRACE_INJECT_OUT").value_or("rooftrace-%p.rtcap");
  if (const std::size_t at = options.out.find("%p"); at != std::string::npos) options.out.replace(at, 2, std::to_string(process));
  if (options.out.empty()) throw CaptureError("ROOFTRACE_INJECT_OUT: names no file");
  options.name = variable("ROOFTRACE_INJECT_NAME").value_or("");
  read("ROOFTRACE_INJECT_SKIP", options.skip, 0, 1U << 30);
  read("ROOFTRACE_INJECT_KERNELS", options.kernels, 1, 1U << 20);
  read("ROOFTRACE_INJECT_SAMPLE", options.block_sample, 1, 1U << 30);
  read("ROOFTRACE_INJECT_ACCESSES", options.accesses, 1024, 1U << 28);
  return options;
}

bool LaunchFilter::take(const std::string& kernel_name) {
  if (kernel_name.find(options_.name) == std::string::npos) return false;
  const std::uint64_t number = matched_++;
  return number >= options_.skip && number - options_.skip < options_.kernels;
}

}  // namespace rooftrace::capture
