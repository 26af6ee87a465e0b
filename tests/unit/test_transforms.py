"""Transforms of a token table: what they do to products, variances, flips; what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pages import Page
from safetensors.torch import save_file

from orthogan.analysis.api import analyze
from orthogan.cli.entry import run as command
from orthogan.embeddings import Tables
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.geometry.identity import count_flips
from orthogan.geometry.spectra import table_transform, transform_names
from orthogan.report import geometry_report
from orthogan.rng import normal, stream

SCALES = torch.tensor([9.0, 3.0, 1.0, 1.0, 0.5, 0.2])
TOKENS = normal((80, 6), stream(0, "tokens")) * SCALES + 2.0
CODES = normal((9, 6), stream(0, "codes"))


def products(rows: torch.Tensor) -> torch.Tensor:
    centred = rows.double() - rows.double().mean(0)
    return centred @ centred.T


def test_pca_changes_no_product_and_orders_the_variances() -> None:
    turned = table_transform(TOKENS, "pca").apply_to_tokens(TOKENS.double())
    assert torch.allclose(products(turned), products(TOKENS), atol=1e-9)
    variances = turned.var(0)
    assert torch.equal(variances, variances.sort(descending=True).values)
    kept = table_transform(TOKENS, "pca=2").apply_to_tokens(TOKENS.double())
    assert torch.allclose(kept, turned[:, :2])


def test_whitening_levels_the_variances_and_keeps_their_sum() -> None:
    many = normal((5000, 6), stream(1, "tokens")).double() * SCALES  # little is shrunk
    found = table_transform(many, "whiten").apply_to_tokens(many)
    before, after = torch.cov(many.T), torch.cov(found.T)
    assert float(after.trace()) == pytest.approx(float(before.trace()))
    spread = torch.linalg.eigvalsh(after)
    assert float(spread[-1] / spread[0]) < 2
    assert float(torch.linalg.cond(before)) > 1000


def test_the_top_directions_are_cleared_and_the_others_left() -> None:
    moved = table_transform(TOKENS, "remove-top=2")
    cleared = moved.apply_to_tokens(TOKENS.double())
    turned = table_transform(TOKENS, "pca").apply_to_tokens(TOKENS.double())
    assert torch.allclose(products(cleared), turned[:, 2:] @ turned[:, 2:].T, atol=1e-9)
    assert table_transform(torch.randn(500, 300), "remove-top").spec == "remove-top=3"


def test_a_code_takes_the_linear_part() -> None:
    for name in transform_names():
        moved = table_transform(TOKENS, name)
        both = moved.apply_to_tokens((TOKENS[:1] + CODES).double())
        apart = moved.apply_to_tokens(TOKENS[:1].double()) + moved.apply_to_codes(CODES.double())
        assert torch.allclose(both, apart, atol=1e-9)


@pytest.mark.parametrize(
    ("spec", "error", "sentence"),
    [
        ("pca=7", ConfigError, "7 directions of a table of width 6; ask for 6 at most"),
        ("remove-top=6", ConfigError, "one direction has to be left; ask for 5 at most"),
        ("whiten=2", ConfigError, "'whiten' takes no number"),
        ("pca=0", ConfigError, "a number of 1 or more, got '0'"),
        ("pca=", ConfigError, "a number of 1 or more, got ''"),
        ("whitening", UnknownNameError, "whiten"),
    ],
)
def test_what_has_no_meaning_is_refused(spec: str, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        table_transform(TOKENS, spec)


def test_an_analysis_shows_both_sides() -> None:
    found = analyze(Tables(TOKENS, CODES), corrections=(), transforms=("pca", "whiten"))
    before, turned, white = found.transforms
    assert [each.name for each in found.transforms] == ["as it is", "pca", "whiten"]
    # Own codes move with the tokens: a rotation changes no flip.
    assert before.flips == turned.flips == found.flip_count.flips > 0
    assert turned.effective_rank == pytest.approx(before.effective_rank)
    moved = table_transform(TOKENS, "whiten")
    flips = count_flips(moved.apply_to_tokens(TOKENS), moved.apply_to_codes(CODES)).flips
    assert white.flips == flips != before.flips
    assert white.isoscore > before.isoscore
    page = Page(geometry_report(found))
    assert "transforms" in page.sections
    assert f"{before.flips} pairs flip as it is, {turned.flips} after pca" in page.text


def test_stand_ins_are_laid_onto_the_table_that_was_made() -> None:
    found = analyze(Tables(TOKENS), num_positions=5, corrections=(), transforms=("pca=3",))
    assert found.transforms[1].width == 3
    assert found.transforms[1].flips is not None


def test_words_say_what_they_still_mean(tmp_path: Path) -> None:
    # What all words share hides their differences from cosines.
    names = tuple(f"{a}{b}" for a in "abcdef" for b in "uvwxyz")
    rows = torch.cartesian_prod(torch.arange(6.0), torch.arange(6.0)) + 60.0
    file = tmp_path / "analogies.txt"
    lines = [
        f"{a}{b} {a}{c} {d}{b} {d}{c}"
        for a, d in ("af", "be", "fa") for b, c in ("uz", "vy", "zu", "uy", "wz")
    ]  # fmt: skip
    file.write_text(": planted\n" + "\n".join(lines) + "\n")
    found = analyze(
        Tables(rows, labels=names),
        num_positions=2, corrections=(), within=1.0, amplitudes=(0.5,),
        transforms=("center",), analogies=str(file), similarity="none",
    )  # fmt: skip
    before, after = (each.meanings["analogies (meaning)"] for each in found.transforms)
    assert before.n == after.n == len(lines)
    assert after.value != before.value


def test_the_command_shows_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"wte.weight": TOKENS.clone(), "wpe.weight": CODES.clone()}, path)
    assert command(["geometry", str(path), "--transform", "whiten, pca=2", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in tree["transforms"]] == ["as it is", "whiten", "pca=2"]
    assert command(["geometry", str(path), "--transform", "center"]) == 0
    assert "mean cosine" in capsys.readouterr().out
    for wrong, sentence in (("pca=99", "ask for 6 at most"), (",", "takes names"),
                            ("pca,pca", "names a transform twice")):  # fmt: skip
        assert command(["geometry", str(path), "--transform", wrong]) == 2
        assert sentence in capsys.readouterr().err
