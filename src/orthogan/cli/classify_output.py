"""What `orthogan classify` shows on a terminal."""

from __future__ import annotations

from typing import Any

from orthogan.cli.output import show, show_table

MOST_CLASSES = 20  # a wider confusion matrix does not fit a terminal; --json has it whole


def show_score(score: dict[str, Any]) -> None:
    """Accuracy with its interval, the confusion matrices and the most frequent confusions."""
    accuracy = score["scores"]["accuracy"]
    interval = f"{accuracy['low']:.2%} to {accuracy['high']:.2%}"
    cells = [f"{accuracy['value']:.2%}", interval, f"{accuracy['floor']:.2%}", str(accuracy["n"])]
    show_table(["score", "value", "95 % interval", "chance", "images"], [["accuracy", *cells]])
    labels = len(score["label_accuracies"])
    for label, matrix in enumerate(score["confusion"]):
        if labels > 1:
            show(f"label {label + 1}: {score['label_accuracies'][label]:.2%} right")
        if len(matrix) <= MOST_CLASSES:
            _show_matrix(score["class_names"], matrix)
    for pair in score["worst"]:
        where = f" (label {pair['label'] + 1})" if labels > 1 else ""
        show(f"{pair['true']} taken for {pair['taken_for']}{where}: {pair['count']}")


def show_predictions(rows: list[dict[str, Any]]) -> None:
    """One line a picture."""
    cells = [[row["file"], row["class"], f"{row['confidence']:.1%}"] for row in rows]
    show_table(["file", "class", "confidence"], cells)


def _show_matrix(names: list[str], matrix: list[list[int]]) -> None:
    rows = [
        [name, *(str(count) if count else "." for count in row)]
        for name, row in zip(names, matrix, strict=True)
    ]
    show_table(["true \\ answer", *names], rows)
