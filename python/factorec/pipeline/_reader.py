"""Tables of a configuration, checked key by key; every fault is collected under its path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["REQUIRED", "Key", "Reader"]

REQUIRED: Any = object()
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}


@dataclass(frozen=True)
class Key:
    """What a key may hold: one of these types, one of these values if any are named, at least `low`."""

    types: tuple[type, ...]
    default: Any = None
    choices: tuple[Any, ...] = ()
    low: float | None = None


@dataclass
class Reader:
    """Reads tables, paths in them from `folder`; collects what is wrong."""

    folder: Path
    faults: list[str] = field(default_factory=list)

    def fault(self, path: str, text: str) -> None:
        """Add a fault."""
        self.faults.append(f"{path}: {text}")

    def unknown(self, path: str, names: Iterable[str], known: Iterable[str]) -> None:
        """Refuse names that are not known, with the nearest that is."""
        known = sorted(known)
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self.fault(f"{path}.{name}" if path else name, f"unknown key, {hint}")

    def table(self, path: str, raw: Any, keys: Mapping[str, Key]) -> dict[str, Any]:
        """Read a table; keys that are not given have their defaults."""
        if not isinstance(raw, dict):
            self.fault(path, f"must be a table, got {raw!r:.80}")
            return {name: key.default for name, key in keys.items()}
        self.unknown(path, raw, keys)
        return {name: self._value(f"{path}.{name}" if path else name, raw, name, key) for name, key in keys.items()}

    def _value(self, path: str, raw: dict[str, Any], name: str, key: Key) -> Any:
        if name not in raw:
            if key.default is REQUIRED:
                self.fault(path, "is missing")
                return None
            return key.default
        value = raw[name]
        if Path in key.types and isinstance(value, str) and value:
            return self.folder / value
        # In TOML 1 is a number where 1.0 is meant, but true is never one.
        fits = type(value) in key.types or (float in key.types and type(value) is int)
        if not fits:
            wanted = " or ".join("a path" if kind is Path else _WORDS.get(kind, kind.__name__) for kind in key.types)
            self.fault(path, f"must be {wanted}, got {value!r:.80}")
        elif key.choices and value not in key.choices:
            self.fault(path, f"must be one of {', '.join(map(repr, key.choices))}, got {value!r:.80}")
        elif key.low is not None and value < key.low:
            self.fault(path, f"must be at least {key.low}, got {value}")
        return value
