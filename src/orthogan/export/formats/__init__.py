"""One file per export format; a new file here is found by itself (docs/add-an-exporter.md)."""
