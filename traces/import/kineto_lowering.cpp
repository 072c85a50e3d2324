#include "traces/import/kineto_lowering.hpp"

#include <algorithm>
#include <stdexcept>

#include "traces/attention_decode.hpp"
#include "traces/attention_prefill.hpp"
#include "traces/collective.hpp"
#include "traces/copy.hpp"
#include "traces/elementwise.hpp"
#include "traces/gemm.hpp"
#include "traces/import/kineto_programs.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kMostElements = 1ULL << 33;  // Of one tensor: 16 GiB in 16 bit.
constexpr std::uint64_t kMostMoved = 1ULL << 38;     // Bytes of a copy or fill: 256 GiB.
constexpr std::uint64_t kMostSide = 1ULL << 31;
constexpr std::uint64_t kMostSequences = 1 << 16;

/// A tensor as rows of its last dimension. Throws std::invalid_argument when it is none.
struct Shape {
  std::uint64_t rows = 1, cols = 1;
  DataType type = DataType::bf16;
  [[nodiscard]] std::uint64_t elements() const { return rows * cols; }
  [[nodiscard]] std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(static_cast<double>(elements()) * bytes_per_element(type));
  }
};

Shape shape_of(const KinetoTensor& tensor) {
  const auto type = kineto_data_type(tensor.type);
  if (tensor.dims.empty() || !type) throw std::invalid_argument("no tensor, or of an unknown type");
  Shape shape;
  shape.type = *type;
  std::uint64_t all = 1;
  for (std::size_t i = 0; i < tensor.dims.size(); ++i) {
    const std::int64_t side = tensor.dims[i];
    if (side <= 0 || static_cast<std::uint64_t>(side) > kMostSide) throw std::invalid_argument("an empty or absurd tensor");
    all *= static_cast<std::uint64_t>(side);
    if (all > kMostElements) throw std::invalid_argument("an absurd tensor");
  }
  shape.cols = static_cast<std::uint64_t>(tensor.dims.back());
  shape.rows = all / shape.cols;
  return shape;
}

Shape input_shape(const KinetoOperator& op, std::size_t i) {
  if (i >= op.inputs.size()) throw std::invalid_argument("an input is missing");
  return shape_of(op.inputs[i]);
}

std::uint64_t side(const KinetoOperator& op, std::size_t i, std::size_t from_end) {
  const auto& dims = op.inputs.at(i).dims;
  if (dims.size() <= from_end) throw std::invalid_argument("too few dimensions");
  return static_cast<std::uint64_t>(dims[dims.size() - 1 - from_end]);
}

Matrix matrix(std::uint64_t address, std::uint64_t rows, std::uint64_t cols, DataType type, TensorRole role, bool produced) {
  Matrix m;
  m.address = address;
  m.rows = rows;
  m.cols = cols;
  m.type = type;
  m.role = role;
  m.produced = produced;
  m.pitch = m.row_bytes();
  return m;
}

Matrix matrix(std::uint64_t address, const Shape& shape, TensorRole role, bool produced) {
  return matrix(address, shape.rows, shape.cols, shape.type, role, produced);
}

ByteRange range(std::uint64_t address, std::uint64_t bytes, Home home = Home::local) {
  ByteRange r;
  r.address = address;
  r.bytes = bytes;
  r.home = home;
  return r;
}

class Lowering {
 public:
  Lowering(const KinetoOperatorRow& row, const KinetoOperator& op, const DeviceShape& gpu, KinetoMemory& memory)
      : row_(row), op_(op), gpu_(gpu), memory_(memory) {}

  std::vector<Kernel> make() {
    switch (row_.lowering) {
      case KinetoLowering::mm:
        return gemm(0, 1, true);
      case KinetoLowering::addmm:
        return gemm(1, 2, true);
      case KinetoLowering::linear:
        return gemm(0, 1, false);
      case KinetoLowering::batched:
        return batched();
      case KinetoLowering::attention:
        return attention();
      case KinetoLowering::layer_norm:
      case KinetoLowering::rms_norm:
        return norm();
      case KinetoLowering::softmax:
        return softmax();
      case KinetoLowering::elementwise:
        return elementwise();
      case KinetoLowering::cat:
        return cat();
      case KinetoLowering::embedding:
        return embedding();
    }
    return {};
  }

 private:
  /// Inputs of one size are different buffers.
  std::uint64_t input(std::uint64_t bytes) { return memory_.input(bytes, taken_[bytes]++); }

