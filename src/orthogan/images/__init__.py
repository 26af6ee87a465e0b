"""Many small images as one picture to look at."""
