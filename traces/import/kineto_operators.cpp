// The table of operators, data types of tensors, and where synthetic tensors lie.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/core/error.hpp"
#include "traces/import/kineto_lowering.hpp"

namespace rooftrace {
namespace {

using enum KinetoLowering;

constexpr std::array kOperators = {
    KinetoOperatorRow{"aten::mm", mm},
    KinetoOperatorRow{"aten::addmm", addmm},
    KinetoOperatorRow{"aten::_addmm_activation", addmm},
    KinetoOperatorRow{"aten::linear", linear},
    KinetoOperatorRow{"aten::_scaled_mm", mm},
    KinetoOperatorRow{"aten::_int_mm", mm},
    KinetoOperatorRow{"_C::cutlass_scaled_mm", mm, -1, true, 0, 0, 1},  // vLLM: (out, a, b, scales ...).
    KinetoOperatorRow{"aten::baddbmm", batched, -1, true, 0, 0, 1},
    KinetoOperatorRow{"aten::bmm", batched},
    KinetoOperatorRow{"aten::matmul", batched},
    KinetoOperatorRow{"aten::scaled_dot_product_attention", attention, 5},
    KinetoOperatorRow{"aten::_scaled_dot_product_flash_attention", attention, 4},
    KinetoOperatorRow{"aten::_scaled_dot_product_efficient_attention", attention, 6},
    KinetoOperatorRow{"aten::_scaled_dot_product_cudnn_attention", attention, 6},
    KinetoOperatorRow{"aten::_flash_attention_forward", attention, 8, false},
    KinetoOperatorRow{"aten::_efficient_attention_forward", attention, -1, false},
    KinetoOperatorRow{"aten::_scaled_dot_product_fused_attention_overrideable", attention, 5},
    KinetoOperatorRow{"flash_attn::_flash_attn_forward", attention, 5, false},
    KinetoOperatorRow{"FlashAttnFunc", attention, 5, false, 0, 0, 0,
                      4},  // FlashAttention 2: (q, k, v, dropout, scale, causal); 3: no dropout.
    KinetoOperatorRow{"xformers::efficient_attention_forward_cutlass", attention, -1, false},
    KinetoOperatorRow{"aten::layer_norm", layer_norm},
    KinetoOperatorRow{"aten::native_layer_norm", layer_norm},
    KinetoOperatorRow{"aten::rms_norm", rms_norm},
    KinetoOperatorRow{"aten::_fused_rms_norm", rms_norm},
    KinetoOperatorRow{"_C::rms_norm", rms_norm, -1, true, 0, 0, 1},  // vLLM: (out, x, gain, epsilon).
    KinetoOperatorRow{"_C::fused_add_rms_norm", add_rms_norm},
    KinetoOperatorRow{"_C::silu_and_mul", gated_silu},
    KinetoOperatorRow{"_C::gelu_and_mul", gated_gelu},
    KinetoOperatorRow{"_C::gelu_tanh_and_mul", gated_gelu},
    KinetoOperatorRow{"triton_poi_fused_*", fused},  // PyTorch's compiler: pointwise, reductions, persistent reductions.
    KinetoOperatorRow{"triton_red_fused_*", fused},
    KinetoOperatorRow{"triton_per_fused_*", fused},
    KinetoOperatorRow{"aten::mean", reduce, -1, true, 1},
    KinetoOperatorRow{"aten::sum", reduce, -1, true, 1},
    KinetoOperatorRow{"aten::amax", reduce, -1, true, 1},
    KinetoOperatorRow{"aten::argmax", reduce, -1, true, 1},
    KinetoOperatorRow{"aten::fill_", fill},
    KinetoOperatorRow{"aten::zero_", fill},
    KinetoOperatorRow{"aten::softmax", softmax},
    KinetoOperatorRow{"aten::_softmax", softmax},
    KinetoOperatorRow{"aten::log_softmax", softmax},
    KinetoOperatorRow{"aten::_log_softmax", softmax},
    KinetoOperatorRow{"aten::embedding", embedding},
    KinetoOperatorRow{"aten::cat", cat},
    // FLOP of the formula, one exp, reciprocal, root or angle as a special function: tanh form of GELU, SiLU as in make_silu_mul.
    KinetoOperatorRow{"aten::gelu", elementwise, -1, true, 8, 1},
    KinetoOperatorRow{"aten::silu", elementwise, -1, true, 3, 2},
    KinetoOperatorRow{"aten::silu_", elementwise, -1, true, 3, 2},
    KinetoOperatorRow{"aten::sigmoid", elementwise, -1, true, 2, 2},
    KinetoOperatorRow{"aten::tanh", elementwise, -1, true, 0, 1},
    KinetoOperatorRow{"aten::relu", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::exp", elementwise, -1, true, 1, 1},
    KinetoOperatorRow{"aten::rsqrt", elementwise, -1, true, 0, 1},
    KinetoOperatorRow{"aten::cos", elementwise, -1, true, 0, 1},
    KinetoOperatorRow{"aten::sin", elementwise, -1, true, 0, 1},
    KinetoOperatorRow{"aten::pow", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::neg", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::mul", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::mul_", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::add", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::add_", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::sub", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::div", elementwise, -1, true, 1, 1},
    KinetoOperatorRow{"aten::sub_", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::rsub", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::div_", elementwise, -1, true, 1, 1},
    KinetoOperatorRow{"aten::sqrt", elementwise, -1, true, 0, 1},
    KinetoOperatorRow{"aten::reciprocal", elementwise, -1, true, 0, 1},
    KinetoOperatorRow{"aten::abs", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::clamp", elementwise, -1, true, 2, 0},
    KinetoOperatorRow{"aten::maximum", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::minimum", elementwise, -1, true, 1, 0},
    KinetoOperatorRow{"aten::masked_fill", elementwise, -1, true, 0, 0},
    KinetoOperatorRow{"aten::masked_fill_", elementwise, -1, true, 0, 0},
    KinetoOperatorRow{"aten::clone", elementwise},
    KinetoOperatorRow{"aten::contiguous", elementwise},
    KinetoOperatorRow{"aten::copy_", elementwise},
};

struct TypeRow {
  const char* word;
  DataType type;
};
constexpr std::array kTypes = {
    TypeRow{"c10::bfloat16", DataType::bf16},
    TypeRow{"bfloat16", DataType::bf16},
    TypeRow{"tensorlist", DataType::bf16},  // Assumed: a list names no type.
    TypeRow{"c10::half", DataType::fp16},
    TypeRow{"half", DataType::fp16},
    TypeRow{"float16", DataType::fp16},
    TypeRow{"float", DataType::fp32},
    TypeRow{"float32", DataType::fp32},
    TypeRow{"double", DataType::fp64},
    TypeRow{"float64", DataType::fp64},
    TypeRow{"long int", DataType::fp64},  // Eight bytes; only the width matters.
    TypeRow{"long", DataType::fp64},
    TypeRow{"int64", DataType::fp64},
    TypeRow{"int", DataType::fp32},
    TypeRow{"int32", DataType::fp32},
    TypeRow{"signed char", DataType::int8},
    TypeRow{"unsigned char", DataType::int8},
    TypeRow{"char", DataType::int8},
    TypeRow{"bool", DataType::int8},
    TypeRow{"c10::float8_e4m3fn", DataType::fp8},
    TypeRow{"c10::float8_e5m2", DataType::fp8},
    TypeRow{"float8_e4m3fn", DataType::fp8},
    TypeRow{"float8_e5m2", DataType::fp8},
};

std::uint64_t pages_of(std::uint64_t bytes) {
  return std::max<std::uint64_t>((bytes + kPageBytes - 1) / kPageBytes, 1);
}

}  // namespace

const KinetoOperatorRow* find_kineto_operator(const std::string& name) {
  for (const KinetoOperatorRow& row : kOperators) {
    const std::string_view wanted = row.name;
    if (name == wanted || (wanted.ends_with('*') && name.starts_with(wanted.substr(0, wanted.size() - 1)))) return &row;
  }
  return nullptr;
}

std::optional<DataType> kineto_data_type(const std::string& type) {
  std::string word;
  for (const char c : type) word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const TypeRow& row : kTypes) {
    if (word == row.word) return row.type;
  }
  return std::nullopt;
}

std::uint64_t KinetoMemory::allocate(std::uint64_t bytes) {
  const std::uint64_t size = pages_of(bytes) * kPageBytes;
  if (next_ + size > kWeights) throw UserError({file_}, fmt::format("its operators use more than {} TiB beside weights", kWeights >> 40));
  const std::uint64_t at = next_;
  next_ += size;
  return at;
}

std::uint64_t KinetoMemory::weights(std::uint64_t bytes) {
  const std::uint64_t size = pages_of(bytes) * kPageBytes;
  if (next_weights_ + size > 1ULL << kAddressBits) next_weights_ = kWeights;
  const std::uint64_t at = next_weights_;
  next_weights_ += size;
  return at;
}

std::uint64_t KinetoMemory::input(std::uint64_t bytes, std::uint32_t before) {
  if (before >= kBuffers - 1) return named(fmt::format("{} bytes, input {}", bytes, before), bytes);  // The output needs one.
  Ring& ring = activations_[bytes];
  std::uint64_t& at = ring.at[(ring.newest + kBuffers - before) % kBuffers];
  if (at == 0) at = allocate(bytes);
  return at;
}

std::uint64_t KinetoMemory::output(std::uint64_t bytes) {
  Ring& ring = activations_[bytes];
  ring.newest = (ring.newest + 1) % kBuffers;
  std::uint64_t& at = ring.at[ring.newest];
  if (at == 0) at = allocate(bytes);
  return at;
}

std::uint64_t KinetoMemory::named(const std::string& purpose, std::uint64_t bytes) {
  auto& [at, size] = named_[purpose];
  if (size < bytes) {
    at = allocate(bytes);
    size = bytes;
  }
  return at;
}

}  // namespace rooftrace
