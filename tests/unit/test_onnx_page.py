"""ONNX files of others as pages: what is read of them, and what is refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper
from onnx_generators import Form, model, save, with_classes

from orthogan.cli import main
from orthogan.errors import BundleError
from orthogan.export.foreign import graph as graphs
from orthogan.export.foreign import trial, writing
from orthogan.export.foreign.graph import read_graph
from orthogan.export.foreign.numbers import packed
from orthogan.export.foreign.page import foreign_script
from orthogan.export.foreign.trial import tried
from orthogan.export.html import export_html
from orthogan.export.web import runtime
from orthogan.export.web.page import policy


def nodes(*made: Any, shape: tuple[Any, ...] = ("n", 1, 4, 4)) -> Callable[[Any], None]:
    """Puts other operations into a file, and another shape of what it draws."""

    def change(file: Any) -> None:
        del file.graph.node[:], file.graph.initializer[:]
        file.graph.node.extend(made)
        output = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
        file.graph.output[0].CopyFrom(output)

    return change


def external(file: Any) -> None:
    tensor = file.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def external_inside(file: Any) -> None:
    inner = helper.make_graph([], "inner", [], [])
    inner.initializer.add(data_location=TensorProto.EXTERNAL, name="w")
    file.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=inner))


def newer(file: Any) -> None:
    file.opset_import[0].version = 99


def two_latents(file: Any) -> None:
    file.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, ["n", 3]))


def half_floats(file: Any) -> None:
    file.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def free_latent(file: Any) -> None:
    file.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "d"


def huge_latent(file: Any) -> None:
    file.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2**40


def four_at_once(file: Any) -> None:
    file.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


def a_list(file: Any) -> None:
    file.graph.output[0].type.tensor_type.shape.dim.pop()


def without_nodes(file: Any) -> None:
    del file.graph.node[:]


def names_of_another_kind(file: Any) -> None:
    helper.set_model_props(file, {"class_names": '{"a": 1}'})


def made_up_operation(file: Any) -> None:
    file.graph.node[1].op_type = "Nothing</script>\x1b[31m"


def wrong_length(file: Any) -> None:
    file.graph.initializer[1].dims[0] = 2**40


def of_ours_but_not(file: Any) -> None:
    helper.set_model_props(file, {"orthogan": '{"format": 1, "size": 10000000}'})


constant = helper.make_node(
    "ConstantOfShape", ["s"], ["x"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.5])
)


def of_shape(*lengths: int) -> Callable[[Any], None]:
    shape = helper.make_node("Constant", [], ["s"], value_ints=list(lengths))
    return nodes(shape, constant, shape=("n", 1, "h", "w"))


RANDOM = nodes(
    helper.make_node("Constant", [], ["s"], value_ints=[-1, 1, 4, 4]),
    helper.make_node("Reshape", ["z", "s"], ["r"]),
    helper.make_node("RandomNormalLike", ["r"], ["x"]),
)
NOT_FINITE = nodes(
    helper.make_node("Constant", [], ["s"], value_ints=[-1, 1, 4, 4]),
    helper.make_node("Reshape", ["z", "s"], ["r"]),
    helper.make_node("Log", ["r"], ["x"]),
)
REFUSED = {
    external: "lie in other files",
    external_inside: "lie in other files",
    newer: "opset 99, and the runtime of a page reads up to",
    two_latents: r"one float32 input \[n, d\].* this one has 'z' \[n, 16\] float32, 'w' \[n, 3\]",
    half_floats: r"'z' \[n, 16\] other",
    free_latent: r"'z' \[n, n\] float32",
    huge_latent: r"'z' \[n, 1099511627776\]",
    four_at_once: r"'z' \[4, 16\]",
    a_list: r"draws 'x' \[n, 3, 16\]",
    without_nodes: "without a graph",
    names_of_another_kind: "'class_names' is no list of texts",
    made_up_operation: "ONNX Runtime cannot read it",
    wrong_length: "ONNX Runtime cannot read it",
    of_ours_but_not: "description is incomplete",
    of_shape(8, 5, 4, 4): r"this file draws \[8, 5, 4, 4\]",
    of_shape(8, 1, 4, 5000): "at most 1024 pixels a side",
    of_shape(1, 1, 4, 4): r"this file draws \[1, 1, 4, 4\]",
    of_shape(8, 1, 2**30, 2**30): "cannot draw|cannot read it",
    RANDOM: "another image each time",
    NOT_FINITE: "not finite",
}


@pytest.mark.parametrize(("change", "said"), list(REFUSED.items()))
def test_other_files_are_refused_in_a_sentence(
    change: Callable[[Any], None], said: str, tmp_path: Path
) -> None:
    file = model(Form())
    change(file)
    path = tmp_path / "other.onnx"
    path.write_bytes(file.SerializeToString())
    with pytest.raises(BundleError, match=said) as refused:
        export_html(path, tmp_path / "x.html")
    assert str(refused.value).startswith(str(path))
    assert str(refused.value).isprintable()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"\xff" * 50, b"PK\x03\x04", b"\x0a" * 10_000])
def test_what_is_no_onnx_file_is_refused(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    assert main(["export", str(path), "--to", "html", "--out", str(tmp_path / "x.html")]) == 3
    assert f"{path}: no ONNX file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_missing_and_large_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BundleError, match="no such file"):
        export_html(tmp_path / "x.onnx", tmp_path / "x.html")
    monkeypatch.setattr(graphs, "MOST_BYTES", 1000)
    with pytest.raises(BundleError, match="a page holds files of at most"):
        export_html(save(tmp_path / "y.onnx", Form()), tmp_path / "x.html")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    content = model(Form(names=("zzzz", "y", "x"))).SerializeToString()
    path = tmp_path / "x.onnx"
    path.write_bytes(content.replace(b"zzzz", b"z\xff\xfez"))
    with pytest.raises(BundleError):
        read_graph(path)


def test_shapes_range_and_classes_are_found(tmp_path: Path) -> None:
    grey = tried(read_graph(save(
        tmp_path / "a.onnx", Form(colours=1, height=8, width=20, last="Sigmoid", convolves=True)
    )))  # fmt: skip
    assert (grey.colours, grey.height, grey.width, grey.low, grey.high) == (1, 8, 20, 0, 1)
    assert grey.class_names == ()
    counted = tried(read_graph(save(tmp_path / "b.onnx", Form(classes=37))))
    assert (counted.low, counted.high, counted.draws_class) == (-1, 1, False)
    assert counted.class_names == tuple(map(str, range(37)))
    called = tried(read_graph(save(tmp_path / "c.onnx", with_classes(["cats", "dogs"]))))
    assert called.class_names == ("cats", "dogs")


def test_classes_without_an_end_are_refused(tmp_path: Path) -> None:
    file = model(Form(classes=3))
    for node in file.graph.node:
        if node.op_type == "Gather":
            node.CopyFrom(helper.make_node("Cast", ["y"], ["class"], to=TensorProto.FLOAT))
    file.graph.node.insert(0, helper.make_node("Unsqueeze", ["y", "one"], ["rows"]))
    file.graph.node.insert(0, helper.make_node("Constant", [], ["one"], value_ints=[1]))
    next(n for n in file.graph.node if n.op_type == "Cast").input[0] = "rows"
    path = tmp_path / "x.onnx"
    path.write_bytes(file.SerializeToString())
    with pytest.raises(BundleError, match="does not say how many there are"):
        tried(read_graph(path))


def test_a_page_draws_what_the_file_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "x.onnx", Form(latent_size=128, width_inside=16))
    found = tried(read_graph(path))
    short, whole = packed(found.graph, None, 16), packed(found.graph, None, 32)
    assert len(short.graph) + len(short.numbers.text) < 0.6 * len(whole.graph)
    assert short.content != whole.content
    assert len(short.content) == len(whole.content)
    latents = np.random.default_rng(1).normal(size=(4, 128)).astype(np.float32)
    images = [
        found.images(latents, None, trial.Runs(found.graph, each.content))
        for each in (short, whole)
    ]
    assert np.array_equal(images[1], found.images(latents, None))
    assert 0 < np.abs(images[0] - images[1]).max() < 0.01
    monkeypatch.setattr(writing, "TOLERANCE", 1e-9)
    assert export_html(path, tmp_path / "x.html").bits == 32


def test_directions_are_left_out_where_they_take_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tried(read_graph(save(tmp_path / "x.onnx", Form())))
    assert found.directions() is not None
    monkeypatch.setattr(trial, "LONGEST_S", 0.0)
    assert found.directions() is None


def test_remarks_stay_behind(tmp_path: Path) -> None:
    file = model(Form())
    file.doc_string = file.graph.node[0].doc_string = "/home/somebody/secret.py"
    path = tmp_path / "x.onnx"
    path.write_bytes(file.SerializeToString())
    assert b"somebody" not in packed(read_graph(path), None, 16).content


def test_the_runtime_is_whole_and_alone(tmp_path: Path) -> None:
    made = export_html(save(tmp_path / "x.onnx", Form()), tmp_path / "x.html")
    page = made.path.read_text("utf-8")
    assert page.count("<script") == 6  # five of data, one that runs
    assert policy(foreign_script()).count("sha256-") == 2
    assert re.search(r"\bexport\s*\{", foreign_script()) is None
    assert "sourceMappingURL" not in foreign_script()
    assert "InferenceSession:" in runtime.runtime_script()
