{# Statements that count together or not at all. dbt holds a transaction open around a model on
   DuckDB; on Snowflake each statement commits by itself unless told otherwise. #}
{% macro in_one_transaction(statements) -%}
    {{ return(adapter.dispatch('in_one_transaction')(statements)) }}
{%- endmacro %}

{% macro duckdb__in_one_transaction(statements) -%}
    {{ return(statements) }}
{%- endmacro %}

{% macro snowflake__in_one_transaction(statements) -%}
    {# It ends what it is given with a semicolon; a second one would be an empty statement, which
       Snowflake refuses. #}
    {{ return(snowflake_dml_explicit_transaction(statements.rstrip().rstrip(';'))) }}
{%- endmacro %}

{# Drop a temporary table; on DuckDB it is gone with the connection of its model. #}
{% macro drop_temporary_table(relation) -%}
    {{ return(adapter.dispatch('drop_temporary_table')(relation)) }}
{%- endmacro %}

{% macro duckdb__drop_temporary_table(relation) -%} {%- endmacro %}

{% macro snowflake__drop_temporary_table(relation) -%} {%- do drop_relation_if_exists(relation) -%} {%- endmacro %}

{# A table that can be made again from what it was made of. Of any other, Snowflake keeps each version for
   seven days. #}
{% macro transient_table() -%}
    {{ return(adapter.dispatch('transient_table')()) }}
{%- endmacro %}

{% macro duckdb__transient_table() -%} table {%- endmacro %}

{% macro snowflake__transient_table() -%} transient table {%- endmacro %}

{# Statements that replace a table by the rows of `query`, whatever rows it has; it is there all the time. #}
{% macro replace_table(relation, query) -%}
    {{ return(adapter.dispatch('replace_table')(relation, query)) }}
{%- endmacro %}

{% macro duckdb__replace_table(relation, query) -%}
    drop table if exists {{ relation }};
    {{ create_table_as(False, relation, query) }}
{%- endmacro %}

{# dbt-snowflake's `create or replace`. #}
{% macro snowflake__replace_table(relation, query) -%}
    {{ create_table_as(False, relation, query) }}
{%- endmacro %}
