"""Putting a set of images in order: what repeats, what is rare, what is correlated."""
