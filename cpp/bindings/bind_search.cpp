// Packing and searching items.
#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/search.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

// Panels and offsets of matching sizes.
void check_packed(const py::array& panels, const py::array& offsets, std::int64_t n_items) {
  check_array<float>(panels, 3, "panels");
  check_array<float>(offsets, 1, "offsets");
  if (n_items < 0 || n_items > kMaxItems) fail("n_items is " + std::to_string(n_items));
  if (panels.shape(0) != n_panels(n_items) || panels.shape(2) != kPanelItems ||
      offsets.size() != n_panels(n_items) * kPanelItems)
    fail("panels or offsets do not fit " + std::to_string(n_items) + " items");
}

void bind_pack_items(const py::array& vectors, const py::object& offsets, bool normalise, py::array& panels,
                     py::array& padded_offsets, int n_threads) {
  const ConstMatrix from = view_matrix(vectors, "vectors");
  std::span<const float> values;
  if (!offsets.is_none()) {
    values = view<float>(as_array(offsets, "offsets"), "offsets");
    if (static_cast<std::int64_t>(values.size()) != from.n_rows)
      fail("offsets has " + std::to_string(values.size()) + " entries for " + std::to_string(from.n_rows) + " items");
  }
  check_packed(panels, padded_offsets, from.n_rows);
  if (panels.shape(1) != from.n_columns) fail("panels do not fit the number of factors");
  auto* to = static_cast<float*>(panels.mutable_data());
  const std::span<float> to_offsets = view_mutable<float>(padded_offsets, "padded_offsets");
  interruptible([&](Control& control) {
    pack_items(from, values, normalise, to, to_offsets.data(), n_threads, control);
  });
}

void bind_search_items(const py::array& panels, const py::array& offsets, std::int64_t n_items,
                       const py::array& queries, bool normalise, const py::object& exclude, const py::object& allowed,
                       py::array& ids, py::array& scores, py::array& counts, int n_threads) {
  check_packed(panels, offsets, n_items);
  const PackedItems items{static_cast<const float*>(panels.data()), static_cast<const float*>(offsets.data()), n_items,
                          panels.shape(1)};
  const ConstMatrix from = view_matrix(queries, "queries");
  CsrView excluded;
  SearchFilter filter;
  if (!exclude.is_none()) {
    excluded = view_csr(exclude.cast<py::tuple>(), "exclude");
    filter.exclude = &excluded;
  }
  if (!allowed.is_none()) {
    const auto words = view<std::uint32_t>(as_array(allowed, "allowed"), "allowed");
    if (static_cast<std::int64_t>(words.size()) != n_panels(n_items)) fail("allowed does not fit the number of items");
    filter.allowed = words.data();
  }
  check_array<std::int64_t>(ids, 2, "ids");
  const Matrix to_scores = view_matrix_mutable(scores, "scores");
  const std::span<std::int64_t> to_counts = view_mutable<std::int64_t>(counts, "counts");
  if (ids.shape(0) != from.n_rows || to_scores.n_rows != from.n_rows || ids.shape(1) != to_scores.n_columns ||
      static_cast<std::int64_t>(to_counts.size()) != from.n_rows)
    fail("ids, scores and counts do not fit the number of queries");
  const SearchOutput output{static_cast<std::int64_t*>(ids.mutable_data()), to_scores.data, to_counts.data(),
                            to_scores.n_columns};
  interruptible([&](Control& control) { search(items, from, normalise, filter, output, n_threads, control); });
}

}  // namespace

void bind_search(py::module_& module) {
  module.attr("PANEL_ITEMS") = kPanelItems;
  module.def("pack_items", &bind_pack_items, py::arg("vectors"), py::arg("offsets"), py::arg("normalise"),
             py::arg("panels"), py::arg("padded_offsets"), py::arg("n_threads"));
  module.def("search_items", &bind_search_items, py::arg("panels"), py::arg("offsets"), py::arg("n_items"),
             py::arg("queries"), py::arg("normalise"), py::arg("exclude"), py::arg("allowed"), py::arg("ids"),
             py::arg("scores"), py::arg("counts"), py::arg("n_threads"));
}

}  // namespace factorec::bindings
