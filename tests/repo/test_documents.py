"""What the documents say is what the code does."""

import json
import re
from pathlib import Path

from orthogan.gan.recipes import RECIPES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_recipe_is_in_the_documents():
    training = (ROOT / "docs" / "training.md").read_text()
    for name in RECIPES:
        assert f"`{name}`" in training


def test_every_command_has_a_page():
    from orthogan.cli.app import app

    pages = (ROOT / "docs" / "commands" / "README.md").read_text()
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        assert f"`orthogan {name}`" in pages


def test_links_lead_somewhere():
    for document in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "benchmarks" / "README.md",
    ]:
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_numbers_of_the_readme_are_those_of_the_results():
    from readme_table import table

    assert table() in README


def test_the_table_of_the_race_is_that_of_the_results():
    from race_table import table

    assert table() in (ROOT / "benchmarks" / "README.md").read_text()


def test_the_table_of_records_is_that_of_the_results():
    from records import table

    assert table() in (ROOT / "benchmarks" / "README.md").read_text()


def test_the_table_of_families_is_that_of_the_results():
    from families import table

    assert table() in (ROOT / "docs" / "families.md").read_text()
    found = json.loads((ROOT / "benchmarks" / "results" / "families.json").read_text())["summary"]
    assert found["compared"] >= 100
    assert found["wrong"] == 0


def test_the_numbers_of_the_web_page_are_those_of_the_results():
    text = (ROOT / "docs" / "export.md").read_text()
    found = json.loads((ROOT / "benchmarks" / "results" / "web_page.json").read_text())
    for page in found["pages"].values():
        rates = page["images_per_second"]
        cells = [
            f"{page['bytes'] / 1e6:.2f} MB",
            f"{page['first_image_s']['median']:.2f} s",
            *(f"{rates[kind]['best']:.0f}, {rates[kind]['median']:.0f}" for kind in rates),
            *["-"] * (2 - len(rates)),
            f"{page['steps_of_255']} step",
        ]
        assert f"| {' | '.join(cells)} |" in text
        # What the pages promise, also on a machine that is busy.
        bars, best = found["bars"], max(rate["best"] for rate in rates.values())
        assert best >= bars["images a second"]
        assert page["steps_of_255"] <= bars["steps of 255"]
        assert page["problems"] == []
    assert found["pages"]["mnist"]["bytes"] <= 1e6 * found["bars"]["megabytes of mnist"]
    assert found["pages"]["onnx"]["bytes"] <= 1e6 * found["bars"]["megabytes of onnx"]


def test_what_was_not_measured_is_told(monkeypatch, tmp_path: Path):
    import records

    monkeypatch.setattr(records, "RESULTS", tmp_path)
    rows = records.table().splitlines()[3:-1]
    assert len(rows) == len(records.RECORDS)
    assert all("| not measured |" in row for row in rows)


def test_benchmark_results_carry_their_provenance():
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert results
    for path in results:
        provenance = json.loads(path.read_text())["provenance"]
        assert {"command", "date", "torch", "threads", "processor"} <= provenance.keys(), path
        script = provenance["command"].split()[1]
        assert (ROOT / script).exists(), script


def test_every_pinned_version_is_exact():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins
