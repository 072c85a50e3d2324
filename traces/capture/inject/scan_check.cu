// One instruction per kernel, the name says which class of code_scan.hpp it belongs to: the ground for its numbers (check_scan.py).
#include <cuda.h>

#include <cstdint>

#define SHARED                                                             \
  extern __shared__ __align__(1024) unsigned char shared[];                \
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(shared)); \
  (void)at

#define TENSOR(name, text, ...)                                                       \
  extern "C" __global__ void tensor_##name(const __grid_constant__ CUtensorMap map) { \
    SHARED;                                                                           \
    asm volatile(text __VA_ARGS__ : "memory");                                        \
  }
TENSOR(load, "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];", ::"r"(at),
       "l"(&map), "r"(0), "r"(0), "r"(at + 4096))
TENSOR(store, "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];", ::"l"(&map), "r"(0), "r"(0), "r"(at))
TENSOR(reduce, "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2}], [%3];", ::"l"(&map), "r"(0), "r"(0),
       "r"(at))
TENSOR(prefetch, "cp.async.bulk.prefetch.tensor.2d.L2.global.tile [%0, {%1, %2}];", ::"l"(&map), "r"(0), "r"(0))

#define BULK(name, text, ...)                            \
  extern "C" __global__ void name(std::uint32_t* data) { \
    SHARED;                                              \
    asm volatile(text __VA_ARGS__ : "memory");           \
  }
BULK(bulk_load, "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];", ::"r"(at), "l"(data), "r"(256),
     "r"(at + 4096))
BULK(bulk_store, "cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;", ::"l"(data), "r"(at), "r"(256))
BULK(bulk_reduce, "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.s32 [%0], [%1], %2;", ::"l"(data), "r"(at), "r"(256))
BULK(bulk_prefetch, "cp.async.bulk.prefetch.L2.global [%0], %1;", ::"l"(data), "r"(256))
BULK(async_16, "cp.async.cg.shared.global [%0], [%1], 16;", ::"r"(at), "l"(data))
BULK(async_4, "cp.async.ca.shared.global [%0], [%1], 4;", ::"r"(at), "l"(data))
BULK(global_load, "{ .reg .u32 x; ld.global.u32 x, [%0]; st.shared.u32 [%1], x; }", ::"l"(data), "r"(at))
BULK(global_store, "st.global.u32 [%0], %1;", ::"l"(data), "r"(7))
BULK(global_vector, "st.global.v4.u32 [%0], {%1, %1, %1, %1};", ::"l"(data), "r"(7))
BULK(global_atomic, "{ .reg .u32 x; atom.global.add.u32 x, [%0], %1; st.shared.u32 [%2], x; }", ::"l"(data), "r"(7), "r"(at))
BULK(global_swap, "{ .reg .u32 x; atom.global.cas.b32 x, [%0], %1, %1; st.shared.u32 [%2], x; }", ::"l"(data), "r"(7), "r"(at))
BULK(global_reduce, "red.global.add.u32 [%0], %1;", ::"l"(data), "r"(7))
BULK(global_generic_load, "{ .reg .u32 x; ld.u32 x, [%0]; st.shared.u32 [%1], x; }", ::"l"(data), "r"(at))
BULK(global_generic_store, "st.u32 [%0], %1;", ::"l"(data), "r"(7))
BULK(global_generic_atomic, "{ .reg .u32 x; atom.add.u32 x, [%0], %1; st.shared.u32 [%2], x; }", ::"l"(data), "r"(7), "r"(at))
BULK(none_shared, "st.shared.u32 [%0], %1;", ::"r"(at), "r"(7))
