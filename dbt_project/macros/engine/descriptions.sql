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

{# On Snowflake the descriptions of a view are part of its creation, which costs no statement. (dbt would ask
   for the columns first, and comment on the view in a statement of its own.) Tables go without: see
   infra/decisions/0005. #}
{% macro snowflake__create_view_as(relation, sql) -%}
    {%- if config.get('contract').enforced -%} {{ get_assert_columns_equivalent(sql) }} {%- endif %}
    create or replace view {{ relation }} (
        {% for column in model.columns.values() -%}
        {{ adapter.quote(column.name | upper) }} comment $${{ column.description }}$${{ "," if not loop.last }}
        {% endfor %}
    )
    comment = $${{ model.description }}$$
    as
    -- By name: a view takes its columns in the order of its query.
    select {{ model.columns | join(', ') }}
    from (
        {{ sql }}
    ) as described
{%- endmacro %}
