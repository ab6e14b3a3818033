{# What a build of `incremental_by_segment` keeps for the next one, in tables of MONITORING whose names begin
   with `_`, apart from those that people read. #}

{# In place of dbt's own, which knows only the materialization `incremental`. `dbt show`, as an editor's preview
   runs it, and `dbt docs` read everything; `dbt compile` prints the SQL of the next build. #}
{% macro is_incremental() -%}
    {%- if not execute or flags.WHICH in ['show', 'generate'] or should_full_refresh() -%}
    {{ return(false) }}
    {%- endif -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ return(
        model.config.materialized == 'incremental_by_segment'
        and existing is not none
        and existing.type == 'table'
    ) }}
{%- endmacro %}

{# Whether this build goes on from an earlier one, whose watermark is there. #}
{% macro has_watermark() -%}
    {{ return(is_incremental() and load_relation(watermark()) is not none) }}
{%- endmacro %}

{% macro watermark() -%} {{ return(beside('_BUILT_')) }} {%- endmacro %}

{# What differs between the watermark and the input now. #}
{% macro outdated_segments() -%} {{ return(beside('_CHANGES_OF_')) }} {%- endmacro %}

{% macro keys_without_rows() -%} {{ return(beside('_KEYS_WITHOUT_ROWS_OF_')) }} {%- endmacro %}

{% macro beside(prefix) -%}
    {{ return(api.Relation.create(
        database=this.database, schema=monitoring_schema(), identifier=prefix ~ (this.identifier | upper)
    )) }}
{%- endmacro %}

{% macro save_state(relation, query) -%}
create or replace {{ transient_table() }} {{ relation }} as
{{ query }}
{%- endmacro %}

{# The relation of a `meta` argument: the name of a model, or [source, table]. #}
{% macro relation_of(argument) -%}
    {%- set name = config.get('meta')[argument] -%}
    {{ return(ref(name) if name is string else source(name[0], name[1])) }}
{%- endmacro %}

{# A condition: both relations have the same value in each of the columns. #}
{% macro same(columns, left, right) -%}
    {%- for column in columns -%}
    {{ left }}.{{ column }} = {{ right }}.{{ column }}{{ " and " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Of a full outer join of two relations: each column from whichever has the row. #}
{% macro from_either(columns, left, right) -%}
    {%- for column in columns -%}
    coalesce({{ left }}.{{ column }}, {{ right }}.{{ column }}) as {{ column }}{{ ",\n    " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# The state that a build saves at its end: relation and query; none if there is nothing to save. #}
{% macro state_to_save() -%}
    {%- set meta = config.get('meta') -%}
    {%- if meta['segment'] != 'key' -%}
    {{ return({'relation': watermark(), 'query': state_of_input()}) }}
    {%- elif meta['has_empty_keys'] -%}
    {{ return({'relation': keys_without_rows(), 'query': empty_keys()}) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{# The state of the input that decides what is outdated. #}
{% macro state_of_input() -%}
    {%- set segment = config.get('meta')['segment'] -%}
    {%- if segment == 'days' -%} {{ return(state_of_days()) }} {%- endif -%}
select {{ columns_of_state(config.get('meta')) | join(', ') }}
from {{ relation_of('input') }}
{%- endmacro %}

{# The columns of a watermark, for a model with this `meta`. #}
{% macro columns_of_state(meta) -%}
    {{ return({
        'entity': meta['entity'] + [meta['version']],
        'series': meta['entity'] + ['series', 'first_minute', 'until_minute', 'text_hash'],
        'days': meta['entity'] + ['series', 'points_digest', 'last_minute', 'horizon_minute', 'first_day_kept'],
    }[meta['segment']]) }}
{%- endmacro %}

{# --- Segments by key ---------------------------------------------------------------------------- #}

{# A condition on `candidate`: its key has no rows in this model yet. True outside of an incremental build. #}
{% macro not_yet_built(candidate) -%}
    {%- set key = config.get('meta')['built_from'] -%}
    {%- if is_incremental() -%}
    not exists (
        select 1
        from {{ this }} as built
        where {{ same(key, 'built', candidate) }}
    )
    {%- if load_relation(keys_without_rows()) is not none %}
    and not exists (
        select 1
        from {{ keys_without_rows() }} as without_rows
        where {{ same(key, 'without_rows', candidate) }}
    )
    {%- endif %}
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{# The keys in force that have no rows in this model. #}
{% macro empty_keys() -%}
    {%- set key = config.get('meta')['built_from'] -%}
select distinct in_force.{{ key | join(', in_force.') }}
from {{ relation_of('input') }} as in_force
where
    {{ config.get('meta')['input_where'] or 'true' }}
    and not exists (
        select 1
        from {{ this }} as built
        where {{ same(key, 'built', 'in_force') }}
    )
{%- endmacro %}
