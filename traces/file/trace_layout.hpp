// What is in a trace file, as one table: tables (HDF5 groups) of columns (datasets), all of one dimension.
//
// Every column is little-endian, chunked, shuffled, deflated and checksummed (fletcher32), so one code path writes and one reads all of
// them. What varies in length (labels, waits_for, footprints ...) lies in a table of its own and is referred to by "first" and a count.
// traces/README.md says what each column means; a test holds the two together. kFormatVersion changes when an old reader would misread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rooftrace::trace_file {

inline constexpr std::string_view kFormatName = "rooftrace-trace";
inline constexpr std::uint32_t kFormatVersion = 1;

enum class Element : std::uint8_t { u8, u32, i32, u64, i64, f64 };
[[nodiscard]] constexpr std::size_t bytes_of(Element element) {
  constexpr std::array<std::size_t, 6> kBytes = {1, 4, 4, 8, 8, 8};
  return kBytes[static_cast<std::size_t>(element)];
}

enum class Table : std::uint8_t { stage, kernel, wait, footprint, page, block, step, step_kind, access, access_shape, tensor, note, text };
inline constexpr std::size_t kTables = 13;

struct TableShape {
  std::string_view name;
  std::uint32_t chunk_rows;  ///< As written; a reader takes any from 1 to kMostChunkRows.
};
inline constexpr std::uint32_t kRecordChunk = 65536;
inline constexpr std::uint32_t kMostChunkRows = 1U << 20;
inline constexpr std::array<TableShape, kTables> kTableShapes = {{
    {"stage", 16},
    {"kernel", 1024},
    {"wait", 1024},
    {"footprint", 1024},
    {"page", kRecordChunk},
    {"block", 16384},
    {"step", kRecordChunk},
    {"step_kind", 4096},
    {"access", kRecordChunk},
    {"access_shape", 4096},
    {"tensor", 1024},
    {"note", 64},
    {"text", 16384},
}};

enum class Column : std::uint8_t {
  stage_stage,
  stage_tokens,
  stage_gpus,
  stage_batch,
  stage_context,
  stage_prompt,
  stage_seed,
  stage_model_at,
  stage_model_bytes,
  stage_weights_at,
  stage_weights_bytes,
  stage_kv_at,
  stage_kv_bytes,
  stage_layer_stride,
  stage_layers_begin,
  stage_layers_end,
  stage_address_end,
  stage_kernels,
  stage_pages,
  kernel_label_at,
  kernel_label_bytes,
  kernel_source_at,
  kernel_source_bytes,
  kernel_measured_ns,
  kernel_class,
  kernel_stage,
  kernel_layer,
  kernel_stream,
  kernel_unit,
  kernel_grid,
  kernel_blocks_per_sm,
  kernel_depth,
  kernel_tensor_type,
  kernel_serial_hops,
  kernel_longest_wait,
  kernel_early_loads,
  kernel_first_step_leads,
  kernel_tensor_share,
  kernel_exposed,
  kernel_tensor_work,
  kernel_cuda_work,
  kernel_sfu_work,
  kernel_waits,
  kernel_footprints,
  kernel_like,
  kernel_shift,
  kernel_first_block,
  wait_kernel,
  footprint_role,
  footprint_home,
  footprint_read,
  footprint_written,
  footprint_produced,
  page_role,
  block_first_step,
  block_steps,
  block_first_access,
  block_sm,
  step_kind,
  step_first_access,
  step_kind_loads,
  step_kind_stores,
  step_kind_tensor_work,
  step_kind_cuda_work,
  step_kind_sfu_work,
  step_kind_tensor_padding,
  step_kind_after,
  step_kind_pause,
  step_kind_least,
  step_kind_drain,
  access_address,
  access_shape,
  access_shape_pitch,
  access_shape_rows,
  access_shape_row_bytes,
  access_shape_op,
  access_shape_hint,
  access_shape_role,
  access_shape_home,
  access_shape_multicast,
  tensor_name_at,
  tensor_name_bytes,
  tensor_base,
  tensor_bytes,
  tensor_role,
  tensor_home,
  note_key_at,
  note_key_bytes,
  note_value_at,
  note_value_bytes,
  text_byte
};
inline constexpr std::size_t kColumns = 91;

struct ColumnShape {
  Table table;
  std::string_view name;
  Element element;
};
[[nodiscard]] const std::array<ColumnShape, kColumns>& column_shapes();
[[nodiscard]] inline const ColumnShape& shape_of(Column column) {
  return column_shapes()[static_cast<std::size_t>(column)];
}
[[nodiscard]] inline const TableShape& shape_of(Table table) {
  return kTableShapes[static_cast<std::size_t>(table)];
}
/// "/kernel/grid".
[[nodiscard]] std::string path_of(Column column);

inline constexpr std::uint32_t kNoSm = UINT32_MAX;  ///< block/sm: not known.

}  // namespace rooftrace::trace_file
