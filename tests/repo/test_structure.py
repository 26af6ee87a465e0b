"""The shape of the code: small files, small functions, arrows that point down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "orthogan").rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60  # without the docstring
MAX_PARAMETERS = 8
# The commands, and the public functions that mirror them: one option a line.
COMMANDS = {
    *("cli/train.py:train", "cli/classify.py:classify", "cli/language.py:language"),
    *("cli/compare.py:compare", "cli/geometry.py:geometry", "cli/generate.py:generate"),
    *("cli/sample.py:sample", "cli/fork.py:fork"),
    *("gan/api.py:resolve", "classification/api.py:resolve_classification"),
    *("gan/api.py:train", "classification/api.py:classify", "language/api.py:train_language"),
    *("experiments/compare.py:compare", "analysis/api.py:analyze"),
    *("cli/look.py:look", "analysis/look.py:look"),
    "attention/layer.py:__init__",  # each option is a question; nn.MultiheadAttention has as many
}
VAGUE = {"utils", "util", "helpers", "helper", "misc", "common"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_files_and_functions_are_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    home = path.relative_to(ROOT / "src" / "orthogan").as_posix()
    for node in ast.walk(ast.parse(text)):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and f"{home}:{node.name}" not in COMMANDS:
            assert lines_of(node) <= MAX_FUNCTION_LINES, node.name
            assert num_parameters(node) <= MAX_PARAMETERS, node.name


def test_every_exception_is_needed():
    for name in COMMANDS:
        home, _, function = name.partition(":")
        tree = ast.parse((ROOT / "src" / "orthogan" / home).read_text())
        found = [node for node in ast.walk(tree) if getattr(node, "name", "") == function]
        assert any(
            lines_of(node) > MAX_FUNCTION_LINES or num_parameters(node) > MAX_PARAMETERS
            for node in found
        ), name


def lines_of(function):
    """The lines of a function, its docstring apart."""
    first, lines = function.body[0], function.end_lineno - function.lineno + 1
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return lines - (first.end_lineno - first.lineno + 1 if is_docstring else 0)


def num_parameters(function):
    """The parameters of a function, `self` and `cls` apart."""
    by_place = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return len(by_place) + len(function.args.kwonlyargs) - (by_place[:1] in (["self"], ["cls"]))


def imports_of(tree, known):
    """The modules that a module imports while it is imported itself; not those for types alone."""
    for node in tree:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports_of(node.orelse, known)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in known else node.module
        elif not isinstance(node, ast.FunctionDef):
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from imports_of(getattr(node, part, []), known)


def cycle_in(graph):
    """Modules that import each other in a circle; empty if none do."""
    done = set()

    def follow(module, path):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        done.add(module)
        found = (follow(each, [*path, module]) for each in sorted(graph.get(module, ())))
        return next(filter(None, found), [])

    return next(filter(None, (follow(module, []) for module in graph)), [])


def test_no_modules_import_each_other_in_a_circle():
    known = {}
    for path in SOURCES:
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        known[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {
        module: set(imports_of(ast.parse(path.read_text()).body, known)) - {module}
        for module, path in known.items()
    }
    assert "orthogan.errors" in graph["orthogan.config.base"]
    assert cycle_in(graph) == []


def test_a_circle_is_found():
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


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
        "Judgement",
        "Look",
        "Model",
        "Organization",
        "Projection",
        "RECIPES",
        "Run",
        "Score",
        "__version__",
        "analyze",
        "as_attention",
        "as_convolution",
        "attention",
        "classify",
        "compare",
        "evaluate",
        "export_onnx",
        "geometry",
        "judge",
        "load",
        "load_data",
        "load_exported",
        "look",
        "organize",
        "project",
        "read_tables",
        "report",
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
