"""RAW -> STG -> CORE -> MART: the dbt project."""
