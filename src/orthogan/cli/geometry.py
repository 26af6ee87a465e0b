"""`orthogan geometry`: which tokens position codes turn into others, and what would stop them."""

from __future__ import annotations

import operator
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from orthogan.cli.command_line import Context, command_line
from orthogan.cli.geometry_words import show_words
from orthogan.cli.options import AsJson
from orthogan.cli.output import number, say, show, show_json, show_table
from orthogan.errors import ConfigError, OrthoganError
from orthogan.report.target import check_target

UNMET = 7  # exit code of a --require that does not hold
OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
RULE = re.compile(r"\s*(kept|flips|certified|tolerance)\s*(>=|<=|>|<)\s*([0-9.eE+-]+)\s*")


class UnmetError(OrthoganError):
    """A requirement that does not hold."""

    exit_code = UNMET


def geometry(
    *,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Model (.safetensors, folder, hf:NAME, minilm), word vectors (words, glove-50d, "
            "a file), or a run or bundle of orthogan, mnist-demo.",
        ),
    ],
    embedding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Tensor with the tokens. [default: found]")
    ] = None,
    positions: Annotated[
        str | None, typer.Option(metavar="NAME", help="Tensor with the codes. [default: found]")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Only the first N tokens; of a run, N drawn ones."),
    ] = None,
    num_heads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Heads a layer, if nothing says it.")
    ] = None,
    num_positions: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Use N sinusoidal codes instead.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of a GAN: generator or discriminator. [generator]"),
    ] = None,
    reader: Annotated[
        str, typer.Option(metavar="NAME", help="euclidean, cosine or logits.")
    ] = "euclidean",
    amplitudes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Count also with the codes times these factors. [default: 0.1,0.2,0.5 for words]",
        ),
    ] = None,
    repair: Annotated[
        str, typer.Option(metavar="NAME", help="rotate, scale, remove-mean, project or none.")
    ] = "rotate",
    within: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Shorten the codes until no more flips; 1: do not. [default: 0.01 for words]",
        ),
    ] = None,
    transform: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Measure before and after: center, pca, pca=K, remove-top=K, whiten.",
        ),
    ] = None,
    analogies: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Analogies: a file, gensim (its own) or none."),
    ] = None,
    similarity: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Judged pairs of words: a file, gensim or none."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Write the model with the repaired codes there; of a run, a bundle.",
        ),
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Such as 'kept>=0.995'; exit code 7 if it fails."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML report there.")
    ] = None,
    as_json: AsJson = False,
    context: Context,
) -> None:
    """Count the tokens that a model's position codes turn into other tokens."""
    rule = None if require is None else _rule(require)
    if out is not None:
        check_target(out)
    if save is not None and repair == "none":
        raise ConfigError("--save writes repaired codes; name one with --repair.")
    if save is not None and network == "discriminator":
        raise ConfigError("--save writes bundles, which hold no discriminator; leave it out.")
    factors = None
    if amplitudes is not None:
        factors = [_factor(text) for text in amplitudes.split(",") if text.strip()]
    wanted = [] if transform is None else _transforms(transform)
    from orthogan.analysis.api import analyze
    from orthogan.analysis.network_tables import save_codes
    from orthogan.analysis.trained import is_trained
    from orthogan.cli.counting import Countdown
    from orthogan.embeddings import save_positions
    from orthogan.training.progress import ProgressDisplay

    with ProgressDisplay("counting") as display:
        countdown = Countdown(display)
        found = analyze(
            source,
            embedding=embedding,
            positions=positions,
            limit=limit,
            num_heads=num_heads,
            num_positions=num_positions,
            network=network,
            reader=reader,
            amplitudes=factors,
            corrections=() if repair == "none" or reader != "euclidean" else (repair,),
            within=within,
            transforms=wanted,
            analogies=analogies,
            similarity=similarity,
            say=countdown.announce,
            progress=countdown.advance,
        )
    tree = found.to_dict()
    if save is not None:
        if not found.own or not found.corrections:
            raise ConfigError(f"{source} has no position codes of its own to repair.")
        if is_trained(source):
            save_codes(source, save, found.corrections[0].codes, f"changed with --repair {repair}")
        else:
            save_positions(source, save, found.corrections[0].codes, name=positions)
        say(f"Wrote {save}.")
    if out is not None:
        from orthogan.report import write_geometry_report

        say("writing the report")
        write_geometry_report(found, out, command=command_line(context))
        say(f"Wrote {out}.")
    if as_json:
        show_json(tree)
    else:
        _show(tree, found.heads)
    if rule is not None:
        _hold(tree, rule)


