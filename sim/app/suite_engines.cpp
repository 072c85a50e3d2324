#include "sim/app/suite_engines.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace rooftrace {
namespace {

/// A host, known by the machine it stands beside.
struct Host {
  const char* engine;
  const char* hardware;
  Stage stage;
  double per_layer;    ///< s of launching a layer's kernels.
  double between = 0;  ///< s from the end of a step to the first kernel of the next.
};

/// Calibrated. per_layer: short prompts whose time does not change with the work on the GPU, divided by the layers of the model. between:
/// what the smallest batches take beyond the simulated time of the GPU, per step; a weight stream simulated too fast is in it as well.
constexpr std::array kHosts = {
    // 65.3 and 66.8 ms for prompts of 128 and 256 tokens on 8 GPUs, 80 layers of Llama-2-70B (step-0228, step-0229): PyTorch operators one
    // by one, one process per GPU. The simulated GPUs need 20 to 30 ms.
    Host{"vllm", "a100-sxm-80gb", Stage::prefill, 0.82e-3},
    // 1.8, 2.5, 2.2 ms, prompts of 128 tokens on one GPU (step-0202, step-0204, step-0208): a call of the session, with sampling. Not a
    // floor of launching: 128 tokens on 2 and 4 GPUs, 32 and 80 layers, take 1.5 and 3.5 ms longer than simulated, too.
    Host{"trtllm", "h100-sxm", Stage::prefill, 0, 2.2e-3},
    // 3.2 to 3.4 ms, batch 1 on one GPU (step-0028, -0064, -0100, -0135, -0169). The other 15 rows of batch 1, on 2 to 8 GPUs, say 2.9 to
    // 4.1: it does not shrink with the share of the work that a GPU has.
    Host{"fastertransformer", "a100-sxm-80gb", Stage::prefill, 0, 3.3e-3},
    Host{"fastertransformer", "a100-sxm-80gb", Stage::decode, 0, 3.3e-3},
    // 1.1 to 1.2 ms at batch 1, 2, 4 and 8 (step-0019, -0021, -0023, -0026).
    Host{"vllm", "h100-64gb", Stage::decode, 0, 1.1e-3},
    // 0.7 to 0.8 ms, batch 1 and long enough an output that prompts do not matter (step-0413, -0414, -0416).
    Host{"lmdeploy", "a100-sxm-80gb", Stage::prefill, 0, 0.7e-3},
    Host{"lmdeploy", "a100-sxm-80gb", Stage::decode, 0, 0.7e-3},
    // 0.4 ms: median of the 36 rows of batch 8, which lie between -0.2 and 1.1 ms.
    Host{"trtllm-serving", "h100-sxm", Stage::decode, 0, 0.4e-3},
};
// Not in the table, so 0: gpt-fast, whose steps are CUDA graphs one after the other; what its rows take longer goes with the bytes of the
// weights (validation/DEVIATIONS.md).

/// Engines whose all-reduces by NCCL are those of PyTorch's process group before release 2.7: it launches them on a stream of its own,
/// which waits for the caller's, and the caller's waits for it (pytorch pull request 150398, which does away with both waits).
constexpr std::array kProcessGroups = {"gpt-fast"};

/// The first whose words are part of an engine's name or of a row's source.
struct Caller {
  const char* words;
  AttentionEngine before_clusters, with_clusters;
};
constexpr std::array kCallers = {
    Caller{"flashinfer", AttentionEngine::flashinfer, AttentionEngine::flashinfer},
    // vLLM since 2024 calls FlashAttention with its paged cache, version 3 on Hopper.
    Caller{"vllm", AttentionEngine::flash_attention_2, AttentionEngine::flash_attention_3},
    // The values of aiconfigurator's mixed table, by both of its names, are those of its vllm table.
    Caller{"aiconfigurator_decode_attention", AttentionEngine::flash_attention_2, AttentionEngine::flash_attention_3},
    Caller{"aiconfigurator attention tables", AttentionEngine::flash_attention_2, AttentionEngine::flash_attention_3},
    Caller{"trtllm", AttentionEngine::trtllm_xqa, AttentionEngine::trtllm_xqa},
    Caller{"sglang", AttentionEngine::flashinfer, AttentionEngine::flash_attention_3},  // Its defaults by GPU.
    Caller{"fastertransformer", AttentionEngine::fastertransformer, AttentionEngine::fastertransformer},
};
// Not in the table, so automatic: gpt-fast (compiled attention of the framework), lmdeploy (TurboMind's own rule was not read).

// TensorRT-LLM 0.5 to 0.9: moe_gemm_kernels_template.h runs the grouped GEMM of Sm80 on Hopper, too, until CUTLASS has one for it; those of
// eight-bit floats are Sm89's (from memory). trtllm-serving is of 2025.
constexpr std::array kExpertsForA100 = {"trtllm"};

// gpt-fast's 4-bit linears call PyTorch's _weight_int4pack_mm (aten/src/ATen/native/cuda/int4mm.cu): a block of 8 warps per 8 outputs and
// 16 tokens, each warp taking 8 k-tiles of 16 at a time, load, widen and multiply one after the other without a pipeline; blocks per SM by
// registers, counted by hand (about 100 per thread).
constexpr std::uint32_t kPackedTokens = 16;
TilingOverride packed_int4() {
  TilingOverride t;
  t.block_m = kPackedTokens;
  t.block_n = 8;
  t.block_k = 8 * 8 * 16;
  t.stages = 1;
  t.blocks_per_sm = 2;
  t.group_m = t.split_k = t.cluster_m = t.cluster_n = 1;
  t.persistent = 0;
  return t;
}

// vLLM adds residuals in the norm's kernel since its version 0.2.3 (November 2023, from memory); splitwise measured before.
constexpr std::array kSeparateResidual = {"splitwise"};

}  // namespace

