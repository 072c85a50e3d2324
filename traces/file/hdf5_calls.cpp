#include "traces/file/hdf5_calls.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <type_traits>

namespace rooftrace::trace_file {

static_assert(std::is_same_v<hid_t, Hid> && std::is_same_v<herr_t, int>, "HDF5 1.10 or later");

namespace {

/// Frames come outermost first, so the last words are the cause.
herr_t append_frame(unsigned /*depth*/, const H5E_error2_t* frame, void* text) {
  auto& message = *static_cast<std::string*>(text);
  if (frame->desc == nullptr || *frame->desc == '\0') return 0;
  if (!message.empty()) message += ": ";
  for (const char* c = frame->desc; *c != '\0'; ++c) message += static_cast<unsigned char>(*c) < ' ' ? ' ' : *c;
  return 0;
}

}  // namespace

Hid check(Hid result, const std::string& what) {
  if (result >= 0) return result;
  std::string why;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append_frame, &why);
  H5Eclear2(H5E_DEFAULT);
  throw std::runtime_error(fmt::format("cannot {}: {}", what, why.empty() ? "no reason given" : why));
}

Quiet::Quiet() {
  // What a damaged file leaves open inside the library would make its farewell a message on standard error. Counts only before the first
  // other call; all our files are closed explicitly.
  H5dont_atexit();
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Quiet::~Quiet() {
  H5Eset_auto2(H5E_DEFAULT, function_, data_);
}

}  // namespace rooftrace::trace_file
