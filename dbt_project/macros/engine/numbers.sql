{# Exact arithmetic: neither engine's own division of decimals gives the same digits as the other's. #}

{# Integer quotient of two non-negative integers, rounded down. #}
{% macro quotient(dividend, divisor) -%}
    {{ return(adapter.dispatch('quotient')(dividend, divisor)) }}
{%- endmacro %}

{% macro duckdb__quotient(dividend, divisor) -%} ({{ dividend }}) // ({{ divisor }}) {%- endmacro %}

{# Snowflake rounds a quotient to six decimals, so that floor could step up; without its remainder the
   division is exact. #}
{% macro snowflake__quotient(dividend, divisor) -%}
    cast((({{ dividend }}) - mod({{ dividend }}, {{ divisor }})) / ({{ divisor }}) as integer)
{%- endmacro %}

{# One row per integer from `first` to `last` (both included), beside the columns of `relation`. #}
{% macro with_each_integer(relation, columns, first, last, name) -%}
    {{ return(adapter.dispatch('with_each_integer')(relation, columns, first, last, name)) }}
{%- endmacro %}

{% macro duckdb__with_each_integer(relation, columns, first, last, name) %}
select
    {{ columns | join(',\n    ') }},
    unnest(range({{ first }}, {{ last }} + 1)) as {{ name }}
from {{ relation }}
{% endmacro %}

{% macro snowflake__with_each_integer(relation, columns, first, last, name) %}
select
    {% for column in columns %}spread.{{ column }},
    {% endfor -%}
    item.value::integer as {{ name }}
from
    (
        select
            {{ columns | join(',\n            ') }},
            array_generate_range({{ first }}, {{ last }} + 1) as integers
        from {{ relation }}
    ) as spread,
    lateral flatten(input => spread.integers) as item
{% endmacro %}
