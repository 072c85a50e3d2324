// Both devices: compiled as C++ it is the shim's, compiled by nvcc the GPU's.
#include "traces/capture/device.hpp"

#include <cstdlib>
#include <cstring>

namespace rooftrace::capture {
namespace {

constexpr std::uint64_t kAlign = 256;

KernelEntry entry_of(const LaunchShape& shape, const CaptureOptions& options) {
  KernelEntry entry;
  entry.grid[0] = shape.grid_x;
  entry.grid[1] = shape.grid_y;
  entry.grid[2] = shape.grid_z;
  entry.block[0] = shape.threads;
  entry.shared_bytes = static_cast<std::uint32_t>(shape.shared_bytes);
  entry.block_sample = options.block_sample;
  return entry;
}

std::uint64_t slab_count(const LaunchShape& shape, const CaptureOptions& options) {
  const std::uint64_t blocks = std::uint64_t{shape.grid_x} * shape.grid_y * shape.grid_z;
  return (blocks + options.block_sample - 1) / options.block_sample * ((shape.threads + 31) / 32);
}

}  // namespace

void Device::capture_into(Capture* capture, const CaptureOptions& options) {
  capture_ = capture;
  options_ = options;
}

#ifdef __CUDACC__

namespace {

__global__ void fill_random(Bf16* to, std::uint64_t count, std::uint64_t seed) {
  for (std::uint64_t i = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += std::uint64_t{gridDim.x} * blockDim.x) {
    to[i] = to_bf16(random_value(seed, i));
  }
}

}  // namespace

Device::Device() {
  check(cudaStreamCreate(&stream_), "cudaStreamCreate");
}

Device::~Device() {
  for (void* const at : owned_) cudaFree(at);
  cudaStreamDestroy(stream_);
}

void* Device::allocate_bytes(const std::string& name, std::uint64_t bytes) {
  const std::uint64_t size = (std::max<std::uint64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
  void* at = nullptr;
  check(cudaMalloc(&at, size), name + ", " + std::to_string(size) + " B");
  owned_.push_back(at);
  allocations_.push_back({name, reinterpret_cast<std::uint64_t>(at), size, 0, kNoKernel});
  return at;
}

void Device::upload(void* to, const void* from, std::uint64_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "upload");
  synchronize();
}

void Device::download_bytes(void* to, const void* from, std::uint64_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "download");
  synchronize();
}

void Device::synchronize() {
  check(cudaStreamSynchronize(stream_), "a kernel");
}

Bf16* Device::allocate_random(const std::string& name, std::uint64_t count, std::uint64_t seed) {
  auto* const at = allocate<Bf16>(name, count);
  fill_random<<<2048, 256, 0, stream_>>>(at, count, seed);
  check(cudaGetLastError(), "fill_random");
  return at;
}

TensorMap Device::tensor_map(const Bf16* base, std::uint64_t rows, std::uint64_t columns, unsigned box_rows) {
  // Through the runtime: a program linked against libcuda would not start on a machine without a driver.
  using Encode =
      CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*, const cuuint32_t*,
                   const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found{};
  check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &found), "cuTensorMapEncodeTiled");
  if (found != cudaDriverEntryPointSuccess) throw CaptureError("the driver has no cuTensorMapEncodeTiled");
  const cuuint64_t sizes[2] = {columns, rows};
  const cuuint64_t pitch[1] = {columns * 2};
  const cuuint32_t box[2] = {kSwizzleRow / 2, box_rows};
  const cuuint32_t step[2] = {1, 1};
  TensorMap made;
  const CUresult result = reinterpret_cast<Encode>(entry)(&made.map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<Bf16*>(base), sizes,
                                                          pitch, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                                          CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) throw CaptureError("cuTensorMapEncodeTiled: error " + std::to_string(result));
  return made;
}

TraceSlabs Device::open_slabs(const LaunchShape& shape) {
  const std::uint64_t count = slab_count(shape, options_);
  TraceSlabs slabs{nullptr, nullptr, options_.capacity, (shape.threads + 31) / 32, options_.block_sample};
  const std::uint64_t record_bytes = count * options_.capacity * sizeof(Record);
  check(cudaMalloc(&slabs.records, record_bytes), "room for records, " + std::to_string(record_bytes) + " B");
  check(cudaMalloc(&slabs.counts, count * sizeof(std::uint32_t)), "room for counts");
  check(cudaMemsetAsync(slabs.counts, 0xFF, count * sizeof(std::uint32_t), stream_), "counts");
  return slabs;
}

