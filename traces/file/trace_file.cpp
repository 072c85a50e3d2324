// Reading what is small: stages, kernels, notes, tensors.
#include "traces/file/trace_file.hpp"

#include <fmt/format.h>

#include <cmath>

#include "sim/core/error.hpp"
#include "traces/file/column_file.hpp"
#include "traces/file/stage_records.hpp"

namespace rooftrace {
namespace trace_file {
namespace {

constexpr std::uint64_t kAddressSpace = 1ULL << kAddressBits;
/// Texts in memory: several kernels may refer to the same bytes of the file, so this bounds what they become.
constexpr std::uint64_t kMostLoadedText = 4 * kMostTextBytes;
constexpr std::size_t kTableCache = std::size_t{16} << 20;

class Loader {
 public:
  Loader(std::shared_ptr<const ColumnSource> source, std::size_t cache_bytes)
      : source_(std::move(source)), columns_(source_, kTableCache), cache_bytes_(cache_bytes) {}

  TraceFile load() {
    at_most(Table::stage, kMostStages);
    at_most(Table::kernel, kMostKernels);
    at_most(Table::wait, kMostWaits);
    at_most(Table::footprint, kMostFootprints);
    at_most(Table::tensor, kMostTensors);
    at_most(Table::note, kMostNotes + kWordLists);
    at_most(Table::text, kMostTextBytes);
    at_most(Table::page, kMostStages * (kAddressSpace / kPageBytes));
    file_.path = source_->name();
    file_.bytes = source_->file_bytes();
    file_.blocks = source_->rows(Table::block);
    file_.steps = source_->rows(Table::step);
    file_.accesses = source_->rows(Table::access);
    file_.shapes = source_->rows(Table::access_shape);
    file_.kinds = source_->rows(Table::step_kind);
    load_notes();
    load_tensors();
    if (source_->rows(Table::stage) == 0) fail("/stage", "no stages");
    for (std::uint64_t row = 0; row < source_->rows(Table::stage); ++row) load_stage(row);
    used_up(Table::kernel, kernel_);
    used_up(Table::wait, wait_);
    used_up(Table::footprint, footprint_);
    used_up(Table::page, page_);
    used_up(Table::block, block_);
    return std::move(file_);
  }

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& why) const {
    throw UserError(fmt::format("{}: {}: {}", source_->name(), place, why));
  }
  [[noreturn]] void bad(Column column, std::uint64_t row, const std::string& why) const {
    fail(fmt::format("{}: row {}", path_of(column), row), why);
  }
  void need(bool good, Column column, std::uint64_t row, const char* why) const {
    if (!good) bad(column, row, why);
  }
  void at_most(Table table, std::uint64_t most) const {
    const std::uint64_t rows = source_->rows(table);
    if (rows > most) fail(fmt::format("/{}", shape_of(table).name), fmt::format("{} rows; a trace has at most {}", rows, most));
  }
  void used_up(Table table, std::uint64_t used) const {
    const std::uint64_t rows = source_->rows(table);
    if (rows != used) fail(fmt::format("/{}", shape_of(table).name), fmt::format("{} rows, but only {} are used", rows, used));
  }
  /// The next `count` rows of a table that is used up in order.
  std::uint64_t next(Table table, std::uint64_t& used, std::uint64_t count, Column column, std::uint64_t row) const {
    if (count > source_->rows(table) - used) bad(column, row, fmt::format("more than the rows that are left of /{}", shape_of(table).name));
    return std::exchange(used, used + count);
  }

  template <typename T>
  T at(Column column, std::uint64_t row) {
    return columns_.at<T>(column, row);
  }
  template <typename Enum>
  Enum word(Words list, Column column, std::uint64_t row) {
    const auto number = at<std::uint8_t>(column, row);
    const std::optional<std::uint8_t> value = words_->value(list, number);
    if (!value) bad(column, row, words_->describe(list, number));
    return static_cast<Enum>(*value);
  }
  double amount(Column column, std::uint64_t row) {
    const auto value = at<double>(column, row);
    if (!(value >= 0 && std::isfinite(value))) bad(column, row, fmt::format("{} is not an amount of work", value));
    return value;
  }

