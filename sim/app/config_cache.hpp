// Config files that were read once and are asked for again and again: what makes 10,000 points of a sweep cheap.
//
// Promises: whoever asks gets a document of its own, so that changes and marks of one reader are never seen by another; safe to ask from
// several threads. A file that changes on disk meanwhile is not noticed: all points of a sweep see the same text. Mistakes are not kept.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "sim/core/config.hpp"
#include "traces/model_spec.hpp"

namespace rooftrace {

class ConfigCache {
 public:
  [[nodiscard]] ConfigDocument document(const std::string& path);
  [[nodiscard]] ModelSpec model(const std::string& path, const std::string& name);

 private:
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<const ConfigDocument>> documents_;
  std::map<std::pair<std::string, std::string>, ModelSpec> models_;
};

}  // namespace rooftrace
