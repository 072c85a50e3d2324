// What is saved is what is read: every field of a Trace, every step, the extras, at any number of threads.
#include <gmock/gmock.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <limits>
#include <thread>

#include "tests/support/walk_trace.hpp"
#include "tests/unit/trace_file/temporary.hpp"
#include "traces/file/column_file.hpp"
#include "traces/trace_check.hpp"

namespace rooftrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using toy::save;

class TraceFileRoundTrip : public test::Temporary {};
class TraceFileParallel : public test::Temporary {};

void expect_same(const Access& a, const Access& b) {
  EXPECT_EQ(a.address, b.address);
  EXPECT_EQ(a.pitch, b.pitch);
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.row_bytes, b.row_bytes);
  EXPECT_EQ(a.op, b.op);
  EXPECT_EQ(a.hint, b.hint);
  EXPECT_EQ(a.role, b.role);
  EXPECT_EQ(a.home, b.home);
  EXPECT_EQ(a.multicast, b.multicast);
}

void expect_same_steps(const Kernel& a, const Kernel& b) {
  for (std::uint32_t block = 0; block < a.grid; ++block) {
    ASSERT_EQ(a.program->steps(block), b.program->steps(block));
    for (std::uint32_t s = 0; s < a.program->steps(block); ++s) {
      Step x, y;
      a.program->fill(block, s, x);
      b.program->fill(block, s, y);
      EXPECT_EQ(x.work, y.work);
      EXPECT_EQ(timing_of(x), timing_of(y));
      ASSERT_EQ(x.loads.size(), y.loads.size());
      ASSERT_EQ(x.stores.size(), y.stores.size());
      for (std::size_t i = 0; i < x.loads.size(); ++i) expect_same(x.loads[i], y.loads[i]);
      for (std::size_t i = 0; i < x.stores.size(); ++i) expect_same(x.stores[i], y.stores[i]);
    }
  }
}

void expect_same(const Trace& a, const Trace& b) {
  EXPECT_EQ(a.layer_stride, b.layer_stride);
  EXPECT_EQ(a.address_end, b.address_end);
  EXPECT_EQ(a.layers_begin, b.layers_begin);
  EXPECT_EQ(a.layers_end, b.layers_end);
  EXPECT_EQ(a.page_role, b.page_role);
  ASSERT_EQ(a.kernels.size(), b.kernels.size());
  for (std::size_t k = 0; k < a.kernels.size(); ++k) {
    const Kernel &x = a.kernels[k], &y = b.kernels[k];
    EXPECT_EQ(x.label, y.label);
    EXPECT_EQ(x.kernel_class, y.kernel_class);
    EXPECT_EQ(x.stage, y.stage);
    EXPECT_EQ(x.layer, y.layer);
    EXPECT_EQ(x.stream, y.stream);
    EXPECT_EQ(x.waits_for, y.waits_for);
    EXPECT_EQ(x.unit, y.unit);
    EXPECT_EQ(x.grid, y.grid);
    EXPECT_EQ(x.blocks_per_sm, y.blocks_per_sm);
    EXPECT_EQ(x.depth, y.depth);
    EXPECT_EQ(x.tensor_type, y.tensor_type);
    EXPECT_EQ(x.serial_hops, y.serial_hops);
    EXPECT_EQ(x.longest_wait, y.longest_wait);
    EXPECT_EQ(x.early_loads, y.early_loads);
    EXPECT_EQ(x.first_step_leads, y.first_step_leads);
    EXPECT_EQ(x.tensor_share, y.tensor_share);
    EXPECT_EQ(x.exposed, y.exposed);
    EXPECT_EQ(x.work, y.work);
    ASSERT_EQ(x.footprint.size(), y.footprint.size());
    for (std::size_t i = 0; i < x.footprint.size(); ++i) {
      EXPECT_EQ(x.footprint[i].role, y.footprint[i].role);
      EXPECT_EQ(x.footprint[i].home, y.footprint[i].home);
      EXPECT_EQ(x.footprint[i].read, y.footprint[i].read);
      EXPECT_EQ(x.footprint[i].written, y.footprint[i].written);
      EXPECT_EQ(x.footprint[i].produced, y.footprint[i].produced);
    }
    expect_same_steps(x, y);
  }
}

