// step and ceiling: whole steps of a model as a serving engine reports them.
//
// A decode step stands for its average over a generation: half of the output is in the cache. A prefill of more than 8,192 tokens is
// processed in equal parts of whole sequences, as engines that bound a step's tokens do; where such a part takes too many cache lines to
// simulate, a quarter stands for it, down to one sequence: time goes with the tokens when they are thousands. A sequence may be longer
// than the positions a model was trained for, up to four times, unless they are rows of a table: RoPE and ALiBi compute any position. Under
// continuous batching every request's prefill runs between the decode steps of the others: with c requests in flight and o tokens each, a
// token waits for (c - 1) / o prefills beside its own step. A prefill makes the first token, so a total time is a prefill and o - 1 decode
// steps. What the engine's host adds is one table (suite_engines.cpp).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string_view>

#include "sim/app/suite_engines.hpp"
#include "sim/app/suite_kernels.hpp"
#include "traces/workload.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kPrefillTokens = 8192;
constexpr std::uint64_t kBeyondPositions = 4;      ///< Longer than so many times the positions of a model is a slip of the pen.
constexpr std::uint64_t kMostTokens = 1ULL << 26;  ///< More than any GPU holds; bounds the page tables.

struct Setup {
  const MachineSpec& machine;
  ModelSpec model;
  WorkloadOptions options;
  std::string hardware, engine, collective;
  std::string words;  ///< What else distinguishes the experiment.
};

/// How weights or the cache are stored. What engines compute in beside them is theirs (WorkloadOptions): weights in 8-bit integers are
/// widened.
DataType stored_type(const SuiteRow& row, const std::string& column, DataType otherwise) {
  const std::string& word = row.text(column);
  if (word.empty()) return otherwise;
  const auto starts = [&word](const char* with) { return word.starts_with(with); };
  if (starts("w8a16") || starts("w8a8") || starts("int8")) return DataType::int8;
  if (starts("w4a16") || starts("w4a8") || starts("int4") || starts("awq") || starts("gptq")) return DataType::int4;
  if (starts("fp8")) return DataType::fp8;  // fp8_block, fp8_static, fp8_e4m3 ...
  return row.data_type(column);
}

/// Of "w4a16g32": 32; 0: a scale for a whole row.
std::uint32_t weight_group(const SuiteRow& row) {
  const std::string& word = row.text("weights");
  const std::size_t g = word.find('g');
  if (!word.starts_with("w") || g == std::string::npos) return 0;
  std::uint32_t group = 0;
  const auto [stop, error] = std::from_chars(word.data() + g + 1, word.data() + word.size(), group);
  if (error != std::errc{} || stop != word.data() + word.size() || group == 0)
    unknown_word(row, "weights", "w8a16, w4a16, w4a16gN and types");
  return group;
}

Setup setup_of(const SuiteRow& row, Bench& bench) {
  const std::string& model = row.text("model");
  Setup s{
      bench.machine(row.text("hardware")), bench.model(model), {}, row.text("hardware"), row.text("engine"), row.text("collective"), {}};
  WorkloadOptions& o = s.options;
  o.weights = stored_type(row, "weights", DataType::bf16);
  o.kv = stored_type(row, "kv", DataType::bf16);
  if (o.weights == DataType::fp16) o.activations = DataType::fp16;
  o.tp = static_cast<std::uint32_t>(row.integer_or("tp", 1, 1024, 1));
  if (o.tp > s.machine.node.gpus) throw RowSkipped(fmt::format("tp {}, but a node has {} GPUs", o.tp, s.machine.node.gpus));
  o.attention_engine = attention_engine_of(s.engine, s.machine.shape().max_cluster >= 2);
  o.experts_for_a100 = experts_for_a100(s.engine);
  o.separate_residual = row.has("source") && separate_residual(row.text("source"));
  o.weight_group = weight_group(row);
  if (s.collective == "nccl") o.all_reduce.algorithm = AllReduce::nccl;
  s.words = fmt::format("{} {} {} {} {} {}{}{}", model, row.text("weights"), row.text("kv"), o.tp, row.text("collective"),
                        name(o.attention_engine), o.experts_for_a100 ? " a100" : "", o.separate_residual ? " separate" : "");
  return s;
}