def _show(tree: dict[str, Any], heads: dict[str, Any]) -> None:
    for note in tree["notes"]:
        say(note)
    rows = [["the codes", number(tree["kept"]), number(tree["flips"])]]
    rows += [
        [f"{name} codes", number(control["kept"]), number(control["flips"])]
        for name, control in tree["controls"].items()
    ]
    rows += [
        [f"the codes x {factor}", number(kept), number(tree["counts"][factor]["flips"])]
        for factor, kept in tree["amplitudes"].items()
    ]
    rows += [
        [f"repair: {each['name']}", number(each["kept"][1]), number(each["flips"][1])]
        for each in tree["repairs"]
        if each["flips"][0]  # where nothing flips there is nothing to repair
    ]
    rows += [
        [f"{each['name']}, x {each['factor']:.3g}", number(each["kept"]), number(each["flips"])]
        for each in tree["allowances"]
    ]
    show_table(["with", "identities kept", "flips"], rows)
    if tree["worst"]:
        show("")
        show_table(
            ["token", "at position", "becomes", "margin"],
            [
                [row["token"], str(row["position"]), row["becomes"], number(row["margin"])]
                for row in tree["worst"]
            ],
        )
    show_words(tree)
    _show_transforms(tree["transforms"])
    for name, table in heads.items():
        show(f"\n{name}\n{table}")
    show(
        f"\n{tree['flips']:,} of {tree['tokens'] * max(tree['positions'], 1):,} (token, position) "
        f"pairs change identity; the norm bound alone would prove {tree['certified']:.1%} safe."
    )


def _transforms(text: str) -> list[str]:
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    if not wanted:
        raise ConfigError("--transform takes names separated by commas, such as pca,whiten.")
    if len(set(wanted)) < len(wanted):
        raise ConfigError(f"--transform names a transform twice in '{text}'; name it once.")
    return wanted


def _show_transforms(found: list[dict[str, Any]]) -> None:
    if not found:
        return
    tests = list(found[0]["meanings"])
    rows = [
        [
            each["name"],
            "-" if each["flips"] is None else number(each["flips"]),
            *(number(each[key]) for key in ("isoscore", "mean_cosine", "effective_rank")),
            *(
                number(each["meanings"][test]["value"])
                for test in tests
                if test in each["meanings"]
            ),
        ]
        for each in found
    ]
    show("")
    show_table(["table", "flips", "isoscore", "mean cosine", "effective rank", *tests], rows)


def _factor(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"--amplitudes takes numbers separated by commas, got '{text}'."
        ) from None


def _rule(text: str) -> tuple[str, str, float]:
    match = RULE.fullmatch(text)
    try:
        return match[1], match[2], float(match[3])  # type: ignore[index]
    except (TypeError, ValueError):
        raise ConfigError(
            f"--require takes kept, flips, certified or tolerance with >=, <=, > or < and a "
            f"number, as in 'kept>=0.995'; got '{text}'."
        ) from None


def _hold(tree: dict[str, Any], rule: tuple[str, str, float]) -> None:
    name, sign, bound = rule
    value = tree.get(name)
    # An infinite tolerance is written as null.
    if not OPERATORS[sign](float("inf") if value is None else value, bound):
        raise UnmetError(f"Required: {name}{sign}{bound:g}; found {name} = {number(value)}.")
