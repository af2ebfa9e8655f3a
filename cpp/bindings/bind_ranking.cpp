// A trainer lives as long as one call to fit.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/ranking.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

// A trainer together with the arrays that it looks into.
struct HeldRankingTrainer {
  py::list held;
  std::unique_ptr<RankingTrainer> trainer;
};

RankingLoss loss_of(const std::string& name) {
  if (name == "softmax") return RankingLoss::softmax;
  if (name == "bpr") return RankingLoss::bpr;
  if (name == "warp") return RankingLoss::warp;
  throw std::invalid_argument("unknown ranking loss '" + name + "'");
}

ParameterArrays view_parameters(py::array& linear, py::array& factors, py::array& linear_accumulator,
                                py::array& factors_accumulator) {
  return {view_mutable<float>(linear, "linear"), view_matrix_mutable(factors, "factors"),
          view_mutable<float>(linear_accumulator, "linear accumulator"),
          view_mutable<float>(factors_accumulator, "factors accumulator")};
}

std::unique_ptr<HeldRankingTrainer> make_trainer(py::list blocks, std::int64_t n_rows, py::object weight,
                                                 py::tuple features, py::tuple seen, py::object popularity,
                                                 const py::dict& options, py::tuple parameters) {
  auto held = std::make_unique<HeldRankingTrainer>();
  for (const py::handle object : {py::handle(blocks), py::handle(weight), py::handle(features), py::handle(seen),
                                  py::handle(popularity)})
    held->held.append(object);
  RankingData data;
  const auto of_features = [&](std::size_t at, const char* name) {
    return view<float>(as_array(features[at], name), name);
  };
  data.features = {of_features(0, "rate_linear"), of_features(1, "rate_factors"), of_features(2, "l2_linear"),
                   of_features(3, "l2_factors")};
  data.rows = view_rows(blocks, n_rows, static_cast<std::int64_t>(data.features.l2_linear.size()));
  if (!weight.is_none()) data.weight = view<float>(as_array(weight, "weight"), "weight");
  data.seen = view_csr(seen, "seen");
  if (!popularity.is_none()) data.popularity = view<std::int64_t>(as_array(popularity, "popularity"), "popularity");

  RankingOptions set;
  set.loss = loss_of(options["loss"].cast<std::string>());
  set.n_negatives = options["n_negatives"].cast<std::int64_t>();
  set.batch_size = options["batch_size"].cast<std::int64_t>();
  set.shuffle = options["shuffle"].cast<bool>();
  set.seed = options["seed"].cast<std::uint64_t>();
  set.n_threads = options["n_threads"].cast<int>();

  auto linear = py::cast<py::array>(parameters[0]), factors = py::cast<py::array>(parameters[1]);
  auto linear_accumulator = py::cast<py::array>(parameters[2]), factors_accumulator = py::cast<py::array>(parameters[3]);
  const ParameterArrays start = view_parameters(linear, factors, linear_accumulator, factors_accumulator);
  interruptible([&](Control& control) {
    held->trainer = std::make_unique<RankingTrainer>(std::move(data), set, start, control);
  });
  return held;
}

}  // namespace

void bind_ranking(py::module_& module) {
  py::class_<HeldRankingTrainer>(module, "RankingTrainer")
      .def(py::init(&make_trainer), py::arg("blocks"), py::arg("n_rows"), py::arg("weight"), py::arg("features"),
           py::arg("seen"), py::arg("popularity"), py::arg("options"), py::arg("parameters"))
      .def(
          "epoch",
          [](HeldRankingTrainer& self, std::uint64_t number) {
            const RankingSums sums =
                interruptible([&](Control& control) { return self.trainer->epoch(number, control); });
            return py::make_tuple(sums.weight, sums.loss);
          },
          py::arg("number"))
      .def(
          "copy_to",
          [](const HeldRankingTrainer& self, py::array linear, py::array factors, py::array linear_accumulator,
             py::array factors_accumulator) {
            self.trainer->copy_to(view_parameters(linear, factors, linear_accumulator, factors_accumulator));
          },
          py::arg("linear"), py::arg("factors"), py::arg("linear_accumulator"), py::arg("factors_accumulator"))
      .def("charged",
           [](const HeldRankingTrainer& self) {
             const auto charged = self.trainer->charged();
             return py::array_t<double>(static_cast<py::ssize_t>(charged.size()), charged.data());
           })
      .def("finite", [](const HeldRankingTrainer& self) { return self.trainer->finite(); });
}

}  // namespace factorec::bindings
