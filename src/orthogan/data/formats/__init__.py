"""One file per format of images; a new file here is found by itself (docs/add-a-data-format.md)."""
