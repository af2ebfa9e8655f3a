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

Metric as_metric(const std::string& name) {
  if (name == "inner_product") return Metric::inner_product;
  if (name == "cosine") return Metric::cosine;
  if (name == "l2") return Metric::l2;
  fail("there is no metric \"" + name + '"');
}

// What a search is asked and where its lists go; keeps the views that the filter points to.
struct Request {
  ConstMatrix queries;
  CsrView excluded;
  SearchFilter filter;
  SearchOutput output;

  Request(std::int64_t n_items, const py::array& queries_, const py::object& exclude, const py::object& allowed,
          py::array& ids, py::array& scores, py::array& counts)
      : queries(view_matrix(queries_, "queries")) {
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
    if (ids.shape(0) != queries.n_rows || to_scores.n_rows != queries.n_rows || ids.shape(1) != to_scores.n_columns ||
        static_cast<std::int64_t>(to_counts.size()) != queries.n_rows)
      fail("ids, scores and counts do not fit the number of queries");
    output = {static_cast<std::int64_t*>(ids.mutable_data()), to_scores.data, to_counts.data(), to_scores.n_columns};
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
};

void bind_search_items(const py::array& panels, const py::array& offsets, std::int64_t n_items,
                       const py::array& queries, const std::string& metric, const py::object& exclude, const py::object& allowed,
                       py::array& ids, py::array& scores, py::array& counts, int n_threads) {
  check_packed(panels, offsets, n_items);
  const PackedItems items{static_cast<const float*>(panels.data()), static_cast<const float*>(offsets.data()), n_items,
                          panels.shape(1)};
  const Request request(n_items, queries, exclude, allowed, ids, scores, counts);
  interruptible([&](Control& control) {
    search(items, request.queries, as_metric(metric), request.filter, request.output, n_threads, control);
  });
}

static_assert(sizeof(PanelBounds) == 8 * sizeof(float));

// The arrays of coded items, (rows, codes, bounds, offsets, positions, places), of matching sizes.
void check_coded(const py::tuple& arrays) {
  if (arrays.size() != 6) fail("items must be (rows, codes, bounds, offsets, positions, places)");
  const auto array = [&](std::size_t i, const char* name) { return as_array(arrays[i], name); };
  check_array<float>(array(0, "rows"), 2, "rows");
  const std::int64_t n_items = array(0, "rows").shape(0), n_factors = array(0, "rows").shape(1);
  if (n_items > kMaxItems || n_factors > kMaxCodedFactors) fail("rows has too many rows or columns");
  const auto check = [&](std::size_t i, const char* name, std::int64_t size) {
    if (array(i, name).size() != size) fail(std::string(name) + " does not fit the rows");
  };
  check_array<std::uint8_t>(array(1, "codes"), 1, "codes");
  check(1, "codes", n_panels(n_items) * panel_code_bytes(n_factors));
  check_array<float>(array(2, "bounds"), 1, "bounds");
  check(2, "bounds", n_panels(n_items) * 8);
  check_array<float>(array(3, "offsets"), 1, "offsets");
  check(3, "offsets", n_panels(n_items) * kPanelItems);
  if (arrays[4].is_none() != arrays[5].is_none()) fail("positions and places go together");
  if (arrays[4].is_none()) return;
  check_array<std::uint32_t>(array(4, "positions"), 1, "positions");
  check(4, "positions", n_items);
  check_array<std::uint32_t>(array(5, "places"), 1, "places");
  check(5, "places", n_items);
}

bool bind_pack_codes(const py::array& vectors, const py::object& offsets, bool normalise, const py::tuple& items,
                     int n_threads) {
  const ConstMatrix from = view_matrix(vectors, "vectors");
  std::span<const float> values;
  if (!offsets.is_none()) {
    values = view<float>(as_array(offsets, "offsets"), "offsets");
    if (static_cast<std::int64_t>(values.size()) != from.n_rows)
      fail("offsets has " + std::to_string(values.size()) + " entries for " + std::to_string(from.n_rows) + " items");
  }
  check_coded(items);
  if (items[4].is_none()) fail("there must be positions and places to write to");
  py::array arrays[6];
  for (std::size_t i = 0; i < 6; ++i) arrays[i] = as_array(items[i], "items");
  if (arrays[0].shape(0) != from.n_rows || arrays[0].shape(1) != from.n_columns) fail("rows does not fit the vectors");
  const CodedItemsOutput to{static_cast<float*>(arrays[0].mutable_data()),
                            static_cast<std::uint8_t*>(arrays[1].mutable_data()),
                            static_cast<PanelBounds*>(arrays[2].mutable_data()),
                            static_cast<float*>(arrays[3].mutable_data()),
                            static_cast<std::uint32_t*>(arrays[4].mutable_data()),
                            static_cast<std::uint32_t*>(arrays[5].mutable_data())};
  bool ordered = false;
  interruptible([&](Control& control) { ordered = pack_codes(from, values, normalise, to, n_threads, control); });
  return ordered;
}

void bind_search_codes(const py::tuple& items, const py::array& queries, const std::string& metric, const py::object& exclude,
                       const py::object& allowed, py::array& ids, py::array& scores, py::array& counts,
                       int n_threads) {
  check_coded(items);
  const auto data = [&](std::size_t i) -> const void* {
    return items[i].is_none() ? nullptr : as_array(items[i], "items").data();
  };
  const py::array rows = as_array(items[0], "rows");
  const CodedItems coded{static_cast<const float*>(data(0)),         static_cast<const std::uint8_t*>(data(1)),
                         static_cast<const PanelBounds*>(data(2)),   static_cast<const float*>(data(3)),
                         static_cast<const std::uint32_t*>(data(4)), static_cast<const std::uint32_t*>(data(5)),
                         rows.shape(0),                              rows.shape(1)};
  const Request request(coded.n_items, queries, exclude, allowed, ids, scores, counts);
  interruptible([&](Control& control) {
    search(coded, request.queries, as_metric(metric), request.filter, request.output, n_threads, control);
  });
}

}  // namespace

void bind_search(py::module_& module) {
  module.attr("PANEL_ITEMS") = kPanelItems;
  module.def("pack_items", &bind_pack_items, py::arg("vectors"), py::arg("offsets"), py::arg("normalise"),
             py::arg("panels"), py::arg("padded_offsets"), py::arg("n_threads"));
  module.def("search_items", &bind_search_items, py::arg("panels"), py::arg("offsets"), py::arg("n_items"),
             py::arg("queries"), py::arg("metric"), py::arg("exclude"), py::arg("allowed"), py::arg("ids"),
             py::arg("scores"), py::arg("counts"), py::arg("n_threads"));
  module.attr("MAX_CODED_FACTORS") = kMaxCodedFactors;
  module.def("can_code", &can_code);
  module.def("code_bytes", [](std::int64_t n_items, std::int64_t n_factors) {
    return n_panels(n_items) * panel_code_bytes(n_factors);
  }, py::arg("n_items"), py::arg("n_factors"));
  module.def("pack_codes", &bind_pack_codes, py::arg("vectors"), py::arg("offsets"), py::arg("normalise"),
             py::arg("items"), py::arg("n_threads"));
  module.def("search_codes", &bind_search_codes, py::arg("items"), py::arg("queries"), py::arg("normalise"),
             py::arg("exclude"), py::arg("allowed"), py::arg("ids"), py::arg("scores"), py::arg("counts"),
             py::arg("n_threads"));
}

}  // namespace factorec::bindings
