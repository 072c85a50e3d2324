// elementwise: STREAM-like kernels, softmax, layernorm, gelu, and bulk copies named as nvbandwidth names them.
//
// A gelu moves what a copy moves. A row without a shape is a STREAM run of arrays so large that their size does not matter. Times that the
// host took around a framework's operator contain its launch and the synchronisation: suite_protocol.hpp adds them by source.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "sim/app/suite_kernels.hpp"
#include "sim/app/suite_protocol.hpp"
#include "traces/elementwise.hpp"

namespace rooftrace {
namespace {

constexpr std::uint64_t kStreamElements = 1ULL << 26;  ///< Of fp64: 512 MiB per array, ten times the largest L2.

/// "HBM Bandwidth Copy" -> "copy", "gelu 1024x" -> "gelu".
std::string operation(const SuiteRow& row) {
  std::string op = row.text("op");
  std::transform(op.begin(), op.end(), op.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (op.starts_with("hbm bandwidth ")) return op.substr(14);
  if (op.starts_with("gelu ")) return "gelu";
  return op;
}

struct Stream {
  std::size_t reads, writes;
};
const Stream* stream_of(const std::string& op) {
  static const std::map<std::string, Stream> streams = {{"read", {1, 0}},  {"copy", {1, 1}},  {"mul", {1, 1}}, {"scale", {1, 1}},
                                                        {"add", {2, 1}},   {"triad", {2, 1}}, {"dot", {2, 0}}, {"gelu", {1, 1}},
                                                        {"write", {0, 1}}, {"silu", {1, 1}}};
  const auto found = streams.find(op);
  return found == streams.end() ? nullptr : &found->second;
}

Kernel stream_kernel(const DeviceShape& gpu, const Stream& stream, std::uint64_t bytes, Operands& operands) {
  StreamProblem p;
  for (std::size_t i = 0; i < stream.reads; ++i) p.sources.push_back(operands.range(bytes));
  for (std::size_t i = 0; i < stream.writes; ++i) p.destinations.push_back(operands.range(bytes));
  // Streaming kernels give every thread one or a few elements: small blocks, many of them on an SM.
  p.step_bytes = 4096;
  p.chunk_bytes = 16384;
  p.blocks_per_sm = 8;
  return make_stream(gpu, p);
}

}  // namespace

Prediction predict_elementwise(const SuiteRow& row, Bench& bench) {
  const MachineSpec& machine = bench.machine(row.text("hardware"));
  const std::string op = operation(row);
  const bool shaped = row.has("rows") && row.has("cols");
  const DataType type = row.has("dtype") ? row.data_type("dtype") : DataType::fp64;
  const std::uint64_t rows = shaped ? row.integer("rows", 1, kMostElements) : 1;
  const std::uint64_t cols = shaped ? row.integer("cols", 1, kMostElements) : kStreamElements;
  if (rows > kMostElements / cols) throw RowSkipped("more than 2^36 elements");
  const auto bytes = static_cast<std::uint64_t>(static_cast<double>(rows * cols) * bytes_per_element(type));
  const Stream* const stream = stream_of(op);
  if (stream == nullptr && op != "softmax" && op != "layernorm" && op != "rmsnorm") {
    if (op.starts_with("nv bandwidth device to device")) throw RowSkipped("what the row counts (one direction or both) is not stated");
    if (!op.starts_with("nv bandwidth "))
      unknown_word(row, "op", "read, write, copy, mul, add, triad, dot, softmax, layernorm, rmsnorm, gelu");
  }
  const Protocol& protocol = protocol_of(row);
  Experiment e;
  // Bandwidths are those of kernels repeated on the same arrays: what one leaves dirty in L2 is written while the next one runs.
  e.warm = protocol.repeats_buffers || (stream != nullptr && row.text("quantity") == "bandwidth_GBps");
  e.key = fmt::format("elementwise {} {} {} {}x{}", e.warm, op, row.text("dtype"), rows, cols);
  double amount = static_cast<double>(bytes);
  if (stream != nullptr) {
    amount *= static_cast<double>(stream->reads + stream->writes);
    e.trace = [=](const DeviceShape& gpu) {
      Operands operands;
      return trace_of({stream_kernel(gpu, *stream, bytes, operands)}, operands);
    };
  } else if (op.starts_with("nv bandwidth")) {
    const bool to_device = op.ends_with("to device");
    e.trace = [=](const DeviceShape&) {
      Operands operands;
      const ByteRange from = operands.range(bytes, to_device ? Home::host : Home::local);
      return trace_of({make_engine_copy(from, operands.range(bytes, to_device ? Home::local : Home::host))}, operands);
    };
  } else {
    amount *= 2;
    e.trace = [=](const DeviceShape& gpu) {
      Operands operands;
      const Matrix in = operands.matrix(rows, cols, type);
      const Matrix out = operands.matrix(rows, cols, type);
      if (op == "softmax") return trace_of({make_softmax(gpu, in, out)}, operands);
      if (op == "layernorm") return trace_of({make_layer_norm(gpu, in, operands.matrix(1, cols, type), out)}, operands);
      return trace_of({make_rms_norm(gpu, {in, {}, operands.matrix(1, cols, type), out})}, operands);
    };
  }
  const Outcome& outcome = bench.run(machine, e);
  const std::string& quantity = row.text("quantity");
  Prediction p;
  if (quantity == "time_us") {
    p = time_prediction(outcome, 1e6, op == "softmax" ? protocol.eager_call : protocol.compiled_call);
  } else if (quantity == "bandwidth_GBps") {
    p = rate_prediction(outcome, amount / 1e9);
  } else {
    unknown_word(row, "quantity", "time_us, bandwidth_GBps");
  }
  p.group = op.starts_with("nv bandwidth") ? "bulk copy" : stream != nullptr && op != "gelu" ? "stream" : op;
  p.goal = "6 %";
  return p;
}

}  // namespace rooftrace
