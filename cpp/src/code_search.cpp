// The two-stage search: a first pass over codes keeps every item that could be among the n best, the rest is scored.
#include <algorithm>
#include <atomic>
#include <limits>
#include <stdexcept>
#include <vector>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"
#include "packing.hpp"
#include "query_codes.hpp"
#include "search_lists.hpp"
#include "shortlist.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kMaxBlock = 132;                 // queries that share one pass over the items
constexpr std::int64_t kBlockBytes = 1 << 20;           // of candidates and queries
constexpr std::int64_t kTileBytes = 128 << 10;          // of codes
constexpr std::int64_t kMaxTile = 64;                   // panels
constexpr std::int64_t kLargeBytes = 32 << 20;          // for very long lists: as many queries as fit into this
constexpr std::int64_t kCodesPerThread = 1 << 22;       // bytes times queries; less is not worth waking a thread up
constexpr int kMaxBackOff = 256;                        // tiles

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct Plan {
  std::int64_t n_best = 0;    // what a list can hold
  std::int64_t capacity = 0;  // candidates of a query
  std::int64_t block = 0;     // queries, at most
  std::int64_t n_blocks = 0;
  std::int64_t segment = 0;   // panels
  std::int64_t n_segments = 0;
  std::int64_t tile = 0;      // panels
  int n_threads = 1;
};

Plan make_plan(const CodedItems& items, std::int64_t n_queries, std::int64_t n, int n_threads) {
  Plan plan;
  plan.n_best = std::min(n, items.n_items);
  plan.capacity = Shortlist::capacity(plan.n_best, items.n_items);
  const std::int64_t panels = n_panels(items.n_items), panel_bytes = panel_code_bytes(items.n_factors);
  const double work = static_cast<double>(n_queries) * static_cast<double>(panels * panel_bytes);
  plan.n_threads = static_cast<int>(std::min<double>(n_threads, 1.0 + work / kCodesPerThread));
  const std::int64_t bytes = 12 * plan.capacity + 8 * items.n_factors;
  plan.block = std::clamp<std::int64_t>(kBlockBytes / bytes, kMaxScanQueries, kMaxBlock);
  plan.block = std::clamp<std::int64_t>(kLargeBytes / bytes, 1, plan.block);
  // As many blocks as keep every thread busy to the end, of equal size.
  plan.n_blocks = ceil_div(n_queries, plan.block);
  if (plan.n_blocks > 1) plan.n_blocks = ceil_div(plan.n_blocks, plan.n_threads) * plan.n_threads;
  if (n_queries >= kMaxScanQueries * plan.n_threads)
    plan.n_blocks = std::max<std::int64_t>(plan.n_blocks, plan.n_threads);
  plan.n_blocks = std::min(plan.n_blocks, n_queries);
  plan.block = ceil_div(n_queries, plan.n_blocks);
  const std::int64_t wanted = plan.n_blocks < plan.n_threads ? ceil_div(plan.n_threads, plan.n_blocks) : 1;
  // A segment finds its own n best first: it must be much longer than a list.
  const std::int64_t most = std::max<std::int64_t>(1, items.n_items / (8 * plan.n_best + 8 * kPanelItems));
  plan.segment = ceil_div(panels, std::min(wanted, most));
  plan.n_segments = ceil_div(panels, plan.segment);
  plan.tile = std::clamp<std::int64_t>(kTileBytes / std::max<std::int64_t>(panel_bytes, 1), 1, kMaxTile);
  return plan;
}

// Up to kMaxScanQueries queries that are scanned together.
struct Group {
  std::int64_t first = 0;  // query of the block
  int n = 0;
  QueryLanes lanes;
  std::vector<std::int32_t> words;  // codes, as CodesTile wants them
  std::vector<float> floats;        // factors, as ScanTile wants them; filled when first needed
  bool done = false;
  int back_off = 0;  // tiles to scan by floats after the next failure of the codes
  int floats_for = 0;  // tiles still to scan by floats
};

