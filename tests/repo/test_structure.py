"""The shape of the code: small files, small functions, arrows that point down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "orthogan").rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# Signature and docstring of the public functions that name every option.
LONG_FUNCTIONS = dict.fromkeys(
    ("train", "compare", "classify", "language", "analyze", "geometry"),
    "one option a line, and their docstrings",
)
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_files_and_functions_are_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name not in LONG_FUNCTIONS:
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


def test_nothing_is_vaguely_named():
    assert not {path.stem for path in SOURCES} & VAGUE


def test_code_is_ascii():
    for path in [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        assert path.read_text(encoding="utf-8").isascii(), path


def test_nothing_is_unpickled():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(alias.name.split(".")[0] == "pickle" for alias in node.names), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("torch", "load"), path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert node.value.value is False, path


def test_public_names():
    import orthogan

    assert dir(orthogan) == [
        "Analysis",
        "Attention",
        "Comparison",
        "Evaluation",
        "Model",
        "RECIPES",
        "Run",
        "Score",
        "__version__",
        "analyze",
        "as_attention",
        "as_convolution",
        "classify",
        "compare",
        "evaluate",
        "export_onnx",
        "geometry",
        "load",
        "load_exported",
        "read_tables",
        "resolve",
        "sample",
        "train",
        "train_language",
    ]
    for name in orthogan.__all__:
        assert getattr(orthogan, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = orthogan.trian


@pytest.mark.parametrize("program", ["import orthogan", "import orthogan.cli"])
def test_importing_is_light(program):
    code = f"{program}; import sys; print(*({{'torch', 'numpy', 'pydantic'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
