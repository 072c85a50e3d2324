#include "traces/capture/shim/grid.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "traces/capture/shim/fiber.hpp"

namespace rooftrace::capture::shim {
namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr std::size_t kMaxShared = 227 * 1024;
constexpr std::size_t kStackBytes = 128 * 1024;
constexpr unsigned kWarp = 32;

struct Copy {
  unsigned char* to;
  const unsigned char* from;
  std::size_t bytes;
  std::size_t zeros;
};

struct Thread {
  Fiber fiber;
  ThreadPlace place;
  bool done = false;
  const std::uint64_t* waits_for = nullptr;  ///< Sleeps while this still has the value `seen`.
  std::uint64_t seen = 0;
  const std::function<bool()>* ready = nullptr;  ///< Or until this is true.
  const char* where = "";                        ///< What it waits for, for messages.
  std::deque<std::vector<Copy>> copies;          ///< Groups of asynchronous copies, the open one last.
};

struct Meeting {
  std::vector<void*> posts;
  unsigned arrived = 0;
  std::uint64_t generation = 0;
  const char* what = "";
};

class Runner {
 public:
  Runner(const GridShape& shape, const std::function<void()>& body);
  void run_block(const Dim3& index);

  [[nodiscard]] Thread& thread() { return threads_[running_]; }
  [[nodiscard]] unsigned char* shared() { return shared_; }
  [[nodiscard]] std::size_t shared_bytes() const { return shape_.shared_bytes; }
  void meet(Group group, const char* what, void* post, const std::function<void(std::span<void* const>)>& finish);
  void wait_until(const std::function<bool()>& ready);

 private:
  static void enter();
  void start(unsigned number, const Dim3& index);
  [[nodiscard]] static bool can_run(const Thread& thread);
  void yield(bool last = false);
  [[nodiscard]] std::string stuck() const;

  GridShape shape_;
  const std::function<void()>& body_;
  std::vector<Thread> threads_;
  std::unique_ptr<unsigned char[]> stacks_;
  std::unique_ptr<unsigned char[]> shared_storage_;
  unsigned char* shared_ = nullptr;
  std::vector<Meeting> warps_;
  std::vector<Meeting> warpgroups_;
  Meeting block_;
  unsigned running_ = 0;
  std::exception_ptr failure_;
};

/// Set while a grid runs on this host thread: a kernel's source has no other way to its grid, as on the GPU.
thread_local Runner* current_runner = nullptr;

Runner& current() {
  if (current_runner == nullptr) throw GridError("a word of a kernel was used outside of run_grid");
  return *current_runner;
}

Runner::Runner(const GridShape& shape, const std::function<void()>& body) : shape_(shape), body_(body) {
  const std::uint64_t count = std::uint64_t{shape.block.x} * shape.block.y * shape.block.z;
  if (count == 0 || count > kMaxThreads) throw GridError("a block has 1 to 1024 threads, not " + std::to_string(count));
  if (shape.shared_bytes > kMaxShared) throw GridError("a block has at most 232448 B of shared memory");
  threads_.resize(count);
  stacks_ = std::make_unique_for_overwrite<unsigned char[]>(count * kStackBytes);
  shared_storage_ = std::make_unique_for_overwrite<unsigned char[]>(shape.shared_bytes + 1024);
  const auto at = reinterpret_cast<std::uintptr_t>(shared_storage_.get());
  shared_ = shared_storage_.get() + ((1024 - at % 1024) % 1024);
  const auto meetings = [&](unsigned size) { return std::vector<Meeting>((count + size - 1) / size); };
  warps_ = meetings(kWarp);
  warpgroups_ = meetings(4 * kWarp);
}

void Runner::enter() {
  Runner& runner = current();
  runner.thread().fiber.entered();
  try {
    runner.body_();
  } catch (...) {
    if (!runner.failure_) runner.failure_ = std::current_exception();
  }
  runner.thread().done = true;
  runner.yield(true);
}

void Runner::start(unsigned number, const Dim3& index) {
  Thread& thread = threads_[number];
  thread = Thread{};
  thread.place = {shape_.grid, shape_.block, index, {}, number};
  thread.place.thread_index = {number % shape_.block.x, number / shape_.block.x % shape_.block.y,
                               number / (shape_.block.x * shape_.block.y)};
  thread.copies.emplace_back();
  thread.fiber.start(stacks_.get() + number * kStackBytes, kStackBytes, &Runner::enter);
}

bool Runner::can_run(const Thread& thread) {
  if (thread.done) return false;
  if (thread.waits_for != nullptr) return *thread.waits_for != thread.seen;
  return thread.ready == nullptr || (*thread.ready)();
}

void Runner::yield(bool last) {
  threads_[running_].fiber.suspend(last);
}

std::string Runner::stuck() const {
  std::string text = "threads wait for ever:";
  unsigned named = 0;
  for (const Thread& thread : threads_) {
    if (thread.done || named++ >= 4) continue;
    text += " thread " + std::to_string(thread.place.linear) + " at " + thread.where + ";";
  }
  return text + " " + std::to_string(named) + " in all";
}

void Runner::run_block(const Dim3& index) {
  std::memset(shared_, 0xFF, shape_.shared_bytes);
  for (unsigned i = 0; i < threads_.size(); ++i) start(i, index);
  std::size_t left = threads_.size();
  while (left > 0) {
    bool moved = false;
    for (running_ = 0; running_ < threads_.size(); ++running_) {
      Thread& thread = threads_[running_];
      if (!can_run(thread)) continue;
      thread.waits_for = nullptr;
      thread.ready = nullptr;
      moved = true;
      thread.fiber.resume();
      if (failure_) std::rethrow_exception(failure_);
      if (thread.done) --left;
    }
    if (!moved) throw GridError(stuck());
  }
}

void Runner::meet(Group group, const char* what, void* post, const std::function<void(std::span<void* const>)>& finish) {
  Thread& me = thread();
  const auto all = static_cast<unsigned>(threads_.size());
  const unsigned size = group == Group::warp ? kWarp : group == Group::warpgroup ? 4 * kWarp : all;
  Meeting& meeting = group == Group::warp        ? warps_[me.place.linear / kWarp]
                     : group == Group::warpgroup ? warpgroups_[me.place.linear / size]
                                                 : block_;
  const unsigned first = me.place.linear / size * size;
  const unsigned members = std::min(size, all - first);
  if (group != Group::block && members != size) throw GridError(std::string(what) + " needs whole warps");
  if (meeting.arrived > 0 && std::strcmp(meeting.what, what) != 0) {
    throw GridError(std::string("threads that must go together meet at ") + meeting.what + " and at " + what);
  }
  meeting.what = what;
  meeting.posts.resize(members);
  meeting.posts[me.place.linear - first] = post;
  if (++meeting.arrived == members) {
    finish(meeting.posts);
    meeting.arrived = 0;
    ++meeting.generation;
    return;
  }
  me.waits_for = &meeting.generation;
  me.seen = meeting.generation;
  me.where = what;
  yield();
}

void Runner::wait_until(const std::function<bool()>& ready) {
  if (ready()) return;
  thread().ready = &ready;
  thread().where = "a wait for memory";
  yield();
}

}  // namespace

void run_grid(const GridShape& shape, const std::function<void()>& body) {
  if (current_runner != nullptr) throw GridError("a kernel cannot start a grid here");
  Runner runner(shape, body);
  struct Current {
    explicit Current(Runner* now) { current_runner = now; }
    ~Current() { current_runner = nullptr; }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;
  } const set(&runner);
  for (unsigned z = 0; z < shape.grid.z; ++z) {
    for (unsigned y = 0; y < shape.grid.y; ++y) {
      for (unsigned x = 0; x < shape.grid.x; ++x) runner.run_block({x, y, z});
    }
  }
}

const ThreadPlace& place() {
  return current().thread().place;
}

unsigned char* shared_memory() {
  return current().shared();
}

std::size_t shared_bytes() {
  return current().shared_bytes();
}

void meet(Group group, const char* what, void* post, const std::function<void(std::span<void* const>)>& finish) {
  current().meet(group, what, post, finish);
}

void wait_until(const std::function<bool()>& ready) {
  current().wait_until(ready);
}

void async_copy(void* to, const void* from, std::size_t bytes, std::size_t zeros) {
  current().thread().copies.back().push_back({static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), bytes, zeros});
}

void async_commit() {
  current().thread().copies.emplace_back();
}

void async_wait(unsigned groups_left) {
  auto& groups = current().thread().copies;
  while (groups.size() > groups_left + 1U) {  // The open group is not a committed one.
    for (const Copy& copy : groups.front()) {
      if (copy.bytes > 0) std::memcpy(copy.to, copy.from, copy.bytes);
      std::memset(copy.to + copy.bytes, 0, copy.zeros);
    }
    groups.pop_front();
  }
}

}  // namespace rooftrace::capture::shim
