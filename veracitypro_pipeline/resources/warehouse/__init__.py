"""The warehouse: what it can do, on DuckDB and on Snowflake, and the resource of runs."""