  struct Gemm {
    GemmProblem problem;
    GemmTiling tiling;
  };
  /// x (m x k) times w; w is k x n, or n x k as a linear layer keeps it.
  [[nodiscard]] Gemm gemm_of(std::uint64_t m, std::uint64_t n, std::uint64_t k, DataType a, DataType b, bool weights) const {
    GemmProblem p;
    p.a = matrix(0, m, k, a, TensorRole::activations, true);
    p.b = matrix(0, n, k, b, weights ? TensorRole::weights : TensorRole::activations, !weights);
    p.c = matrix(0, m, n, a, TensorRole::activations, true);
    p.tensor_type = a == DataType::fp32 ? DataType::tf32 : a;
    const GemmTiling tiling = choose_gemm_tiling(gpu_, m, n, k, b, a);
    return {p, tiling};
  }

  std::vector<Kernel> gemm(std::size_t a, std::size_t b, bool b_is_k_by_n) {
    const Shape x = input_shape(op_, a), w = input_shape(op_, b);
    const std::uint64_t n = b_is_k_by_n ? w.cols : w.rows, k = b_is_k_by_n ? w.rows : w.cols;
    if (k != x.cols) throw std::invalid_argument("the matrices do not fit together");
    Gemm g = gemm_of(x.rows, n, k, x.type, w.type, true);
    return finish_gemm(g);
  }

  std::vector<Kernel> finish_gemm(Gemm& g) {
    g.problem.a.address = input(g.problem.a.bytes());
    g.problem.b.address = memory_.weights(g.problem.b.bytes());
    g.problem.c.address = memory_.output(g.problem.c.bytes());
    std::vector<Kernel> kernels;
    if (g.tiling.split_k > 1) {
      g.problem.workspace = matrix(0, g.tiling.split_k * g.problem.c.rows, g.problem.c.cols, DataType::fp32, TensorRole::activations, true);
      g.problem.workspace.address = memory_.named("split-K", g.problem.workspace.bytes());
    }
    kernels.push_back(make_gemm(gpu_, g.problem, g.tiling));
    if (g.tiling.split_k > 1) kernels.push_back(make_split_k_reduce(gpu_, g.problem, g.tiling));
    return kernels;
  }

  std::vector<Kernel> batched() {
    const Shape a = input_shape(op_, 0), b = input_shape(op_, 1);
    const std::uint64_t k = a.cols;
    if (op_.inputs[1].dims.size() == 2) return gemm(0, 1, true);
    if (op_.inputs[0].dims.size() < 3 || op_.inputs[1].dims.size() < 3) throw std::invalid_argument("vectors");
    const std::uint64_t m = side(op_, 0, 1), n = b.cols, count = a.rows / m;
    if (side(op_, 1, 1) != k || b.rows / k != count || count > kMostSequences)
      throw std::invalid_argument("the batches do not fit together");
    Gemm g = gemm_of(m, n, k, a.type, b.type, false);
    g.tiling.split_k = 1;
    GemmProblem& p = g.problem;
    p.a.address = input(p.a.bytes() * count);
    p.b.address = input(p.b.bytes() * count);
    p.c.address = memory_.output(p.c.bytes() * count);
    std::vector<BatchedRange> ranges;
    for (const Matrix* one : {&p.a, &p.b, &p.c}) ranges.push_back({one->address, one->address + one->bytes(), one->bytes()});
    return {make_batched(make_gemm(gpu_, p, g.tiling), static_cast<std::uint32_t>(count), ranges)};
  }

