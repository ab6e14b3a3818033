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

{# A table that can be made again from what it was made of. Of any other, Snowflake keeps each version for
   seven days. #}
{% macro transient_table() -%}
    {{ return(adapter.dispatch('transient_table')()) }}
{%- endmacro %}

{% macro duckdb__transient_table() -%} table {%- endmacro %}

{% macro snowflake__transient_table() -%} transient table {%- endmacro %}
