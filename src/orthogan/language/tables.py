"""A language model as the tables that the laboratory of embeddings reads."""

from __future__ import annotations

from pathlib import Path

import torch

from orthogan.attention.keys import Sources
from orthogan.embeddings.result import Head, Layer, Layers, Tables
from orthogan.errors import BundleError, ConfigError, DataError
from orthogan.language.config import TextConfig
from orthogan.language.split import load_split
from orthogan.language.tokenizer import Tokenizer, read_tokenizer
from orthogan.language.transformer import ADDED, LanguageNetworkConfig, LanguageTransformer
from orthogan.models.bundle import Bundle, rebuild
from orthogan.networks.blocks import Block
from orthogan.training.checkpoint import newest_checkpoint
from orthogan.training.run_record import RUN_FILE, described_part, read_record
from orthogan.training.state_tensors import part_of

INSIDE = {
    "rotary": "Rotary positions: queries and keys are turned, tokens are not displaced.",
    "untied": "Untied positions: they have logits of their own, tokens are not displaced.",
    "none": "No position code: tokens are not displaced.",
}


def network_of(bundle: Bundle) -> LanguageTransformer:
    """The network in a bundle, ready to read.

    Raises:
        BundleError: the weights do not fit the network that is described.
    """
    network: LanguageTransformer = bundle.network(lambda tree: LanguageNetworkConfig(**tree))
    return network.eval().requires_grad_(False)


def tokenizer_of(bundle: Bundle) -> Tokenizer:
    """The tokenizer in a bundle.

    Raises:
        BundleError: it is damaged, or its size is not the network's.
    """
    tokenizer = read_tokenizer(bundle.vocabulary)
    wanted = bundle.network_config.get("vocabulary")
    if len(tokenizer) != wanted:
        raise BundleError(
            f"{bundle.path}: the vocabulary has {len(tokenizer)} entries, the network {wanted}."
        )
    return tokenizer


def tables_of_language(bundle: Bundle, *, limit: int | None = None) -> Tables:
    """The tables of a language model in a bundle.

    Args:
        bundle: The model.
        limit: Only the first rows, which are the most frequent tokens; None for all.

    Raises:
        BundleError: it is damaged.
        ConfigError: `limit` is below 1.
    """
    return tables_of_network(
        network_of(bundle), tokenizer_of(bundle), source=str(bundle.path), limit=limit
    )


def tables_of_run(run: Path, *, limit: int | None = None) -> Tables:
    """The tables of a language run that has no bundle yet, from its newest checkpoint.

    The vocabulary is learned again from the text, as a resumed run would.

    Args:
        run: The run folder.
        limit: As in `tables_of_language`.

    Raises:
        BundleError: the weights do not fit the network that is described.
        ConfigError: `limit` is below 1.
        DataError: the text cannot be read, or is another one by now.
        ResumeError: no checkpoint of the run can be read.
    """
    record = read_record(run)
    checkpoint = newest_checkpoint(run)
    try:
        described = LanguageNetworkConfig(**described_part(record, "network", run))
        text = TextConfig(**described_part(record, "data", run))
    except (ConfigError, LookupError) as error:
        raise BundleError(f"{run / RUN_FILE}: no network can be built: {error}") from None
    split = load_split(text, described.context)
    if split.fingerprint != record["provenance"].get("data_fingerprint"):
        raise DataError(f"{text.source}: not the text that {run} learns from; restore it.")
    tensors = part_of("network", checkpoint.tensors)
    network: LanguageTransformer = rebuild(lambda: described, tensors, run)
    return tables_of_network(network, split.tokenizer, source=str(run), limit=limit)


@torch.no_grad()
def tables_of_network(
    network: LanguageTransformer,
    tokenizer: Tokenizer,
    *,
    source: str = "language model",
    limit: int | None = None,
) -> Tables:
    """Token vectors as the first block meets them, added position codes, and Wq, Wk, Wv.

    A token stands for its dense vector times the factor of the input, so a row plus a code is
    what the first block reads. The gains of the norms ahead of attention are part of Wq, Wk and
    Wv; what the norm divides by, the length of the whole token, is not.

    Raises:
        ConfigError: `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is at least 1 (None: as the source has it), got {limit}.")
    config = network.config
    rows = (network.vectors() * network.factor)[:limit].detach().cpu()
    moved = config.positions in ADDED and config.positions != "none"
    codes = network.positions.codes.detach().cpu() if moved and network.positions else None
    notes = [
        "Tokens are the dense vectors that the first block reads; the output shares them.",
        "Gains of the norms are part of Wq, Wk and Wv.",
    ]
    notes += [] if moved else [INSIDE[config.positions]]
    if config.keys == "dual":
        notes.append("Dual keys: Wk is that of the keys before their correction.")
    layers = {f"blocks.{n}.attention": block for n, block in enumerate(network.blocks)}

    def read(name: str) -> Layer:
        block = layers[name]
        assert isinstance(block, Block)  # noqa: S101 - for the type checker
        return heads_of(block)

    return Tables(
        rows,
        codes,
        tokenizer.entries[:limit],
        Layers(tuple(layers), read),
        source,
        tuple(notes),
    )


@torch.no_grad()
def heads_of(block: Block) -> Layer:
    """Wq, Wk and Wv of each head of a block, the gain of the norm before it taken in.

    Every kind of keys but the whitened is linear in the tokens, so the unit vectors, read as
    tokens, come out as the rows of the matrices.
    """
    attention = block.attention
    gain = block.attention_norm.get_parameter("weight")
    unit = torch.diag(gain.detach())[None]
    sizes = [attention.num_projected, attention.value_size]
    projected, values = attention.key_value(unit).split(sizes, dim=-1)
    queries = attention.query(unit)
    keys = attention.keys(Sources(unit, projected, values, ask=lambda: queries))
    parts = (
        part[0].detach().cpu().chunk(attention.heads, dim=-1) for part in (queries, keys, values)
    )
    return tuple(Head(*head) for head in zip(*parts, strict=True))
