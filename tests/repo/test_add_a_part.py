"""The part of each page docs/add-a-*.md works, and passes the contracts of the built-in ones.

A page holds one complete file and the commands that show it. The contracts must find what is wrong
with a broken twin of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Page:
    """How a page is tried.

    Attributes:
        name: What the part is registered as.
        contracts: The files of tests that every part of the kind must pass.
        least: Tests that are at least among them.
        fault: Text of the example, and what a broken twin has in its place.
        found_by: The test that must find it.
    """

    name: str
    contracts: tuple[str, ...]
    least: int
    fault: tuple[str, str]
    found_by: str


PAGES = {
    "add-a-loss.md": Page(
        "smoothed",
        ("test_loss_contracts.py",),
        6,
        ("softplus(fake).mean()", "softplus(-fake).mean()"),
        "test_the_discriminator_raises_real_logits_and_lowers_fake_ones",
    ),
    "add-a-penalty.md": Page(
        "absolute",
        ("test_penalty_contracts.py",),
        4,
        (", create_graph=True", ", retain_graph=True"),
        "test_it_and_the_logits_can_be_differentiated_by_the_weights",
    ),
    "add-an-augmentation.md": Page(
        "fade",
        ("test_augmentation_contracts.py",),
        7,
        ("draws[:, 0, None", "draws[:1, 0, None"),
        "test_each_image_is_changed_alone",
    ),
    "add-a-score.md": Page(
        "softplus",
        ("test_score_contracts.py", "test_key_contracts.py"),
        40,
        ("num_readable(query, key, mask)", "key.shape[-2]"),
        "test_masked_keys_might_as_well_not_be_there",
    ),
    "add-a-position-encoding.md": Page(
        "fourier",
        ("test_position_contracts.py",),
        7,
        ("torch.stack([row / rows, col / cols], -1)", "torch.stack([row / rows, row / rows], -1)"),
        "test_tokens_have_different_codes",
    ),
    "add-a-network.md": Page(
        "dense",
        ("test_networks.py", "test_network_settings.py"),
        20,
        ("config.latent_size, config.hidden)", "config.latent_size, 7 * config.hidden)"),
        "test_generators_make_images_of_the_asked_shape",
    ),
    "add-a-data-format.md": Page(
        "amat",
        ("test_data_contracts.py",),
        8,
        ("except ValueError", "except KeyError"),
        "test_a_damaged_file_is_refused_in_one_sentence",
    ),
    "add-a-metric.md": Page(
        "histogram",
        ("test_metric_contracts.py",),
        5,
        ('better="lower"', 'better="higher"'),
        "test_noise_is_worse_where_it_is_said_to_be",
    ),
    "add-an-extractor.md": Page(
        "contrast",
        ("test_extractor_contracts.py",),
        7,
        ("/ 255\n", "/ pixels.amax()\n"),
        "test_each_image_is_described_alone",
    ),
    "add-an-exporter.md": Page(
        "weights",
        ("test_exporter_contracts.py",),
        2,
        ("write_atomic(out, content)", 'write_atomic(out.with_suffix(".bin"), content)'),
        "test_a_model_becomes_the_file_that_was_asked_for",
    ),
}
EVERY_PAGE = pytest.mark.parametrize("page", PAGES)


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def environment(plugin: str, cache: Path) -> dict[str, str]:
    # Options of the suite around this one, such as a required coverage, are not meant for it.
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return kept | {"ORTHOGAN_PLUGINS": plugin, "ORTHOGAN_CACHE": str(cache)}


def run_contracts(page: str, program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Every contract test of the part, in a process where it is a plugin."""
    (folder / "part.py").write_text(program, encoding="utf-8")
    files = [str(ROOT / "tests" / "contracts" / name) for name in PAGES[page].contracts]
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-k", PAGES[page].name]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(str(folder / "part.py"), folder / "cache"),
    )


def test_every_page_is_tried() -> None:
    assert sorted(PAGES) == sorted(path.name for path in DOCS.glob("add-a*.md"))


@EVERY_PAGE
def test_the_example_is_one_short_file(page: str) -> None:
    (example,) = blocks(page, "python")
    assert len(example.splitlines()) < 60


@EVERY_PAGE
def test_the_example_passes_the_whole_contract_suite(page: str, tmp_path: Path) -> None:
    done = run_contracts(page, *blocks(page, "python"), tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    (passed,) = re.findall(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert int(passed) >= PAGES[page].least


@EVERY_PAGE
def test_a_broken_example_does_not(page: str, tmp_path: Path) -> None:
    (example,) = blocks(page, "python")
    right, wrong = PAGES[page].fault
    assert right in example
    done = run_contracts(page, example.replace(right, wrong), tmp_path)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-1000:]
    assert f"::{PAGES[page].found_by}" in done.stdout


@EVERY_PAGE
def test_the_commands_of_the_page_know_it(page: str, tmp_path: Path, feature_cache: Path) -> None:
    (program,) = blocks(page, "python")
    (commands,) = blocks(page, "bash")
    for line in commands.splitlines():
        setting, _, words = line.partition(" orthogan ")
        plugin = setting.removeprefix("ORTHOGAN_PLUGINS=")
        (tmp_path / plugin).write_text(program, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "orthogan", *words.split()],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment(plugin, feature_cache),
        )
        assert done.returncode == 0, done.stderr[-3000:]
        if words.startswith("parts"):
            assert re.search(rf" {PAGES[page].name} +\S", done.stdout), done.stdout


def test_a_file_in_the_home_of_a_package_is_found_by_itself(tmp_path: Path) -> None:
    """No list names it: the home is looked through."""
    (example,) = blocks("add-a-metric.md", "python")
    (tmp_path / "histogram.py").write_text(example, encoding="utf-8")
    program = (
        "import orthogan.evaluation.metrics as home; "
        f"home.__path__.append({str(tmp_path)!r}); "
        "print('histogram' in home.METRICS)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.py", None, "which is no Python file"),
        ("broken.py", "1 / 0", "broken.py: ZeroDivisionError"),
        (
            "twice.py",
            "from orthogan.gan.penalties import PENALTIES\nPENALTIES.register('none')(print)",
            "The penalty 'none' is registered twice",
        ),
    ],
)
def test_a_plugin_that_fails_is_named(
    name: str, text: str | None, message: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "orthogan", "parts", "loss"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"ORTHOGAN_PLUGINS": name},
    )
    assert done.returncode == 2
    assert message in done.stderr
