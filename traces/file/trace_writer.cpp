// The sink behind make_trace_writer: checks the order of calls and the laws, and turns records into columns.
#include "traces/file/trace_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <unordered_map>

#include "sim/core/error.hpp"
#include "traces/file/access_laws.hpp"
#include "traces/file/column_buffers.hpp"
#include "traces/file/footprint_meter.hpp"
#include "traces/file/record_columns.hpp"
#include "traces/file/trace_words.hpp"

namespace rooftrace {
namespace trace_file {
namespace {

struct TextPlace {
  std::uint64_t at = 0;
  std::uint32_t bytes = 0;
};

class Writer final : public TraceSink {
 public:
  Writer(const std::string& path, const std::string& shown)
      : file_(path, shown), pipeline_(file_), columns_(pipeline_), records_(columns_) {
    for (std::size_t list = 0; list < kWordLists; ++list)
      add_note(note_key(static_cast<Words>(list)), note_value(static_cast<Words>(list)));
  }

  void add_note(std::string_view key, std::string_view value) override {
    require(state_ != State::finished, "add_note after finish");
    require(notes_++ < kMostNotes + kWordLists, "more notes than a trace may have");
    put_place(Column::note_key_at, Column::note_key_bytes, text(key));
    put_place(Column::note_value_at, Column::note_value_bytes, text(value));
  }

  void add_tensor(const TraceTensor& tensor) override {
    require(state_ != State::finished, "add_tensor after finish");
    require(tensors_++ < kMostTensors, "more tensors than a trace may have");
    require(tensor.base <= kAddressSpace && tensor.bytes <= kAddressSpace - tensor.base, "a tensor beyond the address 2^42");
    put_place(Column::tensor_name_at, Column::tensor_name_bytes, text(tensor.name));
    columns_.put(Column::tensor_base, tensor.base);
    columns_.put(Column::tensor_bytes, tensor.bytes);
    columns_.put(Column::tensor_role, static_cast<std::uint8_t>(tensor.role));
    columns_.put(Column::tensor_home, static_cast<std::uint8_t>(tensor.home));
  }

  void begin_stage(const TraceStageInfo& info) override {
    require(state_ == State::between_stages, "begin_stage inside a stage, or after finish");
    require(stages_++ < kMostStages, "more stages than a trace may have");
    require(info.gpus >= 1, "a stage of no GPUs");
    require(info.layer_stride % kFrameBytes == 0, "layer_stride is not a multiple of 1 GiB");
    require(info.layers_begin <= info.layers_end && info.layers_end <= kAddressSpace,
            "layers_begin and layers_end are no range of addresses");
    state_ = State::between_kernels;
    info_ = info;
    grids_.clear();
    records_.begin_stage();
  }

  void begin_kernel(const Kernel& kernel, const KernelExtras& extras) override {
    require(state_ == State::between_kernels, "begin_kernel outside a stage, or inside another kernel");
    index_ = static_cast<std::uint32_t>(grids_.size());
    require(kernels_++ < kMostKernels, "more kernels than a trace may have");
    check(kernel);
    if (const auto& ns = extras.measured_ns; ns) require(*ns >= 0 && std::isfinite(*ns), "a measured duration that is none");
    state_ = State::in_kernel;
    kernel_ = kernel;
    kernel_.program.reset();
    extras_ = extras;
    meter_.reset();
    if (extras.measure) meter_.emplace();
    like_ = index_;
    shift_ = 0;
    records_.begin_kernel(kernel.grid);
  }

  void place_block(std::uint32_t block, std::uint32_t sm) override {
    require(state_ == State::in_kernel && like_ == index_, "place_block outside a kernel's steps");
    require(block < kernel_.grid && sm != kNoSm, "place_block of a block that the grid does not have, or on no SM");
    reported([&] { records_.place_block(block, sm); });
  }

  void add_step(std::uint32_t block, std::uint32_t step, std::span<const Access> loads, const Work& work, std::span<const Access> stores,
                const StepTiming& timing) override {
    if (state_ != State::in_kernel || like_ != index_) fail("add_step outside a kernel's steps");
    try {
      if (timing.after > kernel_.longest_wait) fail("it waits further back than the kernel's longest_wait");
      records_.add_step(block, step, loads, work, stores, timing);
    } catch (const std::invalid_argument& error) {
      fail(fmt::format("kernel {} ({}) block {} step {}: {}", index_, kernel_.label, block, step, error.what()));
    }
    if (meter_) meter_->take(loads, work, stores);
  }

  void repeat_blocks(std::uint32_t like, std::int64_t shift) override {
    require(state_ == State::in_kernel && !records_.any_step(), "repeat_blocks outside a kernel, or after steps");
    require(like < index_ && grids_[like].own && grids_[like].grid == kernel_.grid,
            "repeat_blocks: not an earlier kernel of this stage with the same grid and steps of its own");
    require(!extras_.measure, "repeat_blocks cannot be measured");
    require(shift > -static_cast<std::int64_t>(kAddressSpace) && shift < static_cast<std::int64_t>(kAddressSpace),
            "repeat_blocks: too far");
    like_ = like;
    shift_ = shift;
  }

