// What this program is and where its configs were when it was built.
#pragma once

#include <string>

namespace rooftrace {

[[nodiscard]] std::string version();         ///< "0.1.0"
[[nodiscard]] std::string commit();          ///< Git commit of the source, "unknown" outside a clone.
[[nodiscard]] std::string source_configs();  ///< The configs folder of the source tree it was built from; may be gone.

}  // namespace rooftrace
