// Hand-made kernels and memories: the test language of the engine.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "sim/core/kernel.hpp"
#include "sim/core/level.hpp"
#include "sim/core/run_record.hpp"

namespace rooftrace::toy {

/// A program from a function (block, step) -> Step.
class Program final : public BlockProgram {
 public:
  Program(std::uint32_t steps, std::function<Step(std::uint32_t, std::uint32_t)> make) : steps_(steps), make_(std::move(make)) {}
  [[nodiscard]] std::uint32_t steps(std::uint32_t /*block*/) const override { return steps_; }
  void fill(std::uint32_t block, std::uint32_t step, Step& out) const override { out = make_(block, step); }

 private:
  std::uint32_t steps_;
  std::function<Step(std::uint32_t, std::uint32_t)> make_;
};

inline Kernel kernel(std::uint32_t grid, std::uint32_t steps, std::function<Step(std::uint32_t, std::uint32_t)> make) {
  Kernel k;
  k.grid = grid;
  k.program = std::make_shared<Program>(steps, std::move(make));
  return k;
}

inline Access load(std::uint64_t address, std::uint32_t bytes, TensorRole role = TensorRole::activations) {
  Access a;
  a.address = address;
  a.row_bytes = bytes;
  a.role = role;
  return a;
}

inline Access store(std::uint64_t address, std::uint32_t bytes, TensorRole role = TensorRole::activations) {
  Access a = load(address, bytes, role);
  a.op = AccessOp::store;
  return a;
}

/// A memory that answers every call after a fixed latency and remembers when it was asked.
class FixedMemory final : public Memory {
 public:
  explicit FixedMemory(Time latency, Time hop = 0) : latency_(latency), hop_(hop) {}
  Time access(std::span<const Access> accesses, const Requester& who, Time now) override {
    calls.push_back({now, accesses.front().address, who.sm});
    return now + latency_;
  }
  [[nodiscard]] Time link_latency(Home /*home*/) const override { return hop_; }

  struct Call {
    Time now;
    std::uint64_t address;
    std::uint32_t sm;
  };
  std::vector<Call> calls;

 private:
  Time latency_, hop_;
};

}  // namespace rooftrace::toy