const Outcome& run_stage_of(Bench& bench, const Setup& s, const WorkloadOptions& options, bool closed_form = false) {
  const bool decode = options.stage == Stage::decode;
  const std::uint32_t length = decode ? options.context : options.prompt;
  ModelSpec model = s.model;
  if (model.learned_positions == 0 && length < kBeyondPositions * model.max_positions) {
    model.max_positions = std::max(model.max_positions, length + 1);
  }
  check_workload(model, options);
  Experiment e;
  if (std::uint64_t{options.batch} * length > kMostTokens) throw RowSkipped("too long: more than 2^26 tokens in the cache");
  e.key =
      fmt::format("step {}{} {} {} {}", s.words, options.tiling.empty() ? "" : " " + s.engine, name(options.stage), options.batch, length);
  e.stage = options.stage;
  e.tokens = std::uint64_t{options.batch} * (decode ? 1 : length);
  e.whole_step = true;
  e.closed_form = closed_form;
  e.group = options.tp;
  e.trace = [model, options](const DeviceShape& gpu) { return make_workload(model, gpu, options); };
  return bench.run(s.machine, e);
}

void add(Outcome& sum, const Outcome& part, double times) {
  sum.seconds += part.seconds * times;
  sum.bound += part.bound * times;
  sum.roofline += part.roofline * times;
}

/// A step and what its host does. The bound knows no host.
Outcome on_host(const Setup& s, Outcome step, Stage stage) {
  if (step.seconds <= 0) return step;
  // An all-reduce after attention and one after the FFN.
  if (s.options.tp > 1) step.seconds += stream_events(s.engine, s.collective, s.machine.launch.kernel_gap, 2 * s.model.layers);
  step.seconds = with_host(step.seconds, s.engine, s.hardware, stage, s.model.layers);
  return step;
}

Outcome decode_step(Bench& bench, const Setup& s, double batch, std::uint64_t context) {
  WorkloadOptions options = s.options;
  options.stage = Stage::decode;
  options.batch = static_cast<std::uint32_t>(std::max(1.0, std::round(batch)));
  options.tiling = own_tilings(s.engine, options.weights, options.batch);
  options.context = static_cast<std::uint32_t>(std::max<std::uint64_t>(context, 1));
  Outcome sum;
  add(sum, on_host(s, run_stage_of(bench, s, options), Stage::decode), 1);
  return sum;
}

Outcome prefill(Bench& bench, const Setup& s, double batch, std::uint64_t prompt) {
  const auto sequences = static_cast<std::uint64_t>(std::max(1.0, std::round(batch)));
  std::uint64_t together = std::clamp<std::uint64_t>(kPrefillTokens / prompt, 1, sequences);
  WorkloadOptions options = s.options;
  options.stage = Stage::prefill;
  options.prompt = static_cast<std::uint32_t>(prompt);
  Outcome sum;
  while (true) {
    options.batch = static_cast<std::uint32_t>(together);
    try {
      const Outcome& part = run_stage_of(bench, s, options);
      add(sum, on_host(s, part, Stage::prefill), static_cast<double>(sequences) / static_cast<double>(together));
      break;
    } catch (const RowSkipped& skipped) {
      if (together == 1 || !std::string_view(skipped.what()).starts_with("too long:")) throw;
      together = (together + 3) / 4;
    }
  }
  return sum;
}

}  // namespace

