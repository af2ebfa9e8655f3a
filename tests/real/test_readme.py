"""README.md says what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import load_script, same_output

from factorec import _core

SCRIPT = Path(__file__).parents[2] / "docs" / "readme.py"


@pytest.fixture(scope="module")
def readme():
    return load_script(SCRIPT)


@pytest.mark.usefixtures("movielens")
def test_the_examples_print_what_the_readme_shows(readme):
    if _core.simd_level() == "baseline":
        pytest.skip("the output was made with fused multiply-adds; near ties may swap without them")
    codes, outputs = zip(*readme.examples(), strict=True)
    for code, output, printed in zip(codes, outputs, readme.run(list(codes))[0], strict=True):
        assert same_output(output, printed), f"README.md shows\n{output}\nbut the example prints\n{printed}"
        assert len(code.strip().splitlines()) <= 12
