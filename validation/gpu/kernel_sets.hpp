// Which kernels of traces/capture the campaign runs, with which sizes.
//
// Llama-3-like shapes: head dimension 128, four query heads per KV head. The sets stand in order of value: a run that is cut loses the
// tail.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rooftrace::gpu {

struct KernelCase {
  std::string name;                            ///< Of traces/capture/cases.hpp.
  std::map<std::string, std::uint64_t> sizes;  ///< Of the case.
  std::string variant;                         ///< For people: "contiguous", "shuffled", "window" ...
};

inline std::vector<KernelCase> gemm_set(bool hopper) {
  std::vector<KernelCase> set;
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> weights = {{4096, 4096}, {6144, 4096},  {14336, 4096}, {4096, 14336},
                                                                        {8192, 8192}, {10240, 8192}, {28672, 8192}, {8192, 28672}};
  for (const std::uint64_t m : {2048, 8192, 1, 8, 64}) {
    for (const auto& [n, k] : weights) {
      if (m == 8192 && n * k > 8192ULL * 8192) continue;
      if (hopper) set.push_back({"gemm_tma", {{"m", m}, {"n", n}, {"k", k}, {"group", 8}}, ""});
      if (n <= 8192) set.push_back({"gemm_mma", {{"m", m}, {"n", n}, {"k", k}, {"group", 8}}, ""});
    }
  }
  return set;
}

inline constexpr std::uint64_t kWholeContext = 1ULL << 30;  ///< As a window: all of it.

/// Splits that give about four blocks per SM of a GPU with some 132 SMs, whole pages, at most 64.
inline std::uint64_t decode_splits(std::uint64_t sequences, std::uint64_t kv_heads, std::uint64_t length) {
  const std::uint64_t wanted = 528 / (sequences * kv_heads) + 1;
  const std::uint64_t pages = (length + 15) / 16;
  return std::min<std::uint64_t>(std::min<std::uint64_t>(wanted, 64), std::max<std::uint64_t>(pages / 4, 1));
}

inline KernelCase decode_case(std::uint64_t batch, std::uint64_t length, bool shuffled, std::uint64_t window) {
  const std::uint64_t seen = std::min(length, window);
  return {"paged_decode",
          {{"sequences", batch},
           {"kv_heads", 8},
           {"group", 4},
           {"length", length},
           {"window", window},
           {"splits", decode_splits(batch, 8, seen)},
           {"shuffled", shuffled ? 1 : 0},
           {"ragged", 0}},
          window < length ? "window"
          : shuffled      ? "shuffled"
                          : "contiguous"};
}

inline void add_decode(std::vector<KernelCase>& set, std::uint64_t batch) {
  for (const std::uint64_t length : {1024, 4096, 16384, 65536, 131072}) {
    set.push_back(decode_case(batch, length, false, kWholeContext));
    set.push_back(decode_case(batch, length, true, kWholeContext));
    if (length > 4096) set.push_back(decode_case(batch, length, false, 4096));
  }
}

inline std::vector<KernelCase> llm_set() {
  std::vector<KernelCase> set;
  add_decode(set, 1);
  for (const std::uint64_t tokens : {2048, 4096, 8192}) {
    set.push_back({"prefill", {{"batch", 1}, {"q_heads", 32}, {"kv_heads", 8}, {"tokens", tokens}}, ""});
  }
  for (const std::uint64_t cols : {4096, 8192}) {
    for (const std::uint64_t rows : {1, 64, 1024, 8192}) set.push_back({"rms_norm", {{"rows", rows}, {"cols", cols}}, ""});
  }
  add_decode(set, 32);
  for (const std::uint64_t rows : {1, 64, 1024, 8192}) {
    set.push_back({"swiglu_fused", {{"rows", rows}, {"cols", 14336}}, "fused"});
    set.push_back({"swiglu_unfused", {{"rows", rows}, {"cols", 14336}}, "unfused"});
  }
  for (const std::uint64_t tokens : {16, 128, 1024}) {  // Mixtral 8x7B's gate and up projection.
    for (const std::uint64_t group : {1, 8}) {
      set.push_back({"moe_gemm", {{"tokens", tokens}, {"experts", 8}, {"top_k", 2}, {"n", 28672}, {"k", 4096}, {"group", group}}, ""});
    }
  }
  for (const std::uint64_t tokens : {1, 64, 1024, 8192}) set.push_back({"rope", {{"tokens", tokens}, {"heads", 40}}, ""});
  add_decode(set, 8);
  add_decode(set, 64);
  return set;
}

