{# dbt_utils' `accepted_range` for several columns in one scan. Both limits are inclusive; nulls pass. #}
{% test accepted_range(model, columns, min_value, max_value) %}
select *
from {{ model }}
where
    {% for column in columns -%}
    {{ "or " if not loop.first }}{{ column }} not between {{ min_value }} and {{ max_value }}
    {% endfor %}
{% endtest %}
