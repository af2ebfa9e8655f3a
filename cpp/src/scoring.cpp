#include "factorec/scoring.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kChunk = 512;  // rows of one unit of work

void check_parameters(const Rows& rows, const ParameterView& parameters) {
  const std::int64_t n = rows.n_features;
  if (static_cast<std::int64_t>(parameters.linear.size()) != n || parameters.factors.n_rows != n)
    throw std::invalid_argument("rows have " + std::to_string(n) + " columns, the parameters have " +
                                std::to_string(parameters.linear.size()) + " features");
}

// Calls run(job, first row) for chunks of rows, their entries gathered.
template <class Run>
void for_chunks(const Rows& rows, const ParameterView& parameters, int n_threads, Control& control, Run&& run) {
  check_rows(rows);
  check_parameters(rows, parameters);
  const std::int64_t n_chunks = (rows.n_rows + kChunk - 1) / kChunk;
  parallel_for(n_chunks, n_threads, control, [&](std::int64_t chunk, int) {
    const std::int64_t first = chunk * kChunk, last = std::min(first + kChunk, rows.n_rows);
    std::vector<std::int64_t> begin{0}, feature;
    std::vector<float> value, scratch(static_cast<std::size_t>(parameters.factors.n_columns));
    for (std::int64_t row = first; row < last; ++row) {
      rows.for_each(row, [&](std::int64_t column, float x) {
        feature.push_back(column);
        value.push_back(x);
      });
      begin.push_back(static_cast<std::int64_t>(feature.size()));
    }
    ScoringJob job;
    job.linear = parameters.linear.data();
    job.factors = parameters.factors.data;
    job.n_factors = parameters.factors.n_columns;
    job.n_rows = last - first;
    job.begin = begin.data();
    job.feature = feature.data();
    job.value = value.data();
    job.scratch = scratch.data();
    run(job, first);
  });
}

}  // namespace

void scores(const Rows& rows, const ParameterView& parameters, std::span<double> out, int n_threads, Control& control) {
  if (static_cast<std::int64_t>(out.size()) != rows.n_rows) throw std::invalid_argument("out has the wrong length");
  const auto kernel = kernels().scoring.scores;
  for_chunks(rows, parameters, n_threads, control,
             [&](const ScoringJob& job, std::int64_t first) { kernel(job, out.data() + first); });
}

void vectors(const Rows& rows, const ParameterView& parameters, Matrix out, int n_threads, Control& control) {
  if (out.n_rows != rows.n_rows || out.n_columns != parameters.factors.n_columns)
    throw std::invalid_argument("out has the wrong shape");
  const auto kernel = kernels().scoring.vectors;
  for_chunks(rows, parameters, n_threads, control,
             [&](const ScoringJob& job, std::int64_t first) { kernel(job, out.row(first)); });
}

}  // namespace factorec
