// rooftrace help: enough to start without the README.
#include <string_view>

#include "sim/app/commands.hpp"
#include "sim/app/console.hpp"
#include "sim/app/version.hpp"

namespace rooftrace {
namespace {

constexpr std::string_view kProgram = R"(rooftrace: how many bytes an LLM step moves at each level of the memory hierarchy (L2, HBM, NVLink,
PCIe), which level binds, what the ceiling in tokens/s is, and how close the machine gets to it.

Usage: rooftrace VERB [arguments] [options]

)";

constexpr std::string_view kProgramEnd = R"(
Examples:
  rooftrace simulate main                        the main job: Llama-3.1-8B on one H100, decode and prefill
  rooftrace simulate --hardware h100-sxm --model llama-3.1-70b --tp 8 --batch 16 --context 8192
  rooftrace simulate main --hardware b200-sxm -o result.h5
  rooftrace describe hardware h100-sxm           its levels, peaks and ridge points
  rooftrace list models

"rooftrace help VERB" or "rooftrace VERB --help" says more. "rooftrace --version" prints the version.
Units: B is byte; kB, MB, GB are powers of 1000 and KiB, MiB, GiB of 1024; times are s, ms, us, ns.
Exit codes: 0 done; 2 a mistake in the command line or a file, one line on standard error says where and what; 70 a mistake of ours.
)";

constexpr std::string_view kSimulate =
    R"(SCENARIO is a file, or a name of "rooftrace list scenarios". Without it, --hardware and --model are needed. Options change what the
scenario says; what neither says has the default below.

)";

constexpr std::string_view kSimulateEnd = R"(
--stage keeps the scenario's stages of that kind (and adds one when there is none); --batch changes every stage, --context every
decode stage, --prompt every prefill stage.

--set reaches every key: hardware.* those of the machine's file, model.* those of the model (layers, hidden, intermediate, q_heads,
kv_heads, head_dim, vocabulary, max_positions, window, or their names in config.json), and the scenario's own:
  stages, batch, context, prompt, tp, weights, kv, activations (bf16, fp16, fp32), offload.weights, offload.kv, start, layers, fidelity,
  page_tokens (tokens per page of the KV cache, 16), kv_splits (blocks that share one KV head of one sequence; 0: chosen),
  all_reduce (automatic, ring, one_shot), one_shot_below (bytes up to which automatic takes one_shot), seed,
  tiling.CLASS.FIELD (CLASS: qkv_projection, output_projection, ffn_up, ffn_down, lm_head; FIELD: block_m, block_n, block_k, stages,
  blocks_per_sm, group_m, split_k, cluster_m, cluster_n, persistent)

Examples:
  rooftrace simulate --hardware h100-sxm --model llama-3.1-8b --stage decode --batch 32 --context 2048
  rooftrace simulate --hardware a100-sxm-80gb --model ~/models/mine/config.json --weights fp8 --kv fp8
  rooftrace simulate main --set hardware.l2.capacity="96 MiB" --set model.window=1024
  rooftrace simulate main --offload weights=0.5,kv=0 --format json > report.json
  rooftrace simulate main --fidelity bound

A scenario file:
  hardware: h100-sxm              # or {extends: h100-sxm, l2: {capacity: 96 MiB}}
  model: llama-3.1-8b             # or {name: llama-3.1-8b, window: 1024}
  stages:
    - {stage: decode, batch: 1, context: 4096}
    - {stage: prefill, batch: 1, prompt: 2048}

The report goes to standard output, remarks and errors to standard error. Nothing is written to a file without -o.
)";

constexpr std::string_view kDescribe =
    R"(hardware: the machine as a tree, with derived peaks and ridge points. model: its shape, parameters, bytes of weights and KV cache.
NAME is a name of "rooftrace list", or a path to your own file.

)";

constexpr std::string_view kDescribeEnd = R"(
Examples:
  rooftrace describe hardware h100-sxm
  rooftrace describe hardware h100-sxm --set hardware.l2.capacity="96 MiB"
  rooftrace describe model mistral-7b
  rooftrace describe model ~/models/mine/config.json
)";

constexpr std::string_view kSelfcheck =
    R"(Runs stream, chase and copy traces through the simulated machine and prints, for every level and link, achieved against theoretical
bandwidth and latency. Refuses impossible geometry. Run it on every machine file you write.

)";

constexpr std::string_view kSelfcheckEnd = R"(
Examples:
  rooftrace selfcheck hardware h100-sxm
  rooftrace selfcheck hardware my_machine.yaml
)";

constexpr std::string_view kList = R"(Prints one name per line. Folders are searched in this order: --configs DIR, $ROOFTRACE_CONFIGS,
../share/rooftrace/configs beside the program, the source tree it was built from. Each holds hardware/NAME.yaml,
models/NAME/config.json, scenarios/NAME.yaml.

)";
struct Pages {
  std::string_view before, after;  ///< The table of options.
};

Pages pages(const std::string& verb) {
  if (verb == "simulate") return {kSimulate, kSimulateEnd};
  if (verb == "describe") return {kDescribe, kDescribeEnd};
  if (verb == "selfcheck") return {kSelfcheck, kSelfcheckEnd};
  if (verb == "list") return {kList, ""};
  return {};
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 2), ' ');
  return text;
}

}  // namespace

std::string help_text(const std::string& verb) {
  if (verb.empty()) {
    std::string text = std::string(kProgram) + "Verbs:\n";
    constexpr std::size_t kColumn = 38;
    for (const VerbShape& shape : verb_shapes()) text += padded("  " + shape.name + " " + shape.arguments, kColumn) + shape.summary + "\n";
    return text + std::string(kProgramEnd);
  }
  const VerbShape& shape = verb_shape(verb);
  const Pages page = pages(verb);
  return "rooftrace " + shape.name + ": " + shape.summary + "\n\nUsage: rooftrace " + shape.name + " " + shape.arguments + "\n\n" +
         std::string(page.before) + options_table(shape) + std::string(page.after);
}

int command_help(const Options& options) {
  print_out(help_text(options.arguments.empty() ? "" : options.arguments.front()));
  return kDone;
}

}  // namespace rooftrace
