"""An emulator of Snowflake for tests: fakesnow's server, with its bugs patched.

It implements Snowflake's wire protocol for the real connector and dbt-snowflake, and runs their
statements on DuckDB. It accepts statements that Snowflake rejects, so sqlglot's Snowflake dialect
parses them as well. Not imitated: the sign-in (every user has every role), the cost of warehouses,
storage integrations (it reads S3 with its own keys).
"""
