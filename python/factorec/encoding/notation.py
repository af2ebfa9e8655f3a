"""Fields written as text, on a command line or in a file of settings."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, NoReturn

from ..errors import DataError, FormatError
from .declared import SIDES
from .fields import Categorical, Datetime, Declaration, History, MultiLabel, Numeric, Precomputed

__all__ = ["fields_from_dict", "fields_from_file", "fields_from_text"]

_KINDS: dict[str, type[Declaration]] = {
    "categorical": Categorical,
    "multilabel": MultiLabel,
    "numeric": Numeric,
    "precomputed": Precomputed,
    "datetime": Datetime,
    "history": History,
}
_TOKEN = re.compile(r"""\s*(?:(?P<quoted>'[^']*'|"[^"]*")|(?P<mark>[:;,()=])|(?P<word>[^\s:;,()='"]+))""")

Fields = dict[str, list[Any]] | Literal["auto"]


def fields_from_text(text: str) -> Fields:
    """Read fields as a person types them.

    Parameters
    ----------
    text : str
        Sides with their fields, ``"user: gender, numeric(age, bins=12); item: multilabel(genres, separator=|);
        context: hour"``. A name alone is a `Categorical`; ``categorical``, ``multilabel``, ``numeric``,
        ``datetime`` and ``precomputed`` take a column and then what the class of that name takes; ``history`` alone,
        of the user or the item, is a `History`. Names with spaces or punctuation stand in quotes, and so does a
        column that is called history. ``"auto"`` stays as it is.

    Returns
    -------
    dict of str to list, or "auto"
        As `Encoder` takes it.

    Raises
    ------
    DataError
        Naming the place that cannot be read, the kind or the parameter that there is not.

    Examples
    --------
    >>> from factorec.encoding.notation import fields_from_text
    >>> fields_from_text("user: gender, numeric(age, bins=12); context: hour")
    {'user': ['gender', Numeric(bins=12, column='age')], 'context': ['hour']}
    >>> fields_from_text("user: history; context: datetime(timestamp, part=date)")
    {'user': [History()], 'context': [Datetime(column='timestamp')]}
    """
    if text.strip() == "auto":
        return "auto"
    return _Reader(text).sides()


def fields_from_file(path: str | PathLike[str]) -> Fields:
    """Read fields from a ``.toml`` or ``.json`` file.

    Parameters
    ----------
    path : path
        Lists ``user``, ``item`` and ``context``, as `fields_from_dict` takes them.

    Returns
    -------
    dict of str to list

    Raises
    ------
    FormatError
        If the content is not what the name says.
    DataError
        If it describes no fields.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp(), "fields.toml")
    >>> _ = path.write_text('user = ["gender", {kind = "numeric", column = "age", bins = 12}]')
    >>> fields_from_file(path)
    {'user': ['gender', Numeric(bins=12, column='age')]}
    """
    name = fspath(path)
    content = Path(path).read_bytes()
    try:
        given = json.loads(content) if name.endswith(".json") else tomllib.loads(content.decode())
    except ValueError as error:
        raise FormatError(f"{name}: {error}") from None
    try:
        return fields_from_dict(given)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def fields_from_dict(given: Any) -> dict[str, list[Any]]:
    """Make fields of what a file of settings says.

    Parameters
    ----------
    given : dict of str to list
        By side: names of columns, and dicts with ``kind`` (``"history"`` needs nothing else) and the parameters of
        the class of that name.

    Returns
    -------
    dict of str to list
        As `Encoder` takes it.

    Raises
    ------
    DataError
        If a side, a kind or a parameter is none that there is.

    Examples
    --------
    >>> fields_from_dict({"item": ["maker", {"kind": "multilabel", "column": "genres", "separator": "|"}]})
    {'item': ['maker', MultiLabel(column='genres', separator='|')]}
    """
    if not isinstance(given, Mapping):
        raise DataError(f"fields must be lists by {', '.join(SIDES)}, got {given!r:.80}")
    fields: dict[str, list[Any]] = {}
    for side, entries in given.items():
        if side not in SIDES:
            raise DataError(f"fields stand under {', '.join(SIDES)}, not under {side!r}")
        if not isinstance(entries, list):
            raise DataError(f"{side} must be a list of fields, got {entries!r:.80}")
        fields[side] = [_from_entry(entry) for entry in entries]
    return fields


