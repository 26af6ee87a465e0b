"""Sentence embeddings of a BERT with changed tables beside those of the original: for `minilm.py`.

The sentences are a hundred meanings (ten subjects x ten activities), each worded twice: a model
that works finds the other wording of a sentence among the hundred in that wording.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orthogan.embeddings import save_positions

SUBJECTS = (
    ("The old doctor", "An elderly physician"),
    ("A young boy", "A small male child"),
    ("My neighbour", "The man who lives next door to me"),
    ("The orchestra", "A group of musicians"),
    ("Our teacher", "The woman who gives us lessons"),
    ("The farmer", "A man who owns fields and cattle"),
    ("A stray dog", "A hound without an owner"),
    ("The government", "The state and its ministers"),
    ("The pilot", "A woman who flies airplanes"),
    ("A famous chef", "A celebrated cook"),
)
ACTIVITIES = (
    ("is eating an apple in the garden", "has fruit for lunch on the lawn"),
    ("bought a new car last week", "purchased an automobile a few days ago"),
    ("was bitten by a snake", "got hurt by a poisonous reptile"),
    ("cannot sleep because of the noise", "lies awake since it is too loud"),
    ("won the first prize of the competition", "came out on top in the contest"),
    ("is afraid of thunderstorms", "fears lightning and heavy rain"),
    ("wrote a long letter to the newspaper", "sent the editors of the daily many pages"),
    ("crossed the frozen river at night", "walked over the icy stream in the dark"),
    ("lost all of the money on the stock market", "was ruined by trading shares"),
    ("will travel to Japan in spring", "plans a trip to Tokyo in April"),
)
SENTENCES_A_PARAGRAPH = 14  # about 190 tokens: positions that single sentences never reach
LONGEST = 256  # tokens that this model was made for
BATCH = 25


def sentences() -> list[str]:
    """Two wordings of each meaning, one after the other.

    >>> len(sentences()), len(set(sentences()))
    (200, 200)
    >>> sentences()[:2]
    ['The old doctor is eating an apple in the garden.',
     'An elderly physician has fruit for lunch on the lawn.']
    """
    return [
        f"{subject[wording]} {activity[wording]}."
        for subject in SUBJECTS
        for activity in ACTIVITIES
        for wording in (0, 1)
    ]


def paragraphs() -> list[str]:
    """Texts of many sentences each, every sentence in one of them."""
    every = sentences()
    starts = [*range(0, len(every), SENTENCES_A_PARAGRAPH), len(every)]
    return [" ".join(every[begin:end]) for begin, end in pairwise(starts)]


def compare_outputs(
    folder: Path,
    changes: dict[str, dict[str, Tensor]],
    place: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Each change written into copies of the model's file; what its embeddings are then.

    Args:
        folder: The model as transformers stores it.
        changes: For each change the new tables by the names of the tensors.
        place: An empty folder to write to.
        say: Hears what is being done.
    """
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    texts = {"sentences": sentences(), "paragraphs": paragraphs()}
    original = {name: embed(folder, some) for name, some in texts.items()}
    found: dict[str, Any] = {
        "transformers": transformers.__version__,
        "original": {"partner_found": partner_found(original["sentences"])},
    }
    for name, tables in changes.items():
        say(f"writing, loading and running: {name}")
        copy = write(folder, place, tables)
        made = {kind: embed(copy, some) for kind, some in texts.items()}
        found[name] = {kind: compared(original[kind], made[kind]) for kind in texts} | {
            "partner_found": partner_found(made["sentences"]),
            "file_is_the_same": is_same(folder, copy),
        }
    return found


def write(folder: Path, place: Path, tables: dict[str, Tensor]) -> Path:
    """A copy of the model in which these tensors are others."""
    target = place / "model"
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(folder, target, ignore=ignored)
    source = folder / "model.safetensors"
    for step, (name, table) in enumerate(tables.items()):
        written = save_positions(source, target / f"step{step}.safetensors", table, name=name)
        if source.parent == target:
            source.unlink()
        source = written
    source.rename(target / "model.safetensors")
    return target


@torch.inference_mode()
def embed(folder: Path, texts: list[str]) -> Tensor:
    """Mean of the last hidden states over the tokens, of unit length, as the model's card says."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(
            texts[start : start + BATCH], padding=True, truncation=True, max_length=LONGEST,
            return_tensors="pt",
        )  # fmt: skip
        states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][:, :, None]
        rows.append((states * mask).sum(1) / mask.sum(1))
    return torch.nn.functional.normalize(torch.cat(rows))


def compared(old: Tensor, new: Tensor) -> dict[str, float]:
    """How alike the embeddings of each text are, and how alike the similarities of all pairs."""
    cosine = (old.double() * new.double()).sum(1)
    upper = torch.triu_indices(len(old), len(old), 1)
    pairs = [(each @ each.T)[upper[0], upper[1]] for each in (old, new)]
    return {
        "mean_cosine": float(cosine.mean()),
        "least_cosine": float(cosine.min()),
        "largest_difference": float((old - new).abs().max()),
        "rank_correlation_of_pairs": rank_correlation(*pairs),
    }


def partner_found(embeddings: Tensor) -> float:
    """Share of the sentences whose other wording is the nearest of all in that wording.

    >>> partner_found(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]))
    1.0
    """
    likeness = embeddings[0::2] @ embeddings[1::2].T
    index = torch.arange(len(likeness))
    found = torch.cat([likeness.argmax(1) == index, likeness.argmax(0) == index])
    return float(found.double().mean())


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's, for values without ties.

    >>> rank_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 30.0, 20.0]))
    0.5
    """
    ranks = torch.stack([one.argsort().argsort(), other.argsort().argsort()]).double()
    return float(torch.corrcoef(ranks)[0, 1])


def is_same(folder: Path, copy: Path) -> bool:
    """Whether both weight files hold the same bytes."""
    name = "model.safetensors"
    return (folder / name).read_bytes() == (copy / name).read_bytes()
