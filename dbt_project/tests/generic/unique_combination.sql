{# The key of a table: no two rows share it, and no part of it is null, except the `nullable` ones
   (which then count as one value). Also checks what `unique` and `not_null` check, in one scan. #}
{% test unique_combination(model, columns, nullable=[]) %}
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
{% endtest %}
