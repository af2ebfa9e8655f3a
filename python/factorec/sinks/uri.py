"""Addresses of databases, and how to speak of them without telling a password."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ..errors import DataError

__all__ = ["DatabaseAddress", "is_database", "without_secrets"]

_KINDS = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}
_CONNECT_SECONDS = 15
_FORMS = "sqlite:///path.db (four slashes before an absolute path), postgresql://user@host/database"


def is_database(target: str | os.PathLike[str]) -> bool:
    """Whether a target is a URI, and so not a path.

    Parameters
    ----------
    target : path-like, or URI

    Returns
    -------
    bool

    Examples
    --------
    >>> is_database("sqlite:///recs.db"), is_database("recs.csv")
    (True, False)
    """
    return isinstance(target, str) and "://" in target


def without_secrets(target: str | os.PathLike[str]) -> str:
    """Name a target in a message: a path as it is, a URI without password and options.

    Parameters
    ----------
    target : path-like, or URI

    Returns
    -------
    str

    Examples
    --------
    >>> without_secrets("postgresql://ann:secret@db.example.org/shop?sslmode=require")
    'postgresql://ann@db.example.org/shop'
    """
    return DatabaseAddress.parse(str(target)).shown if is_database(target) else os.fspath(target)


@dataclass(frozen=True)
class DatabaseAddress:
    """A database that can be written to.

    Attributes
    ----------
    kind : {"sqlite", "postgresql"}
    uri : str
        What the driver takes; never shown.
    shown : str
        For messages: the URI without secrets.
    """

    kind: str
    uri: str = field(repr=False)
    shown: str
    _secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, uri: str) -> DatabaseAddress:
        """Read a URI; no part of one that cannot be read is shown, for it may hold a password."""
        scheme, _, rest = uri.partition("://")
        kind = _KINDS.get(scheme.lower())
        if kind is None:
            raise DataError(f"cannot write to {scheme[:20]!r}:// …; give {_FORMS}")
        return cls._sqlite(rest) if kind == "sqlite" else cls._postgresql(rest)

    @classmethod
    def _sqlite(cls, rest: str) -> DatabaseAddress:
        if not rest.startswith("/") or rest in ("/", "/:memory:"):
            raise DataError("an SQLite database needs a file: sqlite:///path.db, sqlite:////absolute/path.db")
        # An absolute path: what begins with "file:" is a URI to the driver.
        path = Path(os.path.abspath(unquote(rest[1:])))
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"cannot write {path.name}: no such folder", str(path.parent))
        return cls("sqlite", str(path), f"sqlite:///{path}")

    @classmethod
    def _postgresql(cls, rest: str) -> DatabaseAddress:
        bad = DataError(
            "cannot read the postgresql:// URI; the form is postgresql://user:password@host:port/database?option=…, "
            "with @ / : ? # % in a name or password written as %40 %2F %3A %3F %23 %25"
        )
        try:
            parts = urlsplit(f"postgresql://{rest}")
            _ = parts.port  # a number, if any
            options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise bad from None
        if "@" in parts.path or "@" in parts.fragment or parts.fragment:
            raise bad  # most likely a password with a slash in it
        user_part, _, host = parts.netloc.rpartition("@")
        user, _, password = user_part.partition(":")
        secrets = [unquote(password), *(value for name, value in options if "password" in name.lower())]
        # Written again from its parts: the driver would cut a password at its first @.
        login = quote(unquote(user), safe="") + (":" + quote(unquote(password), safe="") if password else "")
        text = f"postgresql://{login + '@' if login else ''}{host}{parts.path}"
        query = [parts.query] if parts.query else []
        if not any(name == "connect_timeout" for name, _ in options):
            query.append(f"connect_timeout={_CONNECT_SECONDS}")  # libpq would wait for minutes, deaf to Ctrl-C
        text += "?" + "&".join(query)
        shown = f"postgresql://{user + '@' if user else ''}{host}{parts.path}"
        hidden = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
        return cls("postgresql", text, shown, (*sorted(hidden, key=len, reverse=True),))

    def clean(self, text: str) -> str:
        """A driver's message without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
