"""The command line as a whole: what is common to all commands."""

from __future__ import annotations

import functools
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from .. import __version__
from ._exit import exit_code, one_line
from ._hints import in_flags

__all__ = ["app", "command", "run", "sagemaker"]

_CODES = """Exit codes: 0 done · 1 unexpected error or missing extra · 2 wrong usage · 3 input that cannot be used,
unknown ids · 4 a file that cannot be read or written · 5 a dataset that could not be had · 6 training diverged ·
7 the gate of a pipeline refused the model · 8 the pipeline is being run already · 130 interrupted · 143 told to
terminate."""

app = typer.Typer(
    name="factorec",
    help="Recommendations from factorization machines: train, rank exactly, explain.",
    epilog=_CODES.replace("\n", " "),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

sagemaker = typer.Typer(
    help="The commands that a container of the managed service has.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(sagemaker, name="sagemaker")

_debug = False


def run() -> None:
    """Run the command line."""
    from . import _learning, _serving, _transforming, _using  # noqa: F401  (they register their commands)

    app(prog_name="factorec")


def command(function: Callable[..., None], *, of: typer.Typer = app, name: str | None = None) -> Callable[..., None]:
    """Register a command, of the program or of a group; every error in it becomes one line and an exit code."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        warnings.showwarning = _warn
        try:
            function(*args, **kwargs)
        except typer.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:
            if _debug:
                traceback.print_exc()
            else:
                print(f"factorec: {one_line(error)}", file=sys.stderr)
            raise typer.Exit(int(exit_code(error))) from None

    return of.command(name)(guarded)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"factorec: warning: {in_flags(' '.join(str(message).split()))}", file=sys.stderr)


def _show_version(value: bool) -> None:
    if value:
        print(f"factorec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    global _debug
    _debug = debug
