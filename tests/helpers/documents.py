"""Documentation as something to run: commands and Python examples of a page, what they print, and scripts."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Example", "examples", "load_script", "same_output"]

BLOCK = re.compile(r"^```(?P<language>sh|python|text)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.\d*")


@dataclass(frozen=True)
class Example:
    """A block of a page: `language` is "sh" or "python"; `output` is the block of text below it, if there is one."""

    language: str
    code: str
    output: str | None
    line: int


def examples(page: Path) -> list[Example]:
    """In the order of the page."""
    text = page.read_text()
    blocks = list(BLOCK.finditer(text))
    found = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block["language"] == "text":
            continue
        has_output = following is not None and following["language"] == "text"
        line = text.count("\n", 0, block.start()) + 1
        found.append(Example(block["language"], block["text"], following["text"] if has_output else None, line))
    return found


def same_output(expected: str, printed: str, tolerance: float = 0.05) -> bool:
    """Equal up to white space and decimal fractions: another SIMD level rounds differently all through training."""
    numbers = zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=False)
    if any(abs(float(a) - float(b)) > tolerance for a, b in numbers):
        return False
    return _words(expected) == _words(printed)


def load_script(path: Path) -> Any:
    """A script as a module, by its path."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _words(text: str) -> list[str]:
    return re.findall(r"[^\s,\[\]]+", NUMBER.sub("#", text))
