// A grid of CUDA blocks on the CPU: one fiber per thread, blocks one after the other in linear order.
//
// Promises: threads run in turn, lowest index first, until they meet others (a barrier, a shuffle, a matrix instruction) or wait for
// memory that another thread will change; so a run is deterministic. A collective that its threads do not all reach, lanes of a warp that
// meet at different instructions, and threads that wait for ever are exceptions (GridError), never a hang or a wrong number.
// Not modeled: time, more than one block at once, clusters, memory races between threads that do not meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>

namespace rooftrace::capture::shim {

class GridError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Dim3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

struct GridShape {
  Dim3 grid;
  Dim3 block;
  std::size_t shared_bytes = 0;
};

/// Runs `body` once per thread of every block. At most 1,024 threads per block and 227 KiB of shared memory, as sm_90 allows.
void run_grid(const GridShape& shape, const std::function<void()>& body);

// What follows is for the words of portable.hpp, called inside of `body` only.

struct ThreadPlace {
  Dim3 grid;
  Dim3 block;
  Dim3 block_index;
  Dim3 thread_index;
  unsigned linear = 0;  ///< Thread index in the block.
};
[[nodiscard]] const ThreadPlace& place();

/// Of this block, 1,024-byte aligned, filled with 0xFF (NaN) when the block starts.
[[nodiscard]] unsigned char* shared_memory();
[[nodiscard]] std::size_t shared_bytes();

/// The groups of threads that meet; a warpgroup is four neighbouring warps.
enum class Group { warp, warpgroup, block };

/// The threads of a group meet: each posts a pointer to what it brings, and when the last is there `finish` sees all of them, in thread
/// order, and writes back what each takes away. `what` names the instruction; all must name the same.
void meet(Group group, const char* what, void* post, const std::function<void(std::span<void* const>)>& finish);

/// Lets others run until `ready()`; it must become true by what another thread of the block does.
void wait_until(const std::function<bool()>& ready);

/// Copies that were started but not waited for (cp.async): they happen when waited for, so a missing wait shows as NaN.
void async_copy(void* to, const void* from, std::size_t bytes, std::size_t zeros);
void async_commit();
void async_wait(unsigned groups_left);

}  // namespace rooftrace::capture::shim
