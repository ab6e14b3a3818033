{# The materialization of tables that a build updates and does not rebuild.

   A **segment** is a part of the table that is replaced as a whole; `meta.segment` says which part that is. A
   segment is **outdated** if it was built from other input than there is now. A build deletes outdated segments
   and inserts their new rows, in one transaction; all other rows stay. Inputs are compared by content, never by
   time of load: a late, repeated or replaced load is noticed whenever it comes, the build after a failed one
   makes up for it, and the table always equals a full refresh. Arguments, all in `meta`:

   - `key`: the rows of one key of `input`. `built_from` lists the columns of the key. Outdated are rows whose key
     is not in `input`, of whose rows `input_where` (a condition on `in_force`) selects some. The model reads keys
     without rows, by `not_yet_built`. `has_empty_keys`: a key may have no rows at all.
   - `entity`: the rows of one entity, whose key `entity` lists. Outdated if its `version` in `input` differs. The
     model reads `outdated_products`.
   - `series`: the rows of one series of an entity; if `minute` names their minute, only those from the first
     difference on. `input` has a row per slice (as stg_keepa_slice). Outdated if its slices differ. The model
     reads `outdated_series`.
   - `days`: the rows of one series from one date on, for the `series_groups` of `input`. `series` is the SQL for
     the series of a row, absent if an entity has only one; `rows_span_series`: the series of an entity share
     rows. Outdated from the first day whose `points` or end differ. The model reads `pieces_of_days`.

   **Watermark**: the last statement of a build saves the state of its input in MONITORING._BUILT_<MODEL> (of
   `key` only keys without rows, in _KEYS_WITHOUT_ROWS_OF_<MODEL>). The next build compares the input with it, and
   writes the difference to _CHANGES_OF_<MODEL>, where the model reads it. A build killed before its last
   statement leaves the old watermark, so the next one replaces the same segments. **Full refresh**, a first
   build, or no watermark: all rows are replaced. **Changed columns**: schema_changes.sql. **Preview** (`dbt show`):
   reads everything.

   On Snowflake a session begins with `rollback`: macros/engine/query_tag.sql. #}
{% materialization incremental_by_segment, default -%}
    {%- do check_segment(model.name, config.get('meta')) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- do begin_session() -%}
    {{ run_hooks(pre_hooks) }}
    {%- if is_incremental() -%}
        {%- if has_watermark() -%}
            {%- call statement('outdated') -%} {{ find_outdated() }} {%- endcall -%}
        {%- endif -%}
        {%- set updated = make_temp_relation(target) -%}
        {%- do run_query(create_table_as(True, updated, compiled_code)) -%}
        {%- set columns = get_quoted_csv(same_columns(updated, existing) | map(attribute='name')) -%}
        {%- call statement('main') -%}
            {%- set statements -%}
            {{ delete_outdated(target) }}
            insert into {{ target }} ({{ columns }})
            select {{ columns }} from {{ updated }};
            {%- endset -%}
            {{ in_one_transaction(statements) }}
        {%- endcall -%}
        {%- do drop_temporary_table(updated) -%}
    {%- else -%}
        {%- if existing is not none and not existing.is_table -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement('main') -%} {{ replace_table(target, compiled_code) }} {%- endcall -%}
    {%- endif -%}
    {%- do apply_grants(target, config.get('grants'), should_revoke=existing is not none) -%}
    {%- do persist_docs(target, model) -%}
    {%- set state = state_to_save() -%}
    {%- if state -%} {%- do run_query(save_state(state.relation, state.query)) -%} {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target]}) }}
{%- endmaterialization %}

{# The arguments of each kind of segment with their types; those with a `?` may be absent. #}
{% macro segment_arguments() -%}
    {{ return({
        'key': {
            'built_from': 'list', 'input': 'relation', 'input_where': 'text?', 'has_empty_keys': 'boolean?',
        },
        'entity': {'entity': 'list', 'input': 'relation', 'version': 'text'},
        'series': {'entity': 'list', 'input': 'relation', 'minute': 'text?'},
        'days': {
            'entity': 'list', 'input': 'relation', 'points': 'relation', 'series_groups': 'list',
            'series': 'text?', 'rows_span_series': 'boolean?',
        },
    }) }}
{%- endmacro %}

{# Raises a compiler error that names the model and the argument if `meta` is not as `segment_arguments` says. #}
{% macro check_segment(name, meta) -%}
    {%- set fault = segment_fault(meta) -%}
    {%- if fault -%}
    {%- do exceptions.raise_compiler_error(
        name ~ ": " ~ fault ~ " See macros/incremental/incremental_by_segment.sql."
    ) -%}
    {%- endif -%}
{%- endmacro %}

{# The first thing that is wrong with `meta`, as a sentence; empty if nothing is. #}
{% macro segment_fault(meta) -%}
    {%- set kinds = segment_arguments() -%}
    {%- set kind = meta.get('segment') -%}
    {%- if kind not in kinds -%}
        {{ return(
            "`meta.segment` is " ~ tojson(kind) ~ ", expected one of " ~ kinds | join(', ') ~ "."
        ) }}
    {%- endif -%}
    {%- for argument, type in kinds[kind].items() -%}
        {%- set value = meta.get(argument) -%}
        {%- set is_optional, type = type.endswith('?'), type.rstrip('?') -%}
        {%- if value is none and not is_optional -%}
            {{ return("`meta." ~ argument ~ "` is missing: segment `" ~ kind ~ "` needs a " ~ type ~ ".") }}
        {%- elif value is not none and not _is_of(value, type) -%}
            {{ return("`meta." ~ argument ~ "` is " ~ tojson(value) ~ ", expected a " ~ type ~ ".") }}
        {%- endif -%}
    {%- endfor -%}
    {#- `entity` is stated for all models of a source; the others are read by Dagster. -#}
    {%- for argument in meta.keys() | reject('in', kinds[kind]) -%}
        {%- if argument not in ['segment', 'entity', 'dagster', 'gates', 'read_beside'] -%}
        {{ return("`meta." ~ argument ~ "` is not an argument of segment `" ~ kind ~ "`.") }}
        {%- endif -%}
    {%- endfor -%}
    {{ return('') }}
{%- endmacro %}

{# Whether a value is of a type of `segment_arguments`. A relation is the name of a model, or [source, table]. #}
{% macro _is_of(value, type) -%}
    {%- set is_list = value is sequence and value is not string and value is not mapping -%}
    {{ return({
        'list': is_list and value | length > 0,
        'relation': value is string or (is_list and value | length == 2),
        'text': value is string,
        'boolean': value is boolean,
    }[type]) }}
{%- endmacro %}
