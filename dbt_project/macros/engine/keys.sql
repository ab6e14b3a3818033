{# Combinations of `columns` that are no key of `model`: the columns and row_count, a row each. They stand
   more than once, or a column that is not `nullable` is null. Nulls count as one value. #}
{% macro broken_keys(model, columns, nullable) -%}
    {{ return(adapter.dispatch('broken_keys')(model, columns, nullable)) }}
{%- endmacro %}

{# Neighbours in a sorted list tell: the values of the last column are gathered by the others, in large tables
   hundreds in a list. To group by all, with a group for each row, takes three times as long and more memory. #}
{% macro duckdb__broken_keys(model, columns, nullable) %}
{%- set others = columns[:-1] %}
{%- set group_by_others %}{{ "group by " ~ (others | join(', ')) if others }}{% endset %}
select
    {{ columns | join(', ') }},
    count(*) + 1 as row_count
from (
    select
        {% for column in others %}{{ column }},
        {% endfor -%}
        unnest(in_order[:-2]) as {{ columns[-1] }},
        unnest(in_order[2:]) as following
    from (
        select
            {% for column in others %}{{ column }},
            {% endfor -%}
            list_sort(list({{ columns[-1] }})) as in_order
        from {{ model }}
        {{ group_by_others }}
    ) as gathered
) as neighbours
where {{ columns[-1] }} is not distinct from following
group by {{ columns | join(', ') }}
{% set required = columns | reject('in', nullable) | list -%}
{% if required -%}
-- What is null and repeated is found twice, and alike.
union
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
where {% for column in required %}{{ "or " if not loop.first }}{{ column }} is null {% endfor %}
group by {{ columns | join(', ') }}
{%- endif %}
{% endmacro %}

{% macro snowflake__broken_keys(model, columns, nullable) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns if column not in nullable -%}
    or {{ column }} is null
    {% endfor %}
{% endmacro %}
