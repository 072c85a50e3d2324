// Every printed word, and that words and values are inverse to each other.
#include "sim/core/names.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "sim/core/counters.hpp"

namespace rooftrace {
namespace {

template <typename Enum>
std::vector<std::string> words(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.emplace_back(name(static_cast<Enum>(i)));
  return all;
}

using Words = std::vector<std::string>;

TEST(Names, AreTheWordsOfTheEnumsInTheirOrder) {
  EXPECT_EQ(words<DataType>(9), (Words{"fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp4", "int4"}));
  EXPECT_EQ(words<Pipe>(kPipes), (Words{"tensor", "cuda", "sfu"}));
  EXPECT_EQ(words<KernelClass>(kKernelClasses),
            (Words{"embedding", "norm", "qkv_projection", "rope_kv_write", "attention", "output_projection", "ffn_up", "activation",
                   "ffn_down", "residual", "router", "all_reduce", "lm_head", "copy", "other"}));
  EXPECT_EQ(words<Stage>(3), (Words{"prefill", "decode", "other"}));
  EXPECT_EQ(words<TensorRole>(kTensorRoles), (Words{"weights", "kv", "activations", "scales", "tables"}));
  EXPECT_EQ(words<Home>(3), (Words{"local", "peer", "host"}));
  EXPECT_EQ(words<LevelId>(kLevels), (Words{"l2", "hbm", "nvlink", "pcie"}));
  EXPECT_EQ(words<Direction>(kDirections), (Words{"read", "write"}));
  EXPECT_EQ(words<Cause>(kCauses), (Words{"requested", "compulsory", "refetch", "write_back"}));
  EXPECT_EQ(words<Fidelity>(3), (Words{"bound", "cache", "des"}));
}

TEST(Names, StandAtTheValueThatTheEnumNames) {
  // Guards against a table whose rows are in another order than the enum: one value from the middle and the end of each.
  EXPECT_EQ(name(DataType::bf16), "bf16");
  EXPECT_EQ(name(DataType::int4), "int4");
  EXPECT_EQ(name(KernelClass::ffn_up), "ffn_up");
  EXPECT_EQ(name(KernelClass::all_reduce), "all_reduce");
  EXPECT_EQ(name(KernelClass::other), "other");
  EXPECT_EQ(name(LevelId::nvlink), "nvlink");
  EXPECT_EQ(name(Cause::write_back), "write_back");
  EXPECT_EQ(name(TensorRole::tables), "tables");
  EXPECT_EQ(name(Fidelity::cache), "cache");
}

template <typename Enum, typename From>
void expect_inverse(const Words& list, From from) {
  std::set<std::string> distinct;
  for (std::size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(from(list[i]), std::optional<Enum>(static_cast<Enum>(i))) << list[i];
    EXPECT_EQ(name(static_cast<Enum>(i)), list[i]);
    distinct.insert(list[i]);
  }
  EXPECT_EQ(distinct.size(), list.size());
  EXPECT_EQ(from("no_such_word"), std::nullopt);
  EXPECT_EQ(from(""), std::nullopt);
}

TEST(Names, ParseBack) {
  expect_inverse<DataType>(data_type_names(), data_type_from);
  expect_inverse<KernelClass>(kernel_class_names(), kernel_class_from);
  expect_inverse<Stage>(stage_names(), stage_from);
  expect_inverse<Fidelity>(fidelity_names(), fidelity_from);
  expect_inverse<TensorRole>(tensor_role_names(), tensor_role_from);
  EXPECT_EQ(data_type_names().size(), 9U);
  EXPECT_EQ(kernel_class_names().size(), static_cast<std::size_t>(kKernelClasses));
}

TEST(Names, MatchExactly) {
  EXPECT_EQ(data_type_from("BF16"), std::nullopt);
  EXPECT_EQ(data_type_from("bf16 "), std::nullopt);
  EXPECT_EQ(fidelity_from("de"), std::nullopt);
}

TEST(Names, RefuseAValueOutsideTheEnum) {
  EXPECT_THROW((void)name(static_cast<DataType>(200)), std::out_of_range);
  EXPECT_THROW((void)name(static_cast<LevelId>(kLevels)), std::out_of_range);
  EXPECT_THROW((void)bytes_per_element(static_cast<DataType>(200)), std::out_of_range);
}

TEST(Names, BytesPerElementFollowFromTheBitsInTheName) {
  EXPECT_EQ(bytes_per_element(DataType::fp64), 8.0);
  EXPECT_EQ(bytes_per_element(DataType::fp32), 4.0);
  EXPECT_EQ(bytes_per_element(DataType::tf32), 4.0);  // 19 bits that are stored as 32.
  EXPECT_EQ(bytes_per_element(DataType::fp16), 2.0);
  EXPECT_EQ(bytes_per_element(DataType::bf16), 2.0);
  EXPECT_EQ(bytes_per_element(DataType::fp8), 1.0);
  EXPECT_EQ(bytes_per_element(DataType::int8), 1.0);
  EXPECT_EQ(bytes_per_element(DataType::fp4), 0.5);
  EXPECT_EQ(bytes_per_element(DataType::int4), 0.5);
}

}  // namespace
}  // namespace rooftrace