  std::string text(Column at_column, Column bytes_column, std::uint64_t row, std::uint64_t most) {
    const auto begin = at<std::uint64_t>(at_column, row);
    const std::uint64_t bytes = at<std::uint32_t>(bytes_column, row);
    const std::uint64_t all = source_->rows(Table::text);
    if (bytes == 0) return {};
    if (begin > all || bytes > all - begin)
      bad(at_column, row, fmt::format("{} bytes at {} are beyond the {} of /text/byte", bytes, begin, all));
    if (bytes > most) bad(bytes_column, row, fmt::format("{} bytes; at most {} are allowed", bytes, most));
    loaded_text_ += bytes;
    if (loaded_text_ > kMostLoadedText) bad(bytes_column, row, "more text in all than a trace may have");
    std::string out;
    out.reserve(static_cast<std::size_t>(bytes));
    while (out.size() < bytes) {
      const auto run = columns_.run<char>(Column::text_byte, begin + out.size(), bytes - out.size());
      out.append(run.data(), run.size());
    }
    return out;
  }

  void load_notes() {
    auto words = std::make_shared<WordTable>();
    for (std::uint64_t row = 0; row < source_->rows(Table::note); ++row) {
      std::string key = text(Column::note_key_at, Column::note_key_bytes, row, kMostLabelBytes);
      std::string value = text(Column::note_value_at, Column::note_value_bytes, row, kMostTextBytes);
      bool list = false;
      for (std::size_t w = 0; w < kWordLists; ++w) {
        if (key != note_key(static_cast<Words>(w))) continue;
        words->learn(static_cast<Words>(w), value);
        list = true;
      }
      if (!list) file_.notes.emplace_back(std::move(key), std::move(value));
    }
    for (std::size_t w = 0; w < kWordLists; ++w) {
      const auto list = static_cast<Words>(w);
      if (!words->knows(list)) fail("/note", fmt::format("there is no note \"{}\"", note_key(list)));
    }
    words_ = std::move(words);
  }

  void load_tensors() {
    for (std::uint64_t row = 0; row < source_->rows(Table::tensor); ++row) {
      TraceTensor tensor;
      tensor.name = text(Column::tensor_name_at, Column::tensor_name_bytes, row, kMostTextBytes);
      tensor.base = at<std::uint64_t>(Column::tensor_base, row);
      tensor.bytes = at<std::uint64_t>(Column::tensor_bytes, row);
      need(tensor.base <= kAddressSpace && tensor.bytes <= kAddressSpace - tensor.base, Column::tensor_bytes, row, "it ends beyond 2^42");
      tensor.role = word<TensorRole>(Words::role, Column::tensor_role, row);
      tensor.home = word<Home>(Words::home, Column::tensor_home, row);
      file_.tensors.push_back(std::move(tensor));
    }
  }

  void load_stage(std::uint64_t row) {
    TraceFileStage& stage = file_.stages.emplace_back();
    TraceStageInfo& info = stage.info;
    info.stage = word<Stage>(Words::stage, Column::stage_stage, row);
    info.tokens = at<std::uint64_t>(Column::stage_tokens, row);
    info.gpus = at<std::uint32_t>(Column::stage_gpus, row);
    need(info.gpus >= 1 && info.gpus <= 65536, Column::stage_gpus, row, "it is not from 1 to 65536");
    info.batch = at<std::uint32_t>(Column::stage_batch, row);
    info.context = at<std::uint32_t>(Column::stage_context, row);
    info.prompt = at<std::uint32_t>(Column::stage_prompt, row);
    info.seed = at<std::uint64_t>(Column::stage_seed, row);
    info.model = text(Column::stage_model_at, Column::stage_model_bytes, row, kMostLabelBytes);
    info.weights = text(Column::stage_weights_at, Column::stage_weights_bytes, row, kMostLabelBytes);
    info.kv = text(Column::stage_kv_at, Column::stage_kv_bytes, row, kMostLabelBytes);
    Trace& trace = stage.trace;
    trace.address_end = at<std::uint64_t>(Column::stage_address_end, row);
    need(trace.address_end <= kAddressSpace, Column::stage_address_end, row, "it is beyond 2^42");
    trace.layer_stride = info.layer_stride = at<std::uint64_t>(Column::stage_layer_stride, row);
    need(info.layer_stride % kFrameBytes == 0 && info.layer_stride < kAddressSpace, Column::stage_layer_stride, row,
         "it is not a multiple of 1 GiB below 2^42");
    trace.layers_begin = info.layers_begin = at<std::uint64_t>(Column::stage_layers_begin, row);
    trace.layers_end = info.layers_end = at<std::uint64_t>(Column::stage_layers_end, row);
    need(info.layers_begin <= info.layers_end && info.layers_end <= trace.address_end, Column::stage_layers_end, row,
         "it is below layers_begin, or beyond address_end");
    load_pages(trace, row);
    stage.records = std::make_shared<StageRecords>(source_, words_, cache_bytes_);
    const auto kernels = at<std::uint64_t>(Column::stage_kernels, row);
    need(kernels > 0, Column::stage_kernels, row, "a stage without kernels");
    const std::uint64_t first = next(Table::kernel, kernel_, kernels, Column::stage_kernels, row);
    for (std::uint64_t i = 0; i < kernels; ++i) load_kernel(stage, first + i);
  }

