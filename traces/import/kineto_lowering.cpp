#include "traces/import/kineto_lowering.hpp"

#include <algorithm>
#include <stdexcept>

#include "traces/attention_decode.hpp"
#include "traces/attention_prefill.hpp"
#include "traces/elementwise.hpp"
#include "traces/gemm.hpp"
#include "traces/import/kineto_programs.hpp"
#include "traces/import/kineto_shapes.hpp"

namespace rooftrace {
namespace {

using namespace kineto;
using Shape = KinetoShape;

class Lowering {
 public:
  Lowering(const KinetoOperatorRow& row, const KinetoOperator& op, const DeviceShape& gpu, KinetoMemory& memory)
      : row_(row), op_(op), gpu_(gpu), memory_(memory) {}

  std::vector<Kernel> make() {
    switch (row_.lowering) {
      case KinetoLowering::mm:
        return gemm(row_.first, row_.first + 1, true);
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
      case KinetoLowering::add_rms_norm:
        return add_rms_norm();
      case KinetoLowering::gated_silu:
        return gated(Activation::silu);
      case KinetoLowering::gated_gelu:
        return gated(Activation::gelu);
      case KinetoLowering::reduce:
        return reduce();
      case KinetoLowering::fill:
        return fill();
      case KinetoLowering::fused:
        return fused();
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
    p.c = matrix(0, m, n, a == DataType::fp8 ? DataType::bf16 : a, TensorRole::activations, true);  // Scaled back: 16 bit (assumed).
    p.tensor_type = a == DataType::fp32 ? DataType::tf32 : a;
    const GemmTiling tiling = choose_gemm_tiling(gpu_, m, n, k, b, a);
    return {p, tiling};
  }

  std::vector<Kernel> gemm(std::size_t a, std::size_t b, bool b_is_k_by_n) {
    const Shape x = input_shape(op_, a), w = input_shape(op_, b);
    const std::uint64_t n = b_is_k_by_n ? w.cols : w.rows, k = b_is_k_by_n ? w.rows : w.cols;
    if (k != x.cols) throw std::invalid_argument("the matrices do not fit together");
    (void)result_elements(x.rows, n);
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
    const std::size_t first = row_.first, second = first + 1;
    const Shape a = input_shape(op_, first), b = input_shape(op_, second);
    const std::uint64_t k = a.cols;
    if (op_.inputs[second].dims.size() == 2) return gemm(first, second, true);
    if (op_.inputs[first].dims.size() < 3 || op_.inputs[second].dims.size() < 3) throw std::invalid_argument("vectors");
    const std::uint64_t m = side(op_, first, 1), n = b.cols, count = a.rows / m;
    (void)result_elements(a.rows, n);
    if (side(op_, second, 1) != k || b.rows / k != count || count > kMostSequences)
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
    const auto says = [&](int place) {
      return place >= 0 && static_cast<std::size_t>(place) < op_.concrete.size() && op_.concrete[static_cast<std::size_t>(place)] == "True";
    };
    p.causal = (says(row_.causal) || says(row_.causal_or)) && p.q_len > 1;
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
    const Shape x = input_shape(op_, row_.first);
    RmsNormProblem p;
    p.x = matrix(input(x.bytes()), x, TensorRole::activations, true);
    p.gain = matrix(0, 1, x.cols, x.type, TensorRole::weights, false);
    p.gain.address = memory_.weights(p.gain.bytes());
    p.out = matrix(memory_.output(x.bytes()), x, TensorRole::activations, true);
    return {make_rms_norm(gpu_, p)};
  }

  /// Input and residual of one shape, both updated in place.
  std::vector<Kernel> add_rms_norm() {
    const Shape x = input_shape(op_, 0), residual = input_shape(op_, 1);
    if (residual.elements() != x.elements()) throw std::invalid_argument("the residual has another shape");
    RmsNormProblem p;
    p.x = p.out = matrix(input(x.bytes()), x, TensorRole::activations, true);
    p.residual = matrix(memory_.named("residual stream", residual.bytes()), residual, TensorRole::activations, true);
    p.gain = matrix(0, 1, x.cols, x.type, TensorRole::weights, false);
    p.gain.address = memory_.weights(p.gain.bytes());
    return {make_rms_norm(gpu_, p)};
  }

  /// The output, then [tokens, 2 d]: gates and what they let through, side by side.
  std::vector<Kernel> gated(Activation f) {
    const Shape out = input_shape(op_, 0), in = input_shape(op_, 1);
    if (in.rows != out.rows || in.cols != 2 * out.cols) throw std::invalid_argument("gated: the shapes do not fit together");
    const std::uint64_t from = input(in.bytes());
    return {make_gated_activation(gpu_, matrix(from, in, TensorRole::activations, true),
                                  matrix(memory_.output(out.bytes()), out, TensorRole::activations, true), f)};
  }

  /// Over the last dimension, where the concrete inputs say no other.
  std::vector<Kernel> reduce() {
    const Shape x = input_shape(op_, 0);
    const std::string over = op_.concrete.size() > 1 ? op_.concrete[1] : "";
    const std::string last = std::to_string(op_.inputs[0].dims.size() - 1);
    if (!over.empty() && over != "[-1]" && over != "-1" && over != last && over != "[" + last + "]")
      throw std::invalid_argument("reduce: over another dimension");
    ElementwiseProblem p;
    p.inputs = {produced(input(x.bytes()), x.bytes())};
    p.elements = x.rows;
    const Shape out{x.rows, 1, x.type};
    p.output = produced(memory_.output(out.bytes()), out.bytes());
    p.flop = row_.flop * static_cast<double>(x.cols);
    Kernel kernel = make_elementwise(gpu_, p);
    kernel.label = short_name();
    return {kernel};
  }

  std::vector<Kernel> fill() {
    const Shape x = input_shape(op_, 0);
    StreamProblem p;
    p.destinations = {produced(memory_.output(x.bytes()), x.bytes())};
    Kernel kernel = make_stream(gpu_, p);
    kernel.label = short_name();
    return {kernel};
  }

  /// A kernel of PyTorch's compiler: its arguments are its tensors, inputs before outputs. The last is taken as the only one written, all
  /// others as read once.
  std::vector<Kernel> fused() {
    std::vector<Shape> tensors;
    for (const KinetoTensor& tensor : op_.inputs) {
      if (!tensor.dims.empty()) tensors.push_back(shape_of(tensor));
    }
    if (tensors.size() < 2) throw std::invalid_argument("fused: fewer than two tensors");
    const Shape out = tensors.back();
    tensors.pop_back();
    ElementwiseProblem p;
    p.elements = out.elements();
    for (const Shape& shape : tensors) p.inputs.push_back(produced(input(shape.bytes()), shape.bytes()));
    p.output = produced(memory_.output(out.bytes()), out.bytes());
    Kernel kernel = make_elementwise(gpu_, p);
    kernel.label = "fused";
    kernel.kernel_class = KernelClass::other;
    return {kernel};
  }

  static ByteRange produced(std::uint64_t address, std::uint64_t bytes) {
    ByteRange r = range(address, bytes);
    r.produced = true;
    return r;
  }

  /// Without its library: "silu" of "aten::silu".
  [[nodiscard]] std::string short_name() const {
    const std::string_view whole = row_.name;
    const std::size_t colons = whole.find("::");
    return std::string(colons == std::string_view::npos ? whole : whole.substr(colons + 2));
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
    kernel.label = short_name();
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
    (void)result_elements(ids.elements(), table.cols);
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

}  // namespace

std::vector<Kernel> lower_operator(const KinetoOperatorRow& row, const KinetoOperator& op, const DeviceShape& gpu, KinetoMemory& memory) {
  try {
    return Lowering(row, op, gpu, memory).make();
  } catch (const std::logic_error&) {  // Shapes that do not fit together, here or in a generator.
    return {};
  }
}

}  // namespace rooftrace
