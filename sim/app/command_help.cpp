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
Sweeps and merges also: 3 some points failed, 4 points are missing, 75 stopped early (run again with --resume), 130 interrupted.
)";

constexpr std::string_view kSimulate =
    R"(SCENARIO is a file, or a name of "rooftrace list scenarios". Without it, --hardware and --model are needed. Options change what the
scenario says; what neither says has the default below.

)";

constexpr std::string_view kSimulateEnd = R"(
--stage keeps the scenario's stages of that kind (and adds one when there is none); --batch changes every stage, --context every
decode stage, --prompt every prefill stage.

--set reaches every key: hardware.* those of the machine's file, model.* those of the model (layers, hidden, intermediate, q_heads,
kv_heads, head_dim, vocabulary, max_positions, window, experts, dense_layers, kv_rank ..., or their names in config.json), and the
scenario's own:
  stages, batch, context, prompt, tp, weights, kv, activations (bf16, fp16, fp32), offload.weights, offload.kv, start, layers, fidelity,
  page_tokens (tokens per page of the KV cache, 16), kv_splits (blocks that share one KV head of one sequence; 0: chosen),
  attention_engine (whose rule chooses: automatic, flash_attention_2, flash_attention_3, flashinfer, vllm_paged, trtllm_xqa,
  sglang_triton, fastertransformer),
  all_reduce (automatic, nccl, ring, tree, nvls, one_shot, two_shot), all_reduce_protocol (automatic, ll, ll128, simple),
  one_shot_below, two_shot_below (bytes up to which automatic takes them), seed,
  tiling.CLASS.FIELD (CLASS: qkv_projection, output_projection, ffn_up, ffn_down, lm_head; FIELD: block_m, block_n, block_k, stages,
  blocks_per_sm, group_m, split_k, cluster_m, cluster_n, persistent)

Examples:
  rooftrace simulate --hardware h100-sxm --model llama-3.1-8b --stage decode --batch 32 --context 2048
  rooftrace simulate --hardware a100-sxm-80gb --model ~/models/mine/config.json --weights fp8 --kv fp8
  rooftrace simulate main --set hardware.l2.capacity="96 MiB" --set model.window=1024
  rooftrace simulate main --offload weights=0.5,kv=0 --format json > report.json
  rooftrace simulate main --fidelity bound
  rooftrace simulate --trace main.trace.h5 --hardware h100-sxm     a trace file ("rooftrace help trace") instead of a scenario; --stage,
                                                                   --fidelity, --layers, --start and --set hardware.* work as always

A scenario file:
  hardware: h100-sxm              # or {extends: h100-sxm, l2: {capacity: 96 MiB}}
  model: llama-3.1-8b             # or {name: llama-3.1-8b, window: 1024}
  stages:
    - {stage: decode, batch: 1, context: 4096}
    - {stage: prefill, batch: 1, prompt: 2048}

The report goes to standard output, remarks and errors to standard error. Nothing is written to a file without -o.
)";

constexpr std::string_view kSweep =
    R"(Runs every point of a sweep file and writes one HDF5 file whose variables have the axes as dimensions.

)";

constexpr std::string_view kSweepEnd = R"(
A sweep file (more in configs/sweeps):
  base: main                        # a scenario, by name or path
  set: {stages: [decode]}           # changes for every point
  axes:                             # any key that --set reaches; values keep their units
    - {key: batch, values: [1, 8, 64]}
    - {key: hardware.hbm.bandwidth, range: {from: 2 TB/s, to: 8 TB/s, steps: 4}}   # scale: linear, geometric or log2
    - zip:                          # keys that move together
        - {key: hardware.l2.capacity, values: [50 MiB, 100 MiB]}
        - {key: hardware.l2.effective, values: [45 MiB, 90 MiB]}
  where: batch < 64 or hbm_bandwidth > 3 TB/s
  sample: {kind: latin_hypercube, points: 100, seed: 1}   # or random; instead of the grid

Finished points are kept in FILE.h5.part until the file is complete: whatever stops the sweep, --resume goes on. A point that fails has
status failed and a message in the file. The file is the same for any number of threads, shards and resumes, and with --reuse on or off.

