"""What `orthogan geometry` shows of words: amplitudes, the recommendation, meanings."""

from __future__ import annotations

from typing import Any

from orthogan.cli.output import number, show, show_table


def show_words(tree: dict[str, Any]) -> None:
    """Writes which words turn into others at each amplitude, what helps, and what it costs."""
    _show_examples(tree["counts"])
    _show_meanings(tree["meanings"])
    if tree["prescription"] is not None:
        show("")
        show(recommendation(tree))


def recommendation(tree: dict[str, Any]) -> str:
    """The sentence that says what to do with the codes, what it achieves and what it costs."""
    best, (tokens, positions) = tree["prescription"], tree["readable"]
    how = "" if best["name"] == "scale" else f"apply '{best['name']}' to the codes and "
    return (
        f"Prescription: {how}multiply them by {best['factor']:.3g}: {1 - best['kept']:.2%} of the "
        f"pairs change identity (aim: at most {best['share']:.3g}). A linear reader then gets "
        f"{best['position_r2']:.1%} of the positions (before: {positions:.1%}) and "
        f"{best['token_r2']:.1%} of the tokens (before: {tokens:.1%})."
    )


def _show_examples(counts: dict[str, Any]) -> None:
    rows = [
        [f"x {factor}", one["token"], str(one["position"]), one["becomes"], number(one["margin"])]
        for factor, count in counts.items()
        for one in count["examples"]
    ]
    if rows:
        show("")
        show_table(["codes", "token", "at position", "becomes", "margin"], rows)


def _show_meanings(meanings: dict[str, dict[str, dict[str, Any]]]) -> None:
    rows = [
        [test, str(one["n"]), name, f"{one['value']:.3f}", f"{one['low']:.3f} to {one['high']:.3f}"]
        for test, found in meanings.items()
        for name, one in found.items()
    ]
    if rows:
        show("")
        show_table(["test", "questions", "words", "score", "95 % interval"], rows)
