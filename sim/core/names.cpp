// The printed word of every enum of sim/core, in one table each: name() and its inverse read the same row, so they cannot disagree.
//
// Promises: a value outside its enum (a broken cast) throws std::out_of_range, never prints rubbish. The words are part of the file formats
// (configs, JSON, result.h5): renaming one is a change of format.
#include "sim/core/names.hpp"

#include <array>
#include <cstddef>

#include "sim/core/counters.hpp"

namespace rooftrace {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::array kDataTypes = {"fp64"sv, "fp32"sv, "tf32"sv, "fp16"sv, "bf16"sv, "fp8"sv, "int8"sv, "fp4"sv, "int4"sv};
constexpr std::array kDataTypeBits = {64, 32, 32, 16, 16, 8, 8, 4, 4};  // tf32 is kept in memory as fp32.
constexpr std::array kPipeNames = {"tensor"sv, "cuda"sv, "sfu"sv};
constexpr std::array kKernelClassNames = {
    "embedding"sv, "norm"sv,       "qkv_projection"sv, "rope_kv_write"sv, "attention"sv, "output_projection"sv,
    "ffn_up"sv,    "activation"sv, "ffn_down"sv,       "residual"sv,      "router"sv,    "all_reduce"sv,
    "lm_head"sv,   "copy"sv,       "other"sv};
constexpr std::array kStageNames = {"prefill"sv, "decode"sv, "other"sv};
constexpr std::array kTensorRoleNames = {"weights"sv, "kv"sv, "activations"sv, "scales"sv, "tables"sv};
constexpr std::array kHomeNames = {"local"sv, "peer"sv, "host"sv};
constexpr std::array kLevelNames = {"l2"sv, "hbm"sv, "nvlink"sv, "pcie"sv};
constexpr std::array kDirectionNames = {"read"sv, "write"sv};
constexpr std::array kCauseNames = {"requested"sv, "compulsory"sv, "refetch"sv, "write_back"sv};
constexpr std::array kFidelityNames = {"bound"sv, "cache"sv, "des"sv};

// The tables are indexed by the enum's value; these tie their ends together, the unit test checks every row.
static_assert(kDataTypes.size() == static_cast<std::size_t>(DataType::int4) + 1);
static_assert(kDataTypeBits.size() == kDataTypes.size());
static_assert(kPipeNames.size() == kPipes && kKernelClassNames.size() == kKernelClasses);
static_assert(kKernelClassNames.size() == static_cast<std::size_t>(KernelClass::other) + 1);
static_assert(kStageNames.size() == static_cast<std::size_t>(Stage::other) + 1);
static_assert(kTensorRoleNames.size() == kTensorRoles && kHomeNames.size() == static_cast<std::size_t>(Home::host) + 1);
static_assert(kLevelNames.size() == kLevels && kDirectionNames.size() == kDirections && kCauseNames.size() == kCauses);
static_assert(kFidelityNames.size() == static_cast<std::size_t>(Fidelity::des) + 1);

template <typename Enum, std::size_t size>
std::string_view word(const std::array<std::string_view, size>& table, Enum value) {
  return table.at(static_cast<std::size_t>(value));
}

template <typename Enum, std::size_t size>
std::optional<Enum> from(const std::array<std::string_view, size>& table, std::string_view text) {
  for (std::size_t i = 0; i < size; ++i) {
    if (table[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

template <std::size_t size>
std::vector<std::string> list(const std::array<std::string_view, size>& table) {
  return {table.begin(), table.end()};
}

}  // namespace

std::string_view name(DataType type) {
  return word(kDataTypes, type);
}
std::string_view name(Pipe pipe) {
  return word(kPipeNames, pipe);
}
std::string_view name(KernelClass kernel_class) {
  return word(kKernelClassNames, kernel_class);
}
std::string_view name(Stage stage) {
  return word(kStageNames, stage);
}
std::string_view name(TensorRole role) {
  return word(kTensorRoleNames, role);
}
std::string_view name(Home home) {
  return word(kHomeNames, home);
}
std::string_view name(LevelId level) {
  return word(kLevelNames, level);
}
std::string_view name(Direction direction) {
  return word(kDirectionNames, direction);
}
std::string_view name(Cause cause) {
  return word(kCauseNames, cause);
}
std::string_view name(Fidelity fidelity) {
  return word(kFidelityNames, fidelity);
}

double bytes_per_element(DataType type) {
  return kDataTypeBits.at(static_cast<std::size_t>(type)) / 8.0;
}

std::optional<DataType> data_type_from(std::string_view text) {
  return from<DataType>(kDataTypes, text);
}
std::optional<KernelClass> kernel_class_from(std::string_view text) {
  return from<KernelClass>(kKernelClassNames, text);
}
std::optional<Fidelity> fidelity_from(std::string_view text) {
  return from<Fidelity>(kFidelityNames, text);
}
std::optional<Stage> stage_from(std::string_view text) {
  return from<Stage>(kStageNames, text);
}
std::optional<TensorRole> tensor_role_from(std::string_view text) {
  return from<TensorRole>(kTensorRoleNames, text);
}

std::vector<std::string> data_type_names() {
  return list(kDataTypes);
}
std::vector<std::string> kernel_class_names() {
  return list(kKernelClassNames);
}
std::vector<std::string> fidelity_names() {
  return list(kFidelityNames);
}
std::vector<std::string> stage_names() {
  return list(kStageNames);
}
std::vector<std::string> tensor_role_names() {
  return list(kTensorRoleNames);
}

}  // namespace rooftrace
