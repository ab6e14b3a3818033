"""The pages of `vp dashboard`: the state of the pipeline, and each product beside its competitors.

They only read the warehouse. Queries are pure, in SQL of both engines. A page runs them through
`reading`, which caches the answers for a short time, and draws with `charts`. `monitoring` defines
what is recorded about runs, dbt's models define all figures.
"""
