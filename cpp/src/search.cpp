#include "factorec/search.hpp"

#include <algorithm>
#include <vector>

#include "exclusion.hpp"
#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"
#include "packing.hpp"
#include "search_lists.hpp"
#include "selection.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kMaxBlock = 96;                  // queries that share one pass over the items
constexpr std::int64_t kBlockBytes = 768 << 10;         // of packed queries and candidates: they stay in the L2 cache,
constexpr std::int64_t kTileBytes = 256 << 10;          // with a tile of items
constexpr std::int64_t kMaxTile = 64;                   // panels
constexpr std::int64_t kLargeBytes = 32 << 20;          // for very long lists: as many queries as fit into this
constexpr std::int64_t kMultiplyAddsPerThread = 1 << 21;  // less is not worth waking a thread up

// How a search is cut into units: a block of queries times a segment of the items.
struct Plan {
  std::int64_t n_best = 0;     // what a list can hold
  std::int64_t capacity = 0;   // candidates of a query
  std::int64_t block = 0;      // queries
  std::int64_t n_blocks = 0;
  std::int64_t segment = 0;    // panels
  std::int64_t n_segments = 0;
  std::int64_t tile = 0;       // panels
  int n_threads = 1;
};

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

Plan make_plan(const PackedItems& items, std::int64_t n_queries, std::int64_t n, int n_threads, int max_group) {
  Plan plan;
  plan.n_best = std::min(n, items.n_items);
  plan.capacity = TopCandidates::capacity(plan.n_best, items.n_items);
  const double work = static_cast<double>(n_queries) * static_cast<double>(items.n_items) *
                      static_cast<double>(items.n_factors + 8);
  plan.n_threads = static_cast<int>(std::min<double>(n_threads, 1.0 + work / kMultiplyAddsPerThread));

  const auto floats = static_cast<std::int64_t>(sizeof(float));
  const std::int64_t bytes = (2 * plan.capacity + items.n_factors) * floats;
  plan.block = std::clamp<std::int64_t>(kBlockBytes / bytes, max_group, kMaxBlock);
  plan.block = std::clamp<std::int64_t>(kLargeBytes / bytes, 1, plan.block);
  // Four blocks a thread keep the threads busy to the end; whole groups of queries keep the kernel busy.
  plan.block = std::min(plan.block, ceil_div(ceil_div(n_queries, 4 * plan.n_threads), max_group) * max_group);
  plan.n_blocks = ceil_div(n_queries, plan.block);

  const std::int64_t panels = n_panels(items.n_items);
  const std::int64_t wanted = plan.n_blocks < plan.n_threads ? ceil_div(plan.n_threads, plan.n_blocks) : 1;
  // A segment finds its own n best first: it must be much longer than a list.
  const std::int64_t most = std::max<std::int64_t>(1, items.n_items / (8 * plan.n_best + 8 * kPanelItems));
  plan.segment = ceil_div(panels, std::min(wanted, most));
  plan.n_segments = ceil_div(panels, plan.segment);
  plan.tile = std::clamp<std::int64_t>(kTileBytes / (std::max<std::int64_t>(items.n_factors, 1) * kPanelItems * floats), 1, kMaxTile);
  return plan;
}

// What a thread works in, kept from unit to unit.
struct Workspace {
  std::vector<float> queries;
  std::vector<float> scores;
  std::vector<std::uint32_t> positions;
  std::vector<TopCandidates> candidates;
  std::vector<ExcludedItems> excluded;
  std::vector<std::uint64_t> scratch;
};

// The lists of the queries [begin, end) over the panels [first_panel, last_panel).
class Unit {
 public:
  Unit(const PackedItems& items, ConstMatrix queries, Metric metric, const SearchFilter& filter, const Plan& plan,
       const SearchKernels& kernels, Workspace& workspace, Control& control)
      : items_(items), queries_(queries), metric_(metric), filter_(filter), plan_(plan), kernels_(kernels),
        workspace_(workspace), control_(control) {}

  // Returns false when stopped.
  bool scan(std::int64_t begin, std::int64_t end, std::int64_t first_panel, std::int64_t last_panel) {
    if (!prepare(begin, end, first_panel * kPanelItems)) return false;
    const std::int64_t n = end - begin;
    for (std::int64_t panel = first_panel; panel < last_panel; panel += plan_.tile) {
      const std::int64_t tile_end = std::min(panel + plan_.tile, last_panel);
      for (std::int64_t group = 0; group < n_groups_; ++group) {
        if (control_.stop()) return false;
        scan_tile(n * group / n_groups_, n * (group + 1) / n_groups_, panel, tile_end);
      }
    }
    return true;
  }

  // The list of query `begin + i`, after scan.
  std::int64_t finish(std::int64_t i, std::int64_t* ids, float* scores) {
    return workspace_.candidates[static_cast<std::size_t>(i)].finish(kernels_, workspace_.scratch, ids, scores);
  }

