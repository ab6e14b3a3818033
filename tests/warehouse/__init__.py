"""`dbt build` on DuckDB and Snowflake, compared with a reference implementation in Python."""