  std::vector<Kernel> attention() {
    const Shape q = input_shape(op_, 0), k = input_shape(op_, 1), v = input_shape(op_, 2);
    if (op_.inputs[0].dims.size() != 4 || op_.inputs[1].dims.size() != 4) throw std::invalid_argument("attention: not four dimensions");
    const std::size_t heads_at = row_.heads_second ? 2 : 1, tokens_at = row_.heads_second ? 1 : 2;
    AttentionProblem p;
    const std::uint64_t batch = side(op_, 0, 3), heads = side(op_, 0, heads_at), kv_heads = side(op_, 1, heads_at);
    p.q_len = side(op_, 0, tokens_at);
    p.kv_len = side(op_, 1, tokens_at);
    if (batch > kMostSequences || heads > 4096 || kv_heads == 0 || heads % kv_heads != 0 || q.cols > 1024 || k.cols != q.cols ||
        side(op_, 1, 3) != batch || v.elements() != k.elements()) {
      throw std::invalid_argument("attention: shapes that no kernel takes");
    }
    p.batch = static_cast<std::uint32_t>(batch);
    p.q_heads = static_cast<std::uint32_t>(heads);
    p.kv_heads = static_cast<std::uint32_t>(kv_heads);
    p.head_dim = static_cast<std::uint32_t>(q.cols);
    const auto causal = static_cast<std::size_t>(row_.causal);
    p.causal = row_.causal >= 0 && causal < op_.concrete.size() && op_.concrete[causal] == "True" && p.q_len > 1;
    if (p.causal && p.q_len > p.kv_len) throw std::invalid_argument("attention: more queries than keys");
    p.window_right = p.causal ? 0 : kNoWindow;
    p.tensor_type = q.type == DataType::fp32 ? DataType::tf32 : q.type;
    p.q = matrix(input(q.bytes()), batch * p.q_len, heads * q.cols, q.type, TensorRole::activations, true);
    const Matrix keys = matrix(memory_.named("attention K", k.bytes()), batch * p.kv_len, kv_heads * k.cols, k.type, TensorRole::kv, true);
    const Matrix values =
        matrix(memory_.named("attention V", v.bytes()), batch * p.kv_len, kv_heads * k.cols, v.type, TensorRole::kv, true);
    p.kv = contiguous_kv(keys, values, p.batch, p.kv_heads, p.head_dim);
    p.kv_produced = p.kv_len;
    p.o = matrix(memory_.output(q.bytes()), batch * p.q_len, heads * q.cols, q.type, TensorRole::activations, true);
    if (p.q_len > 1) return {make_attention_prefill(p, choose_prefill_tiling(gpu_, p.head_dim, q.type, k.type))};
    const DecodeTiling tiling = choose_decode_tiling(gpu_, p);
    const std::uint64_t bytes = decode_workspace_bytes(p, tiling);
    const std::uint64_t workspace = bytes > 0 ? memory_.named("attention splits", bytes) : 0;
    std::vector<Kernel> kernels{make_attention_decode(p, tiling, workspace)};
    if (tiling.splits > 1) kernels.push_back(make_attention_combine(p, tiling, workspace));
    for (Kernel& kernel : kernels) kernel.stage = Stage::other;
    return kernels;
  }

  std::vector<Kernel> norm() {
    const Shape x = input_shape(op_, 0);
    RmsNormProblem p;
    p.x = matrix(input(x.bytes()), x, TensorRole::activations, true);
    p.gain = matrix(0, 1, x.cols, x.type, TensorRole::weights, false);
    p.gain.address = memory_.weights(p.gain.bytes());
    p.out = matrix(memory_.output(x.bytes()), x, TensorRole::activations, true);
    return {make_rms_norm(gpu_, p)};
  }

  std::vector<Kernel> softmax() {
    const Shape x = input_shape(op_, 0);
    const std::uint64_t in = input(x.bytes());
    return {make_softmax(gpu_, matrix(in, x, TensorRole::activations, true),
                         matrix(memory_.output(x.bytes()), x, TensorRole::activations, true))};
  }

  /// The output has the most elements of all inputs (broadcasting the outer dimensions) and the type of the first; copy_ writes its first
  /// input and reads its second.
  std::vector<Kernel> elementwise() {
    const bool copy = std::string_view(row_.name) == "aten::copy_";
    ElementwiseProblem p;
    std::optional<Shape> out;
    std::vector<Shape> read;
    for (std::size_t i = 0; i < op_.inputs.size(); ++i) {
      if (op_.inputs[i].dims.empty()) continue;  // A scalar.
      const Shape shape = shape_of(op_.inputs[i]);
      if (!copy || i > 0) read.push_back(shape);
      if (!out || shape.elements() > out->elements()) out = Shape{shape.rows, shape.cols, out ? out->type : shape.type};
    }
    if (!out || read.empty()) throw std::invalid_argument("elementwise: no tensor");
    for (const Shape& shape : read) {
      ByteRange from = range(input(shape.bytes()), shape.bytes());
      from.produced = true;
      p.inputs.push_back(from);
    }
    p.elements = out->elements();
    p.output = range(memory_.output(out->bytes()), out->bytes());
    p.output.produced = true;
    p.flop = row_.flop;
    p.special = row_.special;
    Kernel kernel = make_elementwise(gpu_, p);
    kernel.label = std::string(row_.name).substr(6);
    kernel.kernel_class = copy ? KernelClass::copy : KernelClass::activation;
    if (kernel.label.starts_with("add")) kernel.kernel_class = KernelClass::residual;
    return {kernel};
  }

  std::vector<Kernel> cat() {
    std::vector<ByteRange> inputs;
    std::uint64_t bytes = 0;
    for (const KinetoTensor& tensor : op_.inputs) {
      if (tensor.dims.empty()) continue;
      const Shape shape = shape_of(tensor);
      inputs.push_back(range(input(shape.bytes()), shape.bytes()));
      inputs.back().produced = true;
      bytes += shape.bytes();
    }
    if (inputs.empty() || bytes > kMostElements) throw std::invalid_argument("cat: nothing, or too much");
    ByteRange out = range(memory_.output(bytes), bytes);
    out.produced = true;
    return {make_concatenation(gpu_, inputs, out)};
  }

