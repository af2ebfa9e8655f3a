"""The package as a whole: its version, its import graph, its public names."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import factorec

ROOT = Path(factorec.__file__).parent
STAGES = {"encoding", "fm", "search", "explain"}
LEAVES = {"metrics", "sinks", "formats", "_losses", "_solve"}
ANYONE_MAY_IMPORT = {"errors", "_threads", "_atomic", "_core", "_to_csr"} | LEAVES
PUBLIC = (
    "datasets",
    "encoding",
    "fm",
    "search",
    "explain",
    "metrics",
    "model_selection",
    "sinks",
    "formats",
    "tuning",
    "pipeline",
    "sagemaker",
    "service",
)
TOP = {"cli", "pipeline", "service", "sagemaker", "tuning"}


def test_version_is_the_same_everywhere():
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(pyproject.read_text())["project"]["version"] == factorec.__version__
    try:
        installed = importlib.metadata.version("factorec")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("factorec is used from the source tree, not installed")
    assert installed == factorec.__version__


def test_import_takes_no_optional_dependency():
    # scikit-learn, a requirement, takes pandas along where it is there: not ours to answer for.
    code = "import sys, sklearn.base; own = set(sys.modules); import factorec; print(*set(sys.modules) - own)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    optional = {"pandas", "optuna", "polars", "pyarrow", "matplotlib", "pooch", "typer", "rich", "starlette", "uvicorn"}
    assert not optional & set(modules)


def _imported_parts(path: Path) -> set[str]:
    """First-level parts of factorec that a source file imports, at the top or inside a function."""
    package = ["factorec", *path.relative_to(ROOT).parts[:-1]]
    parts = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "factorec" else [module]
        parts |= {name.split(".")[1] for name in names if name.startswith("factorec.")}
    return parts


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_with_the_way_of_the_data(path):
    """No stage imports a sibling, no leaf a stage, nothing below what stands on top."""
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    imported = _imported_parts(path) - {own}
    if own in STAGES:
        assert imported <= ANYONE_MAY_IMPORT
    elif own in LEAVES:
        assert imported <= {"errors", "_threads", "_atomic", "_core", "_losses", "_to_csr", "__version__"}
    elif own == "model_selection":
        assert imported <= {"encoding", "errors"}
    elif own == "sagemaker":
        assert not imported & TOP
    elif own in TOP:
        assert "cli" not in imported
    elif own not in {"__init__", "__main__"}:
        assert not imported & TOP


def _public_names() -> list[tuple[str, object]]:
    names = [f"factorec.{name}" for name in PUBLIC if importlib.util.find_spec(f"factorec.{name}")]
    modules = [factorec, *map(importlib.import_module, names)]
    found = {}
    for module in modules:
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return sorted(found.items())


@pytest.mark.parametrize(("name", "thing"), _public_names(), ids=lambda value: value if isinstance(value, str) else "")
def test_public_names_are_documented(name, thing):
    """numpydoc with an example that the doctest run executes; a line at least for every public method."""
    text = inspect.getdoc(thing) or ""
    assert text, f"{name} has no docstring"
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return
    assert "Examples\n--------" in text, f"{name} has no Examples section"
    assert ">>>" in text, f"{name} has no example that runs"
    parameters = [p for p in inspect.signature(thing).parameters if p not in ("self", "args", "kwargs")]
    if parameters:
        assert "Parameters\n---" in text or "Attributes\n---" in text, f"{name} does not describe its parameters"
    if inspect.isfunction(thing) and inspect.signature(thing).return_annotation not in (None, "None"):
        assert "Returns\n---" in text or "Yields\n---" in text, f"{name} does not describe what it returns"
    if inspect.isclass(thing):
        for method_name, method in vars(thing).items():
            if not method_name.startswith("_") and (inspect.isfunction(method) or isinstance(method, property)):
                assert inspect.getdoc(method), f"{name}.{method_name} has no docstring"
