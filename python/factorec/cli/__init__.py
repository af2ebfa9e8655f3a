"""The command ``factorec``. Needs the extra: ``pip install "factorec[cli]"``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; ends the process with one of the codes in `factorec.cli._exit`."""
    try:
        import pandas  # noqa: F401  (tables of the bundled data)
        import pyarrow  # noqa: F401  (CSV and Parquet)
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        print(f'factorec: {error.name} is not installed; run: pip install "factorec[cli]"', file=sys.stderr)
        raise SystemExit(1) from None
    from ._app import run

    run()
