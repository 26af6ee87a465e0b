"""Which codes a model adds to its tokens: a table, a formula, or none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from orthogan.embeddings.families import (
    ALIBI,
    RELATIVE,
    ROTARY,
    Family,
    computed_rows,
    is_known,
)
from orthogan.embeddings.families.known import ROTARY_SETTINGS
from orthogan.embeddings.tensors import Model, positive
from orthogan.errors import ShapeError
from orthogan.shapes import Table

POSITIONS = (
    r"position_embeddings(\.weight)?",  # BERT and its kin, ViT
    r"wpe\.weight",  # GPT-2
    r"embed_positions(\.weight)?",  # OPT, BART
    r"position_embedding(\.weight)?",  # CLIP
    r"positions_embed\.weight",  # GPT
    r"position_embeds_layer\.weight",  # Bark
    r"pos_embed(ding)?(\.weight)?",  # timm, torchvision
    r"positional_embedding(\.weight)?",  # CLIP as OpenAI stores it
    r"positions?(\.weight)?",  # files written by hand
)
# Tokens that are no patch and may have rows of their own in a table of positions.
OTHER_TOKENS = re.compile(
    r"(^|[._])(cls|class|dist|distillation|reg|register)_(tokens?|embedding)$"
)
RELATIVE_BIASES = re.compile(r"relative_attention_bias|relative_position_bias_table")
STORED_COPIES = (r"embed_positions\.weight",)  # of codes that are computed: Marian, Pegasus
LENGTHS = ("max_position_embeddings", "max_target_positions", "n_positions", "max_source_positions")
NUM_COMPUTED = 512  # of computed codes, where the configuration names no length
SMALLEST_LENGTH = 64  # of a table whose two rows too many give the padding away


@dataclass(frozen=True)
class PositionTable:
    """A tensor of positions.

    Attributes:
        name: The tensor.
        start: The first of its rows that is a position; those before it are padding.
        length: The number of positions.
        width: The width of a position.
    """

    name: str
    start: int
    length: int
    width: int

    def read(self, model: Model) -> Table:
        """The positions, `T x D`."""
        values = model.find(self.name).read()
        return values.reshape(-1, self.width)[self.start :]


@dataclass(frozen=True)
class Codes:
    """What a model adds to its tokens.

    Attributes:
        kind: "own", "none", "unknown" or "absent", as `Tables.codes`.
        table: Where the codes are stored.
        computed: The codes, where a formula makes them.
    """

    kind: str
    table: PositionTable | None = None
    computed: Table | None = None

    def read(self, model: Model) -> Table | None:
        """The positions, `T x D`."""
        return self.computed if self.table is None else self.table.read(model)


def position_codes(
    model: Model, name: str | None, embedding: str, width: int, notes: list[str]
) -> Codes:
    """What a model adds to its tokens, as its family says.

    Args:
        model: The tensors.
        name: The position table that the caller named, or None.
        embedding: The token table; its part of the configuration decides.
        width: The width of the sum.
        notes: Gets the sentences on what was found.

    Raises:
        UnknownNameError: no tensor has that name.
        ShapeError: the named tensor is not a table, or has no row that is a position.
    """
    family = model.family(embedding)
    if name is None and family is not None and family.codes == "none":
        beside = _contradiction(model, embedding, width)
        if beside is None:
            notes.append(family.why)
            return Codes("none")
        return _of_unknown(model, beside, embedding, name, notes)
    is_computed = family is not None and family.codes == "computed"
    table = position_table(
        model, name, embedding, notes, STORED_COPIES if is_computed else POSITIONS
    )
    if table is not None and name is None and table.width != width:
        notes.append(
            f"The position table '{table.name}' has width {table.width}, the tokens {width}: "
            "it does not displace them and was left out."
        )
        table = None
    if family is None or family.codes == "refused":
        return _of_unknown(model, table, embedding, name, notes)
    if table is not None:
        return Codes("own", table)
    if family.formula is not None:
        return Codes("own", computed=_computed(model, family, embedding, width, notes))
    notes.append(
        f"A '{model.kind(embedding)}' adds a stored table of positions, and none was recognised: "
        "what is added is not known; name it with positions=."
    )
    return Codes("unknown")


def _contradiction(model: Model, embedding: str, width: int) -> PositionTable | None:
    """The table of positions of a model whose settings alone say that it needs none."""
    kind = model.kind(embedding)
    if kind is None or is_known(kind):
        return None
    for pattern in POSITIONS:
        for name in model.matching((pattern,), (2,)):
            if model.kind(name) == kind and model.tensors[name].shape[1] == width:
                return _described(model, name, [])
    return None


def _of_unknown(
    model: Model,
    table: PositionTable | None,
    embedding: str,
    name: str | None,
    notes: list[str],
) -> Codes:
    """The codes of a model whose family is not in the table, by the names of its tensors."""
    kind = model.kind(embedding)
    why = None if table is not None else _why_none(model)
    if why is not None:
        notes.append(why)
        return Codes("none")
    if kind is not None and name is None:
        what = "no position table was recognised" if table is None else f"'{table.name}' is read"
        notes.append(
            f"The family '{kind}' is not known here: {what}, but whether its library scales "
            "tokens, skips rows or adds codes of another kind is not known."
        )
        return Codes("unknown", table)
    if table is None:
        notes.append(
            "No position table was recognised; if the source holds one, name it with positions=."
        )
        # A projection of patches is of a model; vectors of words may be of none.
        return Codes("unknown" if len(model.tensors[embedding].shape) == 4 else "absent")
    return Codes("own", table)


def _computed(
    model: Model, family: Family, embedding: str, width: int, notes: list[str]
) -> Table | None:
    if family.formula is None:
        return None
    number = model.whole(embedding, *LENGTHS)
    first = family.first_row(model.tower(embedding))
    notes.append(
        f"Positions are computed as the library of '{model.kind(embedding)}' computes them "
        f"(sinusoids from {first} on); none are stored"
        + ("." if number else f", and config.json names no length: {NUM_COMPUTED} are given.")
    )
    rows = computed_rows(family.formula, first, number or NUM_COMPUTED, width)
    padding = model.tower(embedding).get("pad_token_id")
    if family.formula.is_padding_zero and type(padding) is int and 0 <= padding - first < len(rows):
        rows[padding - first] = 0
    return rows


def position_table(
    model: Model,
    name: str | None,
    embedding: str | None,
    notes: list[str],
    patterns: Sequence[str] = POSITIONS,
) -> PositionTable | None:
    """The position table that a model stores, or None.

    Args:
        model: The tensors.
        name: The tensor the caller named, or None to recognise it.
        embedding: The token table; of several position tables the one beside it is taken.
        notes: Gets the sentences on what was found.
        patterns: Ends of names of position tables.

    Raises:
        UnknownNameError: no tensor has that name.
        ShapeError: the named tensor is not a table, or has no row that is a position.
    """
    if name is not None:
        model.find(name)
        return _described(model, name, notes)
    # All that are named like positions, not only by the first pattern: the parts of one model may
    # name theirs differently.
    found = [name for pattern in patterns for name in model.matching((pattern,), (2, 3, 4))]
    if not found:
        return None
    chosen = min(found, key=lambda other: (-_shared(other, embedding or ""), "decoder" in other))
    if len(found) > 1:
        notes.append(
            f"Several position tables: {', '.join(found)}; '{chosen}' was taken, name another "
            "with positions=."
        )
    return _described(model, chosen, notes)


def _described(model: Model, name: str, notes: list[str]) -> PositionTable:
    shape = model.find(name).shape
    if len(shape) not in (2, 3, 4) or (len(shape) > 2 and shape[0] != 1) or 0 in shape:
        raise ShapeError(
            f"{model.where}: a position table has one row a position, '{name}' has shape {shape}; "
            "name another tensor with positions=."
        )
    length, width = math.prod(shape[:-1]), shape[-1]  # 1 H W D: a grid, as of SAM
    start = first_position(model, name, length) if len(shape) < 4 else 0
    if start >= length:
        raise ShapeError(
            f"{model.where}: '{name}' has {length} rows, of which {start} are padding; "
            "no position is left."
        )
    if start:
        notes.append(f"The first {start} rows of '{name}' are padding, no positions.")
    return PositionTable(name, start, length - start, width)


def first_position(model: Model, name: str, num_rows: int) -> int:
    """The row of a position table that stands for position 0.

    RoBERTa and its kin count on from the padding token, OPT and BART add two. Without a
    configuration, a table two rows longer than a power of two is of that kind.
    """
    if model.kind(name) is not None:
        family = model.family(name)
        is_summed = family is not None and family.codes in {"stored", "computed"}
        return family.first_row(model.tower(name)) if family is not None and is_summed else 0
    longest = num_rows - 2
    is_padded = longest >= SMALLEST_LENGTH and longest & (longest - 1) == 0
    return 2 if is_padded or "roberta." in name else 0


def image_grid(
    model: Model, patches: str, num_rows: int, notes: list[str]
) -> tuple[int, int] | None:
    """The grid of the positions of a model of images; rows before it belong to other tokens.

    Args:
        model: The tensors.
        patches: The patch projection, `D C H W`.
        num_rows: Rows of the position table.
        notes: Gets a sentence on both.
    """
    grid = _stated_grid(model, patches)
    if grid is None or math.prod(grid) > num_rows:
        side = math.isqrt(num_rows)
        grid = (side, side) if num_rows - side * side <= _num_other_tokens(model) else None
    if grid is None:
        notes.append("The grid of the positions is not known: image_size and patch_size say it.")
        return None
    before = num_rows - math.prod(grid)
    first = {0: "", 1: "The first position is that of the class token. "}.get(
        before, f"The first {before} positions are those of class, distillation and other tokens. "
    )
    notes.append(f"{first}The positions of patches form a grid of {grid[0]} x {grid[1]}, by rows.")
    return grid


def _num_other_tokens(model: Model) -> int:
    """How many tokens a model of images keeps beside those of the patches."""
    shapes = [tensor.shape for name, tensor in model.tensors.items() if OTHER_TOKENS.search(name)]
    return sum(math.prod(shape[:-1]) for shape in shapes)


def _stated_grid(model: Model, patches: str) -> tuple[int, int] | None:
    config = model.tower(patches)
    image = config.get("image_size")
    stated = list(image) if isinstance(image, list | tuple) else [image, image]
    sizes = [size for size in map(positive, stated) if size is not None]
    if len(stated) != 2 or len(sizes) != 2:
        return None
    height, width = model.tensors[patches].shape[2:]
    return sizes[0] // height, sizes[1] // width


def _why_none(model: Model) -> str | None:
    """Why a model of no known family has no codes, by settings and names of tensors."""
    config = model.tower("")
    names = model.tensors
    rotary = any(config.get(key) is not None for key in ROTARY_SETTINGS)
    if rotary or any(name.endswith(("rotary_emb.inv_freq", "rope.freqs")) for name in names):
        return ROTARY
    if any(RELATIVE_BIASES.search(name) for name in names):
        return RELATIVE
    return ALIBI if config.get("alibi") is True else None


def _shared(one: str, other: str) -> int:
    """Length of the beginning that two names share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
