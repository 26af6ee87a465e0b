"""The shape legend: one letter an axis, checked by jaxtyping and beartype while tests run.

`B` batch, `C` channels, `H W` pixels, `T` tokens, `S` tokens of the context (keys and values), `D`
width, `N` heads, `K` per-head key size, `V` per-head value size, `P` width of a positional
encoding, `A` axes of a grid, `Z` latent, `F` features, `R` rows of a table or pictures of
another set.

A letter is one number within a call: `Query` and `Key` of one function agree in `B`, `N` and `K`.
jaxtyping is a test dependency, and annotations are never evaluated outside of tests: in use,
nothing is checked or slowed down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:  # to a type checker a shape is its tensor with a note
    from typing import Annotated as Bool
    from typing import Annotated as Float
    from typing import Annotated as Int
    from typing import Annotated as UInt8
else:
    try:
        from jaxtyping import Bool, Float, Int, UInt8
    except ImportError:

        class Float:
            """Stands in for jaxtyping: a shape is its tensor."""

            def __class_getitem__(cls, shaped: tuple[Any, str]) -> Any:
                return shaped[0]

        Bool = Int = UInt8 = Float

Scalar = Float[Tensor, ""]

# Images, from latents to logits.
Images = Float[Tensor, "B C H W"]
UnseenImages = Float[Tensor, "U C H W"]  # that no step has shown
FakeImages = Float[Tensor, "F C H W"]  # where there are not as many as real ones
Pixels = UInt8[Tensor, "B C H W"]
OtherPixels = UInt8[Tensor, "R C H W"]  # of another set
UnseenPixels = UInt8[Tensor, "U C H W"]  # of a third one
Latents = Float[Tensor, "B Z"]
Axis = Float[Tensor, " Z"]  # a direction of latents
Fractions = Float[Tensor, " S"]
Walk = Float[Tensor, "B S Z"]  # places on the way from each latent to another
Draws = Float[Tensor, "B draws"]  # uniform in [0, 1)
Features = Float[Tensor, "B F"]
PerFeature = Float[Tensor, " F"]
OtherFeatures = Float[Tensor, "R F"]
Principal = Float[Tensor, "B P"]
PerImage = Float[Tensor, " B"]
Logits = Float[Tensor, " B"]
Labels = Int[Tensor, " B"]
Indices = Int[Tensor, " indices"]
Entries = Int[Tensor, " entries"]  # of a vocabulary, one a place
OtherEntries = Int[Tensor, " others"]
OtherLabels = Int[Tensor, " R"]
ClassLogits = Float[Tensor, "B labels classes"]
AttentionMaps = Float[Tensor, "B blocks N rows cols"]

# Tokens and attention.
Tokens = Float[Tensor, "B T D"]
Context = Float[Tensor, "B S C"]  # in cross-attention of another width
# With a batch or without.
Sequence = Float[Tensor, "*batch T D"]
OtherSequence = Float[Tensor, "*batch S C"]
SequenceWeights = Float[Tensor, "*batch N T S"]
Query = Float[Tensor, "B N T K"]
Key = Float[Tensor, "B N S K"]
Value = Float[Tensor, "B N S V"]
Weights = Float[Tensor, "B N T S"]
SharedWeights = Float[Tensor, "#B N T S"]  # of each sequence, or one for all
HeadOutput = Float[Tensor, "B N T V"]
PositionedQuery = Float[Tensor, "B N T Q"]  # may be wider: position beside content
PositionedKey = Float[Tensor, "B N S Q"]
# Boolean, or added to logits: for all of a batch, one for each of it, or one for each head.
Mask = Bool[Tensor, "*M #T #S"] | Float[Tensor, "*M #T #S"]
HeadMask = Bool[Tensor, "#B #N T S"] | Float[Tensor, "#B #N T S"]
CausalMask = Bool[Tensor, "T T"]
Grid = Float[Tensor, "B D H W"]
Codes = Float[Tensor, "T P"]

# Matrices of a head, and tables.
Table = Float[Tensor, "R D"]
HeadKeys = Float[Tensor, "N D K"]
HeadValues = Float[Tensor, "N D V"]
Angles = Float[Tensor, "R T"]  # of every row at every position
MappedTable = Float[Tensor, "R E"]  # in another width
MappedCodes = Float[Tensor, "T E"]
Form = Float[Tensor, "D D"]
HeadForms = Float[Tensor, "N D D"]
HeadLogits = Float[Tensor, "B N T T"]
