{# What happens to a table of `incremental_by_segment` when the columns of its model change.

   A release that changes columns needs no manual step: the first night drops the old table and rebuilds it from
   its input, in the end from RAW, which holds everything. Tables that read it compare contents, so they stay.

   A change of logic with the same columns is not noticed: new rows follow it, old rows do not. Build such a
   table with --full-refresh (README, "dbt by hand"). #}

{# on-run-start: bring what earlier versions left behind up to date. One query for all of it. #}
{% macro upgrade_tables() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] -%}
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
    {%- do _rename_state(columns_of, monitoring) -%}
    {%- if not flags.FULL_REFRESH -%} {%- do _drop_tables_of_other_columns(columns_of, monitoring) -%} {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# Tables of state had names without `_` before 1.5.0. Where both are there, such a version has built since, and
   its state is that of the tables. #}
{% macro _rename_state(columns_of, monitoring) -%}
    {%- set schema = (monitoring ~ '.') | lower -%}
    {%- for name in columns_of.keys() | list if name.startswith(schema) -%}
        {%- set former = name[schema | length:] | upper -%}
        {%- if former == 'STG_KEEPA_PAYLOAD' -%}
        {%- do run_query('drop table ' ~ _state(monitoring, former)) -%}
        {%- elif modules.re.match('BUILT_|CHANGES_OF_|KEYS_WITHOUT_ROWS_OF_|COUNTED_LOADS$', former) -%}
        {%- do adapter.drop_relation(_state(monitoring, '_' ~ former)) -%}
        {%- do adapter.rename_relation(_state(monitoring, former), _state(monitoring, '_' ~ former)) -%}
        {#- On DuckDB a rename begins a transaction, and a hook ends none. -#}
        {%- do adapter.commit() -%}
        {%- do columns_of.update({schema ~ '_' ~ former | lower: columns_of.pop(name)}) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro _state(monitoring, name) -%}
    {{ return(api.Relation.create(
        database=target.database, schema=monitoring, identifier=name, type='table'
    )) }}
{%- endmacro %}

{# Drop the tables of this run whose columns differ from their yml (a test keeps yml and models equal), and
   watermarks whose columns differ, so that their models rebuild all rows. #}
{% macro _drop_tables_of_other_columns(columns_of, monitoring) -%}
    {%- for node in graph.nodes.values()
        if node.unique_id in selected_resources and node.config.materialized == 'incremental_by_segment'
    -%}
        {%- set found = columns_of.get((node.schema ~ '.' ~ node.alias) | lower) -%}
        {%- if found and found | sort != node.columns | sort -%}
        {%- do log(
            node.name ~ " has other columns now (new: " ~ _but_not(node.columns, found) ~ "; gone: "
            ~ _but_not(found, node.columns) ~ "). Its table is rebuilt from RAW.", info=true
        ) -%}
        {%- do adapter.drop_relation(adapter.get_relation(node.database, node.schema, node.alias)) -%}
        {%- endif -%}
        {%- set watermark = '_BUILT_' ~ (node.alias | upper) -%}
        {%- set saved = columns_of.get((monitoring ~ '.' ~ watermark) | lower) -%}
        {%- if saved and saved | sort != columns_of_state(node.config.meta) | sort -%}
        {%- do adapter.drop_relation(_state(monitoring, watermark)) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{% macro _but_not(names, others) -%}
    {{ return((names | reject('in', others) | sort | join(', ')) or 'none') }}
{%- endmacro %}

{# The columns of `updated`; a compiler error if `existing` has other ones. After `upgrade_tables` only a
   type can differ. #}
{% macro same_columns(updated, existing) -%}
    {%- set found = check_for_schema_changes(updated, existing) -%}
    {%- if found['schema_changed'] -%}
    {%- set others = found['source_not_in_target'] + found['target_not_in_source'] -%}
    {%- do exceptions.raise_compiler_error(
        existing ~ " was made by another version of its model: other columns ("
        ~ (others | map(attribute='name') | join(', ') or 'none') ~ "), other types ("
        ~ (found['new_target_types'] | map(attribute='column_name') | join(', ') or 'none')
        ~ "). Rebuild it with `vp backfill --full-refresh` of the last day."
    ) -%}
    {%- endif -%}
    {{ return(found['source_columns']) }}
{%- endmacro %}
