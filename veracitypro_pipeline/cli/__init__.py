"""`vp`, the command line: one module per command over the layers below it."""
