"""Where trials are kept, so that a search goes on where it stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DatabaseError, DataError
from ._optuna import optuna

__all__ = ["open_study", "shown", "uninterrupted"]

_SETTINGS = "factorec"


def open_study(storage: str | os.PathLike[str] | None, name: str, *, maximise: bool, settings: dict[str, Any]) -> Any:
    """Make a study, or open the one of that name.

    Parameters
    ----------
    storage : path, URL or None
        A file (Optuna's journal), the URL of a database (``sqlite:///trials.db``), or memory.
    name : str
    maximise : bool
    settings : dict
        What all trials of a study must have in common, for JSON.

    Raises
    ------
    DataError
        If the study there is one of other settings; the message names them.
    DatabaseError
        If the database cannot be used.
    OSError
        If the file cannot be written.
    """
    o = optuna()
    kept: Any = None
    if storage is not None and "://" in str(storage):
        kept = _database(str(storage))
    elif storage is not None:
        path = Path(storage)
        with path.open("ab"):  # no such folder, not ours to write: said before the work, in the system's words
            pass
        kept = o.storages.JournalStorage(o.storages.journal.JournalFileBackend(str(path)))
    # Trials are drawn by a sampler of their own each (see tune.py), pruned by one pruner for all.
    verbosity = o.logging.get_verbosity()
    o.logging.set_verbosity(o.logging.WARNING)  # "A new study created" is no news
    try:
        study = o.create_study(
            storage=kept,
            study_name=name,
            load_if_exists=True,
            direction="maximize" if maximise else "minimize",
            pruner=o.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=4),
        )
    finally:
        o.logging.set_verbosity(verbosity)
    settings = json.loads(json.dumps(settings, sort_keys=True, default=repr))
    before = study.user_attrs.get(_SETTINGS)
    if before is None and not study.trials:
        study.set_user_attr(_SETTINGS, settings)
    elif before != settings:
        before = before or {}
        other = sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key))
        changes = "; ".join(f"{key} was {before.get(key)!r}, is {settings.get(key)!r}" for key in other)
        raise DataError(
            f"storage {shown(storage)!r} holds trials of another search ({changes}): they cannot be compared with new "
            "ones; give another storage, or remove that one"
        )
    return study


def shown(storage: Any) -> str:
    """A storage as messages name it: a URL without its password."""
    return re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1@", str(storage))


def _database(url: str) -> Any:
    from sqlalchemy.exc import SQLAlchemyError  # comes with Optuna

    try:
        return optuna().storages.RDBStorage(url)
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).replace(url, shown(url))
        raise DatabaseError(f"storage {shown(url)}: {reason}") from None


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back while a storage is written to: Optuna's locks and lines are not made for it."""
    if threading.current_thread() is not threading.main_thread():  # where signals do not arrive
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            signal.raise_signal(signal.SIGINT)