Examples:
  rooftrace sweep configs/sweeps/precision-batch.yaml -o sweep.h5
  rooftrace sweep my.yaml --dry-run --where "batch == 8"
  rooftrace sweep my.yaml -o shards/3.h5 --shard 3/16 --resume     one of 16 tasks of any scheduler; then:
  rooftrace merge shards/*.h5 -o sweep.h5
  parallel rooftrace sweep my.yaml -o shards/{}.h5 --shard {}/16 --resume --threads 1 ::: $(seq 0 15)
  PBS: rooftrace sweep my.yaml -o shards/$PBS_ARRAY_INDEX.h5 --shard $PBS_ARRAY_INDEX/16 --resume

Exit codes: 0 all points done; 2 a mistake; 3 complete, but some points failed; 75 stopped by SIGTERM or SIGUSR1, run it again with
--resume; 130 stopped by SIGINT.
)";

constexpr std::string_view kMerge =
    R"(Puts the files of shards together, in any order. Refuses files of different sweeps. When points are missing, nothing is
written and the shards to run again are named.

Exit codes: 0 all points done; 2 a mistake; 3 merged, but some points failed; 4 points are missing.

)";

constexpr std::string_view kPareto =
    R"(The points that no other point beats in all of --max and --min. Columns: variables of the sweep (latency, tokens_per_s, bound,
ceiling, ...), q_l2, q_hbm, q_nvlink, q_pcie (bytes), and axes with numbers. --stage chooses decode or prefill; default: the first in the
file. -o draws the first goal against the second.

)";

constexpr std::string_view kParetoEnd = R"(
Examples:
  rooftrace pareto sweep.h5 --max tokens_per_s --min hbm_bandwidth
  rooftrace pareto sweep.h5 --max tokens_per_s --min hbm_bandwidth,l2_capacity --format json -o frontier.svg
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

constexpr std::string_view kCurve =
    R"(One pass over the trace finds, for every use of a line, how many other lines were used since its last use; from these distances follows
Q at HBM for every capacity of L2 at once: exact for one fully associative LRU set with the machine's lines and sectors. How far the
machine's own L2 (ways, index hash, replacement) is from that is measured at a quarter, half, once and twice its capacity.

)";

constexpr std::string_view kCurveEnd = R"(
The scenario is chosen as in "rooftrace simulate"; its fidelity does not matter here. Counted are sectors fetched for loads and atomics,
booked on the kernel class that asks, and dirty sectors written back, booked on the class that wrote them; what is still dirty when the
stage ends is not. A knee is a capacity at which at least 1 % of the bytes at 1 MiB goes away at once. All layers are run;
--set model.layers=2 is often enough, and much faster.

Examples:
  rooftrace curve main --level l2
  rooftrace curve main --stage prefill --set model.layers=2 -o curve.svg
  rooftrace curve --hardware h100-sxm --model llama-3.1-8b --stage decode --batch 64 --format json > curve.json
)";

constexpr std::string_view kSlurm =
    R"(submit writes three scripts into a folder and submits them: a job array in which every task runs one shard of the sweep, and a merge
that starts when all tasks have ended. A shard whose node is lost, or that reaches its time limit, starts again and goes on where it was.
status says which shards are done, running or missing, and how to submit the missing ones again; it needs scontrol, not sacct.

)";

constexpr std::string_view kSlurmEnd = R"(
Files decide what is done, never job numbers. submit on the same folder again submits what is missing. Exit codes of status: 0 the merged
file is there; 75 not yet. configs/sweeps/CLUSTER.md has the details, and templates for GNU parallel and PBS.

Examples:
  rooftrace slurm submit sweep.yaml --nodes 8 --shards 64 --time 2:00:00 --dir /shared/me/what-if
  rooftrace slurm submit sweep.yaml --nodes 8 --dry-run
  rooftrace slurm status /shared/me/what-if
)";

constexpr std::string_view kValidate =
    R"(Simulates every row of suites of measurements and prints, per suite and GPU, the errors beside those of two baselines: the plain
roofline, and the roofline at 0.8 of the peaks plus 3 us. A suite is a CSV file; its name is its kind: read_bandwidth, latency, gemm,
moe_gemm, attention, collective, transfer, elementwise, step or ceiling. A row whose hardware or model has no file is skipped.

)";

constexpr std::string_view kValidateEnd = R"(
Error: simulated / measured - 1; for shares (hit rates) the difference in points. Beyond the bound: rows whose simulated or measured value
is better than the closed-form bound allows; there should be none. Columns of each kind: see validation/suites/.

Examples:
  rooftrace validate
  rooftrace validate --suite my/gemm.csv --hardware h100-sxm --rows rows.csv
  rooftrace validate -o report.h5 --plots plots      rows and scores for xarray; one picture per suite
)";

constexpr std::string_view kCalibrate =
    R"(Changes only the named constants of one machine, so that its rows of the named suites come out best: the median of
|log(simulated / measured)|. Prints constants and errors before and after. With -o, writes the machine's file: every other line as it was,
and beside each changed constant the suites, the number of rows, the errors and the value it had.

)";

constexpr std::string_view kCalibrateEnd = R"(
Only what no datasheet says can be fitted, within physical ranges, never anything per row, shape or model:
  sm.tensor_clock; l2.bandwidth, effective, latency_near, latency_far; hbm.scheduled, turnaround, activate, refresh, latency;
  nvlink.efficiency, latency; pcie.efficiency, latency; launch.kernel_gap, block_start, copy_start
Fit few constants to suites that measure them alone (transfer: pcie, latency: latencies, read_bandwidth: L2 and HBM reads), and keep other
suites aside to see whether the machine got better. HARDWARE is a name or a file; rows count when their hardware is its name. A value that
the file inherits (extends) is written as an override.

Examples:
  rooftrace calibrate a100-sxm-80gb --suite validation/suites/transfer.csv --fit pcie.efficiency,launch.copy_start
  rooftrace calibrate mine.yaml --suite my/read_bandwidth.csv my/latency.csv --fit l2.bandwidth,hbm.latency -o mine.yaml
)";

constexpr std::string_view kTrace =
    R"(A trace file holds the kernels of a scenario with every block, step and access: HDF5 columns, described in traces/README.md.

  generate SCENARIO -o FILE   writes the stages of a scenario; it is chosen and changed as in "rooftrace simulate"
  import --format F FILE -o FILE
                              somebody else's trace: accelsim (kernelslist.g, .traceg[.xz], .tracez of NVBit's tracer), rooftrace-capture
                              (.rtcap), csv (block, step, op, address, bytes), kineto (profile of PyTorch, .json or .json.gz: synthetic
                              accesses); prints what was read, what was left out and what is not known. traces/import/README.md says
                              how each is read
  info FILE                   what is in it: kernels, classes, records, bytes by role, where it comes from
  check FILE                  the laws that every trace obeys; prints each broken one with kernel, block and step, and exits with 2
  dump FILE                   every record as a line of text

"rooftrace simulate --trace FILE --hardware NAME" runs it: a generated trace gives the same bits as its scenario. What does
not fit the machine's memory is refused.

)";

constexpr std::string_view kTraceEnd = R"(
Examples:
  rooftrace trace generate main -o main.trace.h5
  rooftrace trace generate --hardware h100-sxm --model llama-3.1-8b --stage decode --batch 8 -o decode.trace.h5
  rooftrace trace import --format accelsim traces/kernelslist.g -o mine.trace.h5
  rooftrace trace import --format kineto profile.json -o profile.trace.h5
  rooftrace trace info decode.trace.h5
  rooftrace trace dump decode.trace.h5 --kernel attention --block 0
  rooftrace simulate --trace decode.trace.h5 --hardware h200-sxm --set hardware.l2.capacity="96 MiB"
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
  if (verb == "trace") return {kTrace, kTraceEnd};
  if (verb == "sweep") return {kSweep, kSweepEnd};
  if (verb == "merge") return {kMerge, ""};
  if (verb == "pareto") return {kPareto, kParetoEnd};
  if (verb == "describe") return {kDescribe, kDescribeEnd};
  if (verb == "selfcheck") return {kSelfcheck, kSelfcheckEnd};
  if (verb == "slurm") return {kSlurm, kSlurmEnd};
  if (verb == "curve") return {kCurve, kCurveEnd};
  if (verb == "validate") return {kValidate, kValidateEnd};
  if (verb == "calibrate") return {kCalibrate, kCalibrateEnd};
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