void Device::close_slabs(const LaunchShape& shape, const TraceSlabs& slabs) {
  const std::uint64_t count = slab_count(shape, options_);
  const std::vector<std::uint32_t> counts = download(slabs.counts, count);
  CapturedKernel& kernel = capture_->kernels.emplace_back();
  kernel.name = shape.name;
  kernel.entry = entry_of(shape, options_);
  std::uint32_t most = 0;  // Only the filled part of the slabs comes back.
  for (const std::uint32_t each : counts) most = std::max(most, std::min(each, slabs.capacity));
  std::vector<Record> records(count * most);
  if (most > 0) {
    check(cudaMemcpy2DAsync(records.data(), most * sizeof(Record), slabs.records, slabs.capacity * sizeof(Record), most * sizeof(Record),
                            count, cudaMemcpyDeviceToHost, stream_),
          "records");
    synchronize();
  }
  check(cudaFree(slabs.records), "records");
  check(cudaFree(slabs.counts), "counts");
  add_slabs(kernel, records.data(), counts, most);
}

Capture new_capture() {
  Capture capture;
  cudaDeviceProp properties{};
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || cudaGetDeviceProperties(&properties, device) != cudaSuccess) {
    throw CaptureError("no CUDA device");
  }
  capture.source = Source::gpu_kernel;
  capture.device = properties.name;
  capture.sm_count = static_cast<std::uint32_t>(properties.multiProcessorCount);
  return capture;
}

#else

Device::Device() = default;

Device::~Device() {
  for (void* const at : owned_) std::free(at);
}

void* Device::allocate_bytes(const std::string& name, std::uint64_t bytes) {
  const std::uint64_t size = (std::max<std::uint64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
  void* const at = std::aligned_alloc(kAlign, size);
  if (at == nullptr) throw CaptureError(name + ": no memory for " + std::to_string(size) + " B");
  std::memset(at, 0xFF, size);  // NaN: what a kernel does not write is seen.
  owned_.push_back(at);
  allocations_.push_back({name, reinterpret_cast<std::uint64_t>(at), size, 0, kNoKernel});
  return at;
}

void Device::upload(void* to, const void* from, std::uint64_t bytes) {
  std::memcpy(to, from, bytes);
}

void Device::download_bytes(void* to, const void* from, std::uint64_t bytes) {
  std::memcpy(to, from, bytes);
}

void Device::synchronize() {}

Bf16* Device::allocate_random(const std::string& name, std::uint64_t count, std::uint64_t seed) {
  auto* const at = allocate<Bf16>(name, count);
  for (std::uint64_t i = 0; i < count; ++i) at[i] = to_bf16(random_value(seed, i));
  return at;
}

TensorMap Device::tensor_map(const Bf16* base, std::uint64_t rows, std::uint64_t columns, unsigned box_rows) {
  return {base, {rows, columns, box_rows}};
}

TraceSlabs Device::open_slabs(const LaunchShape& shape) {
  const std::uint64_t count = slab_count(shape, options_);
  TraceSlabs slabs{nullptr, nullptr, options_.capacity, (shape.threads + 31) / 32, options_.block_sample};
  slabs.records = static_cast<Record*>(std::malloc(count * options_.capacity * sizeof(Record)));  // Touched only where it is written.
  slabs.counts = static_cast<std::uint32_t*>(std::malloc(count * sizeof(std::uint32_t)));
  if (slabs.records == nullptr || slabs.counts == nullptr) throw CaptureError("no memory for the records; a smaller --capacity?");
  std::memset(slabs.counts, 0xFF, count * sizeof(std::uint32_t));
  return slabs;
}

void Device::close_slabs(const LaunchShape& shape, const TraceSlabs& slabs) {
  const std::unique_ptr<Record, decltype(&std::free)> records(slabs.records, &std::free);
  const std::unique_ptr<std::uint32_t, decltype(&std::free)> counts(slabs.counts, &std::free);
  CapturedKernel& kernel = capture_->kernels.emplace_back();
  kernel.name = shape.name;
  kernel.entry = entry_of(shape, options_);
  add_slabs(kernel, records.get(), {counts.get(), counts.get() + slab_count(shape, options_)}, slabs.capacity);
}

Capture new_capture() {
  Capture capture;
  capture.source = Source::cpu_shim;
  capture.device = "cpu";
  return capture;
}

#endif

}  // namespace rooftrace::capture
