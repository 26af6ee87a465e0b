"""Which tensor of a model is its position table, and which of its rows are positions."""

from __future__ import annotations

from dataclasses import dataclass

from orthogan.embeddings.tensors import Model
from orthogan.errors import ShapeError
from orthogan.shapes import Table

POSITIONS = (
    r"position_embeddings(\.weight)?",  # BERT and its kin, ViT
    r"wpe\.weight",  # GPT-2
    r"embed_positions(\.weight)?",  # OPT, BART
    r"position_embedding(\.weight)?",  # CLIP
    r"pos_embed(ding)?(\.weight)?",  # timm, torchvision
    r"positional_embedding(\.weight)?",  # CLIP as OpenAI stores it
    r"positions?(\.weight)?",  # files written by hand
)
# Models that count positions from the row after the padding token's.
AFTER_PADDING = {
    "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer", "mpnet", "luke",
    "roberta-prelayernorm", "data2vec-text", "ibert", "esm", "xmod", "layoutlmv3", "mluke",
}  # fmt: skip
AFTER_TWO = {"opt", "bart", "mbart", "plbart"}
PADDING_TOKEN = 1  # of these models, unless their configuration says otherwise
ROTARY = "rotary model: queries and keys are turned, tokens are not displaced"
ROTARY_SETTINGS = (
    "rope_theta", "rope_parameters", "rope_scaling", "rotary_pct", "rotary_dim", "rotary_emb_base",
    "global_rope_theta",
)  # fmt: skip
ALIBI = {"bloom", "mpt"}
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


def position_table(
    model: Model, name: str | None, embedding: str | None, notes: list[str]
) -> PositionTable | None:
    """The position table of a model, or None with a note that says why there is none.

    Args:
        model: The tensors.
        name: The tensor the caller named, or None to recognise it.
        embedding: The token table; of several position tables the one beside it is taken.
        notes: Gets the sentences on what was found.

    Raises:
        UnknownNameError: no tensor has that name.
        ShapeError: the named tensor is not a table, or has no row that is a position.
    """
    if name is not None:
        model.find(name)
        return _described(model, name, notes)
    found = model.matching(POSITIONS, (2, 3))
    if not found:
        notes.append(_why_none(model))
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
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] != 1) or 0 in shape:
        raise ShapeError(
            f"{model.where}: a position table has one row a position, '{name}' has shape {shape}; "
            "name another tensor with positions=."
        )
    length, width = shape[-2:]
    start = first_position(model, name, length)
    if start >= length:
        raise ShapeError(
            f"{model.where}: '{name}' has {length} rows, of which {start} are padding; "
            "no position is left."
        )
    if start:
        notes.append(f"The first {start} rows of '{name}' are padding, no positions.")
    if _has_class_token(model, name):
        notes.append(f"The first position of '{name}' is that of the class token.")
    return PositionTable(name, start, length - start, width)


def first_position(model: Model, name: str, num_rows: int) -> int:
    """The row of a position table that stands for position 0.

    RoBERTa and its kin count on from the padding token, OPT and BART add two. Without a
    configuration, a table two rows longer than a power of two is of that kind.
    """
    config = model.tower(name)
    kind = model.kind(name)
    if kind in AFTER_PADDING:
        padding = config.get("pad_token_id")
        return 1 + (padding if type(padding) is int and padding >= 0 else PADDING_TOKEN)
    if kind is not None:
        return 2 if kind in AFTER_TWO else 0
    longest = num_rows - 2
    is_padded = longest >= SMALLEST_LENGTH and longest & (longest - 1) == 0
    return 2 if is_padded or "roberta." in name else 0


def _has_class_token(model: Model, name: str) -> bool:
    tokens = ("cls_token", "class_token", "class_embedding")
    owners = [n.rpartition(".")[0] for n in model.tensors if n.endswith(tokens)]
    return any(name.startswith(owner) for owner in owners)


def _why_none(model: Model) -> str:
    config = model.tower("")
    names = model.tensors
    rotary = any(config.get(key) is not None for key in ROTARY_SETTINGS)
    if rotary or any(name.endswith(("rotary_emb.inv_freq", "rope.freqs")) for name in names):
        return ROTARY
    if any("relative_attention_bias" in name for name in names):
        return "relative position bias: it is added to the logits, tokens are not displaced"
    if model.kind("") in ALIBI or config.get("alibi") is True:
        return "linear position bias (ALiBi): added to the logits, tokens are not displaced"
    return "No position table was recognised; if the source holds one, name it with positions=."


def _shared(one: str, other: str) -> int:
    """Length of the beginning that two names share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
