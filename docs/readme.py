"""The Python examples of README.md: run them, put what they really print below them, and draw the picture.

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


def examples() -> list[tuple[str, str]]:
    """Code and output as they stand in the README; later examples go on from earlier ones."""
    found = EXAMPLE.findall(README.read_text())
    if not found:
        raise ValueError("README.md has no python block followed by a text block")
    return found


def run(codes: list[str]) -> tuple[list[str], dict[str, Any]]:
    """What each code prints, and their names."""
    names: dict[str, Any] = {}
    outputs = []
    for code in codes:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "README.md", "exec"), names)
        outputs.append(printed.getvalue())
    return outputs, names


if __name__ == "__main__":
    codes, shown = zip(*examples(), strict=True)
    outputs, names = run(list(codes))
    text = README.read_text()
    for code, old, new in zip(codes, shown, outputs, strict=True):
        text = text.replace(f"{code}```\n\n```text\n{old}```", f"{code}```\n\n```text\n{new}```")
    README.write_text(text)
    names["why"].save(README.parent / "docs" / "explanation.png")
