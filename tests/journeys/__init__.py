"""End-to-end tests of the whole graph, through the `vp` command and a browser."""