  void load_pages(Trace& trace, std::uint64_t row) {
    const auto pages = at<std::uint64_t>(Column::stage_pages, row);
    need(pages <= kAddressSpace / kPageBytes, Column::stage_pages, row, "more pages than 2^42 bytes have");
    const std::uint64_t first = next(Table::page, page_, pages, Column::stage_pages, row);
    trace.page_role.reserve(static_cast<std::size_t>(pages));
    for (std::uint64_t i = 0; i < pages; ++i) trace.page_role.push_back(word<TensorRole>(Words::role, Column::page_role, first + i));
  }

  void load_kernel(TraceFileStage& stage, std::uint64_t row) {
    const auto index = static_cast<std::uint32_t>(stage.kernels.size());
    Kernel kernel;
    kernel.label = text(Column::kernel_label_at, Column::kernel_label_bytes, row, kMostLabelBytes);
    kernel.kernel_class = word<KernelClass>(Words::kernel_class, Column::kernel_class, row);
    kernel.stage = word<Stage>(Words::stage, Column::kernel_stage, row);
    kernel.layer = at<std::int32_t>(Column::kernel_layer, row);
    need(kernel.layer >= -1, Column::kernel_layer, row, "it is below -1");
    kernel.stream = at<std::uint32_t>(Column::kernel_stream, row);
    kernel.unit = word<Unit>(Words::unit, Column::kernel_unit, row);
    kernel.grid = at<std::uint32_t>(Column::kernel_grid, row);
    need(kernel.grid > 0, Column::kernel_grid, row, "no blocks");
    kernel.blocks_per_sm = at<std::uint32_t>(Column::kernel_blocks_per_sm, row);
    need(kernel.blocks_per_sm > 0 && kernel.blocks_per_sm <= kMostBlocksPerSm, Column::kernel_blocks_per_sm, row, "it is not 1 to 1024");
    kernel.depth = at<std::uint32_t>(Column::kernel_depth, row);
    need(kernel.depth > 0 && kernel.depth <= kMostDepth, Column::kernel_depth, row, "it is not 1 to 1024");
    kernel.tensor_type = word<DataType>(Words::data_type, Column::kernel_tensor_type, row);
    kernel.serial_hops = at<std::uint32_t>(Column::kernel_serial_hops, row);
    kernel.work = {amount(Column::kernel_tensor_work, row), amount(Column::kernel_cuda_work, row), amount(Column::kernel_sfu_work, row)};
    load_lists(kernel, index, row);
    TraceFileKernel& extra = stage.kernels.emplace_back();
    extra.source_name = text(Column::kernel_source_at, Column::kernel_source_bytes, row, kMostLabelBytes);
    if (const auto ns = at<double>(Column::kernel_measured_ns, row); !std::isnan(ns)) {
      need(ns >= 0 && std::isfinite(ns), Column::kernel_measured_ns, row, "it is not a duration");
      extra.measured_ns = ns;
    }
    load_blocks(stage, kernel, row);
    stage.trace.kernels.push_back(std::move(kernel));
  }

