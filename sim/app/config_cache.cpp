#include "sim/app/config_cache.hpp"

#include <utility>

namespace rooftrace {

ConfigDocument ConfigCache::document(const std::string& path) {
  const ConfigDocument* known = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto found = documents_.find(path);
    if (found == documents_.end()) {
      found = documents_.emplace(path, std::make_unique<const ConfigDocument>(ConfigDocument::load(path))).first;
    }
    known = found->second.get();  // Never changed and never removed: copied outside the lock.
  }
  return known->copy();
}

ModelSpec ConfigCache::model(const std::string& path, const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto key = std::pair(path, name);
  auto found = models_.find(key);
  if (found == models_.end()) found = models_.emplace(key, load_model(path, name)).first;
  return found->second;
}

}  // namespace rooftrace
