"""The hyperparameters of the managed service's factorization machines and k-nearest neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from ._configuration import Configuration, boolean, choice, integer, number

__all__ = ["FMHyperparameters", "KNNHyperparameters"]

BLOCKS = ("bias", "linear", "factors")
# Parameters of `FMClassifier` that hyperparameters say under other names.
LIBRARY_NAMES = ("n_factors", "n_epochs", "batch_size", "learning_rate", "l2_bias", "l2_linear", "l2_factors")

# The hyperparameter that goes with a method of initialisation, and what it says.
_OF_METHOD = {
    "normal": ("init_sigma", "the standard deviation"),
    "uniform": ("init_scale", "values are drawn from -scale to +scale"),
    "constant": ("init_value", "the value that all start from"),
}


@dataclass(frozen=True, kw_only=True)
class FMHyperparameters(Configuration):
    """Hyperparameters of factorization machines, with the managed service's names and defaults.

    Made by ``FMHyperparameters.read({...})`` from strings, as a job description has them. ``use_bias``,
    ``use_linear`` and ``batch_metrics_publish_interval`` are not documented by the service; its log shows them.

    Parameters
    ----------
    feature_dim : int
        Columns of the rows.
    num_factors : int
        Factors of each feature (k).
    predictor_type : {"binary_classifier", "regressor"}
    epochs : int, default=1
    mini_batch_size : int, default=1000
    bias_lr, linear_lr, factors_lr : float, default=0.1, 0.001, 0.0001
        Learning rates of Adam.
    bias_wd, linear_wd, factors_wd : float, default=0.01, 0.001, 0.00001
        Weight decay, added to the gradient.
    bias_init_method, linear_init_method, factors_init_method : {"normal", "uniform", "constant"}, default="normal"
    bias_init_sigma, linear_init_sigma, factors_init_sigma : float, default=0.01, 0.01, 0.001
        For "normal".
    bias_init_scale, linear_init_scale, factors_init_scale : float, optional
        For "uniform", which needs it: the service's own default is not known.
    bias_init_value, linear_init_value, factors_init_value : float, optional
        For "constant", which needs it.
    clip_gradient : float, optional
        Gradient entries are clipped to plus or minus this, after rescaling and weight decay. Below 0: no clipping, as
        in MXNet.
    eps : float, optional
        Adam's epsilon; None: 1e-8 (a guess: MXNet's default).
    rescale_grad : float, optional
        Multiplies the summed gradient; None: 1 / mini_batch_size.
    use_bias, use_linear : bool, default=True
        False: the block is 0 and stays 0 (a guess: the service does not document them).
    batch_metrics_publish_interval : int, default=500
        Every so many batches the log has a line.

    Notes
    -----
    ``*_init_sigma`` and its like have an effect with their own method only; with another, training warns of them (a
    guess: the service's documentation says when they take effect, not that others are refused).

    Names that begin with ``_`` are the service's own. They may be repeated with the service's value; another one is
    refused, but for those that say how its machines work, which change nothing here.

    Examples
    --------
    >>> given = {"feature_dim": "2625", "num_factors": "64", "predictor_type": "binary_classifier", "epochs": "200"}
    >>> read = FMHyperparameters.read(given)
    >>> read.epochs, read.mini_batch_size, read.factors_lr
    (200, 1000, 0.0001)
    >>> FMHyperparameters.read(given | {"factor_lr": "0.01"})
    Traceback (most recent call last):
        ...
    factorec.errors.DataError: 'factor_lr' is not a hyperparameter of factorization machines; did you mean 'factors_lr'?
    """

    algorithm: ClassVar[str] = "factorization machines"
    hidden: ClassVar[Mapping[str, str]] = {
        "_optimizer": "adam",
        "_learning_rate": "1.0",
        "_wd": "1.0",
        "_kvstore": "auto",
        "_num_kv_servers": "auto",
        "_num_gpus": "auto",
        "_use_full_symbolic": "true",
        "_data_format": "record",
        "_log_level": "info",
        "_tuning_objective_metric": "",
    }
    without_effect: ClassVar[frozenset[str]] = frozenset(
        {"_kvstore", "_num_kv_servers", "_num_gpus", "_log_level", "_tuning_objective_metric"}
    )

    feature_dim: int = integer()
    num_factors: int = integer()
    predictor_type: Literal["binary_classifier", "regressor"] = choice("binary_classifier", "regressor")
    epochs: int = integer(default=1)
    mini_batch_size: int = integer(default=1000)
    bias_lr: float = number(low=0, default=0.1)
    linear_lr: float = number(low=0, default=0.001)
    factors_lr: float = number(low=0, default=0.0001)
    bias_wd: float = number(low=0, default=0.01)
    linear_wd: float = number(low=0, default=0.001)
    factors_wd: float = number(low=0, default=0.00001)
    bias_init_method: str = choice("normal", "uniform", "constant", default="normal")
    linear_init_method: str = choice("normal", "uniform", "constant", default="normal")
    factors_init_method: str = choice("normal", "uniform", "constant", default="normal")
    bias_init_sigma: float = number(low=0, default=0.01)
    linear_init_sigma: float = number(low=0, default=0.01)
    factors_init_sigma: float = number(low=0, default=0.001)
    bias_init_scale: float | None = number(low=0, default=None)
    linear_init_scale: float | None = number(low=0, default=None)
    factors_init_scale: float | None = number(low=0, default=None)
    bias_init_value: float | None = number(default=None)
    linear_init_value: float | None = number(default=None)
    factors_init_value: float | None = number(default=None)
    clip_gradient: float | None = number(default=None)
    eps: float | None = number(low=0, above=True, default=None)
    rescale_grad: float | None = number(default=None)
    use_bias: bool = boolean(default=True)
    use_linear: bool = boolean(default=True)
    batch_metrics_publish_interval: int = integer(default=500)

    def conflicts(self, given: frozenset[str]) -> list[str]:
        """What the methods of initialisation lack."""
        wrong = []
        if self.clip_gradient == 0:
            wrong.append("clip_gradient is 0: every gradient would be clipped to 0 and nothing learned")
        for block in BLOCKS:
            method = getattr(self, f"{block}_init_method")
            needed, meaning = _OF_METHOD[method]
            if getattr(self, f"{block}_{needed}") is None:
                wrong.append(f"{block}_init_method is {method!r}: give {block}_{needed}, {meaning}")
        return wrong

    def warn_without_effect(self) -> None:
        """Warn of start values that are not those of their block's method."""
        defaults = {field.name: field.default for field in fields(self)}
        for block in BLOCKS:
            method = getattr(self, f"{block}_init_method")
            for other, (suffix, _) in _OF_METHOD.items():
                name = f"{block}_{suffix}"
                if other != method and getattr(self, name) != defaults[name]:
                    warnings.warn(
                        f"{name} has no effect: {block}_init_method is {method!r}, not {other!r}", stacklevel=3
                    )

    def start_of(self, block: str) -> tuple[str, float]:
        """How a block ("bias", "linear", "factors") starts: the method and its sigma, scale or value."""
        method: str = getattr(self, f"{block}_init_method")
        return method, float(getattr(self, f"{block}_{_OF_METHOD[method][0]}"))

    def in_library(self) -> dict[str, Any]:
        """``LIBRARY_NAMES`` -> values. A block that is not used has the rate 0."""
        used = {"bias": self.use_bias, "linear": self.use_linear, "factors": True}
        rates = {block: getattr(self, f"{block}_lr") if used[block] else 0.0 for block in BLOCKS}
        values = (self.num_factors, self.epochs, self.mini_batch_size, rates)
        return dict(zip(LIBRARY_NAMES, (*values, self.bias_wd, self.linear_wd, self.factors_wd), strict=True))


@dataclass(frozen=True, kw_only=True)
class KNNHyperparameters(Configuration):
    """Hyperparameters of k-nearest neighbours, with the managed service's names and defaults.

    Made by ``KNNHyperparameters.read({...})`` from strings.

    Parameters
    ----------
    feature_dim : int or "auto", default="auto"
        Columns of the rows; "auto": those of the rows given. (The service documents it as required, its log shows
        "auto" as the default.)
    k : int
        Neighbours that a prediction is made of.
    sample_size : int
        Rows that are kept, drawn at random; more than there are keeps them all.
    predictor_type : {"classifier", "regressor"}
    index_type : {"faiss.Flat", "faiss.IVFFlat", "faiss.IVFPQ"}, default="faiss.Flat"
        The two others are approximate in the service. Here all of them are answered exactly.
    index_metric : {"L2", "INNER_PRODUCT", "COSINE"}, default="L2"
        faiss.IVFPQ takes L2 only.
    faiss_index_ivf_nlists : int or "auto", default="auto"
        Read for the sake of jobs that set it: an exact answer needs no lists.
    faiss_index_pq_m : {1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96}, optional
        faiss.IVFPQ needs it. As in the service, ``dimension_reduction_target`` grows to a multiple of it; nothing
        else depends on it here.
    dimension_reduction_type : {"sign", "fjlt"}, optional
        The random projection.
    dimension_reduction_target : int, optional
        Columns after the projection, less than ``feature_dim``; goes together with the type.
    mini_batch_size : int, default=5000
        Has no effect.

    Examples
    --------
    >>> read = KNNHyperparameters.read({"k": "100", "sample_size": "1682", "predictor_type": "classifier"})
    >>> read.index_metric, read.feature_dim
    ('L2', 'auto')
    """

    algorithm: ClassVar[str] = "k-nearest neighbours"
    hidden: ClassVar[Mapping[str, str]] = {"_faiss_index_nprobe": "5", "epochs": "1", "_kvstore": "dist_async"}
    without_effect: ClassVar[frozenset[str]] = frozenset({"_faiss_index_nprobe", "_kvstore"})

    k: int = integer()
    sample_size: int = integer()
    predictor_type: Literal["classifier", "regressor"] = choice("classifier", "regressor")
    feature_dim: int | Literal["auto"] = integer(default="auto", auto=True)
    index_type: str = choice("faiss.Flat", "faiss.IVFFlat", "faiss.IVFPQ", default="faiss.Flat")
    index_metric: Literal["L2", "INNER_PRODUCT", "COSINE"] = choice("L2", "INNER_PRODUCT", "COSINE", default="L2")
    faiss_index_ivf_nlists: int | Literal["auto"] = integer(default="auto", auto=True)
    faiss_index_pq_m: int | None = choice(1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, default=None)
    dimension_reduction_type: Literal["sign", "fjlt"] | None = choice("sign", "fjlt", default=None)
    dimension_reduction_target: int | None = integer(default=None)
    mini_batch_size: int = integer(default=5000)

    def conflicts(self, given: frozenset[str]) -> list[str]:
        """What does not go together; what has no effect is warned of."""
        wrong = []
        if self.index_type == "faiss.IVFPQ":
            if self.index_metric != "L2":
                wrong.append(f"index_type faiss.IVFPQ takes index_metric L2 only, got {self.index_metric!r}")
            if self.faiss_index_pq_m is None:
                wrong.append("index_type is 'faiss.IVFPQ': give faiss_index_pq_m")
        for name, types in (("pq_m", ["faiss.IVFPQ"]), ("ivf_nlists", ["faiss.IVFPQ", "faiss.IVFFlat"])):
            if f"faiss_index_{name}" in given and self.index_type not in types:
                warnings.warn(
                    f"faiss_index_{name} has no effect: index_type is {self.index_type!r}, not {' or '.join(types)}",
                    stacklevel=3,
                )
        kind, target = self.dimension_reduction_type, self.dimension_reduction_target
        if (kind is None) != (target is None):
            wrong.append("dimension_reduction_type and dimension_reduction_target go together: give both or neither")
        if target is not None and self.feature_dim != "auto" and target >= self.feature_dim:
            wrong.append(f"dimension_reduction_target is {target}, it must be less than feature_dim {self.feature_dim}")
        return wrong
