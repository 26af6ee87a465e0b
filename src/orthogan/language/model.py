"""A trained language model, and how it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orthogan.devices import pick_device
from orthogan.embeddings import Tables
from orthogan.errors import ConfigError
from orthogan.language.corpus import read_corpus
from orthogan.language.generation import check_generation, continue_tokens
from orthogan.language.scoring import LanguageScore, score_text
from orthogan.language.tables import network_of, tables_of_network, tokenizer_of
from orthogan.language.tokenizer import Tokenizer, check_text
from orthogan.language.transformer import LanguageTransformer
from orthogan.models import bundle


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A trained language model; `note` says which checkpoint it is, of a run that is not done."""

    network: LanguageTransformer
    tokenizer: Tokenizer
    data: dict[str, Any]
    card: dict[str, Any]
    path: Path
    sha256: str
    note: str = ""

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        seed: int = 0,
        temperature: float = 1.0,
        top: int | None = None,
    ) -> str:
        """What follows the prompt, the same for the same seed; the prompt is not part of it.

        Args:
            prompt: The beginning; empty for a text that starts after a line end.
            length: How many tokens follow.
            seed: Of the draws.
            temperature: Below 1 the likely become likelier; 0 always takes the likeliest.
            top: Draw from so many of the likeliest tokens only; None from all.

        Raises:
            ConfigError: a number is out of its range, or the prompt is not Unicode text.
            DataError: a part of the prompt is not in a vocabulary without an unknown token.
        """
        check_generation(length, temperature, top)
        check_text(prompt, "the prompt", ConfigError)
        tokens = self.tokenizer.encode(prompt)
        if len(tokens) == 0:
            tokens = self._beginning()
        follows = continue_tokens(
            self.network,
            tokens,
            length,
            seed=seed,
            temperature=temperature,
            top=top,
            never=self.tokenizer.unknown,
        )
        return self.tokenizer.decode(follows.tolist())

    def score(self, source: str | Path) -> LanguageScore:
        """The score on all of another text; its baseline are the text's own frequencies.

        Raises:
            DataError: the text cannot be read, or has fewer than two tokens.
        """
        tokens = self.tokenizer.encode(read_corpus(source).text)
        return score_text(self.network, tokens, tokens, self.tokenizer)

    def attention(self, text: str) -> Tensor:
        """How each token weighs itself and those before it, `M N T T`: block, head, query, key.

        Raises:
            ShapeError: the text has no tokens, or more than the context holds.
        """
        tokens = self.tokenizer.encode(text)[None].to(self.network.embedding.weight.device)
        maps: Tensor = self.network.attention_maps(tokens)[0]
        return maps

    def tables(self, *, limit: int | None = None) -> Tables:
        """Token vectors, position codes and Wq, Wk, Wv, as the laboratory of embeddings reads them.

        Raises:
            ConfigError: `limit` is below 1.
        """
        return tables_of_network(self.network, self.tokenizer, source=str(self.path), limit=limit)

    def _beginning(self) -> Tensor:
        """A line end or a full stop where there is one, else the most frequent token."""
        entries = self.tokenizer.entries
        known = next((entry for entry in ("\n", ".") if entry in entries), entries[1])
        return torch.tensor([entries.index(known)])


def load_language(
    source: str | Path, *, device: str = "auto", threads: int | None = None
) -> LanguageModel:
    """A trained language model.

    Args:
        source: A run folder, or a bundle folder.
        device: Where it runs: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads of this process from now on; unchanged if None.

    Raises:
        BundleError: damaged, newer than this version, or not a language model.
        UnknownNameError: nothing of that name.
    """
    place = pick_device(device)
    torch.set_num_threads(threads or torch.get_num_threads())
    stored = bundle.load_stored(source, "language")
    return LanguageModel(
        network=network_of(stored).to(place),
        tokenizer=tokenizer_of(stored),
        data=stored.data,
        card=stored.card,
        path=stored.path,
        sha256=stored.sha256,
        note=stored.note,
    )
