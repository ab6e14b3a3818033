{# Each of the columns lies between `minimum` and `maximum` (both included) wherever it has a value. #}
{% test within_range(model, columns, minimum, maximum) %}
select *
from {{ model }}
where
    {% for column in columns -%}
    {{ "or " if not loop.first }}{{ column }} not between {{ minimum }} and {{ maximum }}
    {% endfor %}
{% endtest %}
