"""Tables as JSON lines and as CSV."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import DataError
from .columns import Columns, to_text

__all__ = ["CsvWriter", "JsonLinesWriter"]

_ROWS_AT_ONCE = 1 << 14


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, columns: Columns) -> None:
        """Write the rows."""
        names = [_quote_json(name) for name in columns]
        template = "{" + ", ".join(name.replace("%", "%%") + ": %s" for name in names) + "}\n"
        for part in _parts(columns):
            cells = [to_text(array, text=_quote_json, null="null") for array in part.values()]
            lines = "".join([template % row for row in zip(*cells, strict=True)])
            self._file.write(_encode(lines, part))

    def close(self) -> None:
        """Nothing is kept back."""

    def abandon(self) -> None:
        """Nothing is held."""


class CsvWriter:
    """Comma-separated values as in RFC 4180, but with a line feed after each row."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._has_header = False

    def write(self, columns: Columns) -> None:
        """Write the rows, the header before the first."""
        if not self._has_header:
            header = ",".join(map(_quote_csv, columns)) + "\n"
            self._file.write(_encode(header, {}))
            self._has_header = True
        # A row of one empty field would be an empty line, which readers skip.
        null = '""' if len(columns) == 1 else ""
        for part in _parts(columns):
            cells = [to_text(array, text=_quote_csv, null=null) for array in part.values()]
            lines = "".join([",".join(row) + "\n" for row in zip(*cells, strict=True)])
            self._file.write(_encode(lines, part))

    def close(self) -> None:
        """Nothing is kept back."""

    def abandon(self) -> None:
        """Nothing is held."""


_quote_json = json.JSONEncoder(ensure_ascii=False).encode
_SPECIAL = re.compile(r'[",\r\n]')


def _quote_csv(text: str) -> str:
    # Not the csv module: before Python 3.13 it leaves a lone carriage return unquoted.
    if text and not _SPECIAL.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _parts(columns: Columns) -> Iterator[Columns]:
    """Yield the rows in parts, so that the text of a large table never stands in memory as a whole."""
    n_rows = len(next(iter(columns.values())))
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        yield {name: array[start : start + _ROWS_AT_ONCE] for name, array in columns.items()}


def _encode(text: str, columns: Columns) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        for name, array in columns.items():
            for value in array.tolist():
                if isinstance(value, str) and not value.isascii():
                    _check_encodable(f"column {name!r}", value)
        raise DataError("a column's name is not valid Unicode text") from None


def _check_encodable(where: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: {value!r} is not valid Unicode text ({error.reason})") from None
