"""The tables of runs, and what `vp status` reads of them."""
