// attention: bytes and time of one attention call over a contiguous KV cache.
//
// flash_attention_2 and flash_attention are the prefill kernel; split_kv is the decode kernel with the split rule of the engine that the
// row's source names (suite_engines.cpp), mla_decode that of latent attention: kv_heads is 1 and head_dim the latent and its position
// (576; 512, the latent alone, stands for 512 + 64). A window of w in a
// row is FlashAttention-2's window_size = (w, w), right side 0 when causal; 0 means none. Warm: the call is repeated on the same buffers.
#include <fmt/format.h>

#include "sim/app/suite_engines.hpp"
#include "sim/app/suite_kernels.hpp"
#include "sim/app/suite_protocol.hpp"
#include "traces/attention_decode.hpp"
#include "traces/attention_latent.hpp"
#include "traces/attention_prefill.hpp"

namespace rooftrace {
namespace {

struct Call {
  std::uint32_t batch, q_heads, kv_heads, head_dim;
  std::uint64_t q_len, kv_len, window;
  bool causal, decode, warm, writes_kv, varlen, latent;
  AttentionEngine engine;
  DataType type, kv;
};

AttentionProblem problem_of(const Call& c, Operands& operands) {
  AttentionProblem p;
  p.batch = c.batch;
  p.q_heads = c.q_heads;
  p.kv_heads = c.kv_heads;
  p.head_dim = c.head_dim;
  p.q_len = c.q_len;
  p.kv_len = c.kv_len;
  p.causal = c.causal;
  if (c.window > 0) {
    p.window_left = static_cast<std::int64_t>(c.window);
    p.window_right = c.causal ? 0 : static_cast<std::int64_t>(c.window);
  } else if (c.causal) {
    p.window_right = 0;
  }
  const std::uint64_t queries = c.batch * c.q_len;
  p.q = operands.matrix(queries, std::uint64_t{c.q_heads} * c.head_dim, c.type);
  p.o = operands.matrix(queries, std::uint64_t{c.q_heads} * c.head_dim, c.type);
  if (!c.decode) p.sums = operands.matrix(queries, c.q_heads, DataType::fp32);
  const std::uint64_t keys = c.batch * c.kv_len;
  const Matrix k = operands.matrix(keys, std::uint64_t{c.kv_heads} * c.head_dim, c.kv, TensorRole::kv);
  p.kv = contiguous_kv(k, operands.matrix(keys, std::uint64_t{c.kv_heads} * c.head_dim, c.kv, TensorRole::kv), c.batch, c.kv_heads,
                       c.head_dim);
  p.tensor_type = c.type;
  return p;
}

/// What an engine's attention operator does first: the new tokens' K and V, in 16 bit, go to the cache.
Kernel kv_write(const DeviceShape& gpu, const Call& c, const AttentionProblem& problem, Operands& operands) {
  StreamProblem p;
  const std::uint64_t bytes = c.batch * c.q_len * c.kv_heads * problem.kv.token_bytes();
  for (int part = 0; part < 2; ++part) p.sources.push_back(operands.range(bytes));
  for (const Matrix& matrix : {problem.kv.k, problem.kv.v}) {
    ByteRange cache;
    cache.bytes = bytes;
    cache.role = TensorRole::kv;
    cache.address = matrix.address;  // Where they lie does not matter to the time; prefill writes all of it.
    p.destinations.push_back(cache);
  }
  p.step_bytes = p.chunk_bytes = problem.kv.token_bytes() * c.kv_heads;  // A block per token.
  p.blocks_per_sm = 8;
  p.depth = 1;
  Kernel kernel = make_stream(gpu, p);
  kernel.label = "KV write";
  return kernel;
}

/// An elementwise kernel of the framework over `bytes`: four elements of 16 bit a thread, 128 threads a block.
Kernel small_copy(const DeviceShape& gpu, std::uint64_t bytes, const char* label, Operands& operands) {
  StreamProblem p;
  p.sources.push_back(operands.range(bytes));
  p.destinations.push_back(operands.range(bytes));
  p.step_bytes = p.chunk_bytes = 1024;
  p.blocks_per_sm = 16;
  p.depth = 1;
  Kernel kernel = make_stream(gpu, p);
  kernel.label = label;
  return kernel;
}

/// What vLLM's varlen interface (vllm-project/flash-attention) launches around an attention kernel.
///
/// Version 2 (csrc/flash_attn/flash_api.cpp, mha_varlen_fwd), one query, several query heads to a KV head, no window: Q is reordered so
/// that the heads of a group are rows (a copy where there is more than one sequence; for one it is a view), O comes back by a copy.
/// Version 3 (hopper/flash_api.cpp, mha_fwd): the schedule is made outside of the graph, so where no combine kernel resets the
/// counter of tiles, a kernel that fills one word does.
struct VarlenKernels {
  bool q_copy = false, o_copy = false, counter_reset = false;
};

VarlenKernels varlen_kernels(const DeviceShape& gpu, const Call& c, std::uint32_t splits) {
  VarlenKernels k;
  if (!c.varlen) return k;
  if (gpu.max_cluster >= 2) {
    k.counter_reset = splits == 1;
  } else if (c.decode && c.q_heads > c.kv_heads && c.window == 0) {
    k.q_copy = c.batch > 1;
    k.o_copy = true;
  }
  return k;
}

constexpr std::uint32_t kPositionFeatures = 64;  // qk_rope_head_dim of every published model with latent attention.

Trace trace_of_latent_call(const DeviceShape& gpu, const Call& c) {
  Operands operands;
  AttentionProblem p;
  p.batch = c.batch;
  p.q_heads = c.q_heads;
  p.head_dim = c.head_dim;
  p.value_dim = c.head_dim - kPositionFeatures;
  p.kv_len = c.kv_len;
  p.tensor_type = c.type;
  p.q = operands.matrix(c.batch, std::uint64_t{c.q_heads} * c.head_dim, c.type);
  p.o = operands.matrix(c.batch, std::uint64_t{c.q_heads} * p.value_dim, c.type);
  const Matrix rows = operands.matrix(c.batch * c.kv_len, c.head_dim, c.kv, TensorRole::kv);
  p.kv = contiguous_kv(rows, rows, c.batch, 1, c.head_dim);
  p.kv.latent = true;
  const LatentTiling tiling = choose_latent_tiling(gpu, p);
  const std::uint64_t workspace = operands.take(latent_workspace_bytes(p, tiling));
  std::vector<Kernel> kernels{make_latent_decode(p, tiling, workspace)};
  if (tiling.slots() > 0) kernels.push_back(make_latent_combine(p, tiling, workspace));
  return trace_of(std::move(kernels), operands);
}

Trace trace_of_call(const DeviceShape& gpu, const Call& c) {
  if (c.latent) return trace_of_latent_call(gpu, c);
  Operands operands;
  const AttentionProblem problem = problem_of(c, operands);
  std::vector<Kernel> kernels;
  if (c.writes_kv) kernels.push_back(kv_write(gpu, c, problem, operands));
  DecodeTiling tiling;
  if (c.decode) tiling = choose_decode_tiling(gpu, problem, 0, c.engine);
  const VarlenKernels around = varlen_kernels(gpu, c, tiling.splits);
  const std::uint64_t q_bytes = problem.q.bytes();
  if (around.q_copy) kernels.push_back(small_copy(gpu, q_bytes, "Q reordered", operands));
  if (!c.decode) {
    kernels.push_back(make_attention_prefill(problem, choose_prefill_tiling(gpu, c.head_dim, c.type, c.kv)));
  } else {
    const std::uint64_t workspace = operands.take(decode_workspace_bytes(problem, tiling));
    kernels.push_back(make_attention_decode(problem, tiling, workspace));
    if (tiling.splits > 1) kernels.push_back(make_attention_combine(problem, tiling, workspace));
  }
  if (around.o_copy) kernels.push_back(small_copy(gpu, q_bytes, "O reordered", operands));
  if (around.counter_reset) kernels.push_back(small_copy(gpu, 4, "tile counter", operands));
  return trace_of(std::move(kernels), operands);
}

/// The machine as the kernels of one graph see it.
MachineSpec within_graph(const MachineSpec& machine, const Protocol& protocol) {
  MachineSpec same = machine;
  same.launch.kernel_gap *= protocol.within_graph;
  return same;
}

}  // namespace

Prediction predict_attention(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  const std::string& kernel = row.text("kernel");
  const std::string& dtype = row.text("dtype");
  Call c{};
  c.decode = row.text("stage") == "decode";
  if (!c.decode && row.text("stage") != "prefill") unknown_word(row, "stage", "decode, prefill");
  c.latent = c.decode && kernel == "mla_decode";
  if (c.decode ? kernel != "split_kv" && !c.latent : kernel != "flash_attention_2" && kernel != "flash_attention") {
    unknown_word(row, "kernel", c.decode ? "split_kv, mla_decode" : "flash_attention_2, flash_attention");
  }
  c.batch = static_cast<std::uint32_t>(row.integer("batch", 1, 1 << 20));
  c.q_heads = static_cast<std::uint32_t>(row.integer("q_heads", 1, 1 << 14));
  c.kv_heads = static_cast<std::uint32_t>(row.integer("kv_heads", 1, 1 << 14));
  if (c.q_heads % c.kv_heads != 0) throw RowSkipped("kv_heads does not divide q_heads");
  c.head_dim = static_cast<std::uint32_t>(row.integer("head_dim", 8, 1 << 12));
  if (c.latent) {
    if (c.kv_heads != 1) throw RowSkipped("latent attention has one latent for all heads: kv_heads 1");
    if (c.head_dim == 512) c.head_dim += kPositionFeatures;
    if (c.head_dim <= kPositionFeatures) throw RowSkipped("latent attention: head_dim is the latent and 64 features with position");
  }
  c.q_len = row.integer("q_len", 1, 1 << 26);
  c.kv_len = row.integer("kv_len", 1, 1 << 26);
  if (c.q_len > c.kv_len) throw RowSkipped("more queries than keys");
  if (c.decode && c.q_len != 1) throw RowSkipped("decode with more than one query is not simulated");
  c.window = row.integer_or("window", 0, 1 << 26, 0);
  c.causal = row.integer_or("causal", 0, 1, 0) == 1;
  c.warm = row.text("l2_state") == "warm";
  c.kv = row.data_type("dtype");
  c.type = bytes_per_element(c.kv) < 2 ? DataType::bf16 : c.kv;  // An 8-bit cache meets 16-bit queries.
  const Protocol& protocol = protocol_of(row);
  c.writes_kv = protocol.attention_writes_kv && !c.latent;
  c.varlen = protocol.attention_calls_varlen && !c.latent;
  if (c.decode && row.has("source")) c.engine = attention_engine_of(row.text("source"), machine.shape().max_cluster >= 2);
  const MachineSpec in_graph = within_graph(machine, protocol);
  const double first_gap = machine.launch.kernel_gap - in_graph.launch.kernel_gap;  // The replay's first kernel keeps the machine's.
  Experiment e;
  e.key = fmt::format("attention {} {} {} {} {} {} {} {} {}/{} {} {} {} {} {}", c.latent, name(c.engine), c.writes_kv, c.varlen,
                      in_graph.launch.kernel_gap, c.decode, dtype, c.batch, c.q_heads, c.kv_heads, c.head_dim, c.q_len, c.kv_len, c.window,
                      c.causal) +
          (c.warm ? " warm" : " cold");
  e.warm = c.warm;
  e.trace = [c](const DeviceShape& gpu) { return trace_of_call(gpu, c); };
  const Outcome& outcome = bench.run(in_graph, e);
  const std::string& quantity = row.text("quantity");
  Prediction p;
  if (quantity == "time_us") {
    p = time_prediction(outcome, 1e6, protocol.per_replay + first_gap);
    p.group = c.decode ? "decode time" : "prefill time";
    p.goal = "8 %";
  } else if (quantity == "l2_read_bytes") {
    p = bytes_prediction(outcome, outcome.q.total(LevelId::l2, Direction::read), outcome.footprint_read);
    p.group = "L2 bytes";
    p.goal = "3 %";
  } else if (quantity == "hbm_total_bytes" || quantity == "hbm_read_bytes") {
    const bool total = quantity == "hbm_total_bytes";
    p = bytes_prediction(outcome, total ? outcome.q.total(LevelId::hbm) : outcome.q.total(LevelId::hbm, Direction::read),
                         c.warm ? 0 : outcome.footprint_read);
    p.group = "HBM bytes";
    p.goal = "6 %";
  } else if (quantity == "l2_hit_rate" || quantity == "l2_read_hit_rate") {
    p = hit_rate_prediction(outcome);
  } else {
    unknown_word(row, "quantity", "time_us, l2_read_bytes, hbm_total_bytes, hbm_read_bytes, l2_hit_rate");
  }
  return p;
}

}  // namespace rooftrace
