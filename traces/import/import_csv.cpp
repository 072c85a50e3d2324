#include "traces/import/import_csv.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "sim/core/names.hpp"
#include "traces/import/accelsim_header.hpp"
#include "traces/import/captured_kernel.hpp"

namespace rooftrace {
namespace {

constexpr std::size_t kMostColumns = 64;
constexpr std::uint64_t kSpace = 1ULL << kAddressBits;
enum Column : std::size_t { block, step, op, address, bytes, kernel, role };
constexpr std::array<const char*, 7> kColumns = {"block", "step", "op", "address", "bytes", "kernel", "role"};
constexpr std::size_t kNeeded = 5;

struct Field {
  std::string text;
  std::size_t column = 1;  ///< In the line, from 1.
};

struct Row {
  std::uint32_t block = 0, step = 0;
  AccessOp op = AccessOp::load;
  std::uint64_t address = 0, bytes = 0;
  TensorRole role = TensorRole::activations;
};

class Table {
 public:
  explicit Table(ByteSource& source) : reader_(source) {
    std::string_view line;
    if (!next_line(line)) reader_.refuse(1, "the table is empty; its first line names the columns");
    split(line);
    place_.fill(kMostColumns);
    const std::vector<std::string> known(kColumns.begin(), kColumns.end());
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      std::size_t c = 0;
      while (c < kColumns.size() && fields_[i].text != kColumns[c]) ++c;
      if (c == kColumns.size()) {
        reader_.refuse(fields_[i].column, "no column " + quoted_word(fields_[i].text) + did_you_mean(fields_[i].text, known) +
                                              " (columns: block, step, op, address, bytes; kernel, role)");
      }
      if (place_[c] != kMostColumns) reader_.refuse(fields_[i].column, "column " + quoted_word(fields_[i].text) + " stands twice");
      place_[c] = i;
    }
    for (std::size_t c = 0; c < kNeeded; ++c) {
      if (place_[c] == kMostColumns) reader_.refuse(1, fmt::format("there is no column \"{}\"", kColumns[c]));
    }
    columns_ = fields_.size();
  }

  /// False at the end. A row that starts a new kernel says so, and is checked against the row before.
  bool next(Row& row) {
    std::string_view line;
    if (!next_line(line)) return false;
    split(line);
    if (fields_.size() != columns_) reader_.refuse(1, fmt::format("{} fields, but {} columns", fields_.size(), columns_));
    const Row before = row;
    row.block = static_cast<std::uint32_t>(number(Column::block, kMostImportedBlocks - 1));
    row.step = static_cast<std::uint32_t>(number(Column::step, UINT32_MAX));
    const std::string& op_text = at(Column::op).text;
    if (op_text != "load" && op_text != "store" && op_text != "reduce") {
      reader_.refuse(at(Column::op).column,
                     "op " + quoted_word(op_text) + " is not load, store or reduce" + did_you_mean(op_text, {"load", "store", "reduce"}));
    }
    row.op = op_text == "load" ? AccessOp::load : op_text == "store" ? AccessOp::store : AccessOp::reduce;
    row.address = number(Column::address, UINT64_MAX);
    row.bytes = number(Column::bytes, 1ULL << 30);
    if (row.bytes == 0) reader_.refuse(at(Column::bytes).column, "an access of 0 bytes");
    if (row.address > UINT64_MAX - row.bytes) reader_.refuse(at(Column::address).column, "the access passes the end of 64-bit addresses");
    row.role = TensorRole::activations;
    if (has(Column::role) && !at(Column::role).text.empty()) {
      const auto known = tensor_role_from(at(Column::role).text);
      if (!known)
        reader_.refuse(at(Column::role).column,
                       "no role " + quoted_word(at(Column::role).text) + did_you_mean(at(Column::role).text, tensor_role_names()));
      row.role = *known;
    }
    const std::string name = has(Column::kernel) ? at(Column::kernel).text : "";
    new_kernel_ = first_ || name != name_;
    name_ = name;
    check_order(before, row);
    first_ = false;
    return true;
  }

