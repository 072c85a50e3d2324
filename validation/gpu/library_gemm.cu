// The library's GEMM (cuBLAS): C[m, n] = A[m, k] x B[n, k]^T, bf16 with fp32 sums, random data, copies rotated past the L2.
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include "validation/gpu/measure.hpp"

namespace {

using namespace rooftrace::gpu;

__global__ void fill(__nv_bfloat16* to, std::uint64_t count, unsigned seed) {
  for (std::uint64_t i = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += std::uint64_t{gridDim.x} * blockDim.x) {
    const auto x = static_cast<unsigned>((i + seed) * 2654435761U);
    to[i] = __float2bfloat16(static_cast<float>(x >> 8) * (2.0F / 16777216.0F) - 1.0F);
  }
}

void run(cublasHandle_t handle, cudaStream_t stream, unsigned m, unsigned n, unsigned k) {
  const cudaDeviceProp p = properties();
  const std::uint64_t each = (std::uint64_t{m} * k + std::uint64_t{n} * k + std::uint64_t{m} * n) * 2;
  const auto copies = static_cast<unsigned>(std::min<std::uint64_t>(2ULL * p.l2CacheSize / each + 1, 64));
  std::vector<__nv_bfloat16*> a;
  std::vector<__nv_bfloat16*> b;
  std::vector<__nv_bfloat16*> c;
  for (unsigned i = 0; i < copies; ++i) {
    a.push_back(allocate<__nv_bfloat16>(std::uint64_t{m} * k));
    b.push_back(allocate<__nv_bfloat16>(std::uint64_t{n} * k));
    c.push_back(allocate<__nv_bfloat16>(std::uint64_t{m} * n));
    fill<<<1024, 256, 0, stream>>>(a[i], std::uint64_t{m} * k, i);
    fill<<<1024, 256, 0, stream>>>(b[i], std::uint64_t{n} * k, i + 77);
  }
  const float one = 1;
  const float zero = 0;
  bool good = true;
  const Timing t = time_launches(stream, copies, [&](unsigned i) {
    // Column-major C^T [n, m] = B [k, n]^T x A [k, m].
    good = good && cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, static_cast<int>(n), static_cast<int>(m), static_cast<int>(k), &one, b[i],
                                CUDA_R_16BF, static_cast<int>(k), a[i], CUDA_R_16BF, static_cast<int>(k), &zero, c[i], CUDA_R_16BF,
                                static_cast<int>(n), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS;
  });
  check(cudaStreamSynchronize(stream), "cuBLAS");
  const std::string what = "dtype=bf16 m=" + std::to_string(m) + " n=" + std::to_string(n) + " k=" + std::to_string(k) + " kernel=cublas";
  if (good) {
    print_row("gemm", what, "time_us", scaled(t, 1e6), "us", "cold");
  } else {
    std::fprintf(stderr, "cuBLAS refused %s\n", what.c_str());
  }
  for (unsigned i = 0; i < copies; ++i) {
    check(cudaFree(a[i]), "free");
    check(cudaFree(b[i]), "free");
    check(cudaFree(c[i]), "free");
  }
}

}  // namespace

int main() {
  print_header();
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "stream");
  cublasHandle_t handle = nullptr;
  if (cublasCreate(&handle) != CUBLAS_STATUS_SUCCESS || cublasSetStream(handle, stream) != CUBLAS_STATUS_SUCCESS) {
    std::fprintf(stderr, "cuBLAS does not start\n");
    return 1;
  }
  const std::pair<unsigned, unsigned> weights[] = {{4096, 4096}, {6144, 4096},  {14336, 4096}, {4096, 14336},
                                                   {8192, 8192}, {10240, 8192}, {28672, 8192}, {8192, 28672}};
  for (const auto& [n, k] : weights) {
    for (const unsigned m : {1U, 8U, 64U, 2048U, 8192U}) run(handle, stream, m, n, k);
  }
  return 0;
}