// What a thread works in, kept from unit to unit.
struct Workspace {
  std::vector<float> queries;  // rows
  std::vector<float> low, high;
  std::vector<std::uint32_t> places;
  std::vector<Shortlist> shortlists;
  std::vector<ExcludedPlaces> excluded;
  std::vector<Group> groups;
  std::vector<float> panels, panel_offsets;
  std::vector<std::uint64_t> scratch;
};

// The lists of the queries [begin, end) over the panels [first_panel, last_panel).
class Unit {
 public:
  Unit(const CodedItems& items, ConstMatrix queries, Metric metric, const SearchFilter& filter, const Plan& plan,
       const Kernels& kernels, Workspace& workspace, std::atomic<float>* thetas, Control& control)
      : items_(items), queries_(queries), normalise_(metric == Metric::cosine), filter_(filter), plan_(plan), kernels_(kernels),
        w_(workspace), thetas_(thetas), control_(control) {}

  // Returns false when stopped.
  bool scan(std::int64_t begin, std::int64_t end, std::int64_t first_panel, std::int64_t last_panel) {
    if (!prepare(begin, end)) return false;
    for (std::int64_t panel = first_panel; panel < last_panel; panel += plan_.tile) {
      const std::int64_t tile_end = std::min(panel + plan_.tile, last_panel);
      tile_begin_ = panel;
      transposed_ = false;
      bool all_done = true;
      for (std::int64_t g = 0; g < n_groups_; ++g) {
        Group& group = w_.groups[static_cast<std::size_t>(g)];
        if (group.done || (group.done = out_of_reach(group, panel))) continue;
        if (control_.stop()) return false;
        all_done = false;
        scan_tile(group, panel, tile_end);
      }
      if (all_done) break;
    }
    return true;
  }

  // The list of query `begin + i`, after scan.
  std::int64_t finish(std::int64_t i, std::int64_t* ids, float* scores) {
    return shortlist(i).finish(kernels_.search, scorer(i), w_.scratch, ids, scores);
  }

 private:
  Shortlist& shortlist(std::int64_t i) { return w_.shortlists[static_cast<std::size_t>(i)]; }
  Scorer scorer(std::int64_t i) const { return {items_, kernels_.codes, w_.queries.data() + i * items_.n_factors}; }

  bool prepare(std::int64_t begin, std::int64_t end) {
    const std::int64_t n = end - begin, d = items_.n_factors;
    begin_ = begin;
    const int most = kernels_.codes ? kMaxScanQueries : kernels_.search.max_queries;
    n_groups_ = ceil_div(n, most);  // of nearly equal size: a kernel is slow on few queries
    const auto block = static_cast<std::size_t>(plan_.block), capacity = static_cast<std::size_t>(plan_.capacity);
    if (w_.shortlists.size() < block) {
      w_.queries.resize(block * static_cast<std::size_t>(d));
      w_.low.resize(block * capacity);
      w_.high.resize(block * capacity);
      w_.places.resize(block * capacity);
      w_.shortlists.resize(block);
      w_.excluded.resize(block);
      w_.groups.resize(block);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (control_.stop()) return false;  // a row of excluded items may be long
      const auto at = static_cast<std::size_t>(i);
      pack_rows(queries_, begin + i, begin + i + 1, normalise_, "queries", w_.queries.data() + i * d, 1);
      if (filter_.exclude) w_.excluded[at].set(*filter_.exclude, begin + i, items_.places);
      w_.shortlists[at].start(w_.low.data() + at * capacity, w_.high.data() + at * capacity,
                              w_.places.data() + at * capacity, plan_.n_best, items_.n_items,
                              filter_.exclude ? &w_.excluded[at] : nullptr);
    }
    for (std::int64_t g = 0; g < n_groups_; ++g) {
      Group& group = w_.groups[static_cast<std::size_t>(g)];
      group.first = n * g / n_groups_;
      group.n = static_cast<int>(n * (g + 1) / n_groups_ - group.first);
      group.done = false;
      group.back_off = group.floats_for = 0;
      group.floats.clear();
      group.words.resize(static_cast<std::size_t>(n_code_groups(d) * group.n));
      for (int q = 0; q < group.n; ++q) {
        encode_query(w_.queries.data() + (group.first + q) * d, d, group.words.data() + q, group.n, group.lanes, q);
        group.lanes.theta[q] = shortlist(group.first + q).theta();
      }
    }
    return true;
  }

