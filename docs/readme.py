"""The Python example of README.md: run it, put what it really prints below it, and draw its picture.

Usage: python docs/readme.py
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "README.md"
EXAMPLE = re.compile(r"```python\n(?P<code>.*?)```\n\n```text\n(?P<output>.*?)```", re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d+")


def example() -> tuple[str, str]:
    """Code and output as they stand in the README."""
    found = EXAMPLE.findall(README.read_text())
    if len(found) != 1:
        raise ValueError(f"README.md has {len(found)} python blocks followed by a text block, not one")
    return found[0]


def run(code: str) -> tuple[str, dict[str, Any]]:
    """What the code prints, and its names."""
    printed = io.StringIO()
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), names)
    return printed.getvalue(), names


def same(expected: str, printed: str, tolerance: float = 0.05) -> bool:
    """Equal up to decimal fractions: another SIMD level rounds differently all through training."""
    numbers = zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=False)
    if any(abs(float(a) - float(b)) > tolerance for a, b in numbers):
        return False
    return _words(expected) == _words(printed)


def _words(text: str) -> list[str]:
    return NUMBER.sub("#", text).split()


if __name__ == "__main__":
    code, output = example()
    printed, names = run(code)
    README.write_text(README.read_text().replace(f"```text\n{output}```", f"```text\n{printed}```"))
    names["why"].save(README.parent / "docs" / "explanation.png")
