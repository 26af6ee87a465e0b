"""Data sets with a name of their own: embedded ones, and those of a hub."""
