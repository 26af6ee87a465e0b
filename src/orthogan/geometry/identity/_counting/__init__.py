"""The engine of the exact flip count; `count_flips` is its only entry."""
