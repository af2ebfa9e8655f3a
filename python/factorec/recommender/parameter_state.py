"""The parameters of a machine in a model file: one machine, or the samples of a posterior and their mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..fm import FMParameters, Penalties
from ..fm.penalties import Prior
from ..fm.posterior import Posterior
from ..formats.schema import TensorSpec

__all__ = ["pack_parameters", "parameters_schema", "unpack_parameters"]

Tensors = dict[str, NDArray[Any]]

_FEATURES, _SAMPLES = "n_features", "n_samples"
_PRIOR = {"mean_linear": (), "mean_factors": ("k",), "linear": (), "factors": ("k",)}
_OF_SAMPLES = ("bias", "linear", "noise_precision", "log_noise", "cuts")


def parameters_schema(metadata: dict[str, Any]) -> dict[str, TensorSpec]:
    """Which tensors there may be: what the metadata say of the penalties decides their shape.

    ``n_factors`` is the number of columns of ``factors``, with samples those of all samples together; ``k`` that of
    one machine.
    """
    sampled = "posterior" in metadata
    n_factors: tuple[int | str, ...] = ("k",) if sampled else ("n_factors",)
    by_factor = metadata.get("penalties_by_factor") is True
    schema = {
        "bias": TensorSpec("float64", ()),
        "linear": TensorSpec("float32", (_FEATURES,)),
        "factors": TensorSpec("float32", (_FEATURES, "n_factors")),
        "penalties.linear": TensorSpec("float64", (_FEATURES,)),
        "penalties.factors": TensorSpec("float64", (_FEATURES, *n_factors) if by_factor else (_FEATURES,)),
        **{
            f"penalties.prior.{name}": TensorSpec("float64", ("n_priors", *(n_factors if of else ())), optional=True)
            for name, of in _PRIOR.items()
        },
    }
    if not sampled:
        return schema
    return schema | {
        "mean.bias": TensorSpec("float64", ()),
        "mean.linear": TensorSpec("float32", (_FEATURES,)),
        "mean.factors": TensorSpec("float32", (_FEATURES, "k")),
        "posterior.bias": TensorSpec("float64", (_SAMPLES,)),
        "posterior.linear": TensorSpec("float32", (_FEATURES, _SAMPLES)),
        "posterior.noise_precision": TensorSpec("float64", (_SAMPLES,)),
        "posterior.log_noise": TensorSpec("float32", (_FEATURES, _SAMPLES), optional=True),
        "posterior.cuts": TensorSpec("float64", (_SAMPLES, "n_cuts"), optional=True),
        **{
            f"posterior.prior.{name}": TensorSpec("float64", ("n_sampled_priors", _SAMPLES, *of), optional=True)
            for name, of in _PRIOR.items()
        },
    }


def pack_parameters(p: FMParameters) -> tuple[Tensors, dict[str, Any]]:
    """Arrays of the file, and its metadata. Of a machine without samples both are what the first files have."""
    mean, posterior = p.mean(), p.posterior
    penalties = mean.penalties
    assert penalties is not None  # training sets it
    tensors: Tensors = {
        "bias": np.array(p.bias, dtype=np.float64),
        "linear": p.linear,
        "factors": p.factors,
        "penalties.linear": penalties.linear,
        "penalties.factors": penalties.factors,
        **_pack_priors("penalties.prior", penalties.priors),
    }
    metadata: dict[str, Any] = {"penalties_per_row": {field: list(pair) for field, pair in penalties.per_row.items()}}
    if penalties.factors.ndim == 2:
        metadata["penalties_by_factor"] = True
    if penalties.priors:
        metadata["penalties_priors"] = list(penalties.priors)
    if p.interactions != "all":
        metadata["interactions"] = p.interactions
    if posterior is not None:
        tensors |= {"mean.bias": np.array(mean.bias), "mean.linear": mean.linear, "mean.factors": mean.factors}
        given = {name: getattr(posterior, name) for name in _OF_SAMPLES}
        tensors |= {f"posterior.{name}": array for name, array in given.items() if array is not None}
        tensors |= _pack_priors("posterior.prior", posterior.priors)
        metadata["posterior"] = {
            "seed": posterior.seed,
            "priors": list(posterior.priors or {}),
            "penalties_of_samples": p.penalties is not None,
        }
    return tensors, metadata


def unpack_parameters(tensors: Tensors, metadata: dict[str, Any], n_query_features: int) -> FMParameters:
    """The parameters that `pack_parameters` took apart."""
    per_row = {str(field): (float(a), float(b)) for field, (a, b) in metadata["penalties_per_row"].items()}
    priors = _unpack_priors("penalties.prior", tensors, metadata.get("penalties_priors", []))
    for name in ("linear", "factors"):
        if (tensors[f"penalties.{name}"] < 0).any():
            raise FormatError(f"array 'penalties.{name}' holds a negative penalty")
    p = FMParameters(
        float(tensors["bias"]),
        tensors["linear"],
        tensors["factors"],
        Penalties(tensors["penalties.linear"], tensors["penalties.factors"], per_row, priors),
        n_query_features,
        metadata.get("interactions", "all"),
    )
    if "posterior" not in metadata:
        return p
    about = metadata["posterior"]
    if set(about) != {"seed", "priors", "penalties_of_samples"} or not isinstance(about["seed"], int):
        raise FormatError(f"the posterior is {about!r:.200}, expected seed, priors and penalties_of_samples")
    mean = replace(p, bias=float(tensors["mean.bias"]), linear=tensors["mean.linear"], factors=tensors["mean.factors"])
    arrays: dict[str, Any] = {name: tensors.get(f"posterior.{name}") for name in _OF_SAMPLES}
    priors = _unpack_priors("posterior.prior", tensors, about["priors"])
    posterior = Posterior(mean=mean, priors=priors, seed=about["seed"], **arrays)
    penalties = p.penalties if about["penalties_of_samples"] is True else None
    return replace(p, penalties=penalties, posterior=posterior)


def _pack_priors(prefix: str, priors: dict[str, Prior] | None) -> Tensors:
    if not priors:
        return {}
    return {
        f"{prefix}.{name}": np.array([getattr(prior, name) for prior in priors.values()], np.float64) for name in _PRIOR
    }


def _unpack_priors(prefix: str, tensors: Tensors, fields: Any) -> dict[str, Prior]:
    found = {name: tensors[f"{prefix}.{name}"] for name in _PRIOR if f"{prefix}.{name}" in tensors}
    if not isinstance(fields, list) or any(len(array) != len(fields) for array in found.values()):
        raise FormatError(f"{fields!r:.200} does not name the fields of the arrays {prefix!r}")
    if not fields and not found:
        return {}
    if len(found) < len(_PRIOR):
        raise FormatError(f"the arrays {prefix!r} are not complete: {', '.join(found) or 'none'}")
    priors = {}
    for number, field in enumerate(fields):
        arrays: dict[str, Any] = {name: array[number] for name, array in found.items()}
        if (arrays["linear"] <= 0).any() or (arrays["factors"] <= 0).any():
            raise FormatError(f"array '{prefix}' holds a precision of {field!r:.80} that is not positive")
        # Of a machine without samples, two of them are numbers.
        values: dict[str, Any] = {name: array if array.ndim else float(array) for name, array in arrays.items()}
        priors[str(field)] = Prior(**values)
    return priors