Prediction predict_step(const SuiteRow& row, Bench& bench) {
  const Setup s = setup_of(row, bench);
  const double batch = row.number("batch");
  if (!(batch > 0 && batch <= 65536)) throw RowSkipped("batch is not from 1 to 65536");
  const std::uint64_t input = row.integer("input_tokens", 1, 1 << 24);
  const std::uint64_t output = row.integer("output_tokens", 1, 1 << 24);
  const std::string& quantity = row.text("quantity");
  const std::string& stage = row.text("stage");
  const std::string& engine = row.text("engine");
  if (engine == "flexgen") throw RowSkipped("FlexGen attends on the CPU of the host, which is not simulated");
  const std::uint64_t halfway = input + output / 2;
  Prediction p;
  if (stage == "prefill") {
    if (quantity != "ttft_ms") unknown_word(row, "quantity", "ttft_ms for a prefill");
    Outcome sum = prefill(bench, s, batch, input);
    p = time_prediction(sum, 1e3);
    p.group = "prefill";
  } else if (stage == "decode") {
    Outcome sum = decode_step(bench, s, batch, halfway);
    if (batches_continuously(engine, quantity) && batch > 1)
      add(sum, prefill(bench, s, 1, input), (batch - 1) / static_cast<double>(output));
    if (quantity == "tokens_per_s") {
      p = rate_prediction(sum, batch);
    } else if (quantity == "itl_ms" || quantity == "tpot_ms") {
      p = time_prediction(sum, 1e3);
    } else {
      unknown_word(row, "quantity", "tokens_per_s, itl_ms, tpot_ms for a decode");
    }
    p.group = batch == 1 ? "batch-1 decode" : "decode";
  } else if (stage == "prefill+decode") {
    Outcome sum = prefill(bench, s, batch, input);
    const auto steps = static_cast<double>(output - 1);
    if (output > 1) add(sum, decode_step(bench, s, batch, halfway), steps);
    if (quantity == "total_ms") {
      p = time_prediction(sum, 1e3);
    } else if (quantity == "tokens_per_s") {
      p = rate_prediction(sum, batch * static_cast<double>(output));
    } else {
      unknown_word(row, "quantity", "total_ms, tokens_per_s for prefill+decode");
    }
    p.group = "total";
  } else {
    unknown_word(row, "stage", "decode, prefill, prefill+decode");
  }
  p.goal = p.group == "batch-1 decode" ? "6 %" : "10 %";
  return p;
}

namespace {

/// The same machine with all tensor work at the rate of the weights' type, where it has one: whoever quantises may compute in it.
MachineSpec quantised(const MachineSpec& machine, DataType weights) {
  MachineSpec out = machine;
  const auto narrow = out.sm.tensor_peak.find(weights);
  if (narrow == out.sm.tensor_peak.end()) return out;
  for (auto& [type, peak] : out.sm.tensor_peak) peak = std::max(peak, narrow->second);
  return out;
}

}  // namespace

/// The most tokens per second that a group of tp GPUs could make of this model at this batch, prompts and their caches free of charge,
/// however the group is divided: tp / t parts of t GPUs each, as replicas or as stages of a pipeline, share the batch. A row without a
/// batch is bounded by the work alone.
Prediction predict_ceiling(const SuiteRow& row, Bench& bench) {
  const Setup given = setup_of(row, bench);
  const MachineSpec machine = quantised(given.machine, given.options.weights);
  const auto batch = static_cast<std::uint32_t>(row.has("batch") ? row.integer("batch", 1, 65536) : 65536);
  Prediction p;
  p.group = "ceiling";
  p.bound = 0;
  for (std::uint32_t t = 1; t <= given.options.tp; ++t) {
    if (given.options.tp % t != 0) continue;
    Setup s{machine, given.model, given.options, given.hardware, given.engine, given.collective, {}};
    const std::uint32_t parts = row.has("batch") ? std::min(given.options.tp / t, batch) : given.options.tp / t;
    s.options.stage = Stage::decode;
    s.options.context = 1;
    s.options.tp = t;
    s.options.batch = row.has("batch") ? (batch + parts - 1) / parts : batch;
    s.words = fmt::format("ceiling {} {} {}", row.text("model"), row.text("weights"), t);
    try {
      check_workload(s.model, s.options);
    } catch (const std::invalid_argument&) {
      if (t == given.options.tp && !(p.bound > 0)) throw;
      continue;  // This t does not divide the heads.
    }
    const Outcome& outcome = run_stage_of(bench, s, s.options, true);
    p.bound = std::max(p.bound, parts * static_cast<double>(s.options.batch) / outcome.bound);
  }
  p.roofline = p.bound;
  p.side = Side::below;
  return p;
}

}  // namespace rooftrace
