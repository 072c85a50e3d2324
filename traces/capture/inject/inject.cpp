// librooftrace_inject.so: captures the kernels of any CUDA program through the Compute Sanitizer API.
//
// Loaded with CUDA_INJECTION64_PATH (README.md). The patches are rooftrace_patches.fatbin beside this library. One launch at a time: a
// captured launch is waited for before the program goes on, so programs become serial and slow, and races in them may hide. Kernels
// launched from CUDA graphs are not captured (the API names their launches differently); they are counted and said.
#include <dlfcn.h>
#include <sanitizer.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "traces/capture/inject/options.hpp"
#include "traces/capture/inject/session.hpp"

namespace {

using namespace rooftrace::capture;

void say(const std::string& text) {
  std::fprintf(stderr, "rooftrace-inject: %s\n", text.c_str());
}

bool good(SanitizerResult result, const char* what) {
  if (result == SANITIZER_SUCCESS) return true;
  say(std::string(what) + " failed: " + std::to_string(static_cast<int>(result)));
  return false;
}

/// What belongs to one run of the program; made by InitializeInjection and never destroyed, because callbacks may come until the very end.
class Injection {
 public:
  explicit Injection(InjectOptions options) : options_(std::move(options)), filter_(options_), session_("GPU (captured by injection)", 0) {}

  void resource(Sanitizer_CallbackId id, const void* data);
  void launch(Sanitizer_CallbackId id, const void* data);
  void finish();

 private:
  void module_loaded(const Sanitizer_ResourceModuleData& module);
  [[nodiscard]] bool prepare(CUcontext context);
  void begin(const Sanitizer_LaunchData& data);
  void end(const Sanitizer_LaunchData& data);

