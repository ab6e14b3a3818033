{# What happens to a table that is kept from night to night when its model gets other columns.

   A deployment of other columns needs no manual step: the night that meets the old table drops it and builds
   it again from what it reads, in the end from RAW, which holds everything. Tables that are kept and built on it
   compare contents, so they stay as they are.

   Other logic with the same columns is not noticed: new rows follow it beside old rows that do not. Build such
   a table with --full-refresh, as the README says under "dbt by hand". #}

{# on-run-start: drops the tables of this run's incremental models that have other columns than their yml
   says (that yml and models agree is a test), and what a daily model remembers in another form: it then
   makes all of its rows anew. One question for all of them. #}
{% macro drop_tables_of_other_columns() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] and not flags.FULL_REFRESH -%}
    {%- set columns_of = {} -%}
    {%- set monitoring = monitoring_schema() -%}
    {%- set schemas = [generate_schema_name('STG') | trim, generate_schema_name('CORE') | trim, monitoring] -%}
    {%- set columns -%}
    select
        lower(table_schema) || '.' || lower(table_name) as table_name,
        lower(column_name) as column_name
    from information_schema.columns
    where upper(table_schema) in ('{{ schemas | join("', '") }}')
    {%- endset -%}
    {%- for row in run_query(columns) -%}
        {%- do columns_of.setdefault(row[0], []).append(row[1]) -%}
    {%- endfor -%}
    {%- for node in graph.nodes.values() if node.unique_id in selected_resources -%}
        {%- set found = columns_of.get((node.schema ~ '.' ~ node.alias) | lower) -%}
        {%- if node.config.materialized == 'incremental' and found and found | sort != node.columns | sort -%}
        {%- do log(
            node.name ~ " has other columns now (new: " ~ _but_not(node.columns, found) ~ "; gone: "
            ~ _but_not(found, node.columns) ~ "). Its table is made anew from RAW.", info=true
        ) -%}
        {%- do adapter.drop_relation(adapter.get_relation(node.database, node.schema, node.alias)) -%}
        {%- endif -%}
        {%- set memory = 'BUILT_' ~ (node.alias | upper) -%}
        {%- set remembered = columns_of.get((monitoring ~ '.' ~ memory) | lower) -%}
        {%- if
            'series_groups' in node.config.meta
            and remembered
            and remembered | sort != columns_of_series_known() | sort
        -%}
        {%- do adapter.drop_relation(adapter.get_relation(node.database, monitoring, memory)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro _but_not(names, others) -%}
    {{ return((names | reject('in', others) | sort | join(', ')) or 'none') }}
{%- endmacro %}

{# In place of dbt's own: `on_schema_change: fail` in one sentence. What is left for it is a column of
   another type. #}
{% macro default__process_schema_changes(on_schema_change, source_relation, target_relation) -%}
    {%- set found = check_for_schema_changes(source_relation, target_relation) -%}
    {%- if found['schema_changed'] -%}
    {%- set others = found['source_not_in_target'] + found['target_not_in_source'] -%}
    {%- do exceptions.raise_compiler_error(
        target_relation ~ " was made by another version of its model: other columns ("
        ~ (others | map(attribute='name') | join(', ') or 'none') ~ "), other types ("
        ~ (found['new_target_types'] | map(attribute='column_name') | join(', ') or 'none')
        ~ "). Make it anew by `vp backfill --full-refresh` of the last day."
    ) -%}
    {%- endif -%}
    {{ return(found['source_columns']) }}
{%- endmacro %}
