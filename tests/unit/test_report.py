"""The report of an analysis: well-formed, self-contained, escaped, and true to the analysis."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pages import EVIL, Page
from safetensors.torch import save_file

from orthogan.analysis.api import analyze
from orthogan.analysis.result import Analysis
from orthogan.cli.entry import run as command
from orthogan.embeddings import Head, Tables
from orthogan.embeddings.result import Layers
from orthogan.errors import ConfigError, StorageError
from orthogan.report import geometry_report, measured, write_geometry_report
from orthogan.report.wording import count, share
from orthogan.rng import normal, stream

NAMES = (EVIL, "&amp;", "a\u202eb", "\x07", "", "\ud800", *map(str, range(34)))


def head() -> Head:
    source = stream(0, "heads")
    return Head(*(normal((6, 3), source) for _ in range(3)))


@pytest.fixture(scope="module", autouse=True)
def few_pairs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "NUM_PAIRS", 60)
        yield


@pytest.fixture(scope="module")
def found() -> Analysis:
    tokens, codes = normal((40, 6), stream(0, "tokens")), normal((9, 6), stream(0, "codes"))
    layers = Layers(("first", "second"), lambda _: (head(), head()))
    tables = Tables(tokens, codes, NAMES, layers, source="planted")
    return analyze(tables, amplitudes=(0.1, 3.0), corrections=("rotate", "scale"))


@pytest.fixture(scope="module")
def text(found: Analysis) -> str:
    return geometry_report(found, command="orthogan geometry <planted>")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_question_is_asked_in_order(page: Page) -> None:
    assert page.sections == [
        "words", "read", "flips", "worst", "places", "margins", "motion", "controls", "amplitude",
        "examples", "repairs", "directions", "repeats", "correlations", "heads", "definitions",
    ]  # fmt: skip
    links = [found["href"] for tag, found in page.tags if tag == "a"]
    assert links == ["#report", *(f"#{key}" for key in page.sections)]


def test_ids_are_unique_and_pictures_are_named(page: Page) -> None:
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    pictures = [found for tag, found in page.tags if tag == "svg" and found.get("role") == "img"]
    assert len(pictures) == 2 * 5  # wide and narrow
    assert all(found["aria-labelledby"] in ids for found in pictures)
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_nothing_is_loaded_or_run(text: str, page: Page) -> None:
    assert "url(" not in text
    assert "@import" not in text
    for tag, found in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "xlink:href", "srcset", "onload", "onclick"} & set(found), tag
        assert tag != "script" or found["type"] == "application/json"
        assert tag != "a" or found["href"].startswith("#")
    policy = next(found["content"] for _, found in page.tags if "http-equiv" in found)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_labels_are_escaped_and_visible(found: Analysis) -> None:
    tokens = torch.tensor([[0.0], [1.0], [10.0]])
    for name in NAMES[:6]:
        tables = Tables(tokens, torch.tensor([[0.9], [0.0]]), (name, "next", "far"), source=name)
        text = geometry_report(analyze(tables, corrections=()), command=name)
        shown = Page(text)
        assert "next" in shown.text
        assert not re.search("[\x00-\x08\u202a-\u202e\ud800-\udfff]", "".join(shown.words))
        assert EVIL not in text
    assert "\\u202e" in geometry_report(analyze(Tables(
        tokens, torch.tensor([[0.9]]), ("a\u202eb", "c", "d")), corrections=()))  # fmt: skip


def test_the_numbers_are_those_of_the_analysis(found: Analysis, page: Page) -> None:
    tree = found.to_dict()
    held = json.loads(page.data)
    beside = held.pop("beside")
    tree.pop("flips_per_token")
    assert held == json.loads(json.dumps(tree))
    assert beside == json.loads(json.dumps(measured.measure(found).to_dict()))
    for number in (share(tree["kept"]), share(tree["certified"]), count(tree["flips"])):
        assert " ".join(number.split()) in page.text
    for control in tree["controls"].values():
        assert " ".join(share(control["flip_share"]).split()) in page.text
    for repair in tree["repairs"]:
        assert count(repair["flips"][1]) in page.text
    assert f"{tree['heads']['first'][0]['tied_defect']:.2f}" in page.text
    assert "orthogan geometry <planted>" in page.text


def test_a_question_without_an_answer_is_not_asked(found: Analysis) -> None:
    def sections(**changes: object) -> set[str]:
        return set(Page(geometry_report(replace(found, **changes))).sections)

    whole = set(Page(geometry_report(found)).sections)
    for name, key in (
        ("control_draws", "controls"), ("amplitudes", "amplitude"), ("corrections", "repairs"),
        ("heads", "heads"),
    ):  # fmt: skip
        assert whole - sections(**{name: type(getattr(found, name))()}) == {key}
    alone = sections(
        codes=None,
        flip_count=None,
        control_draws={},
        amplitudes={},
        counts={},
        corrections=(),
        motion=None,
    )
    assert alone == {"read", "heads", "definitions"}
    calm = analyze(Tables(100 * torch.eye(6), 0.01 * torch.ones(4, 6)), corrections=())
    assert "worst" not in Page(geometry_report(calm)).sections


@pytest.mark.parametrize(
    ("tokens", "codes"),
    [
        (torch.ones(1, 1), torch.ones(1, 1)),
        (torch.zeros(3, 2), torch.zeros(2, 2)),
        (torch.ones(2, 5), torch.full((3, 5), 1e-30)),
        (torch.tensor([[0.0], [1.0]]), torch.tensor([[1e30]])),
        (torch.eye(4), torch.eye(4)[:1].expand(30, 4)),
    ],
)
def test_the_smallest_and_strangest_tables(tokens: torch.Tensor, codes: torch.Tensor) -> None:
    page = Page(geometry_report(analyze(Tables(tokens, codes), corrections=(), amplitudes=(2.0,))))
    assert {"read", "flips", "definitions"} <= set(page.sections)
    assert "nan" not in " ".join(found.get("d") or "" for tag, found in page.tags)


def test_the_same_analysis_gives_the_same_text_and_the_seed_decides(
    found: Analysis, text: str
) -> None:
    again = geometry_report(found, command="orthogan geometry <planted>")
    assert again == text
    assert geometry_report(found, command="orthogan geometry <planted>", seed=1) != text


def test_long_tables_are_correlated_in_part(
    found: Analysis, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "NUM_ROWS", 12)
    assert measured.measure(found).num_rows == 12
    assert "12 tokens drawn at random" in Page(geometry_report(found)).text
    assert "tokens drawn at random" not in Page(text).text


def test_it_is_written_whole_or_not_at_all(found: Analysis, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_geometry_report(found, path) == path
    assert path.read_text("utf-8") == geometry_report(found)
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(ConfigError, match="is a folder; name a file in it"):
        write_geometry_report(found, tmp_path)
    with pytest.raises(ConfigError, match=r"does not end in \.html; name it model\.html"):
        write_geometry_report(found, tmp_path / "model.safetensors")
    with pytest.raises(StorageError, match="cannot be written"):
        write_geometry_report(found, path / "report.html")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    axis = torch.eye(8)
    tokens = torch.cat([0 * axis[:1], 2 * axis[:1], 50 * axis[1:5]])
    path = tmp_path / "a model.safetensors"
    save_file({"wte.weight": tokens, "wpe.weight": 1.2 * axis[:2]}, path)
    return path


def test_the_command_writes_it_beside_its_answer(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = model.parent / "report.html"
    words = ["geometry", str(model), "--repair", "none", "--json", "--out", str(out)]
    assert command(words) == 0
    told = capsys.readouterr()
    tree = json.loads(told.out)
    assert f"Wrote {out}." in told.err
    shown = Page(out.read_text("utf-8"))
    assert json.loads(shown.data)["flips"] == tree["flips"] == 1
    assert f"orthogan geometry '{model}' --repair none --out {out} --json" in shown.text


def test_places_are_named_only_where_they_stand_out() -> None:
    axis = torch.eye(3)
    tokens = torch.cat([0 * axis[:1], axis, 3 * axis])
    for lengths, words in (
        ((0.1, 9.0, 0.1), "All of them at position 1."),
        ((9.0, 9.0, 0.1), "At 2 of 3 positions."),
        ((0.8, 9.0, 0.1), "At 2 of 3 positions, most at position 1."),
    ):
        codes = torch.tensor(lengths)[:, None] * axis[:1]
        assert words in Page(geometry_report(analyze(Tables(tokens, codes), corrections=()))).text


@pytest.mark.parametrize("name", ["", "model.safetensors"])
def test_a_place_for_no_report_is_refused_before_anything_is_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"precious")
    assert command(["geometry", "nothing.bin", "--out", str(tmp_path / name)]) == 2
    assert "nothing.bin" not in capsys.readouterr().err
    assert (tmp_path / "model.safetensors").read_bytes() == b"precious"
