"""The artifact of the managed service's factorization machines, ``model.tar.gz``, read and written.

Inside is one file ``model_algo-1``, a zip of ``symbol.json`` (the graph), ``params`` (the arrays, see `mxnet_params`)
and ``meta.json`` (the hyperparameters).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .._atomic import atomic_file
from ..errors import DataError, FormatError
from ._archive import INNER, read_files, unzip, write_tar, write_zip
from ._limits import check_size
from .mxnet_params import MXNetArray, read_params, write_params
from .mxnet_symbol import OUTPUTS, predictor_type_of, symbol_json

__all__ = ["FMArtifact", "fm_artifact_of_files", "is_fm_file", "read_fm_artifact", "write_fm_artifact"]

# Also under the names that notebooks give them for MXNet's Module.load: model-symbol.json, model-0000.params.
_SYMBOL, _PARAMS, _META = "symbol.json", "params", "meta.json"
_RENAMED = {_SYMBOL: re.compile(r".+-symbol\.json"), _PARAMS: re.compile(r".+-[0-9]{4}\.params")}
# As JSON text may take some 30 times its size in memory; a graph takes kilobytes.
_MAX_JSON = 4 << 20

# What the parameters are called after training on sparse and on dense records.
_SPARSE = {"linear": "w1_weight", "bias": "w0_weight"}
_DENSE = {"linear": "Linear_Plus_Bias_weight", "bias": "Linear_Plus_Bias_bias"}


@dataclass(frozen=True, eq=False)
class FMArtifact:
    """A factorization machine as the managed service stores it.

    Attributes
    ----------
    bias : float
    linear : ndarray of float32, shape (n_features,)
    factors : ndarray of float32, shape (n_features, n_factors)
    predictor_type : {"binary_classifier", "regressor"} or None
        As ``meta.json`` says, otherwise as the graph's output says; None if neither does.
    meta : dict
        ``meta.json``, parsed; empty if there is none.
    """

    bias: float
    linear: npt.NDArray[np.float32]
    factors: npt.NDArray[np.float32]
    predictor_type: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The training parameters of ``meta.json``, as the strings that they travel as; nested ones are left out."""
        given = self.meta.get("training_parameters")
        entries = given.items() if isinstance(given, dict) else ()
        return {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in entries
            if isinstance(value, str | int | float)
        }


def read_fm_artifact(path: str | os.PathLike[str], *, max_size: int | None = None) -> FMArtifact:
    """Read a model that was trained by the managed service, or written by `write_fm_artifact`.

    Parameters
    ----------
    path : path-like
        ``model.tar.gz``; the zip inside; or a folder with either, or with their files, also as notebooks rename them
        (``model-symbol.json``, ``model-0000.params``).
    max_size : int, optional
        The most bytes that any layer (gzip, zip, the zeros between stored rows) may unpack to. None: 100 times the
        file's size, at least 256 MiB.

    Returns
    -------
    FMArtifact
        Whether trained on sparse or on dense records, in one layout. What ``use_linear=false`` or ``use_bias=false``
        left out is zero (a guess: no such artifact was at hand).

    Raises
    ------
    FormatError
        If the artifact is damaged or hostile, a shape contradicts another or ``meta.json``, or a value is not finite.
    OSError
        If the path cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/model.tar.gz"
    >>> factors = np.array([[1.0], [2.0]], np.float32)
    >>> write_fm_artifact(path, 0.5, np.zeros(2, np.float32), factors, predictor_type="regressor", hyperparameters={})
    >>> artifact = read_fm_artifact(path)
    >>> artifact.bias, artifact.predictor_type, artifact.factors.shape
    (0.5, 'regressor', (2, 1))
    """
    files, name, limit = read_files(path, is_fm_file, max_size)
    return fm_artifact_of_files(files, name, limit)


def is_fm_file(name: str) -> bool:
    """Whether a file's name (without folders) is one that an artifact of a factorization machine may have."""
    return name in (INNER, _SYMBOL, _PARAMS, _META) or any(rule.fullmatch(name) for rule in _RENAMED.values())


