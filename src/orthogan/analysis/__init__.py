"""The geometry of a whole model: its tokens, codes and heads, counted and explained."""
