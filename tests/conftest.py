"""Shapes are types while tests run: every annotated function is checked by beartype."""

from jaxtyping import install_import_hook

_HOOK = install_import_hook("orthogan", "beartype.beartype")