  std::vector<Kernel> embedding() {
    const Shape table = input_shape(op_, 0), ids = input_shape(op_, 1);
    if (ids.elements() > (1ULL << 24)) throw std::invalid_argument("embedding: too many tokens");
    const Shape out{ids.elements(), table.cols, table.type};
    return {make_embedding(gpu_, matrix(memory_.weights(table.bytes()), table, TensorRole::weights, false),
                           matrix(input(ids.bytes()), 1, ids.elements(), ids.type, TensorRole::activations, true),
                           matrix(memory_.output(out.bytes()), out, TensorRole::activations, true), 1)};
  }

  std::map<std::uint64_t, std::uint32_t> taken_;
  const KinetoOperatorRow& row_;
  const KinetoOperator& op_;
  const DeviceShape& gpu_;
  KinetoMemory& memory_;
};

bool contains(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

/// NCCL's kernels are named after what they do: ncclDevKernel_AllReduce_Sum_bf16_RING_LL.
AllReduceChoice nccl_choice(const std::string& kernel) {
  AllReduceChoice choice;
  if (contains(kernel, "_TREE_")) choice.algorithm = AllReduce::tree;
  if (contains(kernel, "_NVLS")) choice.algorithm = AllReduce::nvls;
  choice.protocol = contains(kernel, "_LL128") ? NcclProtocol::ll128 : contains(kernel, "_LL") ? NcclProtocol::ll : NcclProtocol::simple;
  return choice;
}

std::vector<Kernel> all_reduce(const KinetoGpuEvent& event, const DeviceShape& gpu, KinetoMemory& memory) {
  const auto type = kineto_data_type(event.type);
  if (!type || event.elements == 0 || event.elements > kMostElements || event.ranks < 2 || event.ranks > 4096) return {};
  AllReduceProblem p;
  p.ranks = event.ranks;
  p.elements = event.elements;
  p.type = *type;
  const auto bytes = static_cast<std::uint64_t>(static_cast<double>(p.elements) * bytes_per_element(*type));
  p.input = p.output = memory.input(bytes);
  const AllReduceChoice choice = nccl_choice(event.name);
  const AllReduceRoom room = all_reduce_room(p.ranks, p.elements, *type, choice);
  p.receive = memory.named("all-reduce receive", room.receive);
  p.peer = memory.named("all-reduce peer", room.peer);
  return {make_all_reduce(gpu, p, choice)};
}

std::vector<Kernel> move(const KinetoGpuEvent& event, const DeviceShape& gpu, KinetoMemory& memory) {
  if (event.bytes == 0 || event.bytes > kMostMoved) return {};
  if (event.kind == KinetoGpuEvent::Kind::memset) {
    StreamProblem p;
    p.destinations = {range(memory.output(event.bytes), event.bytes)};
    Kernel kernel = make_stream(gpu, p);
    kernel.label = "memset";
    return {kernel};
  }
  const bool to_device = contains(event.name, "HtoD"), to_host = contains(event.name, "DtoH");
  const bool peer = contains(event.name, "PtoP");
  const std::uint64_t other = memory.named(peer ? "peer" : to_device || to_host ? "host" : "copy source", event.bytes);
  const Home home = peer ? Home::peer : to_device || to_host ? Home::host : Home::local;
  if (to_host) return {make_engine_copy(range(memory.input(event.bytes), event.bytes), range(other, event.bytes, home))};
  return {make_engine_copy(range(other, event.bytes, home), range(memory.output(event.bytes), event.bytes))};
}

}  // namespace

std::vector<Kernel> lower_operator(const KinetoOperatorRow& row, const KinetoOperator& op, const DeviceShape& gpu, KinetoMemory& memory) {
  try {
    return Lowering(row, op, gpu, memory).make();
  } catch (const std::logic_error&) {  // Shapes that do not fit together, here or in a generator.
    return {};
  }
}

std::vector<Kernel> lower_gpu_event(const KinetoGpuEvent& event, const DeviceShape& gpu, KinetoMemory& memory) {
  try {
    if (event.kind != KinetoGpuEvent::Kind::kernel) return move(event, gpu, memory);
    const bool reduces = contains(event.name, "AllReduce") || contains(event.name, "allreduce") || contains(event.name, "all_reduce");
    if (reduces && (contains(event.name, "nccl") || contains(event.name, "Nccl"))) return all_reduce(event, gpu, memory);
  } catch (const std::logic_error&) {
    return {};
  }
  return {};
}

}  // namespace rooftrace