  std::mutex mutex_;
  InjectOptions options_;
  LaunchFilter filter_;
  Session session_;
  CUcontext context_ = nullptr;
  void* device_trace_ = nullptr;
  void* device_accesses_ = nullptr;
  DeviceTrace* host_trace_ = nullptr;    ///< Pinned, as the API wants it in callbacks.
  LaneAccess* host_accesses_ = nullptr;  ///< Likewise.
  bool unpatched_ = false;
  bool open_ = false;
  bool written_ = false;
  std::uint64_t other_contexts_ = 0;
};

std::string patch_file() {
  Dl_info here{};
  if (dladdr(reinterpret_cast<void*>(&patch_file), &here) == 0 || here.dli_fname == nullptr) return "rooftrace_patches.fatbin";
  const std::string path = here.dli_fname;
  return path.substr(0, path.find_last_of('/') + 1) + "rooftrace_patches.fatbin";
}

bool Injection::prepare(CUcontext context) {
  if (context_ != nullptr) return context_ == context;
  if (!good(sanitizerAddPatchesFromFile(patch_file().c_str(), context), ("loading " + patch_file()).c_str())) {
    unpatched_ = true;
    return false;
  }
  const std::size_t bytes = std::size_t{options_.accesses} * sizeof(LaneAccess);
  void* pinned_trace = nullptr;
  void* pinned_accesses = nullptr;
  if (!good(sanitizerAlloc(context, &device_trace_, sizeof(DeviceTrace)), "sanitizerAlloc") ||
      !good(sanitizerAlloc(context, &device_accesses_, bytes), "sanitizerAlloc") ||
      !good(sanitizerAllocHost(context, &pinned_trace, sizeof(DeviceTrace)), "sanitizerAllocHost") ||
      !good(sanitizerAllocHost(context, &pinned_accesses, bytes), "sanitizerAllocHost")) {
    return false;
  }
  host_trace_ = static_cast<DeviceTrace*>(pinned_trace);
  host_accesses_ = static_cast<LaneAccess*>(pinned_accesses);
  context_ = context;
  return true;
}

void Injection::module_loaded(const Sanitizer_ResourceModuleData& module) {
  session_.module_loaded(reinterpret_cast<std::uint64_t>(module.module),
                         module.pCubin == nullptr ? CodeScan{} : scan_code(std::string_view(module.pCubin, module.cubinSize)));
  if (!prepare(module.context)) {
    ++other_contexts_;
    return;
  }
  const auto patch = [&](Sanitizer_InstructionId id, const char* function) {
    if (!good(sanitizerPatchInstructions(id, module.module, function), function)) unpatched_ = true;
  };
  patch(SANITIZER_INSTRUCTION_GLOBAL_MEMORY_ACCESS, "rooftrace_global");
  patch(SANITIZER_INSTRUCTION_MEMCPY_ASYNC, "rooftrace_async");
  patch(SANITIZER_INSTRUCTION_BLOCK_EXIT, "rooftrace_exit");
  if (!good(sanitizerPatchModule(module.module), "sanitizerPatchModule")) unpatched_ = true;
}

void Injection::resource(Sanitizer_CallbackId id, const void* data) {
  const std::scoped_lock lock(mutex_);
  switch (id) {
    case SANITIZER_CBID_RESOURCE_MODULE_LOADED:
      module_loaded(*static_cast<const Sanitizer_ResourceModuleData*>(data));
      break;
    case SANITIZER_CBID_RESOURCE_MODULE_UNLOAD_STARTING:
      session_.module_unloaded(reinterpret_cast<std::uint64_t>(static_cast<const Sanitizer_ResourceModuleData*>(data)->module));
      break;
    case SANITIZER_CBID_RESOURCE_DEVICE_MEMORY_ALLOC: {
      const auto& memory = *static_cast<const Sanitizer_ResourceMemoryData*>(data);
      session_.allocated(memory.address, memory.size);
      break;
    }
    case SANITIZER_CBID_RESOURCE_DEVICE_MEMORY_FREE:
      session_.freed(static_cast<const Sanitizer_ResourceMemoryData*>(data)->address);
      break;
    default:
      break;
  }
}

void Injection::begin(const Sanitizer_LaunchData& data) {
  open_ = data.context == context_ && context_ != nullptr && filter_.take(data.functionName);
  *host_trace_ = DeviceTrace{};
  if (open_) {
    host_trace_->capacity = options_.accesses;
    host_trace_->accesses = static_cast<LaneAccess*>(device_accesses_);
    host_trace_->block_sample = options_.block_sample;
    open_ =
        good(sanitizerMemset(device_accesses_, 0, std::size_t{options_.accesses} * sizeof(LaneAccess), data.hStream), "sanitizerMemset");
  }
  good(sanitizerMemcpyHostToDeviceAsync(device_trace_, host_trace_, sizeof(DeviceTrace), data.hStream), "copy to the device");
  good(sanitizerSetLaunchCallbackData(data.hLaunch, data.function, data.hStream, device_trace_), "sanitizerSetLaunchCallbackData");
}

void Injection::end(const Sanitizer_LaunchData& data) {
  if (!open_) return;
  open_ = false;
  const std::uint64_t threads =
      std::uint64_t{data.gridDim_x} * data.gridDim_y * data.gridDim_z * data.blockDim_x * data.blockDim_y * data.blockDim_z;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  do {  // The copy is in the launch's stream; if it is not behind the kernel, the count of threads that left says so.
    if (!good(sanitizerMemcpyDeviceToHost(host_trace_, device_trace_, sizeof(DeviceTrace), data.hStream), "copy from the device")) return;
  } while (host_trace_->exited < threads && std::chrono::steady_clock::now() < give_up);
  const auto kept = static_cast<std::size_t>(std::min(host_trace_->next, host_trace_->capacity));
  if (kept > 0 &&
      !good(sanitizerMemcpyDeviceToHost(host_accesses_, device_accesses_, kept * sizeof(LaneAccess), data.hStream), "copy of records")) {
    return;
  }
  LaunchInfo info;
  info.name = data.functionName;
  const std::uint32_t grid[3] = {data.gridDim_x, data.gridDim_y, data.gridDim_z};
  const std::uint32_t block[3] = {data.blockDim_x, data.blockDim_y, data.blockDim_z};
  std::memcpy(info.grid, grid, sizeof grid);
  std::memcpy(info.block, block, sizeof block);
  session_.add_launch(info, reinterpret_cast<std::uint64_t>(data.module), *host_trace_, {host_accesses_, host_accesses_ + kept},
                      unpatched_);
}

void Injection::launch(Sanitizer_CallbackId id, const void* data) {
  const std::scoped_lock lock(mutex_);
  if (host_trace_ == nullptr) return;
  const auto& launched = *static_cast<const Sanitizer_LaunchData*>(data);
  if (id == SANITIZER_CBID_LAUNCH_BEGIN) begin(launched);
  if (id == SANITIZER_CBID_LAUNCH_END) end(launched);
}

void Injection::finish() {
  const std::scoped_lock lock(mutex_);
  if (written_) return;
  written_ = true;
  std::fputs(session_.summary().c_str(), stderr);
  if (other_contexts_ > 0) say(std::to_string(other_contexts_) + " modules were not patched");
  if (session_.capture().kernels.empty()) {
    say("no kernel was captured; nothing written");
    return;
  }
  try {
    write_capture(options_.out, session_.finish("producer: rooftrace inject\n"));
    say("wrote " + options_.out);
  } catch (const std::exception& error) {
    say(error.what());
  }
}

Injection* running = nullptr;  // The API's callbacks and atexit carry no pointer of ours to the end of the process.

void on_callback(void* userdata, Sanitizer_CallbackDomain domain, Sanitizer_CallbackId id, const void* data) {
  auto* const injection = static_cast<Injection*>(userdata);
  try {
    if (domain == SANITIZER_CB_DOMAIN_RESOURCE) injection->resource(id, data);
    if (domain == SANITIZER_CB_DOMAIN_LAUNCH) injection->launch(id, data);
  } catch (const std::exception& error) {
    say(error.what());  // Never through the driver.
  }
}

}  // namespace

extern "C" int InitializeInjection() {
  if (running != nullptr) return 1;
  try {
    const auto variable = [](const std::string& name) -> std::optional<std::string> {
      const char* const value = std::getenv(name.c_str());
      return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    running = new Injection(inject_options(variable, getpid()));
  } catch (const std::exception& error) {
    say(std::string(error.what()) + "; nothing is captured");
    return 0;
  }
  Sanitizer_SubscriberHandle handle = nullptr;
  if (!good(sanitizerSubscribe(&handle, on_callback, running), "sanitizerSubscribe")) return 0;
  good(sanitizerEnableDomain(1, handle, SANITIZER_CB_DOMAIN_RESOURCE), "sanitizerEnableDomain");
  good(sanitizerEnableDomain(1, handle, SANITIZER_CB_DOMAIN_LAUNCH), "sanitizerEnableDomain");
  std::atexit([] { running->finish(); });
  return 1;
}