  [[nodiscard]] bool new_kernel() const { return new_kernel_; }
  [[nodiscard]] const std::string& kernel_name() const { return name_; }
  [[nodiscard]] const LineReader& reader() const { return reader_; }

 private:
  void check_order(const Row& before, const Row& row) const {
    const bool new_block = new_kernel_ || row.block != before.block;
    if (!new_kernel_ && row.block < before.block) {
      reader_.refuse(at(Column::block).column, fmt::format("block {} stands behind block {}; blocks must ascend", row.block, before.block));
    }
    const std::uint32_t least = new_block ? 0 : before.step, most = new_block ? 0 : before.step + 1;
    if (row.step < least || row.step > most) {
      reader_.refuse(at(Column::step).column, fmt::format("step {} of block {} comes where {} is next; steps ascend from 0 without gaps",
                                                          row.step, row.block, most));
    }
  }

  bool next_line(std::string_view& line) {
    while (reader_.next_filled(line)) {
      if (!line.starts_with("#")) return true;
    }
    return false;
  }

  void split(std::string_view line) {
    fields_.clear();
    for (std::size_t i = 0;;) {
      if (fields_.size() == kMostColumns) reader_.refuse(i + 1, fmt::format("more than {} fields", kMostColumns));
      Field& field = fields_.emplace_back();
      while (i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
      field.column = i + 1;
      if (i < line.size() && line[i] == '"') {
        for (++i;; ++i) {
          if (i >= line.size()) reader_.refuse(field.column, "this quote is not closed");
          if (line[i] == '"') {
            if (i + 1 >= line.size() || line[i + 1] != '"') break;
            ++i;  // Two quotes inside are one.
          }
          field.text += line[i];
        }
        ++i;
      } else {
        const std::size_t end = std::min(line.find(',', i), line.size());
        field.text = line.substr(i, end - i);
        i = end;
      }
      while (!field.text.empty() && (field.text.back() == ' ' || field.text.back() == '\t')) field.text.pop_back();
      while (i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
      if (i >= line.size()) return;
      if (line[i] != ',') reader_.refuse(i + 1, "a comma is missing behind the quoted field");
      ++i;
    }
  }

  [[nodiscard]] bool has(Column c) const { return place_[c] != kMostColumns; }
  [[nodiscard]] const Field& at(Column c) const { return fields_[place_[c]]; }

  [[nodiscard]] std::uint64_t number(Column c, std::uint64_t most) const {
    std::string_view text = at(c).text;
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex) text.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
    if (error != std::errc{} || stop != text.data() + text.size() || value > most) {
      const std::string range = most == UINT64_MAX ? "" : fmt::format(" from 0 to {}", most);
      reader_.refuse(at(c).column, fmt::format("{} is {}, not a whole number{}", kColumns[c], quoted_word(at(c).text), range));
    }
    return value;
  }

  LineReader reader_;
  std::array<std::size_t, kColumns.size()> place_{};
  std::size_t columns_ = 0;
  std::vector<Field> fields_;
  std::string name_;
  bool first_ = true, new_kernel_ = false;
};

/// What the first reading finds.
struct Survey {
  std::vector<std::uint32_t> grids;
  bool far = false;  ///< Some address lies at or above 2^42.
};

Survey survey(const OpenText& open) {
  Survey found;
  const auto source = open();
  Table table(*source);
  for (Row row; table.next(row);) {
    if (table.new_kernel()) {
      if (found.grids.size() >= kMostKernels) table.reader().refuse(1, fmt::format("more than {} kernels", kMostKernels));
      found.grids.push_back(0);
    }
    found.grids.back() = std::max(found.grids.back(), row.block + 1);
    found.far = found.far || row.address + row.bytes > kSpace;
  }
  if (found.grids.empty()) throw UserError({source->name()}, "the table has no rows");
  return found;
}

class CsvImport {
 public:
  CsvImport(const std::string& file, const ImportOptions& options, const Survey& survey, TraceSink& sink, ImportSummary& summary)
      : options_(options), survey_(survey), sink_(sink), summary_(summary), rebase_(file) {}

