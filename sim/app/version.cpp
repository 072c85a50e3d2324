// The only file compiled with the build's own facts, so that a new commit rebuilds this one and nothing else.
#include "sim/app/version.hpp"

namespace rooftrace {

std::string version() {
  return ROOFTRACE_VERSION;
}

std::string commit() {
  const std::string hash = ROOFTRACE_COMMIT;
  return hash.empty() ? "unknown" : hash;
}

std::string source_configs() {
  return ROOFTRACE_SOURCE_CONFIGS;
}

}  // namespace rooftrace