std::map<KernelClass, TilingOverride> own_tilings(const std::string& engine, DataType weights, std::uint32_t batch) {
  std::map<KernelClass, TilingOverride> out;
  if (engine != "gpt-fast" || weights != DataType::int4 || batch > kPackedTokens) return out;
  for (const KernelClass linear :
       {KernelClass::qkv_projection, KernelClass::output_projection, KernelClass::ffn_up, KernelClass::ffn_down}) {
    out[linear] = packed_int4();
  }
  return out;
}

bool separate_residual(const std::string& source) {
  return std::any_of(kSeparateResidual.begin(), kSeparateResidual.end(),
                     [&](const char* words) { return source.find(words) != std::string::npos; });
}

bool experts_for_a100(const std::string& engine) {
  return std::find(kExpertsForA100.begin(), kExpertsForA100.end(), engine) != kExpertsForA100.end();
}

AttentionEngine attention_engine_of(std::string words, bool clusters) {
  std::transform(words.begin(), words.end(), words.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Caller& caller : kCallers) {
    if (words.find(caller.words) != std::string::npos) return clusters ? caller.with_clusters : caller.before_clusters;
  }
  return AttentionEngine::automatic;
}

double with_host(double gpu, const std::string& engine, const std::string& hardware, Stage stage, std::uint32_t layers) {
  for (const Host& host : kHosts) {
    if (engine == host.engine && hardware == host.hardware && stage == host.stage)
      return std::max(gpu, host.per_layer * layers) + host.between;
  }
  return gpu;
}

double stream_events(const std::string& engine, const std::string& collective, double kernel_gap, std::uint32_t collectives) {
  const bool own_stream = std::find(kProcessGroups.begin(), kProcessGroups.end(), engine) != kProcessGroups.end();
  return own_stream && collective == "nccl" ? 2 * kernel_gap * collectives : 0;
}

bool batches_continuously(const std::string& engine, const std::string& quantity) {
  return engine.ends_with("-serving") || quantity == "itl_ms";
}

}  // namespace rooftrace
