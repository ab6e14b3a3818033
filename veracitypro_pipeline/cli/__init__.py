"""`vp`, the command line: one module per command, above all other layers."""
