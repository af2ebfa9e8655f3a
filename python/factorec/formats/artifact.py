"""Any artifact of the managed service, told apart by what it holds."""

from __future__ import annotations

import os

from ._archive import read_files
from .fm_artifact import FMArtifact, fm_artifact_of_files, is_fm_file
from .knn_artifact import KNNArtifact, holds_knn, is_knn_file, knn_artifact_of_files

__all__ = ["read_artifact"]


def read_artifact(path: str | os.PathLike[str], *, max_size: int | None = None) -> FMArtifact | KNNArtifact:
    """Read a model of either algorithm.

    Parameters
    ----------
    path : path-like
        As for `read_fm_artifact` and `read_knn_artifact`.
    max_size : int, optional
        The most bytes that a layer of the archive may unpack to. None: 100 times the file's size, at least 256 MiB.

    Returns
    -------
    FMArtifact or KNNArtifact

    Raises
    ------
    FormatError
        If it is neither, damaged or hostile.
    OSError
        If the path cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from factorec.formats.knn_artifact import write_knn_artifact
    >>> path = tempfile.mkdtemp() + "/model.tar.gz"
    >>> write_knn_artifact(path, np.eye(2, dtype=np.float32), [5, 7], k=1, predictor_type="classifier", metric="L2")
    >>> type(read_artifact(path)).__name__
    'KNNArtifact'
    """
    files, name, limit = read_files(path, lambda file: is_fm_file(file) or is_knn_file(file), max_size)
    return knn_artifact_of_files(files, name) if holds_knn(files) else fm_artifact_of_files(files, name, limit)
