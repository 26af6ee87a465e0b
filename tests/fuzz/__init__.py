"""Damaged and hostile inputs for every reader of orthogan: see README.md."""
