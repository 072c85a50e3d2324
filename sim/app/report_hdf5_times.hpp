// The four times in the headers of an HDF5 file's root group and of its superblock's extension (there is one as soon as H5Pset_istore_k is
// used), which HDF5 1.10 stores although the file was created without times.
//
// Promise: afterwards the same content is the same bytes whenever it was written; the header's checksum is right again. A header that
// stores no times stays as it is. std::logic_error for an image without them.
#pragma once

#include <span>

namespace rooftrace::h5 {

void clear_header_times(std::span<char> image);

}  // namespace rooftrace::h5
