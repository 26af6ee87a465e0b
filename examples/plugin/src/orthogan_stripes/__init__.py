"""Parts for orthogan, found by the entry points in `pyproject.toml`."""
