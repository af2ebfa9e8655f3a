"""What the exit code of the command means."""

from __future__ import annotations

from enum import IntEnum

from ..errors import (
    DataError,
    DatasetUnavailableError,
    DivergenceError,
    FormatError,
    PipelineBusyError,
    QualityGateError,
    UnknownIdError,
)
from ..fm import StopTraining
from ._hints import in_flags

__all__ = ["ExitCode", "exit_code", "one_line"]


class ExitCode(IntEnum):
    """Exit codes of the command ``factorec``."""

    OK = 0
    UNEXPECTED = 1  # an error of the program, or a missing extra
    USAGE = 2  # wrong flags
    DATA = 3  # input that cannot be used, unknown ids
    FILE = 4  # a file that cannot be read or written
    DATASET = 5  # a dataset that could not be fetched
    DIVERGED = 6  # training did not converge
    GATE = 7  # a pipeline's model is not good enough: nothing was published
    BUSY = 8  # another run of the same pipeline is under way
    INTERRUPTED = 130  # Ctrl-C
    TERMINATED = 143  # SIGTERM


def exit_code(error: BaseException) -> ExitCode:
    """The code to end with after an error."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, StopTraining):
        return ExitCode.TERMINATED
    # DatasetUnavailableError is an OSError and FormatError a ValueError: the narrower come first.
    if isinstance(error, DatasetUnavailableError):
        return ExitCode.DATASET
    if isinstance(error, (FormatError, OSError)):
        return ExitCode.FILE
    if isinstance(error, DivergenceError):
        return ExitCode.DIVERGED
    if isinstance(error, QualityGateError):
        return ExitCode.GATE
    if isinstance(error, PipelineBusyError):
        return ExitCode.BUSY
    if isinstance(error, (DataError, UnknownIdError)):
        return ExitCode.DATA
    return ExitCode.UNEXPECTED


def one_line(error: BaseException) -> str:
    """An error as one line for a person."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, StopTraining):
        return "terminated"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, DatasetUnavailableError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ImportError) and "pip install" in text:
        return text
    if exit_code(error) is ExitCode.UNEXPECTED:
        return f"unexpected {type(error).__name__}: {text} (--debug shows the traceback)"
    return in_flags(text)