  // Whether nothing from `panel` on can get into a list of the group.
  bool out_of_reach(const Group& group, std::int64_t panel) const {
    const PanelBounds& bounds = items_.bounds[panel];
    for (int q = 0; q < group.n; ++q) {
      // As the kernel does it for one panel.
      const float product = group.lanes.reach[q] * bounds.rest_norm;
      if (!(product < kCertain) || !(product + bounds.rest_top_offset < group.lanes.theta[q])) return false;
    }
    return true;
  }

  void scan_tile(Group& group, std::int64_t panel, std::int64_t tile_end) {
    if (kernels_.codes && group.floats_for == 0) {
      const std::int64_t reached = scan_codes(group, panel, tile_end);
      if (reached == tile_end) {
        group.back_off /= 2;
        return;
      }
      group.back_off = std::clamp(2 * group.back_off, 1, kMaxBackOff);
      group.floats_for = group.back_off;
      panel = reached;
    }
    if (group.floats_for > 0) --group.floats_for;
    scan_floats(group, panel, tile_end);
  }

  // Makes room in a query's list; returns whether bounds alone could not. What the other segments know of the
  // query's theta is as good as what this one knows.
  bool tighten(Group& group, int q) {
    Shortlist& list = shortlist(group.first + q);
    std::atomic<float>* shared = thetas_ ? thetas_ + begin_ + group.first + q : nullptr;
    if (shared) list.raise_theta(shared->load(std::memory_order_relaxed));
    const bool crowded = list.tighten(kernels_.search, scorer(group.first + q));
    group.lanes.theta[q] = list.theta();
    if (shared)
      for (float known = shared->load(std::memory_order_relaxed);
           known < list.theta() && !shared->compare_exchange_weak(known, list.theta(), std::memory_order_relaxed);) {
      }
    return crowded;
  }

  // Returns the panel where bounds stopped telling candidates apart, or tile_end.
  std::int64_t scan_codes(Group& group, std::int64_t panel, std::int64_t tile_end) {
    BoundedCandidates candidates[kMaxScanQueries];
    for (int q = 0; q < group.n; ++q) candidates[q] = shortlist(group.first + q).entries();
    CodesTile tile;
    tile.queries = group.words.data();
    tile.lanes = &group.lanes;
    tile.n_groups = n_code_groups(items_.n_factors);
    tile.by_offset = relative_rounding(items_.n_factors);
    tile.floor = absolute_rounding(items_.n_factors);
    tile.n_queries = group.n;
    tile.candidates = candidates;
    const std::int64_t rest = items_.n_items - (tile_end - 1) * kPanelItems;  // in the last panel
    tile.last_lanes = rest >= kPanelItems ? ~0u : (1u << rest) - 1;
    bool crowded = false;
    while (panel < tile_end && !crowded) {
      tile.codes = items_.codes + panel * panel_code_bytes(items_.n_factors);
      tile.bounds = items_.bounds + panel;
      tile.offsets = items_.offsets + panel * kPanelItems;
      tile.allowed = filter_.allowed ? filter_.allowed + panel : nullptr;
      tile.first_place = static_cast<std::uint32_t>(panel * kPanelItems);
      tile.n_panels = tile_end - panel;
      panel += kernels_.codes->scan(tile);
      for (int q = 0; q < group.n; ++q) {
        if (candidates[q].count <= candidates[q].limit) continue;
        Shortlist& list = shortlist(group.first + q);
        list.entries() = candidates[q];
        crowded |= tighten(group, q);
        candidates[q] = list.entries();
      }
    }
    for (int q = 0; q < group.n; ++q) shortlist(group.first + q).entries() = candidates[q];
    return panel;
  }

