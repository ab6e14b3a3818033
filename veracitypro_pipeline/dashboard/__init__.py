"""The pages of `vp dashboard`: how the pipeline is, and how a product stands among its competitors.

They read the warehouse and nothing else. Queries are pure and in SQL of both engines; a page asks
them through `reading`, which keeps answers for a short while, and draws with `charts`. Not here:
what is recorded of runs (`monitoring`), and any rule about a figure (dbt's models).
"""
