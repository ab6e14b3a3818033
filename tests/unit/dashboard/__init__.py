"""The pages of `vp dashboard`, and what they ask."""