  void load_lists(Kernel& kernel, std::uint32_t index, std::uint64_t row) {
    const auto waits = at<std::uint32_t>(Column::kernel_waits, row);
    const std::uint64_t first = next(Table::wait, wait_, waits, Column::kernel_waits, row);
    for (std::uint64_t i = first; i < first + waits; ++i) {
      kernel.waits_for.push_back(at<std::uint32_t>(Column::wait_kernel, i));
      need(kernel.waits_for.back() < index, Column::wait_kernel, i, "it is not an earlier kernel of the stage");
    }
    const auto footprints = at<std::uint32_t>(Column::kernel_footprints, row);
    const std::uint64_t from = next(Table::footprint, footprint_, footprints, Column::kernel_footprints, row);
    for (std::uint64_t i = from; i < from + footprints; ++i) {
      Footprint& f = kernel.footprint.emplace_back();
      f.role = word<TensorRole>(Words::role, Column::footprint_role, i);
      f.home = word<Home>(Words::home, Column::footprint_home, i);
      f.read = at<std::uint64_t>(Column::footprint_read, i);
      f.written = at<std::uint64_t>(Column::footprint_written, i);
      need(f.read <= kAddressSpace && f.written <= kAddressSpace, Column::footprint_read, i, "more bytes than there are addresses");
      const auto produced = at<std::uint8_t>(Column::footprint_produced, i);
      need(produced <= 1, Column::footprint_produced, i, "it is not 0 or 1");
      f.produced = produced == 1;
    }
  }

  void load_blocks(TraceFileStage& stage, Kernel& kernel, std::uint64_t row) {
    const auto index = static_cast<std::uint32_t>(stage.kernels.size() - 1);
    TraceFileKernel& extra = stage.kernels.back();
    extra.like = at<std::uint32_t>(Column::kernel_like, row);
    extra.shift = at<std::int64_t>(Column::kernel_shift, row);
    const auto first_block = at<std::uint64_t>(Column::kernel_first_block, row);
    if (extra.like == index) {
      need(extra.shift == 0, Column::kernel_shift, row, "a kernel with records of its own has none");
      const std::uint64_t expected = next(Table::block, block_, kernel.grid, Column::kernel_grid, row);
      need(first_block == expected, Column::kernel_first_block, row, "its blocks do not follow those of the kernel before");
    } else {
      need(extra.like < index && stage.kernels[extra.like].like == extra.like, Column::kernel_like, row,
           "it is not an earlier kernel with records of its own");
      need(stage.trace.kernels[extra.like].grid == kernel.grid, Column::kernel_like, row, "it has another grid");
      need(stage.kernels[extra.like].blocks->first_block == first_block, Column::kernel_first_block, row, "it is not that of `like`");
      const auto most = static_cast<std::int64_t>(kAddressSpace);
      need(extra.shift > -most && extra.shift < most, Column::kernel_shift, row, "it is longer than the address space");
    }
    auto blocks = std::make_shared<KernelBlocks>();
    *blocks = {index,
               kernel.label,
               kernel.grid,
               first_block,
               extra.shift,
               stage.trace.layers_begin,
               stage.trace.layers_end,
               stage.trace.address_end};
    extra.blocks = blocks;
    kernel.program = make_file_program(stage.records, *blocks);
  }

  std::shared_ptr<const ColumnSource> source_;
  ColumnCache columns_;
  std::size_t cache_bytes_;
  std::shared_ptr<const WordTable> words_;
  TraceFile file_;
  std::uint64_t kernel_ = 0, wait_ = 0, footprint_ = 0, page_ = 0, block_ = 0;  ///< Rows used so far.
  std::uint64_t loaded_text_ = 0;
};

}  // namespace
}  // namespace trace_file

std::string TraceFile::note(const std::string& key) const {
  for (const auto& [name, value] : notes) {
    if (name == key) return value;
  }
  return {};
}

TraceFile open_trace(std::shared_ptr<const trace_file::ColumnSource> source, std::size_t cache_bytes) {
  return trace_file::Loader(std::move(source), cache_bytes).load();
}

TraceFile open_trace_file(const std::string& path, std::size_t cache_bytes) {
  return open_trace(trace_file::open_column_file(path), cache_bytes);
}

std::optional<std::uint32_t> block_sm(const TraceFileStage& stage, std::uint32_t kernel, std::uint32_t block) {
  const std::uint32_t sm = stage.records->sm(*stage.kernels.at(kernel).blocks, block);
  if (sm == trace_file::kNoSm) return std::nullopt;
  return sm;
}

}  // namespace rooftrace
