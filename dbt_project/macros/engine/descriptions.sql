{# Descriptions of the yml as comments of tables and columns. dbt-duckdb's own way asks for the columns
   twice per model; that yml and tables have the same columns is a test here. #}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set comments -%}
    comment on {{ relation.type }} {{ relation }} is {{ duckdb_escape_comment(model.description) }};
    {% for column in model.columns.values() -%}
    comment on column {{ relation }}.{{ column.name }} is {{ duckdb_escape_comment(column.description) }};
    {% endfor %}
    {%- endset -%}
    {%- do run_query(comments) -%}
{%- endmacro %}
