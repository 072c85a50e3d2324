// Everything of this folder that runs on a GPU, as one translation unit: nvcc reads the standard headers once per file and architecture,
// and that is most of its time. Programs compile this file and add their main (capture_main.cpp here, validation/gpu/kernels.cu).
#include "traces/capture/capture_file.cpp"  // NOLINT: see above.
#include "traces/capture/cases.cpp"
#include "traces/capture/cases/gemm.cpp"
#include "traces/capture/cases/moe_gemm.cpp"
#include "traces/capture/cases/paged_decode.cpp"
#include "traces/capture/cases/prefill.cpp"
#include "traces/capture/cases/rms_norm.cpp"
#include "traces/capture/cases/rope.cpp"
#include "traces/capture/cases/swiglu.cpp"
#include "traces/capture/device.cpp"
