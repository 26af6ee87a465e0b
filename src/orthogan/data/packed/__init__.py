"""Packed sets: images as bytes in shards on disk, for sets that are larger than memory."""