  void end_kernel() override {
    require(state_ == State::in_kernel, "end_kernel outside a kernel");
    state_ = State::between_kernels;
    const bool own = like_ == index_;
    std::uint64_t first_block = own ? 0 : grids_[like_].first_block;
    if (own) reported([&] { first_block = records_.end_kernel(); });
    if (!own) records_.repeat(info_.layers_begin, info_.layers_end, shift_);
    grids_.push_back({kernel_.grid, own, first_block});
    if (meter_) {
      kernel_.work = meter_->work();
      kernel_.footprint = meter_->footprint();
    }
    put_kernel(first_block);
  }

  void end_stage(const TraceStageEnd& end) override {
    require(state_ == State::between_kernels, "end_stage inside a kernel, or outside a stage");
    require(!grids_.empty(), "a stage without kernels");
    state_ = State::between_stages;
    const std::uint64_t address_end = end.address_end.value_or(std::max(records_.address_end(), info_.layers_end));
    require(address_end >= records_.address_end() && address_end >= info_.layers_end && address_end <= kAddressSpace,
            "address_end is below an address of the stage, or beyond 2^42");
    const std::vector<TensorRole>& pages = end.page_role ? *end.page_role : records_.page_roles();
    require(pages.size() <= kAddressSpace / kPageBytes, "more pages than the address space has");
    for (const TensorRole role : pages) columns_.put(Column::page_role, static_cast<std::uint8_t>(role));
    put_stage(address_end, pages.size());
  }

  void finish() override {
    require(state_ == State::between_stages && stages_ > 0, "finish inside a stage, twice, or without a stage");
    state_ = State::finished;
    columns_.finish([this](Table table, std::uint64_t rows) { file_.set_rows(table, rows); });
    file_.close();
  }

 private:
  static constexpr std::uint64_t kAddressSpace = 1ULL << kAddressBits;
  static constexpr std::size_t kMostKnownTexts = 65536;
  enum class State : std::uint8_t { between_stages, between_kernels, in_kernel, finished };
  struct Grid {
    std::uint32_t grid;
    bool own;  ///< Has steps of its own.
    std::uint64_t first_block;
  };

  [[noreturn]] static void fail(const std::string& why) { throw std::invalid_argument("trace: " + why); }
  static void require(bool good, const char* why) {
    if (!good) fail(why);
  }
  template <typename Call>
  void reported(Call call) const {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      fail(fmt::format("kernel {} ({}): {}", index_, kernel_.label, error.what()));
    }
  }

  void check(const Kernel& kernel) {
    const auto need = [&](bool good, const char* why) {
      if (!good) fail(fmt::format("kernel {} ({}): {}", index_, kernel.label, why));
    };
    need(kernel.grid > 0, "no blocks");
    need(kernel.blocks_per_sm > 0 && kernel.blocks_per_sm <= kMostBlocksPerSm, "blocks_per_sm is not 1 to 1024");
    need(kernel.depth > 0 && kernel.depth <= kMostDepth, "depth is not 1 to 1024");
    need(kernel.label.size() <= kMostLabelBytes, "the label is longer than 4096 bytes");
    need(kernel.layer >= -1, "layer is below -1");
    need(kernel.longest_wait <= kMostWait, "longest_wait is more than 2^16");
    need(kernel.tensor_share > 0 && kernel.tensor_share <= 1, "tensor_share is not a share above 0, at most 1");
    need(kernel.exposed >= 0 && kernel.exposed <= 1, "exposed is not a share from 0 to 1");
    for (const Footprint& f : kernel.footprint)
      need(f.read <= kAddressSpace && f.written <= kAddressSpace, "a footprint of more bytes than there are addresses");
    for (const double work : kernel.work) need(work >= 0 && std::isfinite(work), "work is negative, infinite or no number");
    for (const std::uint32_t earlier : kernel.waits_for) need(earlier < index_, "waits for a kernel that is not earlier");
    need((waits_ += kernel.waits_for.size()) <= kMostWaits, "more waits than a trace may have");
    need((footprints_ += kernel.footprint.size()) <= kMostFootprints, "more footprints than a trace may have");
  }

  TextPlace text(std::string_view words) {
    const auto found = known_.find(std::string(words));
    if (found != known_.end()) return found->second;
    const TextPlace place{columns_.rows(Column::text_byte), static_cast<std::uint32_t>(words.size())};
    require(place.at + words.size() <= kMostTextBytes, "more text than a trace may have");
    for (const char c : words) columns_.put(Column::text_byte, c);
    if (known_.size() >= kMostKnownTexts) known_.clear();
    if (words.size() <= kMostLabelBytes) known_.emplace(words, place);
    return place;
  }

  void put_place(Column at, Column bytes, const TextPlace& place) {
    columns_.put(at, place.at);
    columns_.put(bytes, place.bytes);
  }

