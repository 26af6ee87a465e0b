"""What position codes do to the tokens of a model: the counts behind `orthogan geometry`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from orthogan.analysis.control_draws import draw_controls
from orthogan.analysis.motion import motion
from orthogan.analysis.network_tables import read_network
from orthogan.analysis.result import Analysis
from orthogan.analysis.trained import has_language, is_trained, unfinished_language
from orthogan.analysis.transformed import transform_tables
from orthogan.embeddings import Tables, find_tests, read_tables, word_meanings
from orthogan.errors import ConfigError, UnknownNameError
from orthogan.geometry.heads.keys import HeadTable, analyze_heads
from orthogan.geometry.identity.corrections import CHANGES, Correction, compare_corrections
from orthogan.geometry.identity.count import count_flips
from orthogan.geometry.identity.flip_count import Progress
from orthogan.geometry.identity.recovery import linear_r2
from orthogan.geometry.identity.scale_limit import ScaleLimit, best_scale_limit, shorten_to
from orthogan.geometry.positions.alignment import place_positions
from orthogan.geometry.positions.common_shift import mean_code
from orthogan.geometry.positions.sinusoidal import sinusoids
from orthogan.geometry.spectra.transforms import check_transform
from orthogan.language import tables_of_language, tables_of_run
from orthogan.models import bundle

NUM_POSITIONS = 512  # of the sinusoids that stand in where a source has no codes of its own
# Asked of words that have no codes of their own, unless the caller says otherwise.
WORD_AMPLITUDES = (0.1, 0.2, 0.5)  # trained tables of width 50 go from unharmed to lost in between
WORD_SHARE = 0.01


def analyze(
    source: str | Path | nn.Module | Tables,
    *,
    embedding: str | None = None,
    positions: str | None = None,
    limit: int | None = None,
    num_heads: int | None = None,
    num_positions: int | None = None,
    network: str | None = None,
    reader: str = "euclidean",
    amplitudes: Sequence[float] | None = None,
    corrections: Sequence[str] = ("rotate",),
    within: float | None = None,
    transforms: Sequence[str] = (),
    analogies: str | None = None,
    similarity: str | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Analysis:
    """Counts, exactly, the identities that position codes flip, beside controls and corrections.

    Args:
        source: Whatever `orthogan.embeddings.read_tables` reads, or tables at hand; or a network
            trained here: a run folder, a bundle folder, `mnist-demo`.
        embedding: Name of the token table; None to recognise it.
        positions: Name of the position table, likewise.
        limit: Only the first rows or words; of a network trained here, so many of its tokens.
        num_heads: Heads of every layer, where the source does not say.
        num_positions: Use that many sinusoidal codes of the original amplitude instead of the
            source's own. None: its own; 512 sinusoids for word vectors, which have none.
        network: `generator` or `discriminator` of a GAN trained here; None: the generator.
        reader: Decision rule for tokens: `euclidean`, `cosine` or `logits`.
        amplitudes: Also count with the codes multiplied by these factors. None: 0.1, 0.2 and 0.5
            for words without codes of their own, else none.
        corrections: Any that `orthogan.geometry.compare_corrections` knows; Euclidean rule only.
        within: Shorten the codes, as given and after each change, until no more than that share
            of the pairs flips; 1 not to. None: 0.01 for words without codes of their own and the
            Euclidean rule, else 1.
        transforms: Of the token table, before and after which flips, isotropy and meanings are
            measured: `center`, `pca`, `pca=K`, `remove-top=K`, `whiten`.
        analogies: A file of analogies, `gensim` for the one it ships, or `none`. None: that of
            gensim for English words, where it is installed.
        similarity: A file of judged similarities, `gensim` or `none`, likewise.
        seed: Of the first draw of the random controls, of the positions that words of a question
            stand at, and of the tokens drawn from a network trained here.
        say: Hears what is being counted.
        progress: Called with (work done, work in all) of each count, in tokens, now and then.

    Raises:
        ConfigError: an amplitude, share or number of positions out of range, corrections or a
            fraction for another rule than the Euclidean, or an option without use for the source.
        UnknownNameError: no such decision rule, correction, transform, network or tensor.
        DataError: the source cannot be used.
        BundleError: a bundle is damaged, or holds no network of that name.
        ResumeError: no checkpoint of a run can be read.

    >>> found = analyze(nn.Embedding.from_pretrained(10 * torch.eye(4)), num_positions=3)
    >>> found.flip_count.flips, found.own
    (0, False)
    """
    _check(reader, amplitudes or (), corrections, num_positions, within)
    for spec in transforms:
        check_transform(spec)
    if isinstance(source, str | Path):
        say(f"reading {source}")
    tables = _read(source, embedding, positions, limit, num_heads, network, seed)
    codes, own, notes = _codes(tables, num_positions)
    tests = find_tests(tables.labels, analogies, similarity)
    notes += tests.notes
    heads = {}
    for name, layer in zip(getattr(tables.heads, "names", ()), tables.heads, strict=False):
        say(f"reading the heads of {name}")
        heads[name] = _forms(layer)
    transformed = transform_tables(
        tables,
        lambda changed: _codes(changed, num_positions)[:2],
        transforms,
        tests,
        reader=reader,
        say=say,
        progress=progress,
    )
    if codes is None:
        return Analysis(tables, None, True, None, heads=heads, notes=notes, transforms=transformed)
    tokens = tables.tokens
    say(f"counting {len(tokens):,} tokens at {len(codes):,} positions")
    found = (
        compare_corrections(tokens, codes, corrections, progress=progress) if corrections else ()
    )
    counted = found[0].before if found else count_flips(tokens, codes, reader, progress=progress)
    draws = draw_controls(tokens, codes, reader, seed, own=own, say=say, progress=progress)
    for_words = tables.labels is not None and not own
    if amplitudes is None:
        amplitudes = WORD_AMPLITUDES if for_words else ()
    counts = {}
    for factor in amplitudes:
        say(f"counting with the codes times {factor:g}")
        counts[factor] = count_flips(tokens, factor * codes, reader, progress=progress)
    if within is None:
        within = WORD_SHARE if for_words and reader == "euclidean" else 1.0
    # Where no more pairs flip than may, there is nothing to recommend.
    is_needed = within < 1 and 1 - counted.kept > within
    shortened = _scale_limits(tokens, codes, found, within, seed, say) if is_needed else ()
    best = best_scale_limit(shortened)
    displaced: dict[str, Tensor | None] = {"as they are": None, "with the codes": codes}
    if best is not None:
        displaced[f"{best.name}, x {best.factor:.3g}"] = best.codes
    elif found:
        displaced[f"repair: {found[0].name}"] = found[0].codes
    if tests.analogies or tests.similarity:
        say("asking for the meanings of words")
    meanings, left_out = word_meanings(tables, tests, displaced, seed)
    return Analysis(
        tables,
        codes,
        own,
        counted,
        {name: each.counts[0] for name, each in draws.items()},
        amplitudes={factor: count.kept for factor, count in counts.items()},
        corrections=found,
        heads=heads,
        notes=notes + left_out,
        counts=counts,
        scale_limits=shortened,
        readable=linear_r2(tokens, codes) if shortened else None,
        meanings=meanings,
        motion=motion(tokens, codes, seed),
        control_draws=draws,
        transforms=transformed,
    )


def _scale_limits(
    tokens: Tensor,
    codes: Tensor,
    corrections: Sequence[Correction],
    share: float,
    seed: int,
    say: Callable[[str], None],
) -> tuple[ScaleLimit, ...]:
    """The codes as given and after each correction, shortened until no more than `share` flips."""
    centred = mean_code(codes).centred
    changes = {one.name: one.codes for one in corrections} | {
        "scale": codes,
        "remove-mean": centred,
        "remove-mean, rotate": place_positions(centred, tokens),
    }
    found = []
    for name, changed in changes.items():
        say(f"shortening the codes until at most {share:.3g} of the pairs flips: {name}")
        found.append(shorten_to(tokens, changed, share, name=name, seed=seed))
    return tuple(found)


def _check(
    reader: str,
    amplitudes: Sequence[float],
    corrections: Sequence[str],
    num_positions: int | None,
    within: float | None,
) -> None:
    for name in corrections:
        if name not in CHANGES:
            raise UnknownNameError("repair", name, CHANGES)
    if corrections and reader != "euclidean":
        raise ConfigError(
            f"Repairs are counted with the euclidean reader, not with '{reader}'; "
            "leave out the one or the other."
        )
    if within is not None and not 0 < within <= 1:
        raise ConfigError(f"'within' must be above 0 and at most 1, got {within}.")
    if within is not None and within < 1 and reader != "euclidean":
        raise ConfigError(
            f"'within' is counted with the euclidean reader, not with '{reader}'; "
            "leave out the one or the other."
        )
    wrong = [factor for factor in amplitudes if not 0 < factor < float("inf")]
    if wrong:
        raise ConfigError(f"An amplitude must be positive and finite, got {wrong[0]}.")
    if num_positions is not None and num_positions < 1:
        raise ConfigError(f"'num_positions' must be at least 1, got {num_positions}.")


def _read(
    source: str | Path | nn.Module | Tables,
    embedding: str | None,
    positions: str | None,
    limit: int | None,
    num_heads: int | None,
    network: str | None,
    seed: int,
) -> Tables:
    if isinstance(source, str | Path) and is_trained(source):
        named = {"embedding": embedding, "positions": positions, "num_heads": num_heads}
        idle = [name for name, value in named.items() if value is not None]
        if idle:
            raise ConfigError(f"{source}: a network trained here needs no {idle[0]}; leave it out.")
        if network is None and has_language(source):
            return tables_of_language(bundle.load_stored(source, "language"), limit=limit)
        if network is None and (run := unfinished_language(source)) is not None:
            return tables_of_run(run, limit=limit)
        return read_network(source, network=network, limit=limit, seed=seed)
    if network is not None:
        raise ConfigError("'network' names a player of a GAN trained here; leave it out.")
    if isinstance(source, Tables):
        return source
    tables = read_tables(
        source, embedding=embedding, positions=positions, limit=limit, num_heads=num_heads
    )
    is_part = limit is not None and len(tables.tokens) == limit
    return replace(tables, sample="the first rows of its table") if is_part else tables


def _codes(
    tables: Tables, num_positions: int | None
) -> tuple[Tensor | None, bool, tuple[str, ...]]:
    """The codes to count with, whether they are the source's own, and what to say about them."""
    if num_positions is None and tables.positions is not None:
        return tables.positions, True, tables.notes
    if num_positions is None and tables.codes == "unknown":
        return (
            None,
            True,
            (*tables.notes, "Nothing is counted: --num-positions asks for sinusoids."),
        )
    if num_positions is None and (tables.codes == "none" or len(tables.heads)):
        return None, True, (*tables.notes, "No position code is added to the tokens: none moves.")
    width = tables.tokens.shape[1]
    count = num_positions or NUM_POSITIONS
    # An odd width gets the sinusoids of the next even one, without the last coordinate.
    codes = sinusoids(count, width + width % 2)[:, :width].to(tables.tokens.dtype)
    note = f"Codes: {count} sinusoids of the original amplitude, as the source has none in use."
    return codes, False, (*tables.notes, note)


def _forms(layer: Sequence[Any]) -> HeadTable:
    query, key, value = (
        torch.stack([getattr(head, name).double() for head in layer])
        for name in ("query", "key", "value")
    )
    return analyze_heads(query, key, value)
