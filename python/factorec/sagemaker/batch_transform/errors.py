"""What ends a batch transform."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import DataError

__all__ = ["TransformError"]


class TransformError(DataError):
    """Files that could not be transformed; they have no output, the others do.

    Attributes
    ----------
    failures : dict of str to Exception
        File to what was wrong with it, in the order of the input.
    """

    def __init__(self, failures: Mapping[str, Exception], n_files: int) -> None:
        self.failures = dict(failures)
        shown = "; ".join(f"{name}: {error}" for name, error in list(failures.items())[:5])
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        super().__init__(f"{len(failures)} of {n_files} files failed and have no output: {shown}{more}")
