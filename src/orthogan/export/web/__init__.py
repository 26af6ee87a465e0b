"""A generator as one web page: its graph, its weights, and the markup around them."""
