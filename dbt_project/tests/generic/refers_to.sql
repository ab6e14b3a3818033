{# Each combination of the columns that has a value stands in `to`, under the same names. It checks what
   `relationships` checks, of keys of several columns, and looks each combination up once. #}
{% test refers_to(model, columns, to) %}
select known.*
from (
    select distinct {{ columns | join(', ') }}
    from {{ model }}
    where {% for column in columns %}{{ "and " if not loop.first }}{{ column }} is not null {% endfor %}
) as known
left join {{ to }} as referred
    on {% for column in columns %}{{ "and " if not loop.first }}known.{{ column }} = referred.{{ column }} {% endfor %}
where referred.{{ columns[0] }} is null
{% endtest %}
