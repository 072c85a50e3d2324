// Warp-level matrix words: cp.async, ldmatrix, mma.sync m16n8k16 (bf16 in, fp32 sums); PTX under nvcc, collectives of the shim elsewhere.
//
// Addresses of shared memory are byte offsets from its start (32 bit), as the instructions take them. Fragment layouts are those of the
// PTX manual: A 16x16 in four words, B 16x8 (K-major) in two, C 16x8 in four floats.
#pragma once

#include <cstdint>

#include "traces/capture/portable.hpp"

namespace rooftrace::capture {

#ifdef __CUDACC__

RT_DEVICE std::uint32_t shared_offset(const void* at) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(at));
}
/// 16 bytes to shared memory; `bytes` (0 to 16) come from global memory, the others are zero.
RT_DEVICE void cp_async16(std::uint32_t to, const void* from, unsigned bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
RT_DEVICE void cp_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int Left>
RT_DEVICE void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
}
RT_DEVICE void ldmatrix_x4(std::uint32_t (&to)[4], std::uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}
RT_DEVICE void ldmatrix_x4_transposed(std::uint32_t (&to)[4], std::uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}
RT_DEVICE void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#else

inline std::uint32_t shared_offset(const void* at) {
  return static_cast<std::uint32_t>(static_cast<const unsigned char*>(at) - shim::shared_memory());
}

namespace shim {
/// `bytes` of shared memory at an offset; outside of the block's shared memory is an error, as on the GPU.
inline unsigned char* shared_at(std::uint32_t offset, std::size_t bytes) {
  if (offset + bytes > shared_bytes()) throw GridError("an access past the block's shared memory");
  return shared_memory() + offset;
}
struct LoadMatrix {
  std::uint32_t from;
  std::uint32_t* to;
};
/// Lane 8 i + r names row r of matrix i; lane l takes elements (l / 4, 2 (l % 4) .. +1) of every matrix, of its transpose if asked.
inline void load_matrices(const char* what, std::uint32_t (&to)[4], std::uint32_t from, bool transposed) {
  LoadMatrix mine{from, to};
  meet(Group::warp, what, &mine, [transposed](std::span<void* const> posts) {
    for (unsigned matrix = 0; matrix < 4; ++matrix) {
      std::uint16_t element[8][8];
      for (unsigned row = 0; row < 8; ++row) {
        const std::uint32_t offset = static_cast<LoadMatrix*>(posts[matrix * 8 + row])->from;
        if (offset % 16 != 0) throw GridError("ldmatrix: a row that is not 16-byte aligned");
        std::memcpy(element[row], shared_at(offset, 16), 16);
      }
      for (unsigned lane = 0; lane < kLanes; ++lane) {
        const unsigned i = lane / 4;
        const unsigned j = lane % 4 * 2;
        const std::uint32_t low = transposed ? element[j][i] : element[i][j];
        const std::uint32_t high = transposed ? element[j + 1][i] : element[i][j + 1];
        static_cast<LoadMatrix*>(posts[lane])->to[matrix] = low | (high << 16);
      }
    }
  });
}
struct Multiply {
  float* c;
  const std::uint32_t* a;
  std::uint32_t b[2];
};
inline float half_of(std::uint32_t pair, unsigned which) {
  return bits_as_float(which == 0 ? pair << 16 : pair & 0xFFFF0000U);
}
inline void multiply_fragments(std::span<void* const> posts) {
  float a[16][16];
  float b[16][8];
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const Multiply& post = *static_cast<Multiply*>(posts[lane]);
    for (unsigned half = 0; half < 2; ++half) {
      const unsigned row = lane / 4;
      const unsigned k = lane % 4 * 2 + half;
      for (unsigned i = 0; i < 4; ++i) a[row + i % 2 * 8][k + i / 2 * 8] = half_of(post.a[i], half);
      for (unsigned i = 0; i < 2; ++i) b[k + i * 8][row] = half_of(post.b[i], half);
    }
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    float* const c = static_cast<Multiply*>(posts[lane])->c;
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = lane / 4 + i / 2 * 8;
      const unsigned column = lane % 4 * 2 + i % 2;
      for (unsigned k = 0; k < 16; ++k) c[i] += a[row][k] * b[k][column];
    }
  }
}
}  // namespace shim

inline void cp_async16(std::uint32_t to, const void* from, unsigned bytes) {
  shim::async_copy(shim::shared_at(to, 16), from, bytes, 16 - bytes);
}
inline void cp_async_commit() {
  shim::async_commit();
}
template <int Left>
void cp_async_wait() {
  shim::async_wait(Left);
}
inline void ldmatrix_x4(std::uint32_t (&to)[4], std::uint32_t from) {
  shim::load_matrices("ldmatrix.x4", to, from, false);
}
inline void ldmatrix_x4_transposed(std::uint32_t (&to)[4], std::uint32_t from) {
  shim::load_matrices("ldmatrix.x4.trans", to, from, true);
}
inline void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  shim::Multiply mine{c, a, {b0, b1}};
  shim::meet(shim::Group::warp, "mma.m16n8k16", &mine, shim::multiply_fragments);
}

#endif

/// Tiles in shared memory whose rows are a multiple of 128 B: the 16-byte pieces of a row change places with the row's number modulo 8,
/// so that eight rows at one column lie in eight different groups of banks. `pieces`: 16-byte pieces per row.
RT_DEVICE std::uint32_t tile_offset(unsigned row, unsigned piece, unsigned pieces) {
  return (row * pieces + (piece ^ (row % 8))) * 16;
}

}  // namespace rooftrace::capture
