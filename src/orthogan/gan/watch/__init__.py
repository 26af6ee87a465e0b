"""The watch over a run: what it shows, which of it is a finding, and what is done about it."""
