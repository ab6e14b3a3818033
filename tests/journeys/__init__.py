"""Stories over the whole graph, told by the `vp` command and a browser."""
