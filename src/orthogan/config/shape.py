"""The shape of a tree that a file holds: which fields, of which types and ranges."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from orthogan.errors import OrthoganError, shortened


def check_shape(
    shape: type[BaseModel], tree: object, where: object, error: type[OrthoganError], advice: str
) -> None:
    """Nothing, if a tree that was read from a file has the shape that a model describes.

    Args:
        shape: Its fields and their types; bools are no numbers, and texts no numbers either.
        tree: What was read.
        where: What to call the source.
        error: What is raised.
        advice: What to do, with what goes before it.

    Raises:
        OrthoganError: of the kind `error`: a field is missing, or of another type or range.
    """
    try:
        shape.model_validate(tree, strict=True)
    except ValidationError as wrong:
        loc = wrong.errors(include_url=False)[0]["loc"]
        name = ".".join(map(str, loc)) or "its content"
        raise error(f"{where}: '{shortened(name)}' is missing or damaged{advice}") from None
