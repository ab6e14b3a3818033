{# How a table follows what comes and goes as a whole; see changes.sql for series and days.

   No model follows a watermark. Each row carries the key of what it was built from (`meta.built_from`
   names the columns), and `meta.current` names the relation that lists the keys in force: those of its rows
   that meet `meta.current_where`, a condition on `in_force`, if there is one. A build makes the rows of keys
   that are not there yet and removes those of keys no longer in force. So a late, repeated or replaced load
   is found whenever it comes, a build that failed is made up for by the next, and the table equals a full
   refresh. #}

{# In place of dbt's own. A preview (`dbt show`, `dbt compile`, an editor's, the docs) reads all: it stands
   for no build, and what the last build found to do is done. #}
{% macro is_incremental() -%}
    {{ return(flags.WHICH not in ['show', 'generate'] and dbt.is_incremental()) }}
{%- endmacro %}

{# A condition on `candidate`: its key has no rows in this model yet. True outside of an
   incremental build. #}
{% macro not_yet_built(candidate) -%}
    {%- set key = config.get('meta')['built_from'] -%}
    {%- if is_incremental() -%}
    not exists (
        select 1
        from {{ this }} as built
        where
            {% for column in key -%}
            {{ "and " if not loop.first }}built.{{ column }} = {{ candidate }}.{{ column }}
            {% endfor %}
    )
    {%- if load_relation(keys_without_rows()) is not none %}
    and not exists (
        select 1
        from {{ keys_without_rows() }} as without_rows
        where
            {% for column in key -%}
            {{ "and " if not loop.first }}without_rows.{{ column }} = {{ candidate }}.{{ column }}
            {% endfor %}
    )
    {%- endif %}
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}

{% macro keys_without_rows() -%}
    {{ return(_beside('KEYS_WITHOUT_ROWS_OF_')) }}
{%- endmacro %}

{# Post-hook: the keys in force of which this model has no rows. `current` is the relation of `meta.current`,
   named once more for dbt to see it when it parses. #}
{% macro remember_keys_without_rows(current) -%}
    {%- set key = config.get('meta')['built_from'] -%}
    create or replace {{ transient_table() }} {{ keys_without_rows() }} as
    select distinct {% for column in key %}in_force.{{ column }}{{ ", " if not loop.last }}{% endfor %}
    from {{ current }} as in_force
    where
        {{ config.get('meta')['current_where'] or 'true' }}
        and not exists (
            select 1
            from {{ this }} as built
            where
                {% for column in key -%}
                {{ "and " if not loop.first }}built.{{ column }} = in_force.{{ column }}
                {% endfor %}
        )
{%- endmacro %}

{# dbt's hook for `incremental_strategy='replace_outdated'`. #}
{% macro get_incremental_replace_outdated_sql(arguments) -%}
    {%- set target_relation = arguments['target_relation'] -%}
    {%- set meta = config.get('meta') -%}
    {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
    {%- set current = source('keepa', 'keepa_raw') if meta['current'] == 'keepa_raw' else ref(meta['current']) -%}
    {%- set statements -%}
    delete from {{ target_relation }} as outdated
    where not exists (
        select 1
        from {{ current }} as in_force
        where
            {{ meta['current_where'] or 'true' }}
            {% for column in meta['built_from'] -%}
            and in_force.{{ column }} = outdated.{{ column }}
            {% endfor %}
    );
    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arguments['temp_relation'] }};
    {%- endset -%}
    {{ return(in_one_transaction(statements)) }}
{%- endmacro %}
