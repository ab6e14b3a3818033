"""An emulator of Snowflake for tests: fakesnow's server, with its faults mended.

It speaks Snowflake's wire protocol, so that the real connector and dbt-snowflake talk to it, and
runs what they send on DuckDB. It is more liberal than Snowflake: what it accepts may still be
refused there, so statements are parsed by sqlglot's Snowflake dialect as well. Not imitated: the
sign-in (every user has every role), warehouses' work and cost, storage integrations (it reads S3
with keys of its own).
"""