def fm_artifact_of_files(files: Mapping[str, bytes], name: str, limit: int) -> FMArtifact:
    """Read a model from the files of an artifact; see `read_fm_artifact`."""
    params = _find(files, _PARAMS, name)
    if params is None and INNER in files:
        name = f"{name}: {INNER}"
        if files[INNER][:4] != b"PK\3\4":
            raise FormatError(f"{name}, offset 0: not a zip, as a factorization machine's artifact has there")
        files = unzip(files[INNER], is_fm_file, limit, name)
        params = _find(files, _PARAMS, name)
    if params is None:
        raise FormatError(f"{name}: holds no {_PARAMS!r}, found {sorted(files)}: not a factorization machine")
    meta = _parse(files, _META, name)
    if not isinstance(meta, dict | None):
        raise FormatError(f"{name}: {_META} must be an object")
    symbol = _find(files, _SYMBOL, name)
    from_graph = None
    if symbol is not None:
        graph = _parse(files, symbol, name)
        try:
            from_graph = predictor_type_of(graph)
        except FormatError as error:
            raise FormatError(f"{name}: {symbol}: {error}") from None
    arrays = read_params(files[params], name=f"{name}: {params}")
    return _normalise(arrays, meta or {}, from_graph, f"{name}: {params}", limit)


def write_fm_artifact(
    path: str | os.PathLike[str],
    bias: float,
    linear: npt.NDArray[np.float32],
    factors: npt.NDArray[np.float32],
    *,
    predictor_type: str,
    hyperparameters: Mapping[str, str],
) -> None:
    """Write a model as the managed service stores it, atomically; the same model gives the same bytes.

    MXNet's ``Module.load`` opens it as it opens the service's own: the graph is whole, the arrays are those of a model
    trained on sparse records. MXNet is not needed to write it.

    Parameters
    ----------
    path : path-like
        ``model.tar.gz``; or a folder that is there, which gets ``model_algo-1`` alone, as a training container leaves
        it in ``/opt/ml/model``.
    bias : float
    linear : ndarray of float32, shape (n_features,)
    factors : ndarray of float32, shape (n_features, n_factors)
    predictor_type : {"binary_classifier", "regressor"}
    hyperparameters : dict of str to str
        For ``meta.json``; ``feature_dim``, ``num_factors`` and ``predictor_type`` are added.

    Raises
    ------
    DataError
        If the arrays are no model, or `hyperparameters` contradict them.
    OSError
        If the file cannot be written. An old one is then still there.
    """
    _check_model(bias, linear, factors)
    n_features, n_factors = factors.shape
    graph = symbol_json(predictor_type, n_features, n_factors)
    own = {"feature_dim": str(n_features), "num_factors": str(n_factors), "predictor_type": predictor_type}
    given = {key: str(value) for key, value in hyperparameters.items()}
    for key, value in own.items():
        if given.get(key, value) != value:
            raise DataError(f"hyperparameter {key} is {given[key]!r}, the model's is {value!r}")
    meta = json.dumps({"training_parameters": given | own}, sort_keys=True)
    arrays = {  # in the order of the graph's arguments, as MXNet saves them
        f"arg:{_SPARSE['linear']}": linear.reshape(-1, 1),
        f"arg:{_SPARSE['bias']}": np.array([bias], np.float32),
        "arg:v": factors,
    }
    writers: dict[str, Callable[[BinaryIO], Any]] = {
        _SYMBOL: lambda file: file.write(graph.encode()),
        _PARAMS: lambda file: write_params(file, arrays),
        _META: lambda file: file.write(meta.encode()),
    }
    inner = write_zip(writers)
    if Path(path).is_dir():
        with atomic_file(Path(path) / INNER) as file:
            file.write(inner)
    else:
        write_tar(path, {INNER: inner})


def _check_model(bias: float, linear: npt.NDArray[Any], factors: npt.NDArray[Any]) -> None:
    for what, array, n_dims in (("linear", linear, 1), ("factors", factors, 2)):
        if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != n_dims:
            raise DataError(f"{what} must be a float32 array with {n_dims} dimension(s)")
        if not np.isfinite(array).all():
            raise DataError(f"{what} holds values that are not finite")
    if factors.size == 0 or len(linear) != len(factors):
        raise DataError(
            f"linear has shape {linear.shape}, factors {factors.shape}: expected (n,) and (n, k), not empty"
        )
    with np.errstate(over="ignore"):
        if not np.isfinite(np.float32(bias)):
            raise DataError(f"bias {bias} is not a finite float32")


def _find(files: Mapping[str, bytes], exact: str, name: str) -> str | None:
    if exact in files:
        return exact
    renamed = sorted(filter(_RENAMED[exact].fullmatch, files))
    if len(renamed) > 1:
        raise FormatError(f"{name}: holds several models, {', '.join(renamed)}: give a folder with one")
    return renamed[0] if renamed else None


