// The table of kinds.
#include "sim/app/validate_kinds.hpp"

namespace rooftrace {

const std::vector<SuiteKind>& suite_kinds() {
  static const std::vector<SuiteKind> kinds = {
      {"read_bandwidth", {"hardware", "working_set_bytes", "chunk_bytes", "quantity", "value"}, predict_read_bandwidth},
      {"latency", {"hardware", "access", "chains", "stride_bytes", "working_set_bytes", "clock_mhz", "quantity", "value"}, predict_latency},
      {"gemm",
       {"hardware", "dtype", "m", "n", "k", "kernel", "block_m", "block_n", "block_k", "blocks_per_sm", "raster", "persistent", "quantity",
        "value"},
       predict_gemm},
      {"moe_gemm",
       {"hardware", "dtype", "experts", "tiles_per_expert", "rows_per_tile", "n", "k", "block_m", "block_n", "block_k", "group_m",
        "l2_state", "quantity", "value"},
       predict_moe_gemm},
      {"attention",
       {"hardware", "stage", "kernel", "dtype", "batch", "q_heads", "kv_heads", "head_dim", "q_len", "kv_len", "window", "causal",
        "l2_state", "quantity", "value"},
       predict_attention},
      {"collective", {"hardware", "op", "gpus", "bytes", "fabric", "implementation", "quantity", "value"}, predict_collective},
      {"transfer", {"hardware", "path", "direction", "host_memory", "bytes", "quantity", "value"}, predict_transfer},
      {"elementwise", {"hardware", "op", "dtype", "rows", "cols", "quantity", "value"}, predict_elementwise},
      {"step",
       {"hardware", "model", "stage", "engine", "weights", "kv", "tp", "collective", "batch", "input_tokens", "output_tokens", "quantity",
        "value"},
       predict_step},
      {"ceiling", {"hardware", "model", "weights", "batch", "tp", "scenario", "value"}, predict_ceiling},
  };
  return kinds;
}

}  // namespace rooftrace
