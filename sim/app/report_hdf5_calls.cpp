// The calls behind report_hdf5_calls.hpp.
#include "sim/app/report_hdf5_calls.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace rooftrace::h5 {

static_assert(std::is_same_v<hid_t, Id> && std::is_same_v<herr_t, int>, "HDF5 1.10 or later");

namespace {

/// Appends one frame of HDF5's error stack; outermost first, so the last words are the cause.
herr_t append_frame(unsigned /*depth*/, const H5E_error2_t* frame, void* text) {
  auto& message = *static_cast<std::string*>(text);
  if (frame->desc == nullptr || *frame->desc == '\0') return 0;
  if (!message.empty()) message += ": ";
  message += frame->desc;
  return 0;
}

}  // namespace

Id check(Id result, std::string_view what) {
  if (result >= 0) return result;
  std::string why;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append_frame, &why);
  H5Eclear2(H5E_DEFAULT);
  for (char& c : why) {
    if (c == '\n') c = ' ';
  }
  throw std::runtime_error(fmt::format("HDF5: cannot {}: {}", what, why.empty() ? "no reason given" : why));
}

Silence::Silence() {
  H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Silence::~Silence() {
  H5Eset_auto2(H5E_DEFAULT, function_, data_);
}

Id file_type(Element element) {
  switch (element) {
    case Element::u8:
      return H5T_STD_U8LE;
    case Element::i32:
      return H5T_STD_I32LE;
    case Element::u32:
      return H5T_STD_U32LE;
    case Element::i64:
      return H5T_STD_I64LE;
    case Element::u64:
      return H5T_STD_U64LE;
    case Element::f64:
      return H5T_IEEE_F64LE;
  }
  throw std::logic_error("report_hdf5: no such element type");
}

Id memory_type(Element element) {
  switch (element) {
    case Element::u8:
      return H5T_NATIVE_UINT8;
    case Element::i32:
      return H5T_NATIVE_INT32;
    case Element::u32:
      return H5T_NATIVE_UINT32;
    case Element::i64:
      return H5T_NATIVE_INT64;
    case Element::u64:
      return H5T_NATIVE_UINT64;
    case Element::f64:
      return H5T_NATIVE_DOUBLE;
  }
  throw std::logic_error("report_hdf5: no such element type");
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "make a text type");
  check(H5Tset_size(type.get(), H5T_VARIABLE), "make a text type");
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "make a text type");
  return type;
}

}  // namespace rooftrace::h5
