"""docs/managed_service.md: its commands run, and its examples print what it shows."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import examples, same_output
from sdk_environment import build_sdk, run_sdk
from servers import run_server

import factorec
from factorec import _core

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "managed_service.md"
ANY_PORT = {"SAGEMAKER_BIND_TO_PORT": "0"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the page is read: with its examples, and with `factorec` and `python` as commands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "bin").mkdir()
    for name, arguments in {"factorec": "-m factorec", "python": ""}.items():
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(factorec.__file__).parents[1]))  # it may be a relative one
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("movielens", "folder")
def test_commands_and_examples_do_what_the_page_says(request):
    if _core.simd_level() == "baseline":
        pytest.skip("the output was made with fused multiply-adds; near ties may swap without them")
    names: dict[str, object] = {}
    different = []
    with contextlib.ExitStack() as stack:
        url = None
        for example in examples(PAGE):
            code = example.code if url is None else example.code.replace("http://127.0.0.1:8080", url)
            if code.startswith("pip install"):
                continue  # it is installed
            if code.startswith(("factorec serve", "factorec sagemaker serve")):
                arguments = code.replace("--port 8080", "--port 0").split()
                url = stack.enter_context(run_server("-m", *arguments, environment=ANY_PORT)).url
                continue
            if example.language == "sh":
                printed = subprocess.run(["bash", "-ec", code], check=True, stdout=subprocess.PIPE, text=True).stdout
            elif "import sagemaker" in code:
                printed = run_sdk(build_sdk(Path(request.config.cache.mkdir("sdk"))), code)
                printed = re.sub("^sagemaker.config INFO.*\n", "", printed, flags=re.MULTILINE)
            else:
                with contextlib.redirect_stdout(io.StringIO()) as stream:
                    exec(compile(code, f"{PAGE.name}:{example.line}", "exec"), names)
                printed = stream.getvalue()
            if example.output is not None and not same_output(example.output, printed):
                different.append(f"{PAGE.name}:{example.line} shows\n{example.output}\nbut what runs prints\n{printed}")
    assert not different, "\n".join(different)


def test_every_guess_is_in_the_table_with_its_file():
    table = PAGE.read_text().partition("## Guesses")[2].partition("\n## ")[0]
    named = {word for word in table.split("`")[1::2] if word.endswith(".py")}
    package = ROOT / "python" / "factorec"
    files = {str(path.relative_to(package)): path.read_text() for path in package.rglob("*.py")}
    assert named == {name for name, text in files.items() if re.search(r"\bguess(es)?\b", text, re.IGNORECASE)}


def test_the_comparison_can_fail():
    assert same_output("[0.532 0.5]\n", "[0.531, 0.5]\n")
    assert not same_output("[0.532 0.5]\n", "[0.432 0.5]\n")
    assert not same_output("films [1 2]\n", "films [2 1]\n")
    assert not same_output("1  Fargo  0.912\n", "1  Brazil  0.912\n")
    assert not same_output("1  Fargo  0.912\n", "")
