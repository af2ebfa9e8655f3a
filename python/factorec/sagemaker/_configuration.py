"""Hyperparameters as the managed service takes them: a table of names, each with a type, a range and a default.

An algorithm's table is a frozen dataclass whose fields are made by `integer`, `number`, `choice` and `boolean`;
`Configuration.read` turns what a job was given into one. Values travel as strings.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from ..errors import DataError

__all__ = ["Configuration", "boolean", "choice", "integer", "number"]

_READER, _VALID = "reader", "valid"
_MOST = 2**62  # what the core counts with has 63 bits


class Configuration:
    """The hyperparameters of an algorithm; subclasses are frozen dataclasses, keyword only."""

    algorithm: ClassVar[str] = ""
    # What the service sets itself, name -> value, and its names that the log shows. Jobs may repeat these values.
    hidden: ClassVar[Mapping[str, str]] = {}
    # Hidden names that say how the service's machines work: any value is taken, nothing here depends on it.
    without_effect: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Read hyperparameters.

        Parameters
        ----------
        given : mapping of str to str
            Name -> value. Integers, floats and booleans are taken too, as the service's SDK takes them.

        Returns
        -------
        Configuration
            Of the class that this is called on, with defaults where nothing was given.

        Raises
        ------
        DataError
            That lists everything that is wrong: unknown names (with the name that may have been meant), values out
            of range, what is missing.
        """
        if not isinstance(given, Mapping):
            raise DataError(f"hyperparameters must map names to values, got {type(given).__name__}")
        table = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        wrong = []
        for name, value in given.items():
            if name in table:
                try:
                    values[name] = table[name].metadata[_READER](value)
                except (ValueError, OverflowError):
                    wrong.append(f"{name} must be {table[name].metadata[_VALID]}, got {value!r}")
            elif name in cls.hidden:
                if name not in cls.without_effect and str(value) != cls.hidden[name]:
                    wrong.append(
                        f"{name} is internal to the managed service: only its own {cls.hidden[name]!r} is known here, "
                        f"got {value!r}"
                    )
            else:
                wrong.append(
                    f"{name!r} is not a hyperparameter of {cls.algorithm}{_meant(name, [*table, *cls.hidden])}"
                )
        missing = [
            f"{name} is required: {field.metadata[_VALID]}"
            for name, field in table.items()
            if field.default is dataclasses.MISSING and name not in given
        ]
        if not wrong and not missing:
            made = cls(**values)
            wrong = made.conflicts(frozenset(values))
            if not wrong:
                return made
        raise DataError("; ".join([*wrong, *missing]))

    def conflicts(self, given: frozenset[str]) -> list[str]:
        """What is wrong between hyperparameters that are each valid; ``given`` names those that are not defaults."""
        return []

    def as_strings(self) -> dict[str, str]:
        """Name -> value as the service writes it, of everything that has a value."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {name: _written(value) for name, value in values.items() if value is not None}

    @classmethod
    def default_configuration(cls) -> dict[str, str]:
        """Name -> default as the service's log shows it, hidden names included."""
        shown = {
            field.name: _written(field.default)
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
            if field.default is not dataclasses.MISSING and field.default is not None
        }
        return shown | dict(cls.hidden)


def integer(*, low: int = 1, high: int | None = None, default: Any = dataclasses.MISSING, auto: bool = False) -> Any:
    """A whole number in a range; ``auto`` allows the word "auto", too."""

    def read(value: Any) -> int | str:
        if auto and value == "auto":
            return "auto"
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise ValueError
        whole = int(value)
        if whole < low or whole > (_MOST if high is None else high):
            raise ValueError
        return whole

    valid = f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    return _field(read, valid + (' or "auto"' if auto else ""), default)


def number(*, low: float = -math.inf, above: bool = False, default: Any = dataclasses.MISSING) -> Any:
    """A finite number of at least, or ``above``, a bound."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, str | numbers.Real):
            raise ValueError
        if isinstance(value, str) and "_" in value:  # Python's own way to group digits
            raise ValueError
        real = float(value)
        if not math.isfinite(real) or real < low or (above and real == low):
            raise ValueError
        return real

    bound = "" if low == -math.inf else f" {'above' if above else 'of at least'} {low:g}"
    return _field(read, f"a finite number{bound}", default)


def choice(*choices: Any, default: Any = dataclasses.MISSING) -> Any:
    """One of some words or whole numbers."""
    by_text = {str(one): one for one in choices}

    def read(value: Any) -> Any:
        if isinstance(value, bool) or str(value) not in by_text:
            raise ValueError
        return by_text[str(value)]

    return _field(read, "one of " + ", ".join(map(repr, choices)), default)


def boolean(*, default: Any = dataclasses.MISSING) -> Any:
    """``"true"`` or ``"false"``, in any case: the SDK writes Python's True as "True"."""

    def read(value: Any) -> bool:
        text = str(value).strip().lower()
        if text not in ("true", "false"):
            raise ValueError
        return text == "true"

    return _field(read, '"true" or "false"', default)


def _field(reader: Callable[[Any], Any], valid: str, default: Any) -> Any:
    return dataclasses.field(default=default, metadata={_READER: reader, _VALID: valid})


def _meant(name: object, known: list[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return "; they are: " + ", ".join(one for one in known if not one.startswith("_"))


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # The shortest text that reads back as the same number, without exponents where the service has none.
        text = repr(value)
        return f"{value:.10f}".rstrip("0") if "e-0" in text and float(f"{value:.10f}") == value else text
    return str(value)