 private:
  bool prepare(std::int64_t begin, std::int64_t end, std::int64_t first_position) {
    const std::int64_t n = end - begin;
    n_groups_ = ceil_div(n, kernels_.max_queries);  // of nearly equal size: a kernel is slow on few queries
    const auto block = static_cast<std::size_t>(plan_.block);
    const auto capacity = static_cast<std::size_t>(plan_.capacity);
    workspace_.queries.resize(block * static_cast<std::size_t>(items_.n_factors));
    workspace_.scores.resize(block * capacity);
    workspace_.positions.resize(block * capacity);
    workspace_.candidates.resize(block);
    workspace_.excluded.resize(block);
    for (std::int64_t group = 0; group < n_groups_; ++group) {
      const std::int64_t first = n * group / n_groups_, last = n * (group + 1) / n_groups_;
      pack_rows(queries_, begin + first, begin + last, metric_ == Metric::cosine, "queries",
                workspace_.queries.data() + first * items_.n_factors, last - first);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (control_.stop()) return false;  // a row of excluded items may be long
      const auto at = static_cast<std::size_t>(i);
      workspace_.candidates[at].start(workspace_.scores.data() + at * capacity,
                                      workspace_.positions.data() + at * capacity, plan_.n_best, items_.n_items);
      if (filter_.exclude) workspace_.excluded[at] = ExcludedItems(*filter_.exclude, begin + i, first_position);
    }
    return true;
  }

  // The excluded items of the queries [first, last) in the panels [panel, tile_end), as the kernel takes them; null if
  // there are none.
  const std::uint32_t* mark_excluded(std::int64_t first, std::int64_t last, std::int64_t panel, std::int64_t tile_end) {
    const std::int64_t begin = panel * kPanelItems, end = tile_end * kPanelItems, n = last - first;
    ExcludedItems* excluded = workspace_.excluded.data() + first;
    if (std::none_of(excluded, excluded + n, [&](const ExcludedItems& items) { return items.any_before(end); }))
      return nullptr;
    std::fill(marks_, marks_ + (tile_end - panel) * n, 0u);
    for (std::int64_t q = 0; q < n; ++q) excluded[q].mark(begin, end, marks_ + q, n);
    return marks_;
  }

  void scan_tile(std::int64_t first, std::int64_t last, std::int64_t panel, std::int64_t tile_end) {
    TopCandidates* candidates = workspace_.candidates.data() + first;
    const auto n = static_cast<int>(last - first);
    Candidates accepted[kMaxScanQueries];
    for (int q = 0; q < n; ++q) accepted[q] = candidates[q].accepted();
    ScanTile tile;
    tile.queries = workspace_.queries.data() + first * items_.n_factors;
    tile.n_factors = items_.n_factors;
    tile.n_queries = n;
    tile.candidates = accepted;
    const std::uint32_t* marks = mark_excluded(first, last, panel, tile_end);
    const std::int64_t tile_begin = panel;
    while (panel < tile_end) {
      tile.panels = items_.panels + panel * kPanelItems * items_.n_factors;
      tile.offsets = items_.offsets + panel * kPanelItems;
      tile.allowed = filter_.allowed ? filter_.allowed + panel : nullptr;
      tile.excluded = marks ? marks + (panel - tile_begin) * n : nullptr;
      tile.first_position = static_cast<std::uint32_t>(panel * kPanelItems);
      tile.n_panels = tile_end - panel;
      panel += metric_ == Metric::l2 ? kernels_.scan_distances(tile) : kernels_.scan(tile);
      for (int q = 0; q < n; ++q) {
        if (accepted[q].count <= accepted[q].limit) continue;
        candidates[q].accepted() = accepted[q];
        candidates[q].make_room(kernels_);
        accepted[q] = candidates[q].accepted();
      }
    }
    for (int q = 0; q < n; ++q) candidates[q].accepted() = accepted[q];
  }

  const PackedItems& items_;
  ConstMatrix queries_;
  Metric metric_;
  const SearchFilter& filter_;
  const Plan& plan_;
  const SearchKernels& kernels_;
  Workspace& workspace_;
  Control& control_;
  std::int64_t n_groups_ = 0;
  std::uint32_t marks_[kMaxTile * kMaxScanQueries];
};

}  // namespace

void search(const PackedItems& items, ConstMatrix queries, Metric metric, const SearchFilter& filter,
            const SearchOutput& output, int n_threads, Control& control) {
  check_search(items.n_items, items.n_factors, queries, filter, output);
  if (queries.n_rows == 0) return;
  if (items.n_items == 0) {
    for (std::int64_t query = 0; query < queries.n_rows; ++query) fill_up(output, query, 0);
    return;
  }
  const SearchKernels& kernels = factorec::kernels().search;
  const Plan plan = make_plan(items, queries.n_rows, output.n, n_threads, kernels.max_queries);
  std::vector<Workspace> workspaces(static_cast<std::size_t>(plan.n_threads));
  const bool split = plan.n_segments > 1;
  SegmentLists lists(split ? queries.n_rows : 0, plan.n_segments, plan.n_best);
  const std::int64_t panels = n_panels(items.n_items);
  parallel_for(plan.n_blocks * plan.n_segments, plan.n_threads, control, [&](std::int64_t i, int thread) {
    const std::int64_t block = i / plan.n_segments, segment = i % plan.n_segments;
    const std::int64_t begin = queries.n_rows * block / plan.n_blocks;
    const std::int64_t end = queries.n_rows * (block + 1) / plan.n_blocks;
    Unit unit(items, queries, metric, filter, plan, kernels, workspaces[static_cast<std::size_t>(thread)], control);
    if (!unit.scan(begin, end, segment * plan.segment, std::min((segment + 1) * plan.segment, panels))) return;
    for (std::int64_t query = begin; query < end; ++query) {
      if (control.stop()) return;
      if (split) {
        lists.count(query, segment) =
            unit.finish(query - begin, lists.ids(query, segment), lists.scores(query, segment));
      } else {
        fill_up(output, query,
                unit.finish(query - begin, output.ids + query * output.n, output.scores + query * output.n));
      }
    }
  });
  if (split)
    parallel_for(queries.n_rows, plan.n_threads, control,
                 [&](std::int64_t query, int) { lists.merge(query, output); });
}

}  // namespace factorec