  // The same with float32 scores.
  void scan_floats(Group& group, std::int64_t panel, std::int64_t tile_end) {
    const std::int64_t d = items_.n_factors;
    if (group.floats.empty()) {
      group.floats.resize(static_cast<std::size_t>(group.n * d));
      for (int q = 0; q < group.n; ++q) {
        const float* query = w_.queries.data() + (group.first + q) * d;
        for (std::int64_t k = 0; k < d; ++k) group.floats[static_cast<std::size_t>(k * group.n + q)] = query[k];
      }
    }
    transpose(tile_end);
    scan_panels(group, panel, tile_end);
  }

  void scan_panels(Group& group, std::int64_t panel, std::int64_t end) {
    Candidates accepted[kMaxScanQueries];
    ScanTile tile;
    tile.queries = group.floats.data();
    tile.n_factors = items_.n_factors;
    tile.n_queries = group.n;
    tile.candidates = accepted;
    while (panel < end) {
      for (int q = 0; q < group.n; ++q) {
        const BoundedCandidates& c = shortlist(group.first + q).entries();
        accepted[q] = {c.low, c.places, c.count, c.limit, group.lanes.theta[q]};
      }
      const std::int64_t at = (panel - tile_begin_) * kPanelItems;
      tile.panels = w_.panels.data() + at * items_.n_factors;
      tile.offsets = w_.panel_offsets.data() + at;
      tile.allowed = filter_.allowed ? filter_.allowed + panel : nullptr;
      tile.first_position = static_cast<std::uint32_t>(panel * kPanelItems);
      tile.n_panels = end - panel;
      panel += kernels_.search.scan(tile);
      for (int q = 0; q < group.n; ++q) {
        Shortlist& list = shortlist(group.first + q);
        BoundedCandidates& c = list.entries();
        std::copy(c.low + c.count, c.low + accepted[q].count, c.high + c.count);
        c.count = accepted[q].count;
        if (c.count <= c.limit) continue;
        tighten(group, q);
      }
    }
  }

  // Brings the float32 panels of the tile into the workspace, once for all groups.
  void transpose(std::int64_t tile_end) {
    if (transposed_) return;
    const std::int64_t d = items_.n_factors;
    w_.panels.resize(static_cast<std::size_t>(plan_.tile * kPanelItems * d));
    w_.panel_offsets.resize(static_cast<std::size_t>(plan_.tile * kPanelItems));
    float* to = w_.panels.data();
    float* to_offset = w_.panel_offsets.data();
    for (std::int64_t panel = tile_begin_; panel < tile_end; ++panel, to += kPanelItems * d)
      for (std::int64_t lane = 0; lane < kPanelItems; ++lane) {
        const std::int64_t place = panel * kPanelItems + lane;
        const bool item = place < items_.n_items;
        *to_offset++ = item ? items_.offsets[place] : std::numeric_limits<float>::quiet_NaN();  // never accepted
        const float* from = items_.rows + (item ? place : 0) * d;
        for (std::int64_t k = 0; k < d; ++k) to[k * kPanelItems + lane] = from[k];
      }
    transposed_ = true;
  }

  const CodedItems& items_;
  ConstMatrix queries_;
  bool normalise_;
  const SearchFilter& filter_;
  const Plan& plan_;
  const Kernels& kernels_;
  Workspace& w_;
  std::atomic<float>* thetas_;  // of each query of the call, where it is searched in segments; else null
  Control& control_;
  std::int64_t begin_ = 0;       // the first query of the block
  std::int64_t n_groups_ = 0;
  std::int64_t tile_begin_ = 0;  // the first panel of the tile
  bool transposed_ = false;      // the tile's float32 panels are in the workspace
};

