#include "sim/app/validate_curves.hpp"

#include <algorithm>

namespace rooftrace {

const std::vector<CurveShape>& curve_shapes() {
  static const std::vector<CurveShape> shapes = {
      {"read_bandwidth", "working_set_bytes", "working set", {}},
      {"latency", "working_set_bytes", "working set", {}, "chains", "1"},
      {"collective", "bytes", "bytes per GPU", {"gpus", "implementation"}},
      {"transfer", "bytes", "bytes copied", {"path", "direction"}},
  };
  return shapes;
}

const CurveShape* curve_shape(const std::string& kind) {
  const auto& shapes = curve_shapes();
  const auto found = std::find_if(shapes.begin(), shapes.end(), [&](const CurveShape& shape) { return kind == shape.kind; });
  return found == shapes.end() ? nullptr : &*found;
}

CurvePlace curve_place(const std::string& kind, const SuiteRow& row) {
  CurvePlace place;
  const CurveShape* const shape = curve_shape(kind);
  if (shape == nullptr || (*shape->only_column != '\0' && row.text(shape->only_column) != shape->only_value)) return place;
  try {
    place.bytes = std::max(0.0, row.number(shape->column));
  } catch (const RowSkipped&) {
    return place;
  }
  for (const std::string& column : shape->series) {
    place.series += (place.series.empty() ? "" : ", ") + row.text(column) + (column == "gpus" ? " GPUs" : "");
  }
  return place;
}

}  // namespace rooftrace
