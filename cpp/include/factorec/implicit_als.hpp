// Alternating least squares for factorization machines on implicit feedback. See implicit_als.cpp.
#pragma once

#include <memory>
#include <span>

#include "factorec/control.hpp"
#include "factorec/views.hpp"

namespace factorec {

struct ImplicitAlsOptions {
  double unobserved_weight = 0.1;  // of every pair of a query and an item, for the target 0
  std::int64_t block_size = 128;   // factors of an entity that are solved for together
  int n_steps = 20;                // conjugate gradient steps at most, on a side whose entities share features
  double tolerance = 1e-3;         // ... which end where the gradient is this part of the one at the start
  int n_threads = 1;
};

// Queries or items.
struct ImplicitSideView {
  CsrView entities;                 // features of each
  std::span<const float> exposure;  // factor of the unobserved weight of each; empty: all 1
};

struct ImplicitAlsData {
  ImplicitSideView queries, items;  // their features are in two ranges of columns that do not overlap
  CsrView observed;                 // weight of each observed pair, for the target 1: (n_queries, n_items)
  std::span<const float> penalty;   // of each feature, > 0, times 1/2 of its squared factors
};

class ImplicitAls {
 public:
  // Checks everything (std::invalid_argument).
  ImplicitAls(const ImplicitAlsData& data, const ImplicitAlsOptions& options, ConstMatrix factors, Control& control);
  ~ImplicitAls();
  ImplicitAls(const ImplicitAls&) = delete;
  ImplicitAls& operator=(const ImplicitAls&) = delete;

  // Solves for the factors of the queries, then for those of the items. Returns the objective.
  double sweep(Control& control);

  void copy_to(Matrix factors) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace factorec
