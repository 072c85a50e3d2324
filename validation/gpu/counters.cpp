#include "validation/gpu/counters.hpp"

#ifdef ROOFTRACE_CUPTI
#include <cuda_runtime.h>
#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>
#include <cupti_range_profiler.h>
#include <cupti_target.h>
#endif

namespace rooftrace::gpu {

#ifdef ROOFTRACE_CUPTI

struct Counters::State {
  std::vector<std::string> metrics;
  std::vector<const char*> names;
  std::string why = "not started";
  bool ready = false;
  CUpti_RangeProfiler_Object* profiler = nullptr;
  CUpti_Profiler_Host_Object* host = nullptr;
  std::vector<std::uint8_t> config;

  bool good(CUptiResult result, const char* what) {
    if (result == CUPTI_SUCCESS) return true;
    const char* text = "";
    cuptiGetResultString(result, &text);
    why = std::string(what) + ": " + (text != nullptr ? text : "") + " (" + std::to_string(result) + ")";
    return false;
  }
  bool start();
  bool configure();
  bool one_measure(const std::function<void()>& prepare, const std::function<void()>& work, std::vector<double>& values);
};

bool Counters::State::start() {
  CUpti_Profiler_Initialize_Params init = {CUpti_Profiler_Initialize_Params_STRUCT_SIZE};
  if (!good(cuptiProfilerInitialize(&init), "cuptiProfilerInitialize")) return false;
  // Through the runtime: linked against libcuda, the program would not start on a machine without a driver.
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found{};
  if (cudaGetDriverEntryPointByVersion("cuCtxGetCurrent", &entry, 12000, cudaEnableDefault, &found) != cudaSuccess ||
      found != cudaDriverEntryPointSuccess) {
    why = "the driver has no cuCtxGetCurrent";
    return false;
  }
  CUcontext context = nullptr;
  reinterpret_cast<CUresult (*)(CUcontext*)>(entry)(&context);
  CUpti_Device_GetChipName_Params chip = {CUpti_Device_GetChipName_Params_STRUCT_SIZE};
  if (!good(cuptiDeviceGetChipName(&chip), "cuptiDeviceGetChipName")) return false;
  CUpti_RangeProfiler_Enable_Params enable = {CUpti_RangeProfiler_Enable_Params_STRUCT_SIZE};
  enable.ctx = context;
  if (!good(cuptiRangeProfilerEnable(&enable), "cuptiRangeProfilerEnable")) return false;
  profiler = enable.pRangeProfilerObject;
  CUpti_Profiler_Host_Initialize_Params open = {CUpti_Profiler_Host_Initialize_Params_STRUCT_SIZE};
  open.profilerType = CUPTI_PROFILER_TYPE_RANGE_PROFILER;
  open.pChipName = chip.pChipName;
  if (!good(cuptiProfilerHostInitialize(&open), "cuptiProfilerHostInitialize")) return false;
  host = open.pHostObject;
  return configure();
}

bool Counters::State::configure() {
  CUpti_Profiler_Host_ConfigAddMetrics_Params add = {CUpti_Profiler_Host_ConfigAddMetrics_Params_STRUCT_SIZE};
  add.pHostObject = host;
  add.ppMetricNames = names.data();
  add.numMetrics = names.size();
  if (!good(cuptiProfilerHostConfigAddMetrics(&add), "cuptiProfilerHostConfigAddMetrics")) return false;
  CUpti_Profiler_Host_GetConfigImageSize_Params size = {CUpti_Profiler_Host_GetConfigImageSize_Params_STRUCT_SIZE};
  size.pHostObject = host;
  if (!good(cuptiProfilerHostGetConfigImageSize(&size), "cuptiProfilerHostGetConfigImageSize")) return false;
  config.resize(size.configImageSize);
  CUpti_Profiler_Host_GetConfigImage_Params image = {CUpti_Profiler_Host_GetConfigImage_Params_STRUCT_SIZE};
  image.pHostObject = host;
  image.configImageSize = config.size();
  image.pConfigImage = config.data();
  return good(cuptiProfilerHostGetConfigImage(&image), "cuptiProfilerHostGetConfigImage");
}

bool Counters::State::one_measure(const std::function<void()>& prepare, const std::function<void()>& work, std::vector<double>& values) {
  CUpti_RangeProfiler_GetCounterDataSize_Params size = {CUpti_RangeProfiler_GetCounterDataSize_Params_STRUCT_SIZE};
  size.pRangeProfilerObject = profiler;
  size.pMetricNames = names.data();
  size.numMetrics = names.size();
  size.maxNumOfRanges = 1;
  size.maxNumRangeTreeNodes = 1;
  if (!good(cuptiRangeProfilerGetCounterDataSize(&size), "cuptiRangeProfilerGetCounterDataSize")) return false;
  std::vector<std::uint8_t> data(size.counterDataSize);
  CUpti_RangeProfiler_CounterDataImage_Initialize_Params clear = {CUpti_RangeProfiler_CounterDataImage_Initialize_Params_STRUCT_SIZE};
  clear.pRangeProfilerObject = profiler;
  clear.counterDataSize = data.size();
  clear.pCounterData = data.data();
  if (!good(cuptiRangeProfilerCounterDataImageInitialize(&clear), "cuptiRangeProfilerCounterDataImageInitialize")) return false;
  CUpti_RangeProfiler_SetConfig_Params set = {CUpti_RangeProfiler_SetConfig_Params_STRUCT_SIZE};
  set.pRangeProfilerObject = profiler;
  set.configSize = config.size();
  set.pConfig = config.data();
  set.counterDataImageSize = data.size();
  set.pCounterDataImage = data.data();
  set.range = CUPTI_UserRange;
  set.replayMode = CUPTI_UserReplay;
  set.maxRangesPerPass = 1;
  set.numNestingLevels = 1;
  set.minNestingLevel = 1;
  if (!good(cuptiRangeProfilerSetConfig(&set), "cuptiRangeProfilerSetConfig")) return false;
  constexpr int most_passes = 8;  // Two are expected; a profiler that never ends would hang the campaign.
  for (int pass = 0;; ++pass) {
    if (pass == most_passes) {
      why = "the profiler wants more than 8 passes";
      return false;
    }
    prepare();
    CUpti_RangeProfiler_Start_Params begin = {CUpti_RangeProfiler_Start_Params_STRUCT_SIZE};
    begin.pRangeProfilerObject = profiler;
    if (!good(cuptiRangeProfilerStart(&begin), "cuptiRangeProfilerStart")) return false;
    CUpti_RangeProfiler_PushRange_Params push = {CUpti_RangeProfiler_PushRange_Params_STRUCT_SIZE};
    push.pRangeProfilerObject = profiler;
    push.pRangeName = "case";
    if (!good(cuptiRangeProfilerPushRange(&push), "cuptiRangeProfilerPushRange")) return false;
    work();
    CUpti_RangeProfiler_PopRange_Params pop = {CUpti_RangeProfiler_PopRange_Params_STRUCT_SIZE};
    pop.pRangeProfilerObject = profiler;
    if (!good(cuptiRangeProfilerPopRange(&pop), "cuptiRangeProfilerPopRange")) return false;
    CUpti_RangeProfiler_Stop_Params end = {CUpti_RangeProfiler_Stop_Params_STRUCT_SIZE};
    end.pRangeProfilerObject = profiler;
    if (!good(cuptiRangeProfilerStop(&end), "cuptiRangeProfilerStop")) return false;
    if (end.isAllPassSubmitted != 0) break;
  }
  CUpti_RangeProfiler_DecodeData_Params decode = {CUpti_RangeProfiler_DecodeData_Params_STRUCT_SIZE};
  decode.pRangeProfilerObject = profiler;
  if (!good(cuptiRangeProfilerDecodeData(&decode), "cuptiRangeProfilerDecodeData")) return false;
  values.assign(names.size(), 0);
  CUpti_Profiler_Host_EvaluateToGpuValues_Params evaluate = {CUpti_Profiler_Host_EvaluateToGpuValues_Params_STRUCT_SIZE};
  evaluate.pHostObject = host;
  evaluate.pCounterDataImage = data.data();
  evaluate.counterDataImageSize = data.size();
  evaluate.ppMetricNames = names.data();
  evaluate.numMetrics = names.size();
  evaluate.pMetricValues = values.data();
  return good(cuptiProfilerHostEvaluateToGpuValues(&evaluate), "cuptiProfilerHostEvaluateToGpuValues");
}

Counters::Counters(std::vector<std::string> metrics) : state_(std::make_unique<State>()) {
  state_->metrics = std::move(metrics);
  for (const std::string& name : state_->metrics) state_->names.push_back(name.c_str());
  state_->ready = state_->start();
}

Counters::~Counters() {
  if (state_->host != nullptr) {
    CUpti_Profiler_Host_Deinitialize_Params close = {CUpti_Profiler_Host_Deinitialize_Params_STRUCT_SIZE};
    close.pHostObject = state_->host;
    cuptiProfilerHostDeinitialize(&close);
  }
  if (state_->profiler != nullptr) {
    CUpti_RangeProfiler_Disable_Params disable = {CUpti_RangeProfiler_Disable_Params_STRUCT_SIZE};
    disable.pRangeProfilerObject = state_->profiler;
    cuptiRangeProfilerDisable(&disable);
  }
}

std::vector<double> Counters::measure(const std::function<void()>& prepare, const std::function<void()>& work) {
  std::vector<double> values;
  if (!state_->ready || !state_->one_measure(prepare, work, values)) return {};
  return values;
}

#else

struct Counters::State {
  std::vector<std::string> metrics;
  std::string why = "built without CUPTI";
  bool ready = false;
};

Counters::Counters(std::vector<std::string> metrics) : state_(std::make_unique<State>()) {
  state_->metrics = std::move(metrics);
}

Counters::~Counters() = default;

std::vector<double> Counters::measure(const std::function<void()>&, const std::function<void()>&) {
  return {};
}

#endif

bool Counters::available() const {
  return state_->ready;
}

const std::string& Counters::why() const {
  return state_->why;
}

const std::vector<std::string>& Counters::metrics() const {
  return state_->metrics;
}

}  // namespace rooftrace::gpu
