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
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import DataError, FormatError
from ._archive import INNER, parse_json, parse_object, read_files, unzip, write_files, write_zip
from ._fm_layouts import SPARSE, normalise
from .mxnet_params import read_params, write_params
from .mxnet_symbol import predictor_type_of, symbol_json

__all__ = ["FMArtifact", "fm_artifact_of_files", "is_fm_file", "read_fm_artifact", "write_fm_artifact"]

# Also under the names that notebooks give them for MXNet's Module.load: model-symbol.json, model-0000.params.
_SYMBOL, _PARAMS, _META = "symbol.json", "params", "meta.json"
_RENAMED = {_SYMBOL: re.compile(r".+-symbol\.json"), _PARAMS: re.compile(r".+-[0-9]{4}\.params")}


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


def fm_artifact_of_files(files: dict[str, bytes], name: str, limit: int) -> FMArtifact:
    """Read a model from the files of an artifact; see `read_fm_artifact`. Takes large files out of `files`."""
    params = _find(files, _PARAMS, name)
    if params is None and INNER in files:
        name = f"{name}: {INNER}"
        if files[INNER][:4] != b"PK\3\4":
            found = "an index of k-nearest neighbours" if files[INNER][:2] == b"Ix" else "not a zip"  # FAISS begins so
            raise FormatError(f"{name}, offset 0: {found}; a factorization machine's artifact has a zip there")
        files = unzip(files.pop(INNER), is_fm_file, limit, name)
        params = _find(files, _PARAMS, name)
    if params is None:
        raise FormatError(f"{name}: holds no {_PARAMS!r}, found {sorted(files)}: not a factorization machine")
    meta = parse_object(files.get(_META, b"{}"), f"{name}: {_META}")
    symbol = _find(files, _SYMBOL, name)
    from_graph = None
    if symbol is not None:
        graph = parse_json(files[symbol], f"{name}: {symbol}")
        try:
            from_graph = predictor_type_of(graph)
        except FormatError as error:
            raise FormatError(f"{name}: {symbol}: {error}") from None
    arrays = read_params(files.pop(params), name=f"{name}: {params}")
    model = normalise(arrays, meta, f"{name}: {params}", limit)
    return FMArtifact(model.bias, model.linear, model.factors, model.predictor_type or from_graph, meta)


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

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> given = {"predictor_type": "regressor", "hyperparameters": {"epochs": "50"}}
    >>> write_fm_artifact(folder, 0.5, np.zeros(2, np.float32), np.ones((2, 1), np.float32), **given)
    >>> os.listdir(folder), read_fm_artifact(folder).hyperparameters["epochs"]
    (['model_algo-1'], '50')
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
        f"arg:{SPARSE['linear']}": linear.reshape(-1, 1),
        f"arg:{SPARSE['bias']}": np.array([bias], np.float32),
        "arg:v": factors,
    }
    writers: dict[str, Callable[[BinaryIO], object]] = {
        _SYMBOL: lambda file: file.write(graph.encode()),
        _PARAMS: lambda file: write_params(file, arrays),
        _META: lambda file: file.write(meta.encode()),
    }
    write_files(path, {INNER: write_zip(writers)})


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
