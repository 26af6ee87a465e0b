"""The shape legend: one letter an axis, checked by jaxtyping and beartype while tests run.

`B` batch, `C` colour, `H W` pixels, `T` tokens, `S` context tokens, `D` width, `N` heads,
`K` per-head key size, `V` per-head value size, `Z` latent, `F` features, `R` rows of a table.

jaxtyping is a test dependency: without it the names below are plain tensors, so nothing is
imported, checked or slowed down in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    Images: TypeAlias = Tensor
    Pixels: TypeAlias = Tensor
    Tokens: TypeAlias = Tensor
    Latents: TypeAlias = Tensor
    Logits: TypeAlias = Tensor
    Labels: TypeAlias = Tensor
    Features: TypeAlias = Tensor
    Table: TypeAlias = Tensor
    HeadKeys: TypeAlias = Tensor
    HeadValues: TypeAlias = Tensor
    Form: TypeAlias = Tensor
    HeadForms: TypeAlias = Tensor
    HeadLogits: TypeAlias = Tensor
else:
    try:
        from jaxtyping import Float, Int, UInt8
    except ImportError:
        Images = Pixels = Tokens = Latents = Logits = Labels = Features = Tensor
        Table = HeadKeys = HeadValues = Form = HeadForms = HeadLogits = Tensor
    else:
        Images = Float[Tensor, "B C H W"]
        Pixels = UInt8[Tensor, "B C H W"]
        Tokens = Float[Tensor, "B T D"]
        Latents = Float[Tensor, "B Z"]
        Logits = Float[Tensor, " B"]
        Labels = Int[Tensor, " B"]
        Features = Float[Tensor, "B F"]
        Table = Float[Tensor, "R D"]
        HeadKeys = Float[Tensor, "N D K"]
        HeadValues = Float[Tensor, "N D V"]
        Form = Float[Tensor, "D D"]
        HeadForms = Float[Tensor, "N D D"]
        HeadLogits = Float[Tensor, "B N T T"]
