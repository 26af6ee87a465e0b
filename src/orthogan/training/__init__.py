"""Training: the run folder, checkpoints, the loop and what watches over it."""
