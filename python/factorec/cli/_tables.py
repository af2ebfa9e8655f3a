"""Reading tables for the command line: CSV, TSV and Parquet through pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import Recommender
from ..errors import DataError, FormatError

__all__ = ["kinds_in", "kinds_of", "parse_id", "read_table"]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PLAIN_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"  # any of these fits in 64 bits


def read_table(path: Path, ids: Mapping[Any, str | None]) -> Any:
    """Read ``.csv``, ``.tsv`` (also compressed: ``.csv.gz``) or ``.parquet`` into a pyarrow table.

    Parameters
    ----------
    path : Path
    ids : dict
        The columns of ids, each with its kind, ``"integers"`` or ``"strings"``; None where the table decides. In
        CSV and TSV, ids are integers if each is written as one, otherwise text, so that 007 is not 7. Columns that
        the table does not have are passed over.

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
            text = csv.ConvertOptions(column_types={str(name): pyarrow.string() for name in ids})
            table = csv.read_csv(
                path, parse_options=csv.ParseOptions(delimiter=_DELIMITERS[kind]), convert_options=text
            )
            return _with_ids(table, ids)
    except pyarrow.ArrowInvalid as error:
        raise FormatError(f"{path}: not a {kind[1:]} file that can be read: {error}") from None
    raise FormatError(f"{path}: the name must end in .csv, .tsv, .csv.gz, .tsv.gz or .parquet")


def _with_ids(table: Any, ids: Mapping[Any, str | None]) -> Any:
    import pyarrow
    from pyarrow import compute

    for position, name in enumerate(table.column_names):
        if name in ids:
            text = table.column(position)
            values = compute.if_else(compute.equal(text, ""), None, text)  # an empty cell is no id
            if ids[name] != "strings" and compute.all(compute.match_substring_regex(values, _PLAIN_INTEGER)).as_py():
                values = values.cast(pyarrow.int64())
            table = table.set_column(position, name, values)
    return table


def kinds_in(table: Any, names: tuple[Any, ...]) -> dict[Any, str | None]:
    """The kinds of the ids in a table that was read, for the tables that go with it."""
    import pyarrow

    return {
        name: "integers" if pyarrow.types.is_integer(table.schema.field(name).type) else "strings"
        for name in names
        if table.column_names.count(name) == 1
    }


def kinds_of(rec: Recommender) -> dict[Any, str | None]:
    """The kinds of the ids that a model knows."""
    return {rec.user: rec.encoder_.users_.kind, rec.item: rec.encoder_.items_.kind}


def parse_id(text: str, ids: NDArray[Any], what: str) -> Any:
    """An id typed by a person, as the model holds them."""
    if not np.issubdtype(ids.dtype, np.integer):
        return text
    try:
        return int(text)
    except ValueError:
        raise DataError(f"{what} {text!r} is not an integer, but the model's {what} ids are") from None
