{# `expression` is true for every row; a row for which it is null fails. As in dbt_utils. #}
{% test expression_is_true(model, expression) %}
select *
from {{ model }}
where not coalesce(({{ expression }}), false)
{% endtest %}
