// A new HDF5 file that is written to disk as it grows, for contents that are too large for memory: report_hdf5_file.hpp's build_file with a
// name instead of bytes.
//
// HDF5 cannot let go of a file that it cannot write, so its own drivers leave a half-closed file behind on a full disk. The driver here
// remembers the first error, tells HDF5 that all is well, and the error comes out when HDF5 has closed the file.
// Promises: the file appears whole or not at all (atomic_file.hpp); the same calls give the same bytes; a full disk is the UserError that
// AtomicFile would throw. In memory: what HDF5 keeps of an open file, whatever its size.
#pragma once

#include <functional>
#include <string>

#include "sim/app/report_hdf5_file.hpp"

namespace rooftrace::h5 {

void write_file(const std::string& path, const std::function<void(Group&)>& fill);

/// What both ways of writing a file have in common; the driver is set by the caller.
[[nodiscard]] Handle file_access();
[[nodiscard]] Handle file_creation();
/// One open object is the file itself. More would keep it open for ever, and unwritten.
void check_closed(Id file);

}  // namespace rooftrace::h5
