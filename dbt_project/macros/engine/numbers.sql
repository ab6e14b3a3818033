{# Exact arithmetic: neither engine's own division of decimals gives the same digits as the other's. #}

{# Integer quotient of two non-negative integers, rounded down. #}
{% macro quotient(dividend, divisor) -%}
    {{ return(adapter.dispatch('quotient')(dividend, divisor)) }}
{%- endmacro %}

{% macro duckdb__quotient(dividend, divisor) -%} ({{ dividend }}) // ({{ divisor }}) {%- endmacro %}

{% macro snowflake__quotient(dividend, divisor) -%} floor(({{ dividend }}) / ({{ divisor }})) {%- endmacro %}

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
    {{ columns | join(',\n    ') }},
    item.value::integer as {{ name }}
from {{ relation }}, lateral flatten(input => array_generate_range({{ first }}, {{ last }} + 1)) as item
{% endmacro %}
