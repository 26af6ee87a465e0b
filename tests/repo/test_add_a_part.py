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
from xml.etree import ElementTree as ET

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


def environment(plugins: str, cache: Path) -> dict[str, str]:
    # Options of the suite around this one, such as a required coverage, are not meant for it.
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    return kept | {"ORTHOGAN_PLUGINS": plugins, "ORTHOGAN_CACHE": str(cache)}


def results(programs: dict[str, str], folder: Path) -> dict[str, dict[str, bool]]:
    """Every contract test of each part, and whether it passed.

    One process serves all pages: to import and collect takes it ten times as long as the tests.

    Args:
        programs: A page, and what is the plugin of it.
        folder: Where they are written.
    """
    plugins = []
    for page, program in programs.items():
        plugins.append(folder / f"{Path(page).stem}.py".replace("-", "_"))
        plugins[-1].write_text(program, encoding="utf-8")
    tried = [(page, file) for page in programs for file in PAGES[page].contracts]
    chosen = " or ".join(f"({file} and {PAGES[page].name})" for page, file in tried)
    report = folder / "report.xml"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"),
            *("-k", chosen, f"--junitxml={report}"),
            *(str(ROOT / "tests" / "contracts" / file) for _, file in tried),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(os.pathsep.join(map(str, plugins)), folder / "cache"),
    )
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-1000:]
    found: dict[str, dict[str, bool]] = {page: {} for page in programs}
    for test in ET.parse(report).iter("testcase"):
        for page, file in tried:
            place, name = test.get("classname", ""), test.get("name", "")
            if Path(file).stem in place.split(".") and PAGES[page].name in name:
                passed = test.find("failure") is None and test.find("error") is None
                found[page][f"{place}.{name}"] = passed
    return found


def test_every_page_is_tried() -> None:
    assert sorted(PAGES) == sorted(path.name for path in DOCS.glob("add-a*.md"))


@EVERY_PAGE
def test_the_example_is_one_short_file(page: str) -> None:
    (example,) = blocks(page, "python")
    assert len(example.splitlines()) < 60


def test_the_examples_pass_the_whole_contract_suite(tmp_path: Path) -> None:
    for page, found in results(
        {page: blocks(page, "python")[0] for page in PAGES}, tmp_path
    ).items():
        assert not [name for name, passed in found.items() if not passed], page
        assert len(found) >= PAGES[page].least, page


def test_broken_examples_do_not(tmp_path: Path) -> None:
    programs = {}
    for page, facts in PAGES.items():
        (example,) = blocks(page, "python")
        right, wrong = facts.fault
        assert right in example
        programs[page] = example.replace(right, wrong)
    for page, found in results(programs, tmp_path).items():
        failed = {
            name.partition("[")[0].rpartition(".")[2]
            for name, passed in found.items()
            if not passed
        }
        assert PAGES[page].found_by in failed, page


def commands(page: str) -> tuple[str, list[list[str]]]:
    """The plugin that the commands of a page name, and what each of them says to `orthogan`."""
    (lines,) = blocks(page, "bash")
    told = [line.partition(" orthogan ") for line in lines.splitlines()]
    (plugin,) = {setting.removeprefix("ORTHOGAN_PLUGINS=") for setting, _, _ in told}
    return plugin, [words.split() for _, _, words in told]


def orthogan(
    program: list[str], folder: Path, plugins: list[str], cache: Path
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *program],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(os.pathsep.join(plugins), cache),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_the_list_of_parts_has_them_all(tmp_path: Path) -> None:
    plugins, asked = [], []
    for page in PAGES:
        plugin, (first, *_) = commands(page)
        (tmp_path / plugin).write_text(*blocks(page, "python"), encoding="utf-8")
        plugins.append(plugin)
        asked.append(first)
    program = f"from orthogan.cli import main; [print('#', main(words)) for words in {asked}]"
    shown = orthogan(["-c", program], tmp_path, plugins, tmp_path).stdout.split("# 0\n")
    assert len(shown) == len(asked) + 1
    for part, words, table in zip(PAGES.values(), asked, shown, strict=False):
        assert words[0] == "parts"
        assert re.search(rf" {part.name} +\S", table), table


@EVERY_PAGE
def test_the_commands_of_the_page_use_it(
    page: str, tmp_path: Path, feature_cache: Path, tiny_file: Path
) -> None:
    """As the page says them, but of a small set in place of MNIST."""
    plugin, (_, *uses) = commands(page)
    (tmp_path / plugin).write_text(*blocks(page, "python"), encoding="utf-8")
    for use in uses:
        words = [str(tiny_file) if word == "mnist" else word for word in use]
        orthogan(["-m", "orthogan", *words], tmp_path, [plugin], feature_cache)


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
