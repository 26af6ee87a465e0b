"""`orthogan pack`: from a source to a set that trains, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orthogan.data import load
from orthogan.data.formats.tar import write_example


def test_a_source_is_packed_and_verified(cli, tiny_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "blobs.orthogan"
    answer = cli("pack", str(tiny_file), "--out", str(out))
    assert answer.code == 0, answer.err
    assert "200 images of 16 x 16, gray, 4 classes, 0.1 MB in 1 shard." in answer.out
    assert answer.out.endswith(f"Next: orthogan train {out}\n")
    assert load(out).fingerprint() == load(tiny_file).fingerprint()
    answer = cli("pack", str(out), "--verify")
    assert (answer.code, answer.out.split(": ")[1][:11]) == (0, "all 3 files")
    (out / "images-00000.bin").write_bytes(b"\0" * 200 * 256)
    answer = cli("pack", str(out), "--verify", "--json")
    assert answer.code == 3
    assert "images-00000.bin is damaged" in answer.err


def test_tar_shards_are_packed_in_the_form_that_is_asked_for(cli, tmp_path: Path) -> None:
    for number in range(2):
        write_example(tmp_path / f"x-{number}.tar")
    words = ("--size", "20", "--colour", "rgb", "--json", "--out", "x.orthogan")
    answer = cli("pack", str(tmp_path / "x-{0..1}.tar"), *words)
    found = json.loads(answer.out)
    assert (found["images"], found["size"], found["channels"]) == (40, 20, 3)
    assert found["classes"] == ["0", "1", "2", "3"]
    assert answer.err.startswith("40 images packed")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("mnist",), 2, "Say where the packed set goes: --out NAME.orthogan."),
        (("mnist", "--out", "x.npz"), 2, "ends in .orthogan"),
        (("none", "--out", "x.orthogan"), 3, "neither an existing file or folder"),
        (("none-{0..9}.tar", "--out", "x.orthogan"), 3, "its shard none-0.tar is missing"),
        (("mnist", "--verify"), 3, "index.json: cannot be read"),
        (("mnist", "--verify", "--size", "16"), 2, "so --size has no effect"),
        (("mnist", "--out", "x.orthogan", "--fit", "bend"), 2, "fit is 'crop' or 'pad'"),
    ],
)
def test_bad_input_is_a_sentence_and_a_code(cli, words, code: int, told: str) -> None:
    answer = cli("pack", *words)
    assert (answer.code, told in answer.err) == (code, True), answer.err
    assert answer.err.count("\n") == 1
