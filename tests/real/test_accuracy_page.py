"""docs/accuracy.md: its examples run, and print what it shows."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from documents import examples, same_output

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"


@pytest.mark.slow
@pytest.mark.usefixtures("movielens")
def test_examples_run():
    names: dict[str, object] = {}
    shown = 0
    for example in examples(PAGE):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(example.code, f"accuracy.md:{example.line}", "exec"), names)
        if example.output is not None:
            shown += 1
            # What is sampled differs from one SIMD level to another by as much as the samples' number lets it.
            assert same_output(example.output, printed.getvalue(), tolerance=0.3), example.code
    assert shown == 2
