// A trainer lives as long as one call to fit; a fitted model is numpy arrays and knows nothing of it.
#include <pybind11/stl.h>

#include <algorithm>
#include <limits>

#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/chunks.hpp"
#include "factorec/training.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

// A trainer together with the arrays that it looks into.
struct HeldTrainer {
  py::list held;
  std::unique_ptr<Trainer> trainer;
};

template <class E>
E choice(const std::string& name, std::initializer_list<std::pair<const char*, E>> choices) {
  for (const auto& [known, value] : choices)
    if (name == known) return value;
  throw std::invalid_argument("unknown choice '" + name + "'");
}

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

std::vector<Field> fields_of(const Ranges& ranges) {
  std::vector<Field> fields;
  for (const auto& [start, stop] : ranges) fields.push_back({start, stop});
  return fields;
}

ParameterArrays view_parameters(py::array& linear, py::array& factors, py::array& linear_accumulator,
                                py::array& factors_accumulator) {
  return {view_mutable<float>(linear, "linear"), view_matrix_mutable(factors, "factors"),
          view_mutable<float>(linear_accumulator, "linear accumulator"),
          view_mutable<float>(factors_accumulator, "factors accumulator")};
}

AdamMoments view_moments(const py::tuple& arrays, std::size_t first) {
  const auto at = [&](std::size_t i) { return py::cast<py::array>(arrays[first + i]); };
  py::array linear_mean = at(0), linear_square = at(1), factors_mean = at(2), factors_square = at(3);
  return {view_mutable<float>(linear_mean, "linear mean"), view_mutable<float>(linear_square, "linear square"),
          view_matrix_mutable(factors_mean, "factors mean"), view_matrix_mutable(factors_square, "factors square")};
}

py::dict as_dict(const PassSums& sums) {
  py::dict result;
  result["weight"] = sums.weight;
  result["loss"] = sums.loss;
  result["absolute"] = sums.absolute;
  result["positive"] = sums.positive;
  result["predicted_positive"] = sums.predicted_positive;
  result["true_positive"] = sums.true_positive;
  result["squared"] = sums.squared;
  return result;
}

std::unique_ptr<HeldTrainer> make_trainer(py::list blocks, py::array target, py::object weight, py::tuple features,
                                          const Ranges& grid_candidates, py::object negatives,
                                          const py::dict& options, py::tuple parameters, py::object moments,
                                          const py::object& cuts) {
  auto held = std::make_unique<HeldTrainer>();
  for (const py::handle object : {py::handle(blocks), py::handle(target), py::handle(weight), py::handle(features),
                                  py::handle(negatives)})
    held->held.append(object);
  TrainingData data;
  data.target = view<float>(target, "target");
  const auto of_features = [&](std::size_t at, const char* name) {
    return view<float>(as_array(features[at], name), name);
  };
  data.features = {of_features(0, "rate_linear"), of_features(1, "rate_factors"), of_features(2, "l2_linear"),
                   of_features(3, "l2_factors")};
  data.rows = view_rows(blocks, static_cast<std::int64_t>(data.target.size()), static_cast<std::int64_t>(data.features.l2_linear.size()));
  if (!weight.is_none()) data.weight = view<float>(as_array(weight, "weight"), "weight");
  data.grid_candidates = fields_of(grid_candidates);

  TrainingOptions set;
  set.loss = choice<Loss>(options["loss"].cast<std::string>(), {{"squared", Loss::squared}, {"logistic", Loss::logistic}, {"ordinal", Loss::ordinal}});
  set.solver = choice<Solver>(options["solver"].cast<std::string>(), {{"sgd", Solver::sgd}, {"adagrad", Solver::adagrad}, {"adam", Solver::adam}});
  if (set.solver == Solver::adam) {
    set.adam.epsilon = options["epsilon"].cast<double>();
    set.adam.rescale = options["rescale"].cast<double>();
    set.adam.pad_last_batch = options["pad_last_batch"].cast<bool>();
    set.adam.padding_moves_bias = options["padding_moves_bias"].cast<bool>();
    set.adam.lazy = options["lazy"].cast<bool>();
    set.adam.report_every = options["report_every"].cast<std::int64_t>();
  }
  set.rate_bias = options["rate_bias"].cast<double>();
  set.clip = options["clip"].is_none() ? std::numeric_limits<float>::infinity() : options["clip"].cast<float>();
  set.l2_bias = options["l2_bias"].cast<double>();
  set.batch_size = options["batch_size"].cast<std::int64_t>();
  set.shuffle = options["shuffle"].cast<bool>();
  set.seed = options["seed"].cast<std::uint64_t>();
  set.n_threads = options["n_threads"].cast<int>();
  std::pair<std::int64_t, py::tuple> sampling;
  CsrView seen;
  const bool draws = !negatives.is_none();
  if (draws) {
    sampling = py::cast<std::pair<std::int64_t, py::tuple>>(negatives);
    seen = view_csr(sampling.second, "seen");
  }

  auto linear = py::cast<py::array>(parameters[1]), factors = py::cast<py::array>(parameters[2]);
  auto linear_accumulator = py::cast<py::array>(parameters[4]), factors_accumulator = py::cast<py::array>(parameters[5]);
  ParameterArrays start = view_parameters(linear, factors, linear_accumulator, factors_accumulator);
  BiasState bias{parameters[0].cast<double>(), parameters[3].cast<double>()};
  if (!moments.is_none()) {
    const auto of_adam = py::cast<py::tuple>(moments);
    bias.mean = of_adam[0].cast<double>();
    bias.square = of_adam[1].cast<double>();
    bias.n_steps = of_adam[2].cast<std::int64_t>();
    start.moments = view_moments(of_adam, 3);
  }
  // Copied by the trainer.
  std::vector<std::vector<double>> of_cuts;
  if (!cuts.is_none()) of_cuts = cuts.cast<std::vector<std::vector<double>>>();
  if (of_cuts.size() == 4)
    data.cuts = {of_cuts[0], of_cuts[1], of_cuts[2], of_cuts[3]};
  else if (!of_cuts.empty())
    throw std::invalid_argument("cuts must be values, accumulators, weights and distances");
  interruptible([&](Control& control) {
    if (draws) data.negatives.emplace(seen, sampling.first, set.seed, set.n_threads, control);
    held->trainer = std::make_unique<Trainer>(std::move(data), set, start, bias, control);
  });
  return held;
}

}  // namespace

