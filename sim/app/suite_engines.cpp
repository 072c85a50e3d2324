#include "sim/app/suite_engines.hpp"

#include <array>

namespace rooftrace {
namespace {

/// A host, known by the machine it stands beside.
struct Host {
  const char* engine;
  const char* hardware;
  Stage stage;
  double per_layer;  ///< s of launching a layer's kernels.
};

/// Calibrated: short prompts whose time does not change with the work on the GPU, divided by the layers of the model.
constexpr std::array kHosts = {
    // 65.3 and 66.8 ms for prompts of 128 and 256 tokens on 8 GPUs, 80 layers of Llama-2-70B (step-0228, step-0229): PyTorch operators one
    // by
    // one, one process per GPU. The simulated GPUs need 20 to 30 ms.
    Host{"vllm", "a100-sxm-80gb", Stage::prefill, 0.82e-3},
    // 5.5, 6.5, 6.3 ms for prompts of 128 tokens on one GPU, 28, 32, 32 layers (step-0202, step-0204, step-0208): the same per layer
    // whatever the layer holds. The simulated GPU needs 3.7 to 4.3 ms.
    Host{"trtllm", "h100-sxm", Stage::prefill, 0.197e-3},
};
// Not in the table, so 0: gpt-fast and trtllm-serving (steps are CUDA graphs), vllm's decode (CUDA graphs; what is left cannot be told from
// the residual of weight streams), lmdeploy and fastertransformer (launched from C++; weight streams and NCCL explain what their rows take
// beyond the simulated time to 1 ms a step, validation/DEVIATIONS.md).

/// The first whose words are part of an engine's name or of a row's source.
struct Caller {
  const char* words;
  AttentionEngine before_clusters, with_clusters;
};
constexpr std::array kCallers = {
    // vLLM since 2024 calls FlashAttention with its paged cache, version 3 on Hopper.
    Caller{"vllm", AttentionEngine::flash_attention_2, AttentionEngine::flash_attention_3},
    // The values of aiconfigurator's mixed table are those of its vllm table.
    Caller{"aiconfigurator attention tables", AttentionEngine::flash_attention_2, AttentionEngine::flash_attention_3},
    Caller{"trtllm", AttentionEngine::trtllm_xqa, AttentionEngine::trtllm_xqa},
    Caller{"sglang", AttentionEngine::flashinfer, AttentionEngine::flash_attention_3},  // Its defaults by GPU.
    Caller{"fastertransformer", AttentionEngine::fastertransformer, AttentionEngine::fastertransformer},
};
// Not in the table, so automatic: gpt-fast (compiled attention of the framework), lmdeploy (TurboMind's own rule was not read).

}  // namespace

AttentionEngine attention_engine_of(const std::string& words, bool clusters) {
  for (const Caller& caller : kCallers) {
    if (words.find(caller.words) != std::string::npos) return clusters ? caller.with_clusters : caller.before_clusters;
  }
  return AttentionEngine::automatic;
}

double host_floor(const std::string& engine, const std::string& hardware, Stage stage, std::uint32_t layers) {
  for (const Host& host : kHosts) {
    if (engine == host.engine && hardware == host.hardware && stage == host.stage) return host.per_layer * layers;
  }
  return 0;
}

bool batches_continuously(const std::string& engine, const std::string& quantity) {
  return engine.ends_with("-serving") || quantity == "itl_ms";
}

}  // namespace rooftrace
