{# The values of a group in ascending order, joined by commas; nulls are left out. #}
{% macro joined_in_order(value) -%}
    {{ return(adapter.dispatch('joined_in_order')(value)) }}
{%- endmacro %}

{% macro duckdb__joined_in_order(value) -%}
    string_agg({{ value }}, ',' order by {{ value }})
{%- endmacro %}

{% macro snowflake__joined_in_order(value) -%}
    listagg({{ value }}, ',') within group (order by {{ value }})
{%- endmacro %}

{# True if the whole text matches the regular expression. #}
{% macro text_matches(text, pattern) -%}
    {{ return(adapter.dispatch('text_matches')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__text_matches(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro snowflake__text_matches(text, pattern) -%}
    regexp_like({{ text }}, '{{ pattern }}')
{%- endmacro %}
