// What a sweep sums over rows.
#pragma once

namespace factorec {

struct ResidualSums {
  double count = 0;  // of rows, by their own weights
  // By the rows' noise precisions before the model's own:
  double weight = 0;
  double first = 0;
  double squares = 0;

  // Adds sums of rows that have a factor of their precision yet to come.
  void add(const ResidualSums& rows, double factor = 1) {
    count += rows.count;
    weight += factor * rows.weight;
    first += factor * rows.first;
    squares += factor * rows.squares;
  }
};

}  // namespace factorec
