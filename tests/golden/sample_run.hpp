// A RunResult made by hand, with every feature that the reports must show: two stages, two streams, all four levels, every HBM cause.
//
// The machine has round rates, so that the reports can be checked by eye: tensor bf16 1000 and fp8 2000 TFLOP/s, CUDA 50 TFLOP/s, SFU
// 100 SMs * 16 * 2 GHz = 3.2 Top/s; L2 5 TB/s, HBM 2.5 TB/s, NVLink 500 GB/s and PCIe 50 GB/s each way.
#pragma once

#include "sim/app/result.hpp"

namespace rooftrace::golden {

inline MachineSpec round_machine() {
  MachineSpec machine;
  machine.name = "round-gpu";
  machine.title = "A GPU of round numbers";
  machine.arch = "sm_90";
  machine.sm.count = 100;
  machine.sm.clock = machine.sm.peak_clock = machine.sm.tensor_clock = 2e9;
  machine.sm.tensor_peak = {{DataType::bf16, 1000e12}, {DataType::fp16, 1000e12}, {DataType::fp8, 2000e12}};
  machine.sm.cuda_peak = 50e12;
  machine.sm.sfu_per_clock = 16;
  machine.l2.bandwidth = 4e12;
  machine.l2.peak_bandwidth = 5e12;
  machine.hbm.bandwidth = 2.5e12;
  machine.nvlink.bandwidth = 500e9;
  machine.pcie.bandwidth = 50e9;
  return machine;
}

struct Moved {
  LevelId level;
  TensorRole role;
  Direction direction;
  Cause cause;
  std::uint64_t bytes;
};

inline KernelRecord record(KernelClass kernel_class, std::int32_t layer, Work work, const std::vector<Moved>& moved) {
  KernelRecord kernel;
  kernel.label = std::string(name(kernel_class));
  kernel.kernel_class = kernel_class;
  kernel.layer = layer;
  kernel.work = work;
  kernel.grid = 100;
  kernel.blocks_per_sm = 1;
  for (const Moved& m : moved) {
    kernel.q.at(m.level, m.role, m.direction, m.cause) += m.bytes;
    const bool avoidable = m.cause == Cause::refetch || m.cause == Cause::write_back;
    if (!avoidable) kernel.compulsory.at(m.level, m.role, m.direction, m.cause) += m.bytes;
  }
  return kernel;
}

/// Two layers and an LM head. Per layer: norm 8 kB through L2; qkv_projection 1e8 FLOP on 50 MB of weights; attention on 20 MB of KV of
/// which 5 MB are refetched; ffn_up 400 MB of weights. A copy on stream 1 brings 10 MB of the next layer from the host meanwhile.
inline StageResult decode_stage() {
  using enum LevelId;
  using enum TensorRole;
  using enum Direction;
  using enum Cause;
  StageResult stage;
  stage.stage = Stage::decode;
  stage.batch = 4;
  stage.length = 4096;
  stage.tokens = 4;
  Time now = 1'000'000;
  const auto add = [&](KernelRecord kernel, Time duration) {
    kernel.stage = Stage::decode;
    kernel.start = now;
    kernel.end = now += duration;
    stage.kernels.push_back(std::move(kernel));
    now += 1'000'000;  // 1 us between kernels
  };
  for (std::int32_t layer = 0; layer < 2; ++layer) {
    add(record(KernelClass::norm, layer, {0, 32'000, 0},
               {{l2, activations, read, requested, 8'192}, {l2, activations, write, requested, 8'192}}),
        2'000'000);
    KernelRecord copy =
        record(KernelClass::copy, layer, {}, {{pcie, weights, read, requested, 10'000'000}, {hbm, weights, write, write_back, 10'000'000}});
    copy.stream = 1;
    copy.start = now;
    copy.end = now + 250'000'000;
    stage.kernels.push_back(copy);
    add(record(KernelClass::qkv_projection, layer, {1e8, 0, 0},
               {{l2, weights, read, requested, 50'000'000},
                {l2, activations, read, requested, 800'000},
                {hbm, weights, read, compulsory, 50'000'000}}),
        25'000'000);
    KernelRecord attention = record(KernelClass::attention, layer, {4e8, 1e6, 3e6},
                                    {{l2, kv, read, requested, 20'000'000},
                                     {hbm, kv, read, compulsory, 20'000'000},
                                     {hbm, kv, read, refetch, 5'000'000},
                                     {hbm, activations, write, write_back, 64}});
    attention.cache = {.sectors_read = 625'000, .sectors_hit = 62'500, .fabric_bytes = 9'000'000};
    attention.stream = 0;
    add(attention, 16'000'000);
    KernelRecord ffn = record(KernelClass::ffn_up, layer, {8e8, 0, 0},
                              {{l2, weights, read, requested, 400'000'000}, {hbm, weights, read, compulsory, 400'000'000}});
    ffn.waits_for = {1 + 5 * static_cast<std::uint32_t>(layer)};
    add(ffn, 300'000'000);
  }
  add(record(KernelClass::lm_head, -1, {2e9, 0, 0},
             {{l2, weights, read, requested, 1'000'000'000}, {hbm, weights, read, compulsory, 1'000'000'000}}),
      450'000'000);
  stage.latency = now;
  return stage;
}

inline StageResult prefill_stage() {
  using enum LevelId;
  using enum TensorRole;
  using enum Direction;
  using enum Cause;
  StageResult stage;
  stage.stage = Stage::prefill;
  stage.batch = 4;
  stage.length = 512;
  stage.tokens = 2048;
  KernelRecord ffn = record(KernelClass::ffn_up, 0, {4e12, 0, 0},
                            {{l2, weights, read, requested, 6'000'000'000},
                             {l2, activations, write, requested, 2'000'000'000},
                             {hbm, weights, read, compulsory, 400'000'000},
                             {hbm, activations, write, write_back, 100'000'000}});
  ffn.end = 5'000'000'000;
  KernelRecord reduce = record(KernelClass::all_reduce, 0, {0, 1e9, 0},
                               {{nvlink, activations, read, requested, 300'000'000},
                                {nvlink, activations, write, requested, 200'000'000},
                                {l2, activations, read, requested, 300'000'000}});
  reduce.start = 5'000'000'000;
  reduce.end = 6'000'000'000;
  stage.kernels = {ffn, reduce};
  stage.latency = 6'000'000'000;
  return stage;
}

inline RunResult sample_run() {
  RunResult run;
  run.command = "rooftrace simulate sample.yaml";
  run.version = "0.0.0";
  run.commit = "0123456789ab";
  run.config = "hardware: round-gpu\nmodel: two-layers\n";
  run.seed = 1;
  run.hardware = "round-gpu";
  run.model = "two-layers";
  run.batch = 4;
  run.context = 4096;
  run.prompt = 512;
  run.weights = run.kv = "bf16";
  run.layers = "exact";
  run.start_state = "warm";
  run.machine = round_machine();
  run.stages = {decode_stage(), prefill_stage()};
  return run;
}

/// The same trace at fidelity bound on two GPUs: Q is compulsory, no times, no cache.
inline RunResult bound_run() {
  RunResult run = sample_run();
  run.tp = 2;
  run.fidelity = Fidelity::bound;
  run.stages.resize(1);
  for (StageResult& stage : run.stages) {
    stage.latency = 0;
    for (KernelRecord& kernel : stage.kernels) {
      kernel.q = kernel.compulsory;
      kernel.cache = {};
      kernel.start = kernel.end = 0;
    }
  }
  return run;
}

}  // namespace rooftrace::golden
