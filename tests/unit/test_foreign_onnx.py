"""ONNX files that are damaged, or not what they say: one sentence each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orthogan import exported
from orthogan.errors import BundleError
from orthogan.export import export_onnx

OLD = Path(__file__).parents[1] / "fixtures" / "version-0.1"


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    return export_onnx(OLD / "gan", folder / "gan.onnx").generator.path


def test_a_bit_that_flips_anywhere_in_an_onnx_file_is_noticed(
    onnx_file: Path, tmp_path: Path
) -> None:
    data, source, other = onnx_file.read_bytes(), np.random.default_rng(7), tmp_path / "a.onnx"
    for place in source.integers(0, len(data), 60).tolist():
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(source.integers(8))
        other.write_bytes(damaged)
        with pytest.raises(BundleError, match=r"a\.onnx: ") as caught:
            exported.load_exported(other)
        assert len(str(caught.value)) < 600


DESCRIBED = {"size": 16, "colours": 1, "classes": 4, "latent_size": 8, "format": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"latent_size": 2**40}, "of another graph"),
        ({"latent_size": -8}, "incomplete"),
        ({"latent_size": True}, "incomplete"),
        ({"classes": 0}, "of another graph"),
        ({"classes": -1}, "incomplete"),
        ({"format": "1"}, "format 1, this version"),
        ({"format": [0] * 9999}, r"format \[0, 0.*\.\.\., this version"),
        ({"size": 17}, r"draws no finite images of shape \(64, 1, 17, 17\)"),
        ({"colours": 3}, "draws no finite images"),
        ({"classes": 400}, "cannot draw: "),
    ],
)
def test_an_onnx_file_that_says_other_than_it_does(
    onnx_file: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(onnx_file)
    del graph.metadata_props[:]
    graph.metadata_props.add(key=exported.METADATA, value=json.dumps(DESCRIBED | change))
    other = tmp_path / "other.onnx"
    other.write_bytes(graph.SerializeToString())
    with pytest.raises(BundleError, match=words) as caught:
        exported.load_exported(other).sample([1], classes=[399] if "classes" in change else None)
    assert "onnxruntime" not in str(caught.value).lower().replace(" ", "")[:40]
    assert len(str(caught.value)) < 600


def test_a_healthy_one_is_still_drawn(onnx_file: Path) -> None:
    assert exported.load_exported(onnx_file).sample(range(2)).shape == (2, 16, 16, 1)
    assert exported.UNSEALED not in onnx_file.read_bytes().decode("latin-1")


@pytest.mark.parametrize(
    "images",
    [
        np.full((64, 1, 16, 16), np.nan, np.float32),
        np.zeros((64, 1, 16, 16)),
        np.zeros((1, 1, 16, 16), np.float32),
        [1],
        None,
    ],
)
def test_what_a_graph_draws_is_looked_at(images: Any) -> None:
    class Session:
        def run(self, _names: list[str], given: dict[str, np.ndarray]) -> list[Any]:
            assert len(given["latents"]) == 64
            return [images]

    facts = {"size": 16, "colours": 1, "classes": 0, "latent_size": 8}
    drawn = exported.ExportedGenerator(path=Path("a.onnx"), session=Session(), **facts)
    with pytest.raises(BundleError, match="draws no finite images"):
        drawn.sample([1])
