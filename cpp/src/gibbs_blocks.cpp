#include "gibbs_blocks.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

#include "factorec/chunks.hpp"
#include "gibbs_checks.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsOfUnit = std::int64_t{1} << 11;
std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// Rows in the order of the first block's entities.
std::vector<std::int32_t> order_rows(const Rows& rows) {
  const RowBlock& first = rows.blocks.front();
  std::vector<std::int64_t> next(at(first.entities.n_rows() + 1), 0);
  for (std::int64_t r = 0; r < rows.n_rows; ++r) ++next[at(first.entity(r) + 1)];
  std::partial_sum(next.begin(), next.end(), next.begin());
  std::vector<std::int32_t> order(at(rows.n_rows));
  for (std::int64_t r = 0; r < rows.n_rows; ++r) order[at(next[at(first.entity(r))]++)] = static_cast<std::int32_t>(r);
  return order;
}

void place_rows(GibbsBlock& block, const RowBlock& from, const std::vector<std::int32_t>& order, bool in_order) {
  block.entity.resize(order.size());
  block.row_begin.assign(at(block.n_entities + 1), 0);
  for (std::size_t p = 0; p < order.size(); ++p) {
    const std::int64_t e = from.entity(order[p]);
    block.entity[p] = static_cast<std::int32_t>(e);
    ++block.row_begin[at(e + 1)];
  }
  std::partial_sum(block.row_begin.begin(), block.row_begin.end(), block.row_begin.begin());
  if (!in_order) {
    block.row.resize(order.size());
    std::vector<std::int64_t> next(block.row_begin.begin(), block.row_begin.end() - 1);
    for (std::size_t p = 0; p < order.size(); ++p)
      block.row[at(next[at(block.entity[p])]++)] = static_cast<std::int32_t>(p);
  }
  block.unit.push_back(0);
  std::int64_t begun = 0;
  for (std::int64_t e = 1; e <= block.n_entities; ++e)
    if (block.row_begin[at(e)] - begun >= kRowsOfUnit || e - block.unit.back() >= kRowsOfUnit || e == block.n_entities) {
      block.unit.push_back(e);
      begun = block.row_begin[at(e)];
    }
}

// The fields that a block's columns are of, each of one block only: they begin at `next` at the earliest.
void find_fields(GibbsModel& model, std::size_t b, const CsrView& entities, std::vector<std::size_t>& block_of_field) {
  GibbsBlock& block = model.blocks[b];
  std::int64_t low = entities.n_columns, high = 0;
  for (std::int64_t i = entities.begin(0); i < entities.end(block.n_entities - 1); ++i) {
    low = std::min(low, entities.column(i));
    high = std::max(high, entities.column(i) + 1);
  }
  std::int64_t covered = low;
  std::size_t first = 0, count = 0;
  for (std::size_t f = 0; f < model.fields.size(); ++f) {
    const Field& columns = model.fields[f].columns;
    if (columns.start >= high || columns.stop <= low || columns.size() == 0) continue;
    if (columns.start > covered) break;
    if (block_of_field[f] != model.blocks.size())
      throw std::invalid_argument("field " + std::to_string(f) + " has columns of block " +
                                  std::to_string(block_of_field[f]) + " and of block " + std::to_string(b));
    block_of_field[f] = b;
    covered = columns.stop;
    if (!count) first = f;
    count = f + 1 - first;
  }
  if (covered < high)
    throw std::invalid_argument("column " + std::to_string(covered) + " of block " + std::to_string(b) + " is in no field");
  block.fields = std::span(model.fields).subspan(first, count);
}

// Entries by feature.
void transpose(GibbsBlock& block, const CsrView& entities) {
  const std::int64_t low = block.first_column();
  const std::int64_t n = block.fields.empty() ? 0 : block.fields.back().columns.stop - low;
  block.feature_begin.assign(at(n + 1), 0);
  const std::int64_t n_entries = block.n_entities ? entities.end(block.n_entities - 1) - entities.begin(0) : 0;
  block.ids = block.fields.size() == 1;
  block.id.assign(at(block.n_entities), -1);
  for (std::int64_t e = 0; e < block.n_entities; ++e) {
    block.ids &= entities.end(e) - entities.begin(e) <= 1;
    for (std::int64_t i = entities.begin(e); i < entities.end(e); ++i)
      ++block.feature_begin[at(entities.column(i) - low + 1)];
  }
  for (std::int64_t count : block.feature_begin) block.ids &= count <= 1;
  std::partial_sum(block.feature_begin.begin(), block.feature_begin.end(), block.feature_begin.begin());
  block.entry.resize(at(n_entries));
  std::vector<std::int64_t> next(block.feature_begin.begin(), block.feature_begin.end());
  for (std::int64_t e = 0; e < block.n_entities; ++e)
    for (std::int64_t i = entities.begin(e); i < entities.end(e); ++i)
      block.entry[at(next[at(entities.column(i) - low)]++)] = {static_cast<std::int32_t>(e), entities.value(i)};
  for (std::int64_t c = 0; c < n; ++c) {
    const auto of_feature = block.entries(c);
    for (std::size_t i = 1; i < of_feature.size(); ++i)
      if (of_feature[i].entity == of_feature[i - 1].entity)
        throw std::invalid_argument("column " + std::to_string(low + c) + " is twice in row " +
                                    std::to_string(of_feature[i].entity) + " of a block");
    if (block.ids && !of_feature.empty()) block.id[at(of_feature.front().entity)] = static_cast<std::int32_t>(c);
  }
  if (!block.ids) block.id.clear();
  for (PriorField& field : block.fields) {
    std::vector<bool> seen(at(block.n_entities), false);
    for (std::int64_t c = field.columns.start - low; c < field.columns.stop - low; ++c)
      for (const GibbsBlock::Entry& entry : block.entries(c)) {
        field.one_hot &= !seen[at(entry.entity)];
        seen[at(entry.entity)] = true;
      }
  }
}

