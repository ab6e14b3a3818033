"""VeracityPro's nightly Keepa pipeline as a Dagster code location.

`definitions.py` is the module that Dagster loads, `cli` has the `vp` command; the layering of
everything between them is an import contract in `pyproject.toml`.
"""
