"""The errors that factorec raises. Each is also the built-in error that a caller would expect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

__all__ = [
    "DataError",
    "DatabaseError",
    "DatasetUnavailableError",
    "DivergenceError",
    "FactorecError",
    "FormatError",
    "NotFittedError",
    "PipelineBusyError",
    "QualityGateError",
    "UnknownIdError",
]


class FactorecError(Exception):
    """Base of every error that factorec defines.

    Examples
    --------
    >>> import factorec as fr
    >>> try:
    ...     fr.ItemIndex([[1.0, float("nan")]])
    ... except fr.FactorecError as error:
    ...     print(f"{type(error).__name__}: {error}")
    DataError: vectors[0, 1] is NaN
    """


class DataError(FactorecError, ValueError):
    """Input that cannot be used; the message names the field, the row and what to do."""


class UnknownIdError(FactorecError, KeyError):
    """Ids that the model does not know.

    Parameters
    ----------
    kind : str
        What the ids are, such as ``"user"``.
    ids : iterable
        The unknown ids.
    hint : str, optional
        What to do about it.

    Attributes
    ----------
    kind : str
    ids : list
        Python's own integers and strings, not numpy's.
    hint : str

    Examples
    --------
    >>> print(UnknownIdError("user", [4, 7], "fit again to learn new ids"))
    unknown user ids: 4, 7 (fit again to learn new ids)
    """

    def __init__(self, kind: str, ids: Iterable[Any], hint: str = "") -> None:
        self.kind = kind
        # numpy's scalars would be shown as np.int64(4)
        self.ids = [i.item() if isinstance(i, np.generic) else i for i in ids]
        self.hint = hint
        super().__init__(kind, self.ids, hint)

    def __str__(self) -> str:
        shown = ", ".join(repr(i) for i in self.ids[:10])
        more = f" and {len(self.ids) - 10} more" if len(self.ids) > 10 else ""
        plural = "s" if len(self.ids) > 1 else ""
        return f"unknown {self.kind} id{plural}: {shown}{more}" + (f" ({self.hint})" if self.hint else "")


class DivergenceError(FactorecError, FloatingPointError):
    """Training produced values that are not finite; the message names the epoch and the learning rate."""


class FormatError(FactorecError, ValueError):
    """A file that is not what it should be; the message names the file and the first wrong part."""


class DatasetUnavailableError(FactorecError, OSError):
    """A dataset that could not be had; the message lists what was tried and how to give a path."""


class DatabaseError(FactorecError, OSError):
    """A database that cannot be reached or written; the message names it, without a password."""


class PipelineBusyError(FactorecError):
    """Another process runs the same pipeline."""


class QualityGateError(FactorecError):
    """A model that is not good enough to be published; the message names each metric, its value and its bound."""
