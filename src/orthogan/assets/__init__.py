"""Files that ship inside the package; read them through `importlib.resources`."""
