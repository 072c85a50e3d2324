// All-reduce kernels: what crosses the link, what stays local, what is added.
#include "traces/collective.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/traces/shapes.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using testing::IsEmpty;

AllReduceProblem problem(std::uint32_t ranks, std::uint64_t elements) {
  AllReduceProblem p;
  p.ranks = ranks;
  p.elements = elements;
  p.input = 1ULL << 34;
  p.output = 2ULL << 34;
  p.receive = 3ULL << 34;
  p.peer = 4ULL << 34;
  return p;
}

double adds(const Kernel& kernel) {
  return kernel.work[static_cast<std::size_t>(Pipe::cuda)];
}

// n ranks, S = 2 * elements bytes, chunks of S/n: 2 (n - 1) hops of S/n cross the link; local loads are S and the 2 (n - 1) chunks that
// arrive, local stores S; n - 1 chunks are added.
TEST(RingAllReduce, MovesTwoTimesNMinusOneOverN) {
  for (const std::uint32_t n : {2U, 4U, 8U}) {
    for (const std::uint64_t elements : {std::uint64_t{4096}, std::uint64_t{8} << 20}) {
      const Kernel kernel = make_ring_all_reduce(shapes::h100(), problem(n, elements));
      const TraceTotals totals = measure(kernel);
      const std::uint64_t bytes = elements * 2;
      const std::uint64_t sent = bytes / n * 2 * (n - 1);
      EXPECT_EQ(totals.at(TensorRole::activations, Home::peer).stored, sent);
      EXPECT_EQ(totals.at(TensorRole::activations, Home::peer).loaded, 0U);
      EXPECT_EQ(totals.at(TensorRole::activations).loaded, bytes + sent);
      EXPECT_EQ(totals.at(TensorRole::activations).stored, bytes);
      EXPECT_EQ(adds(kernel), static_cast<double>(elements) / n * (n - 1));
      EXPECT_EQ(kernel.serial_hops, 2 * (n - 1));
      EXPECT_EQ(totals.largest_step <= 2 * 32 * 1024, true);  // slices of 32 KiB, own and received
      EXPECT_THAT(check_kernel(kernel), IsEmpty()) << n << " ranks, " << elements;
    }
  }
}

// Chunks that differ by an element: sends are within 2 (n - 1) elements of the ideal, and nothing of the result is left out.
TEST(RingAllReduce, ExactWhenRanksDoNotDivideTheTensor) {
  for (const std::uint64_t elements : {std::uint64_t{1}, std::uint64_t{5}, std::uint64_t{100003}}) {
    const Kernel kernel = make_ring_all_reduce(shapes::h100(), problem(3, elements));
    const TraceTotals totals = measure(kernel);
    EXPECT_EQ(totals.at(TensorRole::activations).distinct_written, elements * 2);
    const double sent = static_cast<double>(totals.at(TensorRole::activations, Home::peer).stored) / 2;
    EXPECT_NEAR(sent, static_cast<double>(elements) * 4 / 3, 4);
    EXPECT_THAT(check_kernel(kernel), IsEmpty()) << elements;
    EXPECT_LE(totals.address_end, problem(3, elements).peer + ring_receive_bytes(3, elements, DataType::bf16));
  }
}

// (n - 1) S cross the link as loads; n tensors are added with n - 1 additions per element.
TEST(OneShotAllReduce, LoadsEveryPeer) {
  for (const std::uint32_t n : {2U, 8U}) {
    for (const std::uint64_t elements : {std::uint64_t{7}, std::uint64_t{4096}, std::uint64_t{300000}}) {
      const Kernel kernel = make_one_shot_all_reduce(shapes::h100(), problem(n, elements));
      const TraceTotals totals = measure(kernel);
      EXPECT_EQ(totals.at(TensorRole::activations, Home::peer).loaded, (n - 1) * elements * 2);
      EXPECT_EQ(totals.at(TensorRole::activations, Home::peer).distinct_read, (n - 1) * elements * 2);
      EXPECT_EQ(totals.at(TensorRole::activations).loaded, elements * 2);
      EXPECT_EQ(totals.at(TensorRole::activations).stored, elements * 2);
      EXPECT_EQ(adds(kernel), static_cast<double>(elements * (n - 1)));
      EXPECT_THAT(check_kernel(kernel), IsEmpty()) << n << " ranks, " << elements;
    }
  }
}

TEST(AllReduce, RefusesOneRankAndNothing) {
  EXPECT_THROW((void)make_ring_all_reduce(shapes::h100(), problem(1, 10)), std::invalid_argument);
  EXPECT_THROW((void)make_one_shot_all_reduce(shapes::h100(), problem(2, 0)), std::invalid_argument);
}

}  // namespace
}  // namespace rooftrace
