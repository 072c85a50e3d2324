// Hardware counters of one piece of work, read in-process through CUPTI's range profiler with user replay.
//
// Promises: `prepare` runs before every pass and outside of the range, so that it can put the caches into the state wanted; the work runs
// once per pass. Built without CUPTI, or where the driver refuses, available() is false and why() says it; nothing else happens.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rooftrace::gpu {

class Counters {
 public:
  /// On the current CUDA context.
  explicit Counters(std::vector<std::string> metrics);
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  [[nodiscard]] bool available() const;
  [[nodiscard]] const std::string& why() const;
  [[nodiscard]] const std::vector<std::string>& metrics() const;
  /// One value per metric; empty on failure (why() says which call). Both functions must have finished on the device when they return.
  [[nodiscard]] std::vector<double> measure(const std::function<void()>& prepare, const std::function<void()>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rooftrace::gpu
