"""The part of JSONPath that batch transform's filters may use (contract 6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ...errors import DataError

__all__ = ["JsonPath"]

_MOST_CHARACTERS = 63
_NAME = re.compile(r"\.([A-Za-z_][A-Za-z0-9_\-]*|\*)")
_BRACKET = re.compile(r"\.?\[([^\[\]]*)\]")
_QUOTED = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\")\s*")
_INTEGER = re.compile(r"\s*(-?[0-9]{1,9})\s*")
_SLICE = re.compile(r"\s*(-?[0-9]{1,9})?\s*:\s*(-?[0-9]{1,9})?\s*")

# A step takes a value and gives the values that it selects.
_Step = Callable[[Any], Any]


class JsonPath:
    """A path into a document of JSON, such as ``$.SageMakerOutput['score']`` or ``$[1:]``.

    ``$``, ``.name``, ``['a','b']``, ``[n]``, ``[n,m]``, negative n, ``[a:b]``, ``[a:]``, ``[:b]`` and ``*``. What
    follows a slice, several positions or ``*`` is taken of each element. Slices leave their end out (a guess: the
    documentation's words say the opposite, the library that it names does this). What is not there is an error,
    but for slices.

    Parameters
    ----------
    text : str
        At most 63 characters.

    Raises
    ------
    DataError
        If it is no such path.

    Examples
    --------
    >>> JsonPath("$['id','score']").select({"id": 7, "score": 0.5, "more": 1})
    {'id': 7, 'score': 0.5}
    >>> JsonPath("$[-2:]").select([1, 2, 3])
    [2, 3]
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if not isinstance(text, str) or len(text) > _MOST_CHARACTERS:
            raise DataError(f"a filter must be a JSONPath of at most {_MOST_CHARACTERS} characters, got {text!r:.100}")
        if not text.startswith("$"):
            raise DataError(f"filter {text!r} does not begin with $")
        self._steps: list[tuple[_Step, bool]] = []  # (step, whether it selects a list of values)
        at = 1
        while at < len(text):
            found = _NAME.match(text, at) or _BRACKET.match(text, at)
            step = None
            if found is not None:
                step = _named(found[1]) if found.re is _NAME else _bracketed(found[1])
            if found is None or step is None:
                raise DataError(f"filter {text!r}: cannot read {text[at:]!r}")
            self._steps.append(step)
            at = found.end()

    @property
    def is_whole(self) -> bool:
        """Whether it selects the document itself."""
        return not self._steps

    def select(self, document: Any) -> Any:
        """What the path selects.

        Raises
        ------
        DataError
            If a name or a position is not there.
        """
        value, is_list = document, False
        for step, selects_list in self._steps:
            try:
                if is_list:
                    value = [step(element) for element in value]
                    if selects_list:
                        value = [element for part in value for element in part]
                else:
                    value = step(value)
            except _Missing as missing:
                raise DataError(f"filter {self.text!r}: there is no {missing}") from None
            is_list = is_list or selects_list
        return value


class _Missing(Exception):
    pass


def _named(name: str) -> tuple[_Step, bool]:
    return (_every, True) if name == "*" else (lambda value: _member(value, name), False)


def _bracketed(inside: str) -> tuple[_Step, bool] | None:
    if inside.strip() == "*":
        return _every, True
    if found := _SLICE.fullmatch(inside):
        part = slice(*(None if end is None else int(end) for end in found.groups()))
        return (lambda value: _array(value)[part]), True
    pieces = inside.split(",")
    if all(map(_INTEGER.fullmatch, pieces)):
        positions = [int(piece) for piece in pieces]
        if len(positions) == 1:
            return (lambda value: _element(value, positions[0])), False
        return (lambda value: [_element(value, position) for position in positions]), True
    names = [found[1] if found[1] is not None else found[2] for found in map(_QUOTED.fullmatch, pieces) if found]
    if len(names) != len(pieces):
        return None
    if len(names) == 1:
        return (lambda value: _member(value, names[0])), False
    return (lambda value: {name: _member(value, name) for name in names}), False


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise _Missing(f"{name!r}")
    return value[name]


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Missing("array")
    return value


def _element(value: Any, position: int) -> Any:
    array = _array(value)
    if not -len(array) <= position < len(array):
        raise _Missing(f"position {position} in {len(array)} elements")
    return array[position]


def _every(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else _array(value)
