"""Shapes are types: public signatures name them, and bare tensors only become fewer."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src" / "orthogan"
# Bare tensors left in public signatures: those of any shape, and those still without a name.
MOST = {"attention": 70, "networks": 8, "gan": 3, "training": 14, "geometry": 261}


def bare(package: str) -> list[str]:
    """Public functions and methods with a parameter or a result that is a `Tensor` of no shape."""
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text())
        owners = [tree, *(each for each in ast.walk(tree) if isinstance(each, ast.ClassDef))]
        for owner in owners:
            for node in owner.body:
                if not isinstance(node, ast.FunctionDef) or (
                    node.name.startswith("_") and node.name != "__init__"
                ):
                    continue
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                for annotation in [*(each.annotation for each in given), node.returns]:
                    names = ast.walk(annotation) if annotation is not None else ()
                    if any(isinstance(name, ast.Name) and name.id == "Tensor" for name in names):
                        found.append(f"{path.relative_to(ROOT)}: {node.name}")
    return found


@pytest.mark.parametrize("package", MOST)
def test_bare_tensors_in_public_signatures_only_become_fewer(package):
    assert len(found := bare(package)) <= MOST[package], found


def test_a_bare_tensor_is_found(tmp_path, monkeypatch):
    package = tmp_path / "attention"
    package.mkdir()
    (package / "score.py").write_text(
        "def weigh(query: Query, key: Tensor | None) -> Weights: ...\n"
        "class Layer:\n    def forward(self, tokens: Tokens) -> Tensor: ...\n"
        "def _hidden(any: Tensor) -> Tensor: ...\n"
    )
    monkeypatch.setattr("test_shapes.ROOT", tmp_path)
    assert bare("attention") == ["attention/score.py: weigh", "attention/score.py: forward"]