// The caller's mask in the order of places.
std::vector<std::uint32_t> by_place(const std::uint32_t* allowed, const CodedItems& items, int n_threads,
                                    Control& control) {
  std::vector<std::uint32_t> words(static_cast<std::size_t>(n_panels(items.n_items)));
  constexpr std::int64_t kChunk = 512;
  const auto n_words = static_cast<std::int64_t>(words.size());
  parallel_for(ceil_div(n_words, kChunk), n_threads, control, [&](std::int64_t chunk, int) {
    for (std::int64_t word = chunk * kChunk; word < std::min((chunk + 1) * kChunk, n_words); ++word) {
      std::uint32_t bits = 0;
      const std::int64_t begin = word * kPanelItems, end = std::min(begin + kPanelItems, items.n_items);
      for (std::int64_t place = begin; place < end; ++place) {
        const std::uint32_t position = items.positions[place];
        if (position >= items.n_items) continue;  // a damaged index must not read elsewhere
        bits |= (allowed[position / 32] >> (position % 32) & 1u) << (place - begin);
      }
      words[static_cast<std::size_t>(word)] = bits;
    }
  });
  return words;
}

}  // namespace

void search(const CodedItems& items, ConstMatrix queries, Metric metric, const SearchFilter& filter,
            const SearchOutput& output, int n_threads, Control& control) {
  check_search(items.n_items, items.n_factors, queries, filter, output);
  if (metric == Metric::l2) throw std::invalid_argument("coded items cannot be searched by distance");
  if (queries.n_rows == 0) return;
  if (items.n_items == 0) {
    for (std::int64_t query = 0; query < queries.n_rows; ++query) fill_up(output, query, 0);
    return;
  }
  const Kernels& kernels = factorec::kernels();
  const Plan plan = make_plan(items, queries.n_rows, output.n, n_threads);
  SearchFilter placed = filter;
  std::vector<std::uint32_t> allowed;
  if (filter.allowed && items.positions) {
    allowed = by_place(filter.allowed, items, plan.n_threads, control);
    placed.allowed = allowed.data();
  }
  std::vector<Workspace> workspaces(static_cast<std::size_t>(plan.n_threads));
  SegmentLists lists(plan.n_segments > 1 ? queries.n_rows : 0, plan.n_segments, plan.n_best);
  std::vector<std::atomic<float>> thetas(plan.n_segments > 1 ? static_cast<std::size_t>(queries.n_rows) : 0);
  for (std::atomic<float>& theta : thetas) theta = -std::numeric_limits<float>::infinity();
  const std::int64_t panels = n_panels(items.n_items);
  parallel_for(plan.n_blocks * plan.n_segments, plan.n_threads, control, [&](std::int64_t i, int thread) {
    const std::int64_t block = i / plan.n_segments, segment = i % plan.n_segments;
    const std::int64_t begin = queries.n_rows * block / plan.n_blocks;
    const std::int64_t end = queries.n_rows * (block + 1) / plan.n_blocks;
    Unit unit(items, queries, metric, placed, plan, kernels, workspaces[static_cast<std::size_t>(thread)],
              plan.n_segments > 1 ? thetas.data() : nullptr, control);
    if (!unit.scan(begin, end, segment * plan.segment, std::min((segment + 1) * plan.segment, panels))) return;
    for (std::int64_t query = begin; query < end; ++query) {
      if (control.stop()) return;
      if (plan.n_segments > 1)
        lists.count(query, segment) =
            unit.finish(query - begin, lists.ids(query, segment), lists.scores(query, segment));
      else
        fill_up(output, query,
                unit.finish(query - begin, output.ids + query * output.n, output.scores + query * output.n));
    }
  });
  if (plan.n_segments > 1)
    parallel_for(queries.n_rows, plan.n_threads, control,
                 [&](std::int64_t query, int) { lists.merge(query, output); });
}

}  // namespace factorec
