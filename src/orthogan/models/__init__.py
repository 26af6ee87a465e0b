"""Trained models on disk: the folder of a model, and what loads it."""