// Whether the first field is one-hot with values 1.
bool has_plain_ids(const GibbsBlock& block) {
  if (block.fields.empty() || !block.fields.front().one_hot) return false;
  for (std::int64_t c = 0; c < block.fields.front().columns.size(); ++c)
    for (const GibbsBlock::Entry& entry : block.entries(c))
      if (entry.value != 1.0f) return false;
  return true;
}

// Residuals from the parameters.
void score_rows(GibbsModel& model, int n_threads, Control& control) {
  const std::int64_t k = model.size - 1;
  std::vector<std::vector<double>> own(model.blocks.size());  // what an entity adds by itself
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const GibbsBlock& block = model.blocks[b];
    own[b].assign(at(block.n_entities), 0.0);
    for (std::int64_t c = 0; c < block.n_columns(); ++c) {
      const float* u = model.feature(block.first_column() + c);
      double square = 0.0;
      for (std::int64_t j = 0; j < k; ++j) square += static_cast<double>(u[j]) * static_cast<double>(u[j]);
      for (const GibbsBlock::Entry& entry : block.entries(c)) {
        const auto x = static_cast<double>(entry.value);
        own[b][at(entry.entity)] += x * static_cast<double>(u[k]) - (model.bipartite ? 0.0 : 0.5 * x * x * square);
      }
    }
    for (std::int64_t e = 0; e < block.n_entities && !model.bipartite; ++e) {
      const float* v = model.sum(b, e);
      for (std::int64_t j = 0; j < k; ++j) own[b][at(e)] += 0.5 * static_cast<double>(v[j]) * static_cast<double>(v[j]);
    }
  }
  model.residual.resize(at(model.n_rows));
  for_each_chunk(Chunks(model.n_rows, 1 << 13), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      double score = model.bias;
      for (std::size_t b = 0; b < model.blocks.size(); ++b) {
        const std::int64_t e = model.blocks[b].entity[at(p)];
        score += own[b][at(e)];
        const float* left = model.sum(b, e);
        for (std::size_t c = 0; c < b; ++c) {
          if (!model.pairs(b, c)) continue;
          const float* right = model.sum(c, model.blocks[c].entity[at(p)]);
          for (std::int64_t j = 0; j < k; ++j) score += static_cast<double>(left[j]) * static_cast<double>(right[j]);
        }
      }
      model.residual[at(p)] = static_cast<float>(static_cast<double>(model.target[at(p)]) - score);
    }
  });
}

}  // namespace

GibbsModel make_gibbs_model(const GibbsData& data, const GibbsOptions& options, double bias,
                            std::span<const float> linear, ConstMatrix factors, Control& control) {
  check_gibbs(data, options, bias, linear, factors, control);
  GibbsModel model;
  const std::int64_t k = factors.n_columns, step = std::max(kernels().gibbs.width, 8);
  model.size = k + 1;
  model.padded = (model.size + step - 1) / step * step;
  model.n_rows = data.rows.n_rows;
  model.n_features = data.rows.n_features;
  model.bipartite = options.bipartite;
  model.bias = bias;
  model.table.assign(at(model.n_features * model.padded), 0.0f);
  for (const Field& columns : data.fields)
    model.fields.push_back({columns, true, std::vector<float>(at(model.padded), 0.0f), std::vector<float>(at(model.padded), 1.0f)});
  const std::vector<std::int32_t> order = order_rows(data.rows);
  model.blocks.resize(data.rows.blocks.size());
  std::vector<std::size_t> block_of_field(model.fields.size(), model.blocks.size());
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    control.throw_if_stopped();
    const CsrView& entities = data.rows.blocks[b].entities;
    GibbsBlock& block = model.blocks[b];
    block.n_entities = entities.n_rows();
    place_rows(block, data.rows.blocks[b], order, b == 0);
    find_fields(model, b, entities, block_of_field);
    transpose(block, entities);
    // Other features, which no row has, stay 0.
    for (std::int64_t f = block.first_column(); f < block.first_column() + block.n_columns(); ++f) {
      std::copy_n(factors.row(f), k, model.feature(f));
      model.feature(f)[k] = linear[at(f)];
    }
    block.sum.assign(at(block.n_entities * model.padded), 0.0f);
    for (std::int64_t e = 0; e < block.n_entities; ++e) {
      float* sum = block.sum.data() + e * model.padded;
      for (std::int64_t i = entities.begin(e); i < entities.end(e); ++i)
        for (std::int64_t j = 0; j < k; ++j) sum[j] += entities.value(i) * model.feature(entities.column(i))[j];
      sum[k] = 1.0f;
    }
    if (!block.ids) {
      block.gram.resize(at(block.n_entities * model.padded * model.padded));
      block.moment.resize(at(block.n_entities * model.padded));
      block.change.resize(at(block.n_entities * model.padded));
    }
  }
  for (std::size_t b : {std::size_t{0}, model.blocks.size() - 1})
    if (options.row_noise && has_plain_ids(model.blocks[b]))
      model.blocks[b].noise.assign(at(model.blocks[b].n_entities), 1.0f);
  model.target.resize(order.size());
  for (std::size_t p = 0; p < order.size(); ++p) model.target[p] = data.target[at(order[p])];
  if (!data.weight.empty()) {
    model.weight.resize(order.size());
    for (std::size_t p = 0; p < order.size(); ++p) model.weight[p] = data.weight[at(order[p])];
  }
  score_rows(model, options.n_threads, control);
  return model;
}

}  // namespace factorec
