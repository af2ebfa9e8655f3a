#include "factorec/scoring.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kChunk = 512;          // rows that go through the kernel at once
constexpr std::int64_t kRowsPerTask = 16384;  // rows of one unit of work

void check_parameters(const Rows& rows, const ParameterView& parameters) {
  const std::int64_t n = rows.n_features;
  if (static_cast<std::int64_t>(parameters.linear.size()) != n || parameters.factors.n_rows != n)
    throw std::invalid_argument("rows have " + std::to_string(n) + " columns, the parameters have " +
                                std::to_string(parameters.linear.size()) + " features");
}

// Whether entry e is the one entry of entity e, as where entities are ids.
bool one_entry_each(const CsrView& entities) {
  const std::int64_t n = entities.n_rows();
  if (static_cast<std::int64_t>(entities.indices.size()) < n) return false;
  for (std::int64_t entity = 0; entity <= n; ++entity)
    if (entities.indptr[static_cast<std::size_t>(entity)] != entity) return false;
  return true;
}

// Entries of some rows, flat. One per thread, so that memory is taken once.
class Entries {
 public:
  // Fills the job with rows [first, last).
  void gather(const Rows& rows, const std::vector<bool>& ids, bool all_ones, std::int64_t first, std::int64_t last,
              ScoringJob& job) {
    begin_.resize(static_cast<std::size_t>(last - first) + 1);
    job.begin = begin_.data();
    job.n_rows = last - first;
    if (rows.blocks.size() == 1 && rows.blocks[0].index.size() == 0) return look_into(rows.blocks[0], all_ones, first, last, job);
    if (all_ones && std::find(ids.begin(), ids.end(), false) == ids.end()) return gather_ids(rows, first, last, job);
    feature_.clear();
    value_.clear();
    begin_[0] = 0;
    for (std::int64_t row = first; row < last; ++row) {
      rows.for_each(row, [&](std::int64_t column, float x) {
        feature_.push_back(column);
        if (!all_ones) value_.push_back(x);
      });
      begin_[static_cast<std::size_t>(row - first) + 1] = static_cast<std::int64_t>(feature_.size());
    }
    job.wide = feature_.data();
    job.value = all_ones ? nullptr : value_.data();
  }

 private:
  // A flat matrix has its entries side by side already.
  void look_into(const RowBlock& block, bool all_ones, std::int64_t first, std::int64_t last, ScoringJob& job) {
    const CsrView& matrix = block.entities;
    for (std::int64_t row = first; row <= last; ++row)
      begin_[static_cast<std::size_t>(row - first)] = matrix.indptr[static_cast<std::size_t>(row)];
    job.narrow = matrix.indices.narrow();
    job.wide = matrix.indices.wide();
    job.value = all_ones || matrix.values.empty() ? nullptr : matrix.values.data();
  }

  // Rows of one id from each block.
  void gather_ids(const Rows& rows, std::int64_t first, std::int64_t last, ScoringJob& job) {
    const auto n_blocks = static_cast<std::int64_t>(rows.blocks.size());
    feature_.resize(static_cast<std::size_t>((last - first) * n_blocks));
    for (std::int64_t b = 0; b < n_blocks; ++b) {
      const RowBlock& block = rows.blocks[static_cast<std::size_t>(b)];
      std::int64_t* to = feature_.data() + b;
      for (std::int64_t row = first; row < last; ++row, to += n_blocks)
        *to = block.entities.column(block.entity(row));
    }
    for (std::int64_t r = 0; r <= last - first; ++r) begin_[static_cast<std::size_t>(r)] = r * n_blocks;
    job.wide = feature_.data();
    job.value = nullptr;
  }

  std::vector<std::int64_t> begin_, feature_;
  std::vector<float> value_;
};

// Calls run(job, first row) for chunks of rows, their entries gathered.
template <class Run>
void for_chunks(const Rows& rows, const ParameterView& parameters, int n_threads, Control& control, Run&& run) {
  const bool all_ones = check_rows(rows, n_threads, control);
  check_parameters(rows, parameters);
  std::vector<bool> ids;
  for (const RowBlock& block : rows.blocks) ids.push_back(one_entry_each(block.entities));
  struct Workspace {
    Entries entries;
    std::vector<float> scratch;
  };
  std::vector<Workspace> workspaces(static_cast<std::size_t>(std::max(1, n_threads)));
  const std::int64_t k = parameters.factors.n_columns, width = kernels().scoring.width;
  parallel_for((rows.n_rows + kRowsPerTask - 1) / kRowsPerTask, n_threads, control, [&](std::int64_t task, int thread) {
    Workspace& workspace = workspaces[static_cast<std::size_t>(thread)];
    workspace.scratch.resize(static_cast<std::size_t>((k + width - 1) / width * width));
    const std::int64_t end = std::min((task + 1) * kRowsPerTask, rows.n_rows);
    for (std::int64_t first = task * kRowsPerTask; first < end; first += kChunk) {
      if (control.stop()) return;
      ScoringJob job;
      job.linear = parameters.linear.data();
      job.factors = parameters.factors.data;
      job.n_factors = k;
      job.n_query_features = parameters.n_query_features;
      job.scratch = workspace.scratch.data();
      workspace.entries.gather(rows, ids, all_ones, first, std::min(first + kChunk, end), job);
      run(job, first);
    }
  });
}

template <class T>
void scores_into(const Rows& rows, const ParameterView& parameters, std::span<T> out, int n_threads, Control& control) {
  if (static_cast<std::int64_t>(out.size()) != rows.n_rows) throw std::invalid_argument("out has the wrong length");
  const auto kernel = kernels().scoring.scores;
  for_chunks(rows, parameters, n_threads, control, [&](const ScoringJob& job, std::int64_t first) {
    double scores[kChunk];
    kernel(job, scores);
    for (std::int64_t r = 0; r < job.n_rows; ++r)
      out[static_cast<std::size_t>(first + r)] = static_cast<T>(parameters.bias + scores[r]);
  });
}

}  // namespace

void scores(const Rows& rows, const ParameterView& parameters, std::span<double> out, int n_threads, Control& control) {
  scores_into(rows, parameters, out, n_threads, control);
}

void scores(const Rows& rows, const ParameterView& parameters, std::span<float> out, int n_threads, Control& control) {
  scores_into(rows, parameters, out, n_threads, control);
}

void vectors(const Rows& rows, const ParameterView& parameters, Matrix out, int n_threads, Control& control) {
  if (out.n_rows != rows.n_rows || out.n_columns != parameters.factors.n_columns)
    throw std::invalid_argument("out has the wrong shape");
  const auto kernel = kernels().scoring.vectors;
  for_chunks(rows, parameters, n_threads, control,
             [&](const ScoringJob& job, std::int64_t first) { kernel(job, out.row(first)); });
}

}  // namespace factorec
