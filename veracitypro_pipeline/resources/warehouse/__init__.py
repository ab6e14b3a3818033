"""The warehouse: its protocol, DuckDB and Snowflake, and the Dagster resource."""
