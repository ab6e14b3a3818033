{# Reading JSON. `path` is a dot path of plain keys and [n] positions, e.g. `fbaFees.lastUpdate`. #}

{# The value at `path` (or `json` itself) as text; a string without its quotes; null if absent or JSON
   null. #}
{% macro json_text(json, path=none) -%}
    {{ return(adapter.dispatch('json_text')(json, path)) }}
{%- endmacro %}

{% macro duckdb__json_text(json, path) -%} ({{ json }} ->> '${% if path %}.{{ path }}{% endif %}') {%- endmacro %}

{% macro snowflake__json_text(json, path) -%} {{ json }}{% if path %}:{{ path }}{% endif %}::varchar {%- endmacro %}

{# The JSON value at `path`; null if absent. #}
{% macro json_value(json, path) -%}
    {{ return(adapter.dispatch('json_value')(json, path)) }}
{%- endmacro %}

{% macro duckdb__json_value(json, path) -%} ({{ json }} -> '$.{{ path }}') {%- endmacro %}

{% macro snowflake__json_value(json, path) -%} {{ json }}:{{ path }} {%- endmacro %}

{# No JSON value where one is expected. A bare null has no type, and Snowflake's functions of JSON refuse
   what is not known to be JSON. #}
{% macro json_null() -%}
    {{ return(adapter.dispatch('json_null')()) }}
{%- endmacro %}

{% macro duckdb__json_null() -%} cast(null as json) {%- endmacro %}

{% macro snowflake__json_null() -%} cast(null as variant) {%- endmacro %}

{# Payloads cut into parts, each a JSON object of these top-level fields (`parts`: name to fields), to read
   many of them: DuckDB's functions parse the whole text once per call, and hold what they parsed for a
   whole batch of rows. The parts are text there: what was JSON once is not parsed again to be called so.

   `relation`: one with `columns` and payload. Gives `columns` and the parts. #}
{% macro json_parts(relation, columns, parts) -%}
    {{ return(adapter.dispatch('json_parts')(relation, columns, parts)) }}
{%- endmacro %}

{% macro duckdb__json_parts(relation, columns, parts) %}
{%- set fields = parts.values() | sum(start=[]) %}
select
    {{ columns | join(',\n    ') }}
    {%- set read = [] %}
    {%- for name, own_fields in parts.items() %},
    '{' || concat_ws(
        ','
        {%- for field in own_fields %},
        '"{{ field }}":' || fields[{{ read | length + loop.index }}]
        {%- endfor %}
    ) || '}' as {{ name }}
    {%- do read.extend(own_fields) %}
    {%- endfor %}
from (
    select
        {{ columns | join(',\n        ') }},
        payload -> [{% for field in fields %}'$.{{ field }}'{{ ", " if not loop.last }}{% endfor %}] as fields
    from {{ relation }}
) as parsed
{% endmacro %}

{% macro snowflake__json_parts(relation, columns, parts) %}
select
    {{ columns | join(',\n    ') }}
    {%- for name, own_fields in parts.items() %},
    object_construct(
        {% for field in own_fields -%}
        '{{ field }}', payload:{{ field }}{{ "," if not loop.last }}
        {% endfor %}
    )::variant as {{ name }}
    {%- endfor %}
from {{ relation }}
{% endmacro %}

{# The rows of `query`, so that two threads may work on what becomes of them. `key` is a text column of it,
   different in each row. DuckDB gives a thread up to 122,880 rows of a table, and a night's payloads are
   far fewer. #}
{% macro in_shares(query, key) -%}
    {{ return(adapter.dispatch('in_shares')(query, key)) }}
{%- endmacro %}

{% macro duckdb__in_shares(query, key) %}
{%- for share in range(2) %}
select *
from (
    {{ query }}
) as share_{{ share }}
where hash({{ key }}) % 2 = {{ share }}
{{ "union all" if not loop.last }}
{%- endfor %}
{% endmacro %}

{% macro snowflake__in_shares(query, key) %}
{{ query }}
{% endmacro %}

{# Behind `as` of a CTE that several others read. DuckDB would put it into each of them, and parse a
   payload as often; Snowflake decides by itself. #}
{% macro computed_once() -%}
    {{ return(adapter.dispatch('computed_once')()) }}
{%- endmacro %}

{% macro duckdb__computed_once() -%} materialized {%- endmacro %}

{% macro snowflake__computed_once() -%} {%- endmacro %}

{# The text at `path` if it is a JSON string; null for every other type. #}
{% macro json_string(json, path) -%}
    case when {{ json_is(json, 'string', path) }} then {{ json_text(json, path) }} end
{%- endmacro %}

{# The boolean at `path`; null for every other type. #}
{% macro json_boolean(json, path) -%}
    case {{ json_text(json, path) }} when 'true' then true when 'false' then false end
{%- endmacro %}

{# True if the value at `path` (or `json` itself) is a JSON `object`, `array` or `string`; false for
   any other type, for JSON null and if absent. #}
{% macro json_is(json, type, path=none) -%}
    {{ return(adapter.dispatch('json_is')(json, type, path)) }}
{%- endmacro %}

{% macro duckdb__json_is(json, type, path) -%}
    {%- if path -%}
    {%- set name = {'object': 'OBJECT', 'array': 'ARRAY', 'string': 'VARCHAR'}[type] -%}
    coalesce(json_type({{ json }}, '$.{{ path }}') = '{{ name }}', false)
    {%- else -%}
    {#- The first character of valid JSON gives the type; json_type would parse the whole text. -#}
    {%- set first = {'object': '{', 'array': '[', 'string': '"'}[type] -%}
    coalesce(starts_with(ltrim(cast({{ json }} as varchar), e' \t\n\r'), '{{ first }}'), false)
    {%- endif -%}
{%- endmacro %}

{% macro snowflake__json_is(json, type, path) -%}
    {%- set name = {'object': 'OBJECT', 'array': 'ARRAY', 'string': 'VARCHAR'}[type] -%}
    coalesce(typeof({{ json }}{% if path %}:{{ path }}{% endif %}) = '{{ name }}', false)
{%- endmacro %}

{# The text of a JSON value that is a string; null for every other type. #}
{% macro json_scalar(json) -%}
    {{ return(adapter.dispatch('json_scalar')(json)) }}
{%- endmacro %}

{% macro duckdb__json_scalar(json) -%}
    case when json_type({{ json }}) = 'VARCHAR' then {{ json }} ->> '$' end
{%- endmacro %}

{% macro snowflake__json_scalar(json) -%}
    case when typeof({{ json }}) = 'VARCHAR' then {{ json }}::varchar end
{%- endmacro %}

{# Text of a whole JSON value, compact; what a refused value is kept as. #}
{% macro json_as_text(json) -%}
    {{ return(adapter.dispatch('json_as_text')(json)) }}
{%- endmacro %}

{% macro duckdb__json_as_text(json) -%} cast({{ json }} as varchar) {%- endmacro %}

{% macro snowflake__json_as_text(json) -%} to_json({{ json }}) {%- endmacro %}

{# Text as an integer of at most 18 digits; null for anything else. A plain try_cast would not do:
   it rounds '1.5' to 2. #}
{% macro text_as_integer(text) -%}
    {{ return(adapter.dispatch('text_as_integer')(text)) }}
{%- endmacro %}

{% macro duckdb__text_as_integer(text) -%}
    case when regexp_full_match({{ text }}, '-?[0-9]{1,18}') then try_cast({{ text }} as bigint) end
{%- endmacro %}

{% macro snowflake__text_as_integer(text) -%}
    case when regexp_like({{ text }}, '-?[0-9]{1,18}') then try_to_number({{ text }}, 38, 0) end
{%- endmacro %}

{# The value at `path` (or `json` itself) as an integer of at most 18 digits; null for anything else. Of a
   number its value counts, not how it is written: 7.0 and 70e-1 are 7. DuckDB reads both as 7.0, exactly up
   to 15 digits, and Snowflake as 7. A text counts if it is written as an integer. #}
{% macro json_as_integer(json, path=none) -%}
    {{ return(adapter.dispatch('json_as_integer')(json, path)) }}
{%- endmacro %}

{% macro duckdb__json_as_integer(json, path) -%}
    {%- set text = _duckdb_json(json, path) -%}
    case
        when regexp_full_match({{ text }}, '-?[0-9]{1,18}|"-?[0-9]{1,18}"|-?[0-9]{1,15}[.]0')
            then try_cast(trim({{ text }}, '"') as bigint)
    end
{%- endmacro %}

{% macro snowflake__json_as_integer(json, path) -%}
    {{ text_as_integer(json_text(json, path)) }}
{%- endmacro %}

{# As `json_text`, and the text of a whole number is the same on both engines. #}
{% macro json_as_id(json, path=none) -%}
    {{ return(adapter.dispatch('json_as_id')(json, path)) }}
{%- endmacro %}

{% macro duckdb__json_as_id(json, path) -%}
    {%- set text = _duckdb_json(json, path) -%}
    case
        when regexp_full_match({{ text }}, '-?[0-9]{1,15}[.]0') then left({{ text }}, -2)
        else {{ json_text(json, path) }}
    end
{%- endmacro %}

{% macro snowflake__json_as_id(json, path) -%} {{ json_text(json, path) }} {%- endmacro %}

{% macro _duckdb_json(json, path) -%}
    cast({% if path %}({{ json }} -> '$.{{ path }}'){% else %}{{ json }}{% endif %} as varchar)
{%- endmacro %}

{# How many elements a JSON array has. #}
{% macro json_array_size(json) -%}
    {{ return(adapter.dispatch('json_array_size')(json)) }}
{%- endmacro %}

{% macro duckdb__json_array_size(json) -%} json_array_length({{ json }}) {%- endmacro %}

{% macro snowflake__json_array_size(json) -%} array_size({{ json }}) {%- endmacro %}

{# Every member of each payload, a JSON object, that has one of the names and is not JSON null.

   `payloads`: a relation with `keys` and payload. Gives keys, name and value (JSON). #}
{% macro members_of(payloads, keys, names) -%}
    {{ return(adapter.dispatch('members_of')(payloads, keys, names)) }}
{%- endmacro %}

{% macro duckdb__members_of(payloads, keys, names) %}
select
    {{ keys | join(',\n    ') }},
    name,
    value
from (
    select
        {% for key in keys %}payloads.{{ key }},
        {% endfor -%}
        unnest([{% for name in names %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %}]) as name,
        unnest(payloads.payload -> [{% for name in names %}'$.{{ name }}'{{ ", " if not loop.last }}{% endfor %}]) as value
    from {{ payloads }} as payloads
) as named
where json_type(value) <> 'NULL'
{% endmacro %}

{% macro snowflake__members_of(payloads, keys, names) %}
select
    {% for key in keys %}payloads.{{ key }},
    {% endfor -%}
    member.key as name,
    member.value as value
from {{ payloads }} as payloads, lateral flatten(input => payloads.payload, mode => 'OBJECT') as member
where
    member.key in ({% for name in names %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %})
    and typeof(member.value) <> 'NULL_VALUE'
{% endmacro %}

{# Every element of the JSON array `field` of each payload (or of the array that the payload is) that is
   no JSON null.

   `payloads`: a relation with `keys` and payload. Gives keys, position (from 0) and element (JSON). #}
{% macro elements_of(payloads, keys, field=none) -%}
    {{ return(adapter.dispatch('elements_of')(payloads, keys, field)) }}
{%- endmacro %}

{% macro duckdb__elements_of(payloads, keys, field) %}
select
    {{ keys | join(',\n    ') }},
    position,
    element
from (
    select
        {{ keys | join(',\n        ') }},
        unnest(range(len(elements))) as position,
        unnest(elements) as element
    from (
        select
            {{ keys | join(',\n            ') }},
            cast(items as json []) as elements
        from (
            select
                {% for key in keys %}payloads.{{ key }},
                {% endfor -%}
                payloads.payload{% if field %} -> '$.{{ field }}'{% endif %} as items
            from {{ payloads }} as payloads
        ) as read
        where json_type(items) = 'ARRAY'
    ) as listed
) as numbered
where json_type(element) <> 'NULL'
{% endmacro %}

{% macro snowflake__elements_of(payloads, keys, field) %}
select
    {% for key in keys %}payloads.{{ key }},
    {% endfor -%}
    item.index as position,
    item.value as element
from
    {{ payloads }} as payloads,
    lateral flatten(input => payloads.payload{% if field %}:{{ field }}{% endif %}, mode => 'ARRAY') as item
where typeof(item.value) <> 'NULL_VALUE'
{% endmacro %}

{# Which of the names no member of a JSON object has: each followed by a comma, in the order of `names`. A member
   that is JSON null is there. #}
{% macro absent_members(json, names) -%}
    {{ return(adapter.dispatch('absent_members')(json, names)) }}
{%- endmacro %}

{% macro duckdb__absent_members(json, names) -%}
    array_to_string(
        list_transform(
            list_filter(
                list_zip(
                    [{% for name in names %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %}],
                    {{ json }} -> [{% for name in names %}'$.{{ name }}'{{ ", " if not loop.last }}{% endfor %}]
                ),
                lambda member: member[2] is null
            ),
            lambda member: member[1] || ','
        ),
        ''
    )
{%- endmacro %}

{% macro snowflake__absent_members(json, names) -%}
    {%- for name in names %}
    {{ "|| " if not loop.first }}case when {{ json }}:{{ name }} is null then '{{ name }},' else '' end
    {%- endfor %}
{%- endmacro %}
