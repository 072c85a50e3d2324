// A hardware file with some of its values replaced, each with its provenance beside it, and every other byte as it was.
//
// A value that the file has itself is replaced where it stands, and its comment with it; one that it inherits (extends) is added to its
// section as an override, below the section's last line, or in a new section at the end. Promise: the new text reads back as the machine
// with exactly these values changed; whatever cannot be rewritten so (flow mappings, anchors ...) is a UserError at its place.
#pragma once

#include <string>
#include <vector>

namespace rooftrace {

struct NewValue {
  std::string key;      ///< "hbm.scheduled"
  std::string value;    ///< As it is to be written.
  std::string comment;  ///< One line, without "#".
};

/// `path` is where `text` stands (for `extends` and messages).
[[nodiscard]] std::string with_values(const std::string& text, const std::string& path, const std::vector<NewValue>& values);

}  // namespace rooftrace
