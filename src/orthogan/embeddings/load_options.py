"""What the caller asked of a source of tables."""

from __future__ import annotations

from dataclasses import dataclass

from orthogan.errors import ConfigError


@dataclass(frozen=True)
class LoadOptions:
    """Names of the tensors (None: recognise them), the first rows only, the number of heads.

    Raises:
        ConfigError: `limit` or `num_heads` is below one.
    """

    embedding: str | None = None
    positions: str | None = None
    limit: int | None = None
    num_heads: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("num_heads", self.num_heads)):
            if value is not None and value < 1:
                raise ConfigError(
                    f"{name} is at least 1 (None: as the source has it), got {value}."
                )

    def only_limit(self, where: str) -> None:
        """Nothing, if the caller named no tensors of a source that holds one unnamed table.

        Raises:
            ConfigError: a tensor or a number of heads was given.
        """
        for name in ("embedding", "positions", "num_heads"):
            if getattr(self, name) is not None:
                raise ConfigError(
                    f"{where}: word vectors are one table without names or heads; leave out {name}."
                )

    def is_full(self, num_rows: int) -> bool:
        """Whether `num_rows` rows are all that was asked for."""
        return self.limit is not None and num_rows >= self.limit