/// What is traced: small enough that the records of all fit into some megabytes.
inline std::vector<KernelCase> trace_set(bool hopper) {
  std::vector<KernelCase> set = {
      {"rms_norm", {{"rows", 64}, {"cols", 4096}}, ""},
      {"swiglu_fused", {{"rows", 64}, {"cols", 4096}}, "fused"},
      {"swiglu_unfused", {{"rows", 64}, {"cols", 4096}}, "unfused"},
      {"rope", {{"tokens", 64}, {"heads", 40}}, ""},
      decode_case(4, 1024, true, kWholeContext),
      decode_case(4, 1024, false, 256),
      {"prefill", {{"batch", 1}, {"q_heads", 4}, {"kv_heads", 1}, {"tokens", 1024}}, ""},
      {"gemm_mma", {{"m", 512}, {"n", 512}, {"k", 1024}, {"group", 8}}, ""},
      {"moe_gemm", {{"tokens", 64}, {"experts", 8}, {"top_k", 2}, {"n", 512}, {"k", 1024}, {"group", 8}}, ""},
  };
  if (hopper) set.push_back({"gemm_tma", {{"m", 512}, {"n", 512}, {"k", 1024}, {"group", 8}}, ""});
  return set;
}

/// For Nsight Compute, which takes a good part of a second per kernel.
inline std::vector<KernelCase> profile_set(bool hopper) {
  std::vector<KernelCase> set;
  for (const auto& [m, n, k] : std::vector<std::array<std::uint64_t, 3>>{
           {2048, 4096, 4096}, {2048, 14336, 4096}, {8192, 4096, 4096}, {1, 4096, 4096}, {64, 14336, 4096}, {8192, 8192, 8192}}) {
    if (hopper) set.push_back({"gemm_tma", {{"m", m}, {"n", n}, {"k", k}, {"group", 8}}, ""});
    set.push_back({"gemm_mma", {{"m", m}, {"n", n}, {"k", k}, {"group", 8}}, ""});
    set.push_back({"gemm_mma", {{"m", m}, {"n", n}, {"k", k}, {"group", 1}}, ""});
  }
  for (const std::uint64_t length : {1024, 16384, 65536}) {
    for (const std::uint64_t batch : {1, 32}) {
      set.push_back(decode_case(batch, length, false, kWholeContext));
      set.push_back(decode_case(batch, length, true, kWholeContext));
    }
  }
  set.push_back(decode_case(32, 65536, false, 4096));
  set.push_back({"prefill", {{"batch", 1}, {"q_heads", 32}, {"kv_heads", 8}, {"tokens", 4096}}, ""});
  set.push_back({"prefill", {{"batch", 1}, {"q_heads", 32}, {"kv_heads", 8}, {"tokens", 8192}}, ""});
  set.push_back({"rms_norm", {{"rows", 8192}, {"cols", 8192}}, ""});
  set.push_back({"swiglu_fused", {{"rows", 8192}, {"cols", 14336}}, "fused"});
  set.push_back({"swiglu_unfused", {{"rows", 8192}, {"cols", 14336}}, "unfused"});
  set.push_back({"rope", {{"tokens", 8192}, {"heads", 40}}, ""});
  for (const std::uint64_t group : {1, 8}) {
    set.push_back({"moe_gemm", {{"tokens", 128}, {"experts", 8}, {"top_k", 2}, {"n", 28672}, {"k", 4096}, {"group", group}}, ""});
  }
  return set;
}

}  // namespace rooftrace::gpu
