// Asks the profiler's host library, without a GPU: does every metric that we name exist on GH100, and in how many passes?
//
// cupti_check [one|two|pcie]: the set's metrics, comma-separated, for ncu --metrics. Without an argument it checks. Exit codes: 0; 1: a
// metric is missing or a set takes too many passes.
#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>

#include <cstdio>
#include <string>
#include <vector>

#include "validation/gpu/metrics.hpp"

namespace {

constexpr const char* kChip = "GH100";

CUpti_Profiler_Host_Object* start() {
  CUpti_Profiler_Host_Initialize_Params p = {};
  p.structSize = CUpti_Profiler_Host_Initialize_Params_STRUCT_SIZE;
  p.profilerType = CUPTI_PROFILER_TYPE_RANGE_PROFILER;
  p.pChipName = kChip;
  const CUptiResult result = cuptiProfilerHostInitialize(&p);
  if (result != CUPTI_SUCCESS) {
    std::printf("cuptiProfilerHostInitialize(%s): %d\n", kChip, result);
    return nullptr;
  }
  return p.pHostObject;
}

void stop(CUpti_Profiler_Host_Object* host) {
  CUpti_Profiler_Host_Deinitialize_Params p = {};
  p.structSize = CUpti_Profiler_Host_Deinitialize_Params_STRUCT_SIZE;
  p.pHostObject = host;
  cuptiProfilerHostDeinitialize(&p);
}

bool add(CUpti_Profiler_Host_Object* host, const std::vector<std::string>& names) {
  std::vector<const char*> pointers;
  for (const std::string& name : names) pointers.push_back(name.c_str());
  CUpti_Profiler_Host_ConfigAddMetrics_Params p = {};
  p.structSize = CUpti_Profiler_Host_ConfigAddMetrics_Params_STRUCT_SIZE;
  p.pHostObject = host;
  p.ppMetricNames = pointers.data();
  p.numMetrics = pointers.size();
  return cuptiProfilerHostConfigAddMetrics(&p) == CUPTI_SUCCESS;
}

/// 0: the library does not say.
std::size_t passes(CUpti_Profiler_Host_Object* host) {
  CUpti_Profiler_Host_GetConfigImageSize_Params size = {};
  size.structSize = CUpti_Profiler_Host_GetConfigImageSize_Params_STRUCT_SIZE;
  size.pHostObject = host;
  if (cuptiProfilerHostGetConfigImageSize(&size) != CUPTI_SUCCESS) return 0;
  std::vector<std::uint8_t> image(size.configImageSize);
  CUpti_Profiler_Host_GetConfigImage_Params get = {};
  get.structSize = CUpti_Profiler_Host_GetConfigImage_Params_STRUCT_SIZE;
  get.pHostObject = host;
  get.configImageSize = image.size();
  get.pConfigImage = image.data();
  if (cuptiProfilerHostGetConfigImage(&get) != CUPTI_SUCCESS) return 0;
  CUpti_Profiler_Host_GetNumOfPasses_Params count = {};
  count.structSize = CUpti_Profiler_Host_GetNumOfPasses_Params_STRUCT_SIZE;
  count.configImageSize = image.size();
  count.pConfigImage = image.data();
  return cuptiProfilerHostGetNumOfPasses(&count) == CUPTI_SUCCESS ? count.numOfPasses : 0;
}

bool check_set(const char* name, const std::vector<std::string>& metrics, std::size_t most) {
  bool good = true;
  for (const std::string& metric : metrics) {
    CUpti_Profiler_Host_Object* const host = start();
    if (host == nullptr) return false;
    if (!add(host, {metric})) {
      std::printf("%s: %s has no metric %s\n", name, kChip, metric.c_str());
      good = false;
    }
    stop(host);
  }
  CUpti_Profiler_Host_Object* const host = start();
  const bool added = host != nullptr && add(host, metrics);
  const std::size_t count = added ? passes(host) : 0;
  if (host != nullptr) stop(host);
  std::printf("%s: %zu metrics in %zu passes (at most %zu)\n", name, metrics.size(), count, most);
  return good && count >= 1 && count <= most;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace rooftrace::gpu;
  if (argc > 1) {
    const std::string set = argv[1];
    std::string list;
    for (const std::string& metric : set == "one" ? one_pass_metrics() : set == "pcie" ? pcie_metrics() : two_pass_metrics()) {
      list += (list.empty() ? "" : ",") + metric;
    }
    std::printf("%s\n", list.c_str());
    return 0;
  }
  const bool one = check_set("one", one_pass_metrics(), 1);
  const bool two = check_set("two", two_pass_metrics(), 2);
  const bool pcie = check_set("pcie", pcie_metrics(), 2);
  return one && two && pcie ? 0 : 1;
}
