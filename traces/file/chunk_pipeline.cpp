// A TBB task per chunk, and a queue that keeps their order.
#include "traces/file/chunk_pipeline.hpp"

#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <atomic>
#include <deque>
#include <stdexcept>
#include <utility>

#include "traces/file/chunk_codec.hpp"

namespace rooftrace::trace_file {

struct ChunkPipeline::Impl {
  struct Job {
    Column column{};
    std::uint64_t chunk = 0;
    std::vector<std::byte> raw, stored;
    /// TBB orders the hand-over already; said once more in our own code, where a thread sanitizer can see it (Debian's TBB is not built for
    /// one).
    std::atomic<bool> filled{false}, encoded{false};
  };

  explicit Impl(ColumnFileWriter& to) : file(to) {}

  ColumnFileWriter& file;
  tbb::task_group tasks;
  std::deque<Job> waiting;  ///< A deque: tasks hold references to its elements while others are added.
  std::vector<std::vector<std::byte>> spare;
};

namespace {

/// Enough for every thread to find work while the caller fills the next chunks.
std::size_t most_waiting() {
  return 8 * static_cast<std::size_t>(tbb::this_task_arena::max_concurrency());
}

}  // namespace

ChunkPipeline::ChunkPipeline(ColumnFileWriter& file) : impl_(std::make_unique<Impl>(file)) {}

ChunkPipeline::~ChunkPipeline() {
  try {
    impl_->tasks.cancel();
    impl_->tasks.wait();
  } catch (...) {  // Somebody gave up on this file; why is known already.
  }
}

void ChunkPipeline::submit(Column column, std::uint64_t chunk, std::vector<std::byte>& raw) {
  Impl::Job& job = impl_->waiting.emplace_back();
  job.column = column;
  job.chunk = chunk;
  job.raw.swap(raw);
  if (!impl_->spare.empty()) {
    raw.swap(impl_->spare.back());
    impl_->spare.pop_back();
    raw.clear();
  }
  job.filled.store(true, std::memory_order_release);
  impl_->tasks.run([&job] {
    static_cast<void>(job.filled.load(std::memory_order_acquire));
    encode_chunk(job.raw, bytes_of(shape_of(job.column).element), job.stored);
    job.encoded.store(true, std::memory_order_release);
  });
  if (impl_->waiting.size() >= most_waiting()) drain();
}

void ChunkPipeline::drain() {
  impl_->tasks.wait();
  while (!impl_->waiting.empty()) {
    Impl::Job& job = impl_->waiting.front();
    if (!job.encoded.load(std::memory_order_acquire)) throw std::logic_error("trace file: a chunk was not encoded");
    impl_->file.write(job.column, job.chunk, job.stored);
    impl_->spare.push_back(std::move(job.raw));
    impl_->waiting.pop_front();
  }
}

}  // namespace rooftrace::trace_file