void bind_training(py::module_& module) {
  py::class_<HeldTrainer>(module, "Trainer")
      .def(py::init(&make_trainer), py::arg("blocks"), py::arg("target"), py::arg("weight"), py::arg("features"),
           py::arg("grid_candidates"), py::arg("negatives"), py::arg("options"),
           py::arg("parameters"), py::arg("moments") = py::none(), py::arg("cuts") = py::none())
      .def(
          "epoch",
          [](HeldTrainer& self, std::uint64_t number) {
            const PassSums sums =
                interruptible([&](Control& control) { return self.trainer->epoch(number, control); });
            py::dict result = as_dict(sums);
            py::list reports;
            for (const BatchReport& report : self.trainer->reports())
              reports.append(py::make_tuple(report.batch, as_dict(report.sums)));
            result["reports"] = reports;
            return result;
          },
          py::arg("number"))
      .def(
          "copy_to",
          [](const HeldTrainer& self, py::array linear, py::array factors, py::array linear_accumulator,
             py::array factors_accumulator, py::object moments) {
            ParameterArrays arrays = view_parameters(linear, factors, linear_accumulator, factors_accumulator);
            if (!moments.is_none()) arrays.moments = view_moments(py::cast<py::tuple>(moments), 0);
            const BiasState bias = self.trainer->copy_to(arrays);
            return py::make_tuple(bias.value, bias.accumulator, bias.mean, bias.square, bias.n_steps);
          },
          py::arg("linear"), py::arg("factors"), py::arg("linear_accumulator"), py::arg("factors_accumulator"),
          py::arg("moments") = py::none())
      .def("steps",
           [](const HeldTrainer& self) {
             const auto steps = self.trainer->steps();
             return py::array_t<std::int64_t>(static_cast<py::ssize_t>(steps.size()), steps.data());
           })
      .def("cuts",
           [](const HeldTrainer& self) {
             const auto copy = [](std::span<const double> x) {
               return py::array_t<double>(static_cast<py::ssize_t>(x.size()), x.data());
             };
             return py::make_tuple(copy(self.trainer->cuts()), copy(self.trainer->cut_accumulators()));
           })
      .def("finite", [](const HeldTrainer& self) { return self.trainer->finite(); })
      .def_property_readonly("has_grid", [](const HeldTrainer& self) { return self.trainer->has_grid(); })
      .def_property_readonly("has_pairs", [](const HeldTrainer& self) { return self.trainer->has_pairs(); });

  module.def(
      "choose_grid",
      [](const py::list& blocks, std::int64_t n_rows, std::int64_t n_features, const Ranges& candidates,
         int n_threads) {
        const Rows rows = view_rows(blocks, n_rows, n_features);
        Ranges chosen;
        interruptible([&](Control& control) {
          check_rows(rows, n_threads, control);
          if (const auto fields = choose_grid(rows, fields_of(candidates), n_threads, control))
            chosen = {{fields->first.start, fields->first.stop}, {fields->second.start, fields->second.stop}};
        });
        return chosen;
      },
      py::arg("blocks"), py::arg("n_rows"), py::arg("n_features"), py::arg("candidates"),
      py::arg("n_threads"));

  module.def(
      "draw_negatives",
      [](const py::tuple& seen, const py::array& users, std::int64_t per_positive, std::uint64_t seed, std::uint64_t epoch,
         int n_threads) {
        const CsrView of_user = view_csr(seen, "seen");
        const IndexView of_row = view_index(users, "users");
        const auto n_rows = static_cast<std::int64_t>(of_row.size());
        py::array_t<std::int64_t> out({n_rows, std::max<std::int64_t>(0, per_positive)});
        std::int64_t* into = out.mutable_data();
        interruptible([&](Control& control) {
          const NegativeSampler sampler(of_user, per_positive, seed, n_threads, control);
          const NegativeSampler::Epoch draws = sampler.epoch(epoch);
          for_each_chunk(Chunks(n_rows, 1024), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t row = begin; row < end; ++row) {
              const std::int64_t user = of_row[static_cast<std::size_t>(row)];
              if (user < 0 || user >= sampler.n_users())
                throw std::invalid_argument("users[" + std::to_string(row) + "] is " + std::to_string(user) +
                                            ", outside 0.." + std::to_string(sampler.n_users() - 1));
              std::int64_t* items = into + row * per_positive;
              if (!draws.draw_all(user, row, items)) std::fill_n(items, per_positive, std::int64_t{-1});
            }
          });
        });
        return out;
      },
      py::arg("seen"), py::arg("users"), py::arg("per_positive"), py::arg("seed"), py::arg("epoch"),
      py::arg("n_threads"));
}

}  // namespace factorec::bindings