TEST_F(TraceFileRoundTrip, RandomTraces) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Trace trace = toy::random_trace(seed);
    Kernel& last = trace.kernels.back();
    last.kernel_class = KernelClass::lm_head;
    last.stage = Stage::prefill;
    last.layer = 12;
    last.serial_hops = 14;
    last.early_loads = seed % 2 == 0;
    last.first_step_leads = seed % 3 == 0;
    last.tensor_share = 0.75;
    last.exposed = 0.25;
    last.longest_wait = 3;
    last.grid = 2;
    last.program = toy::kernel(2, 5, [seed](std::uint32_t b, std::uint32_t s) {
                     Step step;
                     step.loads = {toy::load((b * 5ULL + s) * 64, 64)};
                     step.tensor_padding = seed * 0.5;
                     step.after = s % 4;
                     step.pause = s * 1000;
                     step.least = seed;
                     step.drain = seed * 3;
                     return step;
                   }).program;
    last.tensor_type = DataType::fp8;
    last.work = {1e15, 0.5, 3};
    save(trace, path("t.h5"));
    const TraceFile file = open_trace_file(path("t.h5"));
    ASSERT_EQ(file.stages.size(), 1U);
    expect_same(trace, file.stages[0].trace);
  }
}

// More records than a chunk, in blocks that straddle its border, with a cache of one byte: every chunk is decoded again and again.
TEST_F(TraceFileRoundTrip, BlocksOverChunkBordersWithHardlyAnyCache) {
  Trace trace;
  trace.kernels.push_back(toy::kernel(7, 9000, [](std::uint32_t b, std::uint32_t s) {
    Step step;
    step.loads = {toy::load((b * 9000ULL + s) * 64, 64), toy::load(s * 32ULL, 32, TensorRole::kv)};
    return step;
  }));
  trace.address_end = 7 * 9000 * 64;
  save(trace, path("t.h5"));
  const TraceFile file = open_trace_file(path("t.h5"), 1);
  EXPECT_EQ(file.accesses, 7U * 9000 * 2);
  expect_same(trace, file.stages[0].trace);
}

TEST_F(TraceFileRoundTrip, EqualLayersAreStoredOnceAndComeBack) {
  const Trace trace = toy::layered_trace();
  save(trace, path("once.h5"));
  save(trace, path("all.h5"), StoredLayers::exact);
  const TraceFile once = open_trace_file(path("once.h5")), all = open_trace_file(path("all.h5"));
  expect_same(trace, once.stages[0].trace);
  expect_same(trace, all.stages[0].trace);
  std::vector<std::uint32_t> like;
  for (const TraceFileKernel& kernel : once.stages[0].kernels) like.push_back(kernel.like);
  // Layer 0's first kernel is alone; layer 1's is what layers 2 and 3 repeat; the second kernel is the same in all four.
  EXPECT_THAT(like, ElementsAre(0U, 1U, 2U, 1U, 2U, 1U, 2U, 1U));
  EXPECT_EQ(once.blocks, 9U);
  EXPECT_EQ(all.blocks, 24U);
}

TEST_F(TraceFileRoundTrip, ExtrasNotesTensorsAndStages) {
  {
    const auto sink = make_trace_writer(path("t.h5"));
    sink->add_note("gpu", "H200");
    TraceStageInfo info;
    info.stage = Stage::decode;
    info.tokens = 5;
    info.gpus = 2;
    info.batch = 5;
    info.context = 77;
    info.seed = 9;
    info.model = "m";
    info.weights = "fp8";
    info.kv = "bf16";
    sink->begin_stage(info);
    Kernel kernel;
    kernel.grid = 4;
    kernel.label = "k";
    KernelExtras extras;
    extras.source_name = "_Z4gemm";
    extras.measured_ns = 1234.5;
    sink->begin_kernel(kernel, extras);
    const std::vector<Access> loads = {toy::load(4096, 64)};
    sink->place_block(1, 17);
    sink->add_step(1, 0, loads, {3, 0, 0}, {});
    sink->add_step(1, 1, loads, {3, 0, 0}, {});
    sink->place_block(2, 5);  // A block without steps.
    sink->end_kernel();
    sink->end_stage();
    sink->add_tensor({"x", 4096, 4096, TensorRole::kv, Home::peer});
    info.stage = Stage::prefill;
    sink->begin_stage(info);
    sink->begin_kernel(kernel);
    sink->end_kernel();
    sink->end_stage();
    sink->add_note("gpu", "twice");
    sink->finish();
  }
  const TraceFile file = open_trace_file(path("t.h5"));
  EXPECT_EQ(file.note("gpu"), "H200");
  EXPECT_EQ(file.notes.size(), 2U);
  EXPECT_THAT(file.tensors, ElementsAre(TraceTensor{"x", 4096, 4096, TensorRole::kv, Home::peer}));
  ASSERT_EQ(file.stages.size(), 2U);
  const TraceFileStage& stage = file.stages[0];
  EXPECT_EQ(stage.info.tokens, 5U);
  EXPECT_EQ(stage.info.gpus, 2U);
  EXPECT_EQ(stage.info.context, 77U);
  EXPECT_EQ(stage.info.model + stage.info.weights + stage.info.kv, "mfp8bf16");
  EXPECT_EQ(stage.kernels[0].source_name, "_Z4gemm");
  EXPECT_EQ(stage.kernels[0].measured_ns, 1234.5);
  EXPECT_EQ(file.stages[1].kernels[0].measured_ns, std::nullopt);
  EXPECT_EQ(block_sm(stage, 0, 0), std::nullopt);
  EXPECT_EQ(block_sm(stage, 0, 1), 17U);
  EXPECT_EQ(block_sm(stage, 0, 2), 5U);
  const BlockProgram& program = *stage.trace.kernels[0].program;
  EXPECT_EQ(program.steps(0), 1U);
  EXPECT_EQ(program.steps(1), 2U);
  EXPECT_EQ(program.steps(3), 1U);
  // Not given: one past the last byte, and the page's role is that of who touched it.
  EXPECT_EQ(stage.trace.address_end, 4096U + 64);
  EXPECT_THAT(stage.trace.page_role, ElementsAre(TensorRole::activations));
  EXPECT_EQ(file.stages[1].info.stage, Stage::prefill);
}