  void put_kernel(std::uint64_t first_block) {
    const Kernel& k = kernel_;
    put_place(Column::kernel_label_at, Column::kernel_label_bytes, text(k.label));
    put_place(Column::kernel_source_at, Column::kernel_source_bytes,
              text(std::string_view(extras_.source_name).substr(0, kMostLabelBytes)));
    columns_.put(Column::kernel_measured_ns, extras_.measured_ns.value_or(std::numeric_limits<double>::quiet_NaN()));
    columns_.put(Column::kernel_class, static_cast<std::uint8_t>(k.kernel_class));
    columns_.put(Column::kernel_stage, static_cast<std::uint8_t>(k.stage));
    columns_.put(Column::kernel_layer, k.layer);
    columns_.put(Column::kernel_stream, k.stream);
    columns_.put(Column::kernel_unit, static_cast<std::uint8_t>(k.unit));
    columns_.put(Column::kernel_grid, k.grid);
    columns_.put(Column::kernel_blocks_per_sm, k.blocks_per_sm);
    columns_.put(Column::kernel_depth, k.depth);
    columns_.put(Column::kernel_tensor_type, static_cast<std::uint8_t>(k.tensor_type));
    columns_.put(Column::kernel_serial_hops, k.serial_hops);
    columns_.put(Column::kernel_longest_wait, k.longest_wait);
    columns_.put(Column::kernel_early_loads, static_cast<std::uint8_t>(k.early_loads ? 1 : 0));
    columns_.put(Column::kernel_first_step_leads, static_cast<std::uint8_t>(k.first_step_leads ? 1 : 0));
    columns_.put(Column::kernel_tensor_share, k.tensor_share);
    columns_.put(Column::kernel_exposed, k.exposed);
    columns_.put(Column::kernel_tensor_work, k.work[0]);
    columns_.put(Column::kernel_cuda_work, k.work[1]);
    columns_.put(Column::kernel_sfu_work, k.work[2]);
    columns_.put(Column::kernel_waits, static_cast<std::uint32_t>(k.waits_for.size()));
    columns_.put(Column::kernel_footprints, static_cast<std::uint32_t>(k.footprint.size()));
    columns_.put(Column::kernel_like, like_);
    columns_.put(Column::kernel_shift, shift_);
    columns_.put(Column::kernel_first_block, first_block);
    for (const std::uint32_t earlier : k.waits_for) columns_.put(Column::wait_kernel, earlier);
    for (const Footprint& f : k.footprint) {
      columns_.put(Column::footprint_role, static_cast<std::uint8_t>(f.role));
      columns_.put(Column::footprint_home, static_cast<std::uint8_t>(f.home));
      columns_.put(Column::footprint_read, f.read);
      columns_.put(Column::footprint_written, f.written);
      columns_.put(Column::footprint_produced, static_cast<std::uint8_t>(f.produced));
    }
  }

  void put_stage(std::uint64_t address_end, std::uint64_t pages) {
    const TraceStageInfo& s = info_;
    columns_.put(Column::stage_stage, static_cast<std::uint8_t>(s.stage));
    columns_.put(Column::stage_tokens, s.tokens);
    columns_.put(Column::stage_gpus, s.gpus);
    columns_.put(Column::stage_batch, s.batch);
    columns_.put(Column::stage_context, s.context);
    columns_.put(Column::stage_prompt, s.prompt);
    columns_.put(Column::stage_seed, s.seed);
    put_place(Column::stage_model_at, Column::stage_model_bytes, text(std::string_view(s.model).substr(0, kMostLabelBytes)));
    put_place(Column::stage_weights_at, Column::stage_weights_bytes, text(std::string_view(s.weights).substr(0, kMostLabelBytes)));
    put_place(Column::stage_kv_at, Column::stage_kv_bytes, text(std::string_view(s.kv).substr(0, kMostLabelBytes)));
    columns_.put(Column::stage_layer_stride, s.layer_stride);
    columns_.put(Column::stage_layers_begin, s.layers_begin);
    columns_.put(Column::stage_layers_end, s.layers_end);
    columns_.put(Column::stage_address_end, address_end);
    columns_.put(Column::stage_kernels, static_cast<std::uint64_t>(grids_.size()));
    columns_.put(Column::stage_pages, pages);
  }

  ColumnFileWriter file_;
  ChunkPipeline pipeline_;
  ColumnBuffers columns_;
  RecordColumns records_;
  std::unordered_map<std::string, TextPlace> known_;

  State state_ = State::between_stages;
  TraceStageInfo info_;
  Kernel kernel_;
  KernelExtras extras_;
  std::optional<FootprintMeter> meter_;
  std::vector<Grid> grids_;  ///< Of the kernels of this stage.
  std::uint32_t index_ = 0, like_ = 0;
  std::int64_t shift_ = 0;
  std::uint64_t notes_ = 0, tensors_ = 0, stages_ = 0, kernels_ = 0, waits_ = 0, footprints_ = 0;
};

}  // namespace
}  // namespace trace_file

std::unique_ptr<TraceSink> make_trace_writer(const std::string& path, const std::string& shown) {
  return std::make_unique<trace_file::Writer>(path, shown.empty() ? path : shown);
}

}  // namespace rooftrace
