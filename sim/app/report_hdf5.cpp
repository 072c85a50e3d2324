// The root group and the machine's group; stages are in report_hdf5_stage.cpp.
#include "sim/app/report_hdf5.hpp"

#include <fmt/format.h>

#include <set>

#include "sim/app/atomic_file.hpp"
#include "sim/app/peaks.hpp"
#include "sim/app/report_hdf5_file.hpp"
#include "sim/app/report_hdf5_stage.hpp"
#include "sim/app/sha1.hpp"

namespace rooftrace {
namespace {

void write_provenance(h5::Group& root, const RunResult& result) {
  root.attribute("Conventions", "CF-1.8");
  root.attribute("title", fmt::format("{} on {}: bytes per level, roofline bounds and time", result.model, result.hardware));
  root.attribute("source", fmt::format("rooftrace {} ({})", result.version, result.commit));
  root.attribute("history", result.command);
  root.attribute("schema", "rooftrace-result/1");
  root.attribute("version", result.version);
  root.attribute("commit", result.commit);
  root.attribute("config", result.config);
  root.attribute("config_sha1", sha1(result.config));
  root.attribute("seed", result.seed);
  root.attribute("hardware", result.hardware);
  root.attribute("model", result.model);
  root.attribute("tp", result.tp);
  root.attribute("batch", result.batch);
  root.attribute("context", result.context);
  root.attribute("prompt", result.prompt);
  root.attribute("weights", result.weights);
  root.attribute("kv", result.kv);
  root.attribute("fidelity", name(result.fidelity));
  root.attribute("layers", result.layers);
  root.attribute("start_state", result.start_state);
  root.attribute("contention", result.contention);
}

/// pi and beta, as the rooflines of this file used them. Everything else about the machine is in the attribute config.
void write_machine(h5::Group group, const MachineSpec& machine) {
  const Peaks peaks = peaks_of(machine);
  group.attribute("name", machine.name);
  group.attribute("title", machine.title);
  group.attribute("arch", machine.arch);
  group.coordinate("level", h5::enum_names<LevelId>(kLevels), "level of the memory hierarchy");
  group.coordinate("data_type", h5::enum_names<DataType>(kDataTypes), "data type of the tensor pipe");
  group.variable("beta", {"level"}, std::vector<double>(peaks.beta.begin(), peaks.beta.end()),
                 {"byte s-1", "peak bandwidth; l2 and hbm reads and writes together, nvlink and pcie one way; 0 where there is none"});
  group.variable("pi_tensor", {"data_type"}, std::vector<double>(peaks.tensor.begin(), peaks.tensor.end()),
                 {"s-1", "peak FLOP/s of the tensor pipe, dense; 0 where there is none"});
  group.scalar("pi_cuda", peaks.cuda, {"s-1", "peak FLOP/s of the CUDA cores, fp32"});
  group.scalar("pi_sfu", peaks.sfu, {"s-1", "peak special-function operations per second"});
  group.scalar("sms", machine.sm.count, {"1", "streaming multiprocessors"});
  group.scalar("l2_effective", machine.l2.effective, {"byte", "L2 bytes that hold data in practice"});
  group.scalar("hbm_capacity", machine.hbm.capacity, {"byte", "memory of the GPU"});
}

}  // namespace

std::string result_h5(const RunResult& result) {
  return h5::build_file([&](h5::Group& root) {
    write_provenance(root, result);
    write_machine(root.child("machine"), result.machine);
    const Peaks peaks = peaks_of(result.machine);
    std::set<std::string> used;
    for (const StageResult& stage : result.stages) {
      // A second stage of the same kind is "decode_2".
      const std::string kind{name(stage.stage)};
      std::string group_name = kind;
      for (int i = 2; !used.insert(group_name).second; ++i) group_name = fmt::format("{}_{}", kind, i);
      h5::Group group = root.child(group_name);
      h5::write_stage(group, stage, peaks, result.fidelity == Fidelity::des);
    }
  });
}

void write_result_h5(const RunResult& result, const std::string& path) {
  write_file_atomically(path, result_h5(result));
}

}  // namespace rooftrace