  void take(const Row& row, const Table& table) {
    if (table.new_kernel()) begin_kernel(table.kernel_name());
    if (row.block != at_.block || row.step != at_.step || table.new_kernel()) {
      flush();
      if (row.block != at_.block || blocks_ == 0) ++blocks_;
    }
    at_ = row;
    ++summary_.instructions;
    summary_.spaces[static_cast<std::size_t>(MemorySpace::global)].add(row.bytes);
    std::vector<Access>& list = row.op == AccessOp::load ? step_.loads : step_.stores;
    if (step_.loads.size() + step_.stores.size() + 8 > kMostStepAccesses) {
      table.reader().refuse(1, fmt::format("step {} of block {} has more than {} accesses", row.step, row.block, kMostStepAccesses - 8));
    }
    append(row, list);
    filled_ = true;
  }

  void end() {
    if (in_kernel_) end_kernel();
  }

 private:
  void append(const Row& row, std::vector<Access>& list) {
    Access access;
    access.op = row.op;
    access.role = row.role;
    const auto push = [&](std::uint64_t address, std::uint64_t bytes) {
      access.address = address;
      access.row_bytes = static_cast<std::uint32_t>(bytes);
      access.pitch = bytes;
      list.push_back(access);
    };
    if (!survey_.far) return push(row.address, row.bytes);
    pieces_.clear();
    rebase_.rebase(sectors_of(row.address, row.bytes), pieces_);
    // Back from whole sectors to the bytes that were asked for.
    std::uint64_t skip = row.address % kSectorBytes, left = row.bytes;
    for (const AddressRebase::Place& piece : pieces_) {
      const std::uint64_t here = std::min(left, piece.run.sectors * kSectorBytes - skip);
      push(piece.run.address + skip, here);
      skip = 0;
      left -= here;
    }
  }

  void begin_kernel(const std::string& name) {
    end();
    Kernel kernel;
    kernel.label = label_of(name);
    kernel.grid = survey_.grids[kernels_++];
    kernel.depth = options_.depth;
    KernelExtras extras;
    extras.source_name = name.substr(0, kMostLabelBytes);
    extras.measure = true;
    sink_.begin_kernel(kernel, extras);
    grid_ = kernel.grid;
    in_kernel_ = true;
    blocks_ = 0;
    ++summary_.kernels;
    ++summary_.kernel(kernel.label).count;
  }

  void flush() {
    if (!filled_) return;
    ++summary_.steps;
    summary_.accesses += step_.loads.size() + step_.stores.size();
    for (const Access& access : step_.loads) summary_.load_bytes += access.bytes();
    for (const Access& access : step_.stores)
      (access.op == AccessOp::reduce ? summary_.reduce_bytes : summary_.store_bytes) += access.bytes();
    sink_.add_step(at_.block, at_.step, step_);
    step_.clear();
    filled_ = false;
  }

  void end_kernel() {
    flush();
    summary_.miss_blocks(grid_ - blocks_, rebase_.file());
    sink_.end_kernel();
    summary_.blocks += blocks_;
    in_kernel_ = false;
  }

  const ImportOptions& options_;
  const Survey& survey_;
  TraceSink& sink_;
  ImportSummary& summary_;
  AddressRebase rebase_;
  std::vector<AddressRebase::Place> pieces_;
  Step step_;
  Row at_;
  bool in_kernel_ = false, filled_ = false;
  std::size_t kernels_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint32_t grid_ = 0;
};

}  // namespace

ImportSummary import_csv(const OpenText& open, const ImportOptions& options, TraceSink& sink) {
  ImportSummary summary;
  summary.format = "csv";
  summary.instructions_are = "rows";
  const Survey found = survey(open);
  if (found.far) summary.remarks.emplace_back("some addresses lie beyond 2^42: all were moved, 1 GiB frame by frame");
  const auto source = open();
  Table table(*source);
  CsvImport import(source->name(), options, found, sink, summary);
  sink.begin_stage({});
  std::uint64_t kernels = 0;
  for (Row row; table.next(row);) {
    kernels += table.new_kernel() ? 1 : 0;
    if (kernels > found.grids.size()) table.reader().refuse(1, "the file changes while it is read");
    import.take(row, table);
  }
  import.end();
  sink.end_stage();
  return summary;
}

}  // namespace rooftrace
