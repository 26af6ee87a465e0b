"""A penalty that keeps content out of the directions that tell positions apart."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn

from orthogan.attention import OrthogonalEncoding, PositionalEncoding
from orthogan.errors import ConfigError
from orthogan.gan.losses import Loss
from orthogan.parallel import ALONE, Ranks
from orthogan.shapes import Logits, Scalar, Table, Tokens


def code_overlap(codes: Table, content: Tokens, ranks: Ranks = ALONE) -> Scalar:
    r"""How far position codes and contents use the same directions, differentiable, in [0, 1].

    $\mathrm{tr}(\Sigma_P \Sigma_E) / (\|\Sigma_P\|_F \|\Sigma_E\|_F)$, both covariances about
    their means, since a shift common to all tokens is an isometry. The numerator is the mean of
    all squared products $\langle p, e \rangle^2$, so the value is 0 iff every code difference is
    perpendicular to every content difference, and 1 iff the covariances are proportional. Codes
    count by their energy, not by their span: generic codes span nearly everything.

    Args:
        codes: One row a position.
        content: Tokens without codes, images x tokens x width.
        ranks: The processes whose tokens count, each with those of its own images.

    Returns:
        The overlap in float32 at least; 0 where codes or contents do not vary.

    Source: one minus the correlation matrix distance of Herdin et al. 2005 ("Correlation matrix
        distance, a meaningful measure for evaluation of non-stationary MIMO channels"), section
        II; `place_positions` minimises the numerator over rotations of the codes.

    >>> axes = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> float(code_overlap(axes, axes.flip(1)[None])), float(code_overlap(axes, axes[None]))
    (0.0, 1.0)
    """
    # Squares of small codes would vanish, and products be rounded, in a lower precision.
    with torch.autocast(content.device.type, enabled=False):
        wide = torch.promote_types(content.dtype, torch.float32)
        code = _covariance(codes.to(wide))
        own = _covariance_of_all(content.to(wide).flatten(0, 1), ranks)
        size = code.norm() * own.norm()
        overlap: Tensor = (code * own).sum() / size.clamp_min(torch.finfo(wide).tiny)
        return overlap


def _covariance(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(0)
    covariance: Tensor = centred.T @ centred / len(rows)
    return covariance


def _covariance_of_all(rows: Tensor, ranks: Ranks) -> Tensor:
    if ranks.count == 1:
        return _covariance(rows)
    facts = ranks.total(torch.cat([rows.detach().sum(0), rows.new_full((1,), float(len(rows)))]))
    # A constant: the derivative of the covariance by the mean is 0, over all rows together.
    mean, count = facts[:-1] / facts[-1], facts[-1]
    centred = rows - mean
    covariance: Tensor = ranks.total(centred.T @ centred) / count
    return covariance


def adds_codes(module: nn.Module) -> TypeGuard[PositionalEncoding | OrthogonalEncoding]:
    """Whether a module adds position codes to tokens; codes of zeros do not count.

    >>> [adds_codes(PositionalEncoding(name, 2, 2, 4)) for name in ("learned", "none")]
    [True, False]
    """
    return (
        isinstance(module, PositionalEncoding | OrthogonalEncoding)
        and module.position_mode == "add"
        and bool(module.codes.any())
    )


class Decorrelation:
    """The overlap in the latest forward pass of a network, times a weight, to add to its loss.

    Args:
        network: One player; each of its position codes is watched by a hook.
        weight: In units of the loss, for an overlap of 1.
        ranks: The processes that have the other images of a batch.
    """

    def __init__(self, network: nn.Module, weight: float, ranks: Ranks = ALONE) -> None:
        self.weight, self._ranks = weight, ranks
        self._codes = [code for code in network.modules() if adds_codes(code)]
        self._contents: dict[nn.Module, Tensor] = {}
        for code in self._codes:
            code.register_forward_pre_hook(self._keep)

    @property
    def has_codes(self) -> bool:
        """Whether there is anything to decorrelate."""
        return bool(self._codes)

    def term(self) -> Scalar | float:
        """The weighted sum of the overlaps; 0 for a network without codes."""
        overlaps = (
            code_overlap(code.codes, self._contents[code], self._ranks) for code in self._codes
        )
        return self.weight * sum(overlaps)

    def forget(self) -> None:
        """Let go of the tokens of the latest forward pass, and of the graph they hold."""
        self._contents.clear()

    def _keep(self, code: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            self._contents[code] = inputs[0]


def decorrelated(
    loss: Loss,
    generator: nn.Module,
    discriminator: nn.Module,
    weight: float,
    ranks: Ranks = ALONE,
) -> Loss:
    """The loss with the overlap of each player's codes and contents added to what it minimises.

    Args:
        loss: Adversarial loss.
        generator: Watched from now on.
        discriminator: Likewise.
        weight: Of an overlap of 1; 0 returns the loss itself and watches nothing.
        ranks: The processes that have the other images of a batch.

    Raises:
        ConfigError: a weight, and no position code in either network.
    """
    if weight == 0:
        return loss
    made, judged = (Decorrelation(each, weight, ranks) for each in (generator, discriminator))
    if not (made.has_codes or judged.has_codes):
        raise ConfigError(
            f"decorrelation={weight} needs position codes that are added to the tokens, and "
            "neither network has any; set decorrelation=0 or choose positions."
        )

    def of_discriminator(real: Logits, fake: Logits) -> Scalar:
        return loss.discriminator(real, fake) + judged.term()

    def of_generator(real: Logits, fake: Logits) -> Scalar:
        judged.forget()  # the discriminator has just run on the fakes, for nothing here
        return loss.generator(real, fake) + made.term()

    return Loss(of_discriminator, of_generator)
