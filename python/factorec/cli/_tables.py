"""Reading tables for the command line: CSV, TSV and Parquet through pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FormatError

__all__ = ["parse_id", "read_table"]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_table(path: Path) -> Any:
    """Read ``.csv``, ``.tsv`` (also compressed: ``.csv.gz``) or ``.parquet`` into a pyarrow table.

    Raises
    ------
    FormatError
        If the name has none of these endings, or the content is not what the name says.
    OSError
        If the file cannot be read.
    """
    import pyarrow
    from pyarrow import csv, parquet

    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]
    try:
        if kind == ".parquet":
            return parquet.read_table(path)
        if kind in _DELIMITERS:
            return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=_DELIMITERS[kind]))
    except pyarrow.ArrowInvalid as error:
        raise FormatError(f"{path}: not a {kind[1:]} file that can be read: {error}") from None
    raise FormatError(f"{path}: the name must end in .csv, .tsv, .csv.gz, .tsv.gz or .parquet")


def parse_id(text: str, ids: NDArray[Any], what: str) -> Any:
    """An id typed by a person, as the model holds them."""
    if not np.issubdtype(ids.dtype, np.integer):
        return text
    try:
        return int(text)
    except ValueError:
        raise DataError(f"{what} {text!r} is not an integer, but the model's {what} ids are") from None
