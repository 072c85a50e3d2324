// One instance of every kernel, for the comparison of machine code (check_sass.py): with NoTrace, or with the tracing stripped from the
// source when ROOFTRACE_STRIP_TRACE is defined. Not part of any program.
#include "traces/capture/kernels/gemm_tma.hpp"
#include "traces/capture/kernels/moe_gemm.hpp"
#include "traces/capture/kernels/paged_decode.hpp"
#include "traces/capture/kernels/prefill.hpp"
#include "traces/capture/kernels/rms_norm.hpp"
#include "traces/capture/kernels/rope.hpp"
#include "traces/capture/kernels/swiglu.hpp"

namespace rooftrace::capture {

#ifdef ROOFTRACE_STRIP_TRACE
#define INSTANCE(...)
#define POLICY_TOO
#define POLICY_LAST
#else
#define INSTANCE(...) __VA_ARGS__
#define POLICY_TOO , NoTrace
#define POLICY_LAST , NoTrace
#endif

INSTANCE(template __global__ void rms_norm<NoTrace>(const Bf16*, const Bf16*, Bf16*, unsigned, float, NoTrace);)
INSTANCE(template __global__ void swiglu<NoTrace>(const Bf16*, Bf16*, std::uint64_t, unsigned, NoTrace);)
INSTANCE(template __global__ void silu<NoTrace>(const Bf16*, Bf16*, std::uint64_t, unsigned, NoTrace);)
INSTANCE(template __global__ void multiply<NoTrace>(const Bf16*, const Bf16*, Bf16*, std::uint64_t, unsigned, NoTrace);)
INSTANCE(template __global__ void rope<NoTrace>(Bf16*, const float*, const float*, const unsigned*, std::uint64_t, unsigned, NoTrace);)
INSTANCE(template __global__ void reduce_splits<NoTrace>(SplitSums, Bf16*, unsigned, unsigned, NoTrace);)
INSTANCE(template __global__ void prefill<NoTrace>(const Bf16*, const Bf16*, const Bf16*, Bf16*, unsigned, unsigned, unsigned, float,
                                                   NoTrace);)
INSTANCE(template __global__ void gemm_mma<NoTrace>(const Bf16*, const Bf16*, Bf16*, unsigned, unsigned, unsigned, unsigned, NoTrace);)
INSTANCE(template __global__ void moe_gemm<NoTrace>(const Bf16*, const Bf16*, Bf16*, const unsigned*, const unsigned*, const unsigned*,
                                                    unsigned, unsigned, unsigned, unsigned, NoTrace);)
INSTANCE(template __global__ void gemm_tma<NoTrace>(const __grid_constant__ TensorMap, const __grid_constant__ TensorMap, const Bf16*,
                                                    const Bf16*, Bf16*, unsigned, unsigned, unsigned, unsigned, NoTrace);)
template __global__ void paged_decode<4 POLICY_TOO>(const Bf16*, PagedCache, SplitSums, unsigned, unsigned, float POLICY_LAST);
template __global__ void paged_decode<8 POLICY_TOO>(const Bf16*, PagedCache, SplitSums, unsigned, unsigned, float POLICY_LAST);

}  // namespace rooftrace::capture
