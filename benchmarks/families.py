"""Every model of transformers, timm and torchvision, random, against what orthogan reads of it.

    python benchmarks/families.py                          # all of them, an hour on one core
    python benchmarks/families.py --only bert gpt2 biogpt  # some
    python benchmarks/families.py --table                  # docs/families.md anew, from the JSON

For each kind of model that the installed libraries offer (those of timm and torchvision in
`vision_models.py`): its default configuration, shrunk; random weights; what the library's own
forward pass adds to the tokens at each position (`family_oracle.py`); the checkpoint that the
library saves, read by `orthogan.embeddings`; and whether both agree. Nothing is fetched.
Checkpoints and oracles are kept under --keep and are not made a second time, so an interrupted
run goes on where it was.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import shutil
import signal
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from family_models import (
    LENGTH,
    MAX_PARAMETERS,
    WORDS,
    events,
    inputs_of,
    patch_size,
    pixels_of,
    randomize,
    shrink,
)
from family_oracle import NEAR, Added, added
from marked_block import put
from provenance import provenance
from safetensors.torch import load_file, save_file
from torch import Tensor
from vision_models import libraries, make_vision, save_vision, vision_kinds

from orthogan.embeddings import Tables, read_tables
from orthogan.errors import OrthoganError

RESULT = Path(__file__).parent / "results" / "families.json"
PAGE = Path(__file__).parents[1] / "docs" / "families.md"
LONGEST_S = 150  # for one kind; more means that no rule shrank it
# Kinds of which a setting decides what is added.
VARIANTS = (
    "falcon:alibi=true", "opt:word_embed_proj_dim=32", "bart:scale_embedding=false",
    "deberta:position_biased_input=false", "deberta-v2:position_biased_input=false",
    "beit:use_absolute_position_embeddings=true", 'esm:position_embedding_type="rotary"',
    "big_bird:rescale_embeddings=false", "distilbert:sinusoidal_pos_embds=true",
    "electra:embedding_size=32", "albert:embedding_size=32", "swin:use_absolute_embeddings=true",
    "xlm:sinusoidal_embeddings=true", "flaubert:sinusoidal_embeddings=true",
)  # fmt: skip


class NotBuiltError(Exception):
    """Why there is nothing to compare."""


def kinds() -> list[str]:
    """Every kind of model that the installed library has a model class for."""
    from transformers import CONFIG_MAPPING, MODEL_MAPPING

    names = MODEL_MAPPING._model_mapping  # noqa: SLF001 - asking for a class would import it
    return [kind for kind in CONFIG_MAPPING if kind in names]


def build(kind: str, folder: Path) -> dict[str, Any]:
    """Makes the checkpoint and the oracle of a kind in a folder; what was seen."""
    found: dict[str, Any] = {"kind": kind}
    try:
        with no_longer_than(LONGEST_S):
            torch.manual_seed(0)
            model, config = make_vision(kind) if "/" in kind else make(kind)
            found["class"] = type(model).__name__
            randomize(model)
            how, seen = run(model, config)
            if "/" in kind:
                save_vision(kind, model, folder)
            else:
                model.save_pretrained(folder)
            save_file(
                {"difference": seen.difference.contiguous(), "sums": seen.sums.contiguous()},
                folder / "oracle.safetensors",
            )
            rows = WORDS if how == "text" else pixels_of(config)
            found |= {
                "input": how,
                "rows": rows,
                "seen": seen.kind,
                "where": seen.where,
                "prefix": seen.prefix,
            }
    except Exception as error:  # noqa: BLE001 - whatever a library raises is the reason
        reason = " ".join(str(error).split())[:200]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        is_ours = isinstance(error, NotBuiltError | LookupError)
        found["not built"] = reason if is_ours else f"{type(error).__name__}: {reason}"
    (folder / "seen.json").write_text(json.dumps(found))
    return found


def make(kind: str) -> tuple[Any, Any]:
    """A random model of a kind of the transformers library, and its shrunk configuration."""
    from transformers import CONFIG_MAPPING, MODEL_MAPPING

    kind, _, settings = kind.partition(":")
    config_class = CONFIG_MAPPING[kind]
    classes = MODEL_MAPPING[config_class]
    made = classes[0] if isinstance(classes, list | tuple) else classes
    config = shrink(config_class())
    for setting in filter(None, settings.split(",")):
        name, _, value = setting.partition("=")
        setattr(config, name, json.loads(value))
    config._attn_implementation = "eager"  # noqa: SLF001
    with torch.device("meta"):
        number = sum(part.numel() for part in made(config).parameters())
    if number > MAX_PARAMETERS:
        raise NotBuiltError(f"still {number:,} parameters after shrinking")
    return made(config).eval(), config


def run(model: torch.nn.Module, config: Any) -> tuple[str, Added]:
    """What the model's own forward pass adds."""
    reasons = ["it takes neither tokens nor images"]
    for how, pair in inputs_of(model, config):
        length = LENGTH
        if how == "image":
            size = patch_size(config)
            rows, cols = next(iter(pair[0].values())).shape[-2:]
            length = (rows // size) * (cols // size)
        try:
            one, other = (events(model, inputs) for inputs in pair)
        except TimeoutError:
            raise
        except Exception as error:  # noqa: BLE001
            reasons.append(f"{type(error).__name__}: {error}")
            continue
        return how, added(one, other, length)
    raise NotBuiltError(f"no guessed input runs: {reasons[-1]}")


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Raises TimeoutError inside after so many seconds."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"took longer than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def compare(folder: Path) -> dict[str, Any]:
    """The oracle in a folder against what orthogan reads of the checkpoint beside it."""
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    if "not built" in found:
        why = re.sub(r"/\S*site-packages/", "", found.pop("not built"))  # where it is installed
        return found | {"verdict": "not built", "why": why}
    oracle = load_file(folder / "oracle.safetensors")
    try:
        tables = read_tables(folder)
    except OrthoganError as error:
        return found | {"verdict": "refused", "why": str(error).replace(f"{folder}", "FOLDER")}
    found["read"] = tables.codes
    if tables.codes in {"unknown", "absent"}:
        said = ("not known", "No position table")
        why = next((note for note in tables.notes if any(part in note for part in said)), "")
        return found | {"verdict": "refused", "why": why}
    if found["seen"] == "unclear":
        # Positions act, but not as a sum that can be seen from outside: only "none" can be right,
        # where the family's attention reads positions, and nothing else.
        is_right = tables.codes == "none"
        return found | {
            "verdict": "not comparable" if is_right else "wrong",
            "why": f"positions are no sum at {found['where']}",
        }
    wrong = differences(tables, oracle["difference"], oracle["sums"], found)
    return found | {"verdict": "wrong" if wrong else "agrees", "why": wrong}


def differences(tables: Tables, change: Tensor, sums: Tensor, found: dict[str, Any]) -> str:
    """What is wrong with these tables, in a few words; empty if nothing is."""
    rows = found["rows"]
    if tables.tokens.shape[1] != len(change) or len(tables.tokens) <= max(rows):
        return f"tokens of shape {tuple(tables.tokens.shape)}, summed at width {len(change)}"
    one, other = tables.tokens[rows[0]], tables.tokens[rows[1]]
    size = float(change.abs().max())
    if not near(one - other, change, size):
        ratio = float((one - other).norm() / change.norm())
        return f"tokens: {ratio:.4g} times as long as they are summed"
    if found["seen"] == "none":
        return "" if tables.codes == "none" else f"codes are read as {tables.codes}; none is added"
    if tables.positions is None:
        return f"a code is added at {found['where']}; none was read"
    places = tables.positions[tables.num_prefix :][: len(sums)]
    if len(places) < min(len(sums), LENGTH):
        return f"{len(places)} positions were read for {len(sums)} contents"
    sums = sums[: len(places)]
    size = float(sums.abs().max())
    if not near(places - places[0], sums - sums[0], size):
        return "positions differ from what is added"
    rest = sums[0] - one - places[0]
    if not near(rest, torch.zeros_like(rest), size) and not explained(tables, rest, size):
        return f"one vector of length {float(rest.norm()):.3g} is added to all, and was not read"
    return ""


def explained(tables: Tables, rest: Tensor, size: float) -> bool:
    """Whether what is added to every token and position is the shift that the tables state."""
    if any("box on the page" in note for note in tables.notes):
        return True  # of the box at 0, which all tokens were given
    return tables.shift is not None and near(rest, tables.shift, size)


def near(one: Tensor, other: Tensor, size: float) -> bool:
    return bool((one - other).abs().max() < NEAR * max(size, 1e-3))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many kinds agree, are refused, are wrong; and how those that agree add positions."""
    counts = Counter(row["verdict"] for row in rows)
    ways = Counter(row["seen"] for row in rows if row["verdict"] == "agrees")
    return {
        "kinds": len(rows),
        "compared": counts["agrees"] + counts["wrong"],
        "agree": counts["agrees"],
        "of these, with a code that is added": ways["added"],
        "of these, without": ways["none"],
        "wrong": counts["wrong"],
        "refused": counts["refused"],
        "not comparable": counts["not comparable"],
        "not built": counts["not built"],
    }


def table() -> str:
    """The record as Markdown: what agrees, what is refused and why, what could not be built."""
    record = json.loads(RESULT.read_text(encoding="utf-8"))
    lines = ["| outcome | kinds of models |", "|---|---|"]
    lines += [f"| {name} | {number:,} |" for name, number in record["summary"].items()]
    lines += ["", "| agree | kinds |", "|---|---|"]
    for how, name in (("added", "a code is added"), ("none", "none is added")):
        agreeing = [
            row["kind"]
            for row in record["rows"]
            if row["verdict"] == "agrees" and row["seen"] == how
        ]
        lines.append(f"| {name} | {', '.join(agreeing)} |")
    for verdict in ("wrong", "refused", "not comparable"):
        reasons: dict[str, list[str]] = {}
        for row in record["rows"]:
            if row["verdict"] == verdict:
                reasons.setdefault(reason(row), []).append(row["kind"])
        if reasons:
            lines += ["", f"| {verdict}: why | kinds |", "|---|---|"]
        lines += [f"| {why} | {', '.join(names)} |" for why, names in sorted(reasons.items())]
    missing = Counter(obstacle(row) for row in record["rows"] if row["verdict"] == "not built")
    lines += ["", "| not built: why | kinds |", "|---|---|"]
    lines += [f"| {why} | {number} |" for why, number in missing.most_common()]
    return "\n".join(lines)


def obstacle(row: dict[str, Any]) -> str:
    """What kept a kind from being built, in one of a few groups; the record has its own words."""
    why = str(row["why"])
    if "neither tokens nor images" in why:
        return "it takes neither tokens nor images (sound, series, grids of patches)"
    if "ImportError" in why:
        return "it needs a package that is not installed"
    if "windows that overlap" in why:
        return "its patches overlap: a convolution stands in front of the tokens"
    if why.startswith("no guessed input runs"):
        return "no guessed input runs"
    if "parameters after shrinking" in why:
        return "no rule makes it small"
    return "its shrunk configuration contradicts itself"


def reason(row: dict[str, Any]) -> str:
    """Why a kind is refused, without what only its own sentence holds."""
    why = str(row["why"]).removeprefix("FOLDER/model.safetensors: ").partition(" Known: ")[0]
    why = why.partition(" Did you mean")[0].replace(f"'{row['kind']}'", "of this name")
    return why.replace("|", "/")


def measure(asked: list[str], keep: Path) -> list[dict[str, Any]]:
    """The verdicts on some kinds; what lies in the folder already is not made again."""
    rows = []
    for number, kind in enumerate(asked, 1):
        folder = keep / kind.replace("/", "_")
        if not (folder / "seen.json").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            build(kind, folder)
            gc.collect()
        rows.append(compare(folder))
        print(f"{number}/{len(asked)} {kind}: {rows[-1]['verdict']} {rows[-1]['why'][:100]}")
    return rows


def main() -> None:
    """Builds, compares, writes the record and its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", metavar="KIND")
    parser.add_argument("--keep", type=Path, help="folder for checkpoints and oracles")
    parser.add_argument("--table", action="store_true", help="only write docs/families.md anew")
    asked = parser.parse_args()
    if not asked.table:
        import transformers

        quiet()
        every = asked.only or [*kinds(), *VARIANTS, *vision_kinds()]
        with tempfile.TemporaryDirectory() as temporary:
            rows = measure(every, asked.keep or Path(temporary))
        record = {
            "provenance": provenance() | {"transformers": transformers.__version__} | libraries(),
            "summary": summary(rows),
            "rows": rows,
        }
        if asked.only:
            print(json.dumps(record["summary"], indent=1))
            return
        RESULT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    put(f"<!-- families -->\n{table()}\n<!-- end of families -->", "families", PAGE)


def quiet() -> None:
    """No network, no warnings of the library's, one thread."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