// Two blocks load the same 64 bytes and store 32 bytes each: 64 distinct bytes read, 64 written; work 2 x 10.
TEST_F(TraceFileRoundTrip, WorkAndFootprintAreMeasuredOnRequest) {
  {
    const auto sink = make_trace_writer(path("t.h5"));
    sink->begin_stage({});
    Kernel kernel;
    kernel.grid = 2;
    KernelExtras extras;
    extras.measure = true;
    sink->begin_kernel(kernel, extras);
    for (std::uint32_t block = 0; block < 2; ++block) {
      const std::vector<Access> loads = {toy::load(0, 64, TensorRole::weights)}, stores = {toy::store(128 + block * 32, 32)};
      sink->add_step(block, 0, loads, {0, 10, 0}, stores);
    }
    sink->end_kernel();
    sink->end_stage();
    sink->finish();
  }
  const TraceFile file = open_trace_file(path("t.h5"));
  const Kernel& kernel = file.stages[0].trace.kernels[0];
  EXPECT_EQ(kernel.work, (Work{0, 20, 0}));
  EXPECT_THAT(check_kernel(kernel), IsEmpty());
  EXPECT_THAT(check_trace_file(file), IsEmpty());
}

TEST_F(TraceFileRoundTrip, TheSinkRefusesWhatNoTraceMayHold) {
  const auto refused = [&](const std::function<void(TraceSink&)>& calls) {
    const auto sink = make_trace_writer(path("t.h5"));
    try {
      calls(*sink);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  Kernel kernel;
  kernel.grid = 2;
  kernel.label = "k";
  const auto in_kernel = [&](const std::function<void(TraceSink&)>& calls) {
    return refused([&](TraceSink& sink) {
      sink.begin_stage({});
      sink.begin_kernel(kernel);
      calls(sink);
    });
  };
  const std::vector<Access> good = {toy::load(0, 32)}, stored = {toy::store(0, 32)};
  const auto step_of = [&](Access access) {
    return in_kernel([&](TraceSink& sink) { sink.add_step(0, 0, std::vector<Access>{access}, {}, {}); });
  };
  EXPECT_EQ(refused([](TraceSink& sink) { sink.finish(); }), "trace: finish inside a stage, twice, or without a stage");
  EXPECT_EQ(refused([&](TraceSink& sink) { sink.begin_kernel(kernel); }), "trace: begin_kernel outside a stage, or inside another kernel");
  EXPECT_EQ(in_kernel([&](TraceSink& sink) { sink.add_step(2, 0, good, {}, {}); }),
            "trace: kernel 0 (k) block 2 step 0: a grid of 2 has no such block");
  EXPECT_EQ(in_kernel([&](TraceSink& sink) { sink.add_step(0, 1, good, {}, {}); }),
            "trace: kernel 0 (k) block 0 step 1: steps must ascend: step 0 is next");
  EXPECT_EQ(in_kernel([&](TraceSink& sink) {
              sink.add_step(1, 0, good, {}, {});
              sink.add_step(0, 0, good, {}, {});
            }),
            "trace: kernel 0 (k) block 0 step 0: blocks must ascend");
  EXPECT_EQ(in_kernel([&](TraceSink& sink) { sink.add_step(0, 0, stored, {}, {}); }),
            "trace: kernel 0 (k) block 0 step 0: a store among the loads");
  EXPECT_EQ(in_kernel([&](TraceSink& sink) {
              sink.add_step(0, 0, {}, {-1, 0, 0}, {});
            }),
            "trace: kernel 0 (k) block 0 step 0: work is negative, no number, or more than 2^40");
  EXPECT_EQ(in_kernel([&](TraceSink& sink) { sink.repeat_blocks(0, 0); }),
            "trace: repeat_blocks: not an earlier kernel of this stage with the same grid and steps of its own");
  Access access = toy::load(1ULL << 42, 32);
  EXPECT_EQ(step_of(access), "trace: kernel 0 (k) block 0 step 0: an address at or above 2^42");
  access = toy::load(0, 32);
  access.rows = 2;
  access.pitch = 31;
  EXPECT_EQ(step_of(access), "trace: kernel 0 (k) block 0 step 0: rows of an access overlap");
  access.pitch = 1ULL << 63;
  EXPECT_EQ(step_of(access), "trace: kernel 0 (k) block 0 step 0: an access longer than the 2^42 bytes of addresses");
  access = toy::load(0, 32);
  access.rows = (1U << 20) + 1;
  EXPECT_EQ(step_of(access), "trace: kernel 0 (k) block 0 step 0: an access of more than 2^20 rows");
  // What a reader would refuse is not written.
  EXPECT_EQ(refused([&](TraceSink& sink) {
              KernelExtras extras;
              extras.measured_ns = std::numeric_limits<double>::infinity();
              sink.begin_stage({});
              sink.begin_kernel(kernel, extras);
            }),
            "trace: a measured duration that is none");
  const auto broken = [&](const auto& change) {
    Kernel other = kernel;
    change(other);
    return refused([&](TraceSink& sink) {
      sink.begin_stage({});
      sink.begin_kernel(other);
    });
  };
  EXPECT_EQ(broken([](Kernel& k) { k.tensor_share = 0; }), "trace: kernel 0 (k): tensor_share is not a share above 0, at most 1");
  EXPECT_EQ(broken([](Kernel& k) { k.exposed = 2; }), "trace: kernel 0 (k): exposed is not a share from 0 to 1");
  EXPECT_EQ(broken([](Kernel& k) { k.longest_wait = 65537; }), "trace: kernel 0 (k): longest_wait is more than 2^16");
  EXPECT_EQ(broken([](Kernel& k) {
              k.footprint = {{TensorRole::kv, Home::local, (1ULL << 42) + 1, 0, false}};
            }),
            "trace: kernel 0 (k): a footprint of more bytes than there are addresses");
  kernel.waits_for = {0};
  EXPECT_EQ(in_kernel([](TraceSink&) {}), "trace: kernel 0 (k): waits for a kernel that is not earlier");
}

TEST_F(TraceFileRoundTrip, TwoSavesGiveTheSameBytes) {
  const Trace trace = toy::random_trace(3);
  save(trace, path("a.h5"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 would store whole seconds.
  save(trace, path("b.h5"));
  EXPECT_EQ(bytes("a.h5"), bytes("b.h5"));
  EXPECT_LT(bytes("a.h5").size(), 150'000U);
}

// 14 chunks of each big column, encoded by one thread and by four.
TEST_F(TraceFileParallel, TheSameBytesAtAnyNumberOfThreads) {
  Trace trace;
  trace.kernels.push_back(toy::kernel(100, 4000, [](std::uint32_t b, std::uint32_t s) {
    Step step;
    step.loads = {toy::load((b * 4000ULL + s) * 64, 64), toy::load(s * 32ULL, 32)};
    return step;
  }));
  trace.address_end = 100 * 4000 * 64;
  for (const std::size_t threads : {1U, 4U}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    tbb::task_arena arena(static_cast<int>(threads));
    arena.execute([&] { save(trace, path(threads == 1 ? "one.h5" : "four.h5")); });
  }
  EXPECT_EQ(bytes("one.h5"), bytes("four.h5"));
}

TEST_F(TraceFileParallel, ProgramsAnswerSeveralThreads) {
  const Trace trace = toy::random_trace(5);
  save(trace, path("t.h5"));
  const TraceFile file = open_trace_file(path("t.h5"), 1);
  const std::uint64_t expected = toy::walk(file);
  std::vector<std::uint64_t> counts(4);
  std::vector<std::thread> threads;
  for (std::uint64_t& count : counts) threads.emplace_back([&] { count = toy::walk(file); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(counts, testing::Each(expected));
}

}  // namespace
}  // namespace rooftrace
