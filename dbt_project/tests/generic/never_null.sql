{# None of the columns is null in any row. One scan where `not_null` needs one per column. #}
{% test never_null(model, columns) %}
select *
from {{ model }}
where
    {% for column in columns -%}
    {{ "or " if not loop.first }}{{ column }} is null
    {% endfor %}
{% endtest %}
