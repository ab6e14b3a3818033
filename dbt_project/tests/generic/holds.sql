{# The SQL `condition` is true for every row; a condition that is null for a row fails it. #}
{% test holds(model, condition) %}
select *
from {{ model }}
where not coalesce(({{ condition }}), false)
{% endtest %}
