#include "sim/app/sha1.hpp"

#include <fmt/format.h>

#include <boost/uuid/detail/sha1.hpp>

namespace rooftrace {

std::string sha1(const std::string& text) {
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(text.data(), text.size());
  boost::uuids::detail::sha1::digest_type digest{};
  hash.get_digest(digest);
  std::string result;
  for (const auto part : digest) result += fmt::format("{:0{}x}", part, 2 * sizeof(part));  // Words; bytes from Boost 1.86 on.
  return result;
}

}  // namespace rooftrace
