// Numbers first, then classes, then labels.
#include "sim/app/kernel_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "sim/core/error.hpp"

namespace rooftrace {

std::vector<std::uint32_t> chosen_kernels(const Trace& trace, const std::string& wanted) {
  std::vector<std::uint32_t> chosen;
  const bool is_number = !wanted.empty() && wanted.find_first_not_of("0123456789") == std::string::npos;
  if (is_number) {
    std::uint32_t index = 0;
    const auto [stop, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
    if (error != std::errc{} || index >= trace.kernels.size()) {
      throw UserError(fmt::format("--kernel: there is no kernel {}; the last is {}", wanted, trace.kernels.size() - 1));
    }
    return {index};
  }
  std::set<std::string> classes;
  for (const Kernel& kernel : trace.kernels) classes.emplace(name(kernel.kernel_class));
  const bool is_class = classes.contains(wanted);
  for (std::uint32_t k = 0; k < trace.kernels.size(); ++k) {
    const Kernel& kernel = trace.kernels[k];
    const bool fits = is_class ? name(kernel.kernel_class) == wanted : kernel.label.find(wanted) != std::string::npos;
    if (fits) chosen.push_back(k);
  }
  if (chosen.empty()) {
    const std::vector<std::string> words(classes.begin(), classes.end());
    throw UserError(fmt::format("--kernel: {} is no class and in no label of this trace{} (classes: {})", quoted_word(wanted),
                                did_you_mean(wanted, words), fmt::join(words, ", ")));
  }
  return chosen;
}

Trace keep_kernels(const Trace& trace, const std::vector<std::uint32_t>& kept) {
  Trace out = trace;
  out.kernels.clear();
  for (const std::uint32_t k : kept) {
    Kernel& kernel = out.kernels.emplace_back(trace.kernels[k]);
    std::vector<std::uint32_t> waits;
    for (const std::uint32_t earlier : kernel.waits_for) {
      const auto found = std::lower_bound(kept.begin(), kept.end(), earlier);
      if (found != kept.end() && *found == earlier) waits.push_back(static_cast<std::uint32_t>(found - kept.begin()));
    }
    kernel.waits_for = std::move(waits);
  }
  return out;
}

}  // namespace rooftrace
