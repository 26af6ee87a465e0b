"""Trained generators for other programs."""
