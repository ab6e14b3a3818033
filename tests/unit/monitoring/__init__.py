"""The tables of runs, and the status that `vp status` reads from them."""
