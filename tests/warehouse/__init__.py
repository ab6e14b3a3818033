"""`dbt build` on DuckDB, held against what plain Python makes of the same payloads."""
