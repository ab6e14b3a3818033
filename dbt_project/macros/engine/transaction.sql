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
