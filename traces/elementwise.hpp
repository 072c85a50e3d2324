// Row kernels: norms, activations, residual add, softmax and the embedding gathers.
//
// All but the gather are one idea: a rows x columns plane cut into rectangles, one block per rectangle, every operand read or written there
// once. A row that is normed is one rectangle wide, because the block keeps it in registers between the two passes. Work is counted per
// element on the CUDA cores and the special-function unit, by the arithmetic of the formula. Softmax and the compiled layer norm, which go
// over their rows several times, are in row_passes.cpp. Not modeled: an RMS norm's row too long for registers (it would be read twice).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/device_shape.hpp"
#include "sim/core/kernel.hpp"
#include "traces/activation.hpp"
#include "traces/tensor.hpp"

namespace rooftrace {

/// out = rms_norm(x + residual) * gain; residual (rows = 0: none) is read and replaced by x + residual, as fused kernels do.
struct RmsNormProblem {
  Matrix x;         ///< tokens x hidden
  Matrix residual;  ///< tokens x hidden, updated in place
  Matrix gain;      ///< 1 x hidden; 2 x hidden for a layer norm, gain and bias
  Matrix out;       ///< tokens x hidden
};

// label, stage, layer, stream and waits_for of every kernel below are left to the caller (label is set to the kind of kernel, kernel_class
// where only one fits).

/// Per element: square and add, times 1/rms, times gain (4 FLOP), 5 with a residual; per row one reciprocal square root. A gain of two rows
/// makes it a layer norm: sum, subtract the mean, add the bias are 3 more.
[[nodiscard]] Kernel make_rms_norm(const DeviceShape& gpu, const RmsNormProblem& problem);

/// out[r, j] = silu(gate_up[r, j]) * gate_up[r, cols + j]; gate_up is tokens x 2 cols. Per element: negate, add 1, two multiplications (4
/// FLOP), one exp and one reciprocal.
[[nodiscard]] Kernel make_silu_mul(const DeviceShape& gpu, const Matrix& gate_up, const Matrix& out);

/// out[r, j] = f(gate_up[r, j]) * gate_up[r, cols + j] for any f: the FLOP of f and one more.
[[nodiscard]] Kernel make_gated_activation(const DeviceShape& gpu, const Matrix& gate_up, const Matrix& out, Activation f);

/// out = f(in). Per element: silu 3 FLOP, exp, reciprocal; gelu (by tanh) 8 FLOP, one tanh; relu 1 FLOP.
[[nodiscard]] Kernel make_activation(const DeviceShape& gpu, const Matrix& in, const Matrix& out, Activation f);

/// out = a + b; out may be a or b. 1 FLOP per element.
[[nodiscard]] Kernel make_residual_add(const DeviceShape& gpu, const Matrix& a, const Matrix& b, const Matrix& out);

/// Row softmax as PyTorch 2.0 does it (2.4 began to keep rows of up to 48 KiB in shared memory). Up to 1,024 columns a warp has the row in
/// registers, blocks are four warps and the registers limit how many an SM holds. Longer rows are a block's: three passes (maximum, sum,
/// result) with a reduction over the block between them, 16 bytes per thread and round of a pass; rows that fit L1 are loaded once. An
/// element costs 25 arithmetic instructions in registers (50 FLOP) and two special functions (exp, reciprocal), 30.6 and three in passes;
/// loads, stores, branches and the special functions take issue slots beside them, a quarter and a fifth of all (Kernel::tensor_share).
[[nodiscard]] Kernel make_softmax(const DeviceShape& gpu, const Matrix& in, const Matrix& out);

/// Layer norm with gain as PyTorch 2.0's compiler does it: up to 1,024 columns the row is in registers; longer rows are gone over three
/// times (mean, sum of squared differences, result) in rounds of 2,048 columns, with a reduction between; rows that fit L1 are loaded once.
/// Per element: sum, subtract, square and add, then subtract, scale, times gain and round (8 FLOP); per row one reciprocal square root.
[[nodiscard]] Kernel make_layer_norm(const DeviceShape& gpu, const Matrix& in, const Matrix& gain, const Matrix& out);

/// out[r] = table[token of r]. `ids` is 1 x tokens of a four- or eight-byte type (rows = 0: not read). The tokens are drawn uniformly by
/// `seed`; a block reads its id, then the row it names, then stores.
[[nodiscard]] Kernel make_embedding(const DeviceShape& gpu, const Matrix& table, const Matrix& ids, const Matrix& out, std::uint64_t seed);

/// x[r] += table[first + r mod q_len]: embeddings of learned positions, sequences of q_len rows one behind the other. 1 FLOP per element.
[[nodiscard]] Kernel make_position_add(const DeviceShape& gpu, const Matrix& x, const Matrix& table, std::uint64_t first,
                                       std::uint64_t q_len);

}  // namespace rooftrace