def _from_entry(entry: Any) -> Any:
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kind"), str):
        raise DataError(f"a field is the name of a column or has a kind, got {entry!r:.80}")
    return _declare(entry["kind"], {name: value for name, value in entry.items() if name != "kind"})


def _declare(kind: str, parameters: dict[str, Any]) -> Declaration:
    chosen = _KINDS.get(kind.lower())
    if chosen is None:
        raise DataError(f"there is no kind of field {kind!r}, only {', '.join(_KINDS)}")
    names = [name for name in chosen._get_param_names() if name not in ("transformer", "rows", "ids")]
    for name in parameters:
        if name not in names:
            raise DataError(f"{kind} has no parameter {name!r}, only {', '.join(names)}")
    column = next((name for name in ("columns", "column") if name in names), None)
    if column is not None and column not in parameters:
        raise DataError(f"{kind} needs a column")
    field: Declaration = chosen(**parameters)
    return field


class _Reader:
    """Goes once through the text, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next()

    def _split(self) -> Iterator[tuple[str, str, int]]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None or match.lastgroup is None:
                self._fail(at, "a quote that does not end")
            kind = match.lastgroup
            value = match[kind]
            yield kind, value[1:-1] if kind == "quoted" else value, match.start(kind)
            at = match.end()
        while True:
            yield "end", "", end

    def _next(self) -> None:
        self._kind, self._value, self._at = next(self._tokens)

    def _take(self, mark: str) -> bool:
        if (self._kind, self._value) != ("mark", mark):
            return False
        self._next()
        return True

    def _name(self, what: str) -> str:
        if self._kind not in ("word", "quoted"):
            self._fail(self._at, f"no {what}")
        name = self._value
        self._next()
        return name

    def _fail(self, at: int, why: str) -> NoReturn:
        raise DataError(
            f"fields {self._text!r}: {why} at position {at + 1}; write 'user: gender, numeric(age, bins=12); "
            "item: multilabel(genres, separator=|); context: hour'"
        )

    def sides(self) -> dict[str, list[Any]]:
        fields: dict[str, list[Any]] = {}
        while self._kind != "end":
            at = self._at
            side = self._name("side")
            if side not in SIDES or side in fields:
                self._fail(at, f"{side!r}, where one of {', '.join(s for s in SIDES if s not in fields)} must stand,")
            if not self._take(":"):
                self._fail(self._at, f"no ':' after {side!r}")
            fields[side] = [self._field(side)]
            while self._take(","):
                fields[side].append(self._field(side))
            if not self._take(";") and self._kind != "end":
                self._fail(self._at, f"{self._value!r}, where ',' or ';' must stand,")
        if not fields:
            self._fail(0, "nothing")
        return fields

    def _field(self, side: str) -> Any:
        at, quoted = self._at, self._kind == "quoted"
        name = self._name("field")
        if quoted or not self._take("("):
            return History() if name == "history" and side != "context" and not quoted else name
        parameters: dict[str, Any] = {}
        while not self._take(")"):
            parameter_at = self._at
            value: Any = self._value_of(self._name("column or parameter"), quoted=False)
            if self._take("="):
                is_quoted = self._kind == "quoted"
                # The weights of labels are words, "1" among them.
                parameters[str(value)] = self._value_of(self._name("value"), quoted=is_quoted or value == "weight")
            elif parameters:
                self._fail(parameter_at, f"{value!r} without '='")
            else:
                parameters["columns" if name.lower() == "precomputed" else "column"] = str(value)
            if not self._take(",") and (self._kind, self._value) != ("mark", ")"):
                self._fail(self._at, "no ')'")
        try:
            return _declare(name, parameters)
        except DataError as error:
            return self._fail(at, str(error))

    @staticmethod
    def _value_of(text: str, *, quoted: bool) -> int | str:
        return int(text) if not quoted and re.fullmatch(r"-?\d+", text) else text