def _parse(files: Mapping[str, bytes], file: str, name: str) -> Any:
    data = files.get(file)
    if data is None:
        return None
    if len(data) > _MAX_JSON:
        raise FormatError(f"{name}: {file} has {len(data)} bytes, at most {_MAX_JSON} are read")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: {file}: not JSON ({str(error)[:200]})") from None


def _normalise(
    arrays: Mapping[str, MXNetArray], meta: dict[str, Any], from_graph: str | None, name: str, limit: int
) -> FMArtifact:
    """Bring either layout into one; see the contract's table of names and shapes."""
    found = {key.removeprefix("arg:"): array for key, array in arrays.items() if array is not None}
    if "v" not in found:
        raise FormatError(f"{name}: no array 'arg:v', found {sorted(found)[:20]}: not a factorization machine")
    stated = _Stated.in_meta(meta, name)
    factors = _dense(found["v"], "v", name, limit)
    if factors.ndim != 2 or factors.size == 0:
        raise FormatError(f"{name}: 'v' has shape {factors.shape}, expected two dimensions")
    is_sparse, is_dense = (any(key in found for key in names.values()) for names in (_SPARSE, _DENSE))
    if is_sparse and is_dense:
        raise FormatError(f"{name}: holds arrays of both layouts, {sorted(found)[:20]}")
    # The names decide. Only if neither is there, without bias and linear weights, the shape must.
    if is_dense or (not is_sparse and stated.is_transposed(factors.shape)):
        factors = np.ascontiguousarray(factors.T)
    for key, expected, actual in zip(
        ("feature_dim", "num_factors"), (stated.n_features, stated.n_factors), factors.shape, strict=True
    ):
        if expected not in (None, actual):
            raise FormatError(f"{name}: 'v' is for {key} {actual}, {_META} says {expected}")
    names = _DENSE if is_dense else _SPARSE
    linear, bias = np.zeros(len(factors), np.float32), np.zeros(1, np.float32)
    if names["linear"] in found:
        linear = _dense(found[names["linear"]], names["linear"], name, limit).reshape(-1)
    if len(linear) != len(factors):
        raise FormatError(f"{name}: {names['linear']!r} is for {len(linear)} features, 'v' for {len(factors)}")
    if names["bias"] in found:
        bias = _dense(found[names["bias"]], names["bias"], name, limit).reshape(-1)
    if len(bias) != 1:
        raise FormatError(f"{name}: {names['bias']!r} has {len(bias)} entries, expected one")
    return FMArtifact(float(bias[0]), linear, factors, stated.predictor_type or from_graph, meta)


@dataclass(frozen=True)
class _Stated:
    """What ``meta.json`` says of the model; None where it says nothing."""

    n_features: int | None
    n_factors: int | None
    predictor_type: str | None

    @classmethod
    def in_meta(cls, meta: dict[str, Any], name: str) -> _Stated:
        given = meta.get("training_parameters", {})
        if not isinstance(given, dict):
            raise FormatError(f"{name}: {_META}: training_parameters must be an object")
        sizes: list[int | None] = []
        for key in ("feature_dim", "num_factors"):
            value = given.get(key)  # a number, or a string as hyperparameters travel
            if value is not None and (isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,17}", str(value))):
                raise FormatError(f"{name}: {_META} has the {key} {str(value)!r:.80}, expected an integer")
            sizes.append(None if value is None else int(value))
        kind = given.get("predictor_type")
        if kind is not None and (not isinstance(kind, str) or kind not in OUTPUTS):
            known = " or ".join(OUTPUTS)
            raise FormatError(f"{name}: {_META} has the predictor_type {str(kind)!r:.80}, expected {known}")
        return cls(sizes[0], sizes[1], kind)

    def is_transposed(self, shape: tuple[int, ...]) -> bool:
        return self.n_features not in (None, shape[0]) and self.n_features == shape[1]


def _dense(array: MXNetArray, key: str, name: str, limit: int) -> npt.NDArray[np.float32]:
    if not isinstance(array, np.ndarray):
        assert array is not None
        n_entries = 1
        for size in array.shape:
            n_entries *= int(size)
        check_size(n_entries * array.dtype.itemsize, limit, f"{name}: {key!r} of shape {array.shape}")
        array = array.toarray()
    if array.dtype.kind not in "fiu":
        raise FormatError(f"{name}: {key!r} has the dtype {array.dtype}, expected numbers")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(values).all():
        raise FormatError(f"{name}: {key!r} holds values that are not finite")
    return values
