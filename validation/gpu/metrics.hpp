// The hardware counters that the campaign reads, by their names on GH100. cupti_check.cpp asks the profiler's host library whether each
// exists and how many passes a set takes; more than two passes would mix the cache states of several replays.
#pragma once

#include <string>
#include <vector>

namespace rooftrace::gpu {

/// One pass: no replay at all, so also right for warm caches.
inline std::vector<std::string> one_pass_metrics() {
  return {"gpu__time_duration.sum",
          "dram__bytes_read.sum",
          "dram__bytes_write.sum",
          "lts__t_sectors_srcunit_tex_op_read.sum",
          "lts__t_sectors_srcunit_tex_op_write.sum",
          "lts__t_sectors_srcunit_ltcfabric.sum",
          "lts__t_sectors_op_read.sum",
          "lts__t_sectors_op_write.sum",
          "lts__t_sectors_aperture_sysmem_op_read.sum",
          "l1tex__m_xbar2l1tex_read_sectors.sum",
          "lrc__xbar2gpc_sectors_op_read.sum",
          "sm__cycles_elapsed.max",
          "lts__cycles_elapsed.avg",
          "dram__cycles_elapsed.avg",
          "sm__inst_executed_pipe_tensor.sum",
          "smsp__inst_executed.sum",
          "dram__throughput.avg.pct_of_peak_sustained_elapsed"};
}

/// Two passes: the above and the hits.
inline std::vector<std::string> two_pass_metrics() {
  std::vector<std::string> all = one_pass_metrics();
  for (const char* const name :
       {"lts__t_sectors_srcunit_tex_op_read_lookup_hit.sum", "lts__t_sectors_srcunit_tex_lookup_hit.sum",
        "lts__t_sectors_op_read_lookup_hit.sum", "lts__t_sectors_srcunit_ltcfabric_lookup_hit.sum", "l1tex__m_l1tex2xbar_write_sectors.sum",
        "lrc__lrc2xbar_sectors_op_read.sum", "sm__ops_path_tensor_src_bf16_dst_fp32.sum"}) {
    all.emplace_back(name);
  }
  return all;
}

/// Device-level, in a run of its own: these cannot share a pass with the sets above.
inline std::vector<std::string> pcie_metrics() {
  return {"pcie__read_bytes.sum", "pcie__write_bytes.sum"};
}

}  // namespace rooftrace::gpu
