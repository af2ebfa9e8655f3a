"""README.md says what happens."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from factorec import _core

SCRIPT = Path(__file__).parents[2] / "docs" / "readme.py"


@pytest.fixture(scope="module")
def readme():
    specification = importlib.util.spec_from_file_location("readme", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("movielens")
def test_the_examples_print_what_the_readme_shows(readme):
    if _core.simd_level() == "baseline":
        pytest.skip("the output was made with fused multiply-adds; near ties may swap without them")
    codes, outputs = zip(*readme.examples(), strict=True)
    for code, output, printed in zip(codes, outputs, readme.run(list(codes))[0], strict=True):
        assert readme.same(output, printed), f"README.md shows\n{output}\nbut the example prints\n{printed}"
        assert len(code.strip().splitlines()) <= 12


def test_the_comparison_can_fail(readme):
    assert readme.same("1  Fargo  0.912\n", "1 Fargo 0.911\n")
    assert not readme.same("1  Fargo  0.912\n", "1  Fargo  0.712\n")
    assert not readme.same("1  Fargo  0.912\n", "1  Brazil  0.912\n")
    assert not readme.same("1  Fargo  0.912\n", "")
