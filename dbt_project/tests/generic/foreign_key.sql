{# dbt's `relationships` for a key of several columns, which carry the same names in `to`. A key with a null
   passes. Each key is looked up once, not once a row. #}
{% test foreign_key(model, columns, to) %}
select child.*
from (
    select distinct {{ columns | join(', ') }}
    from {{ model }}
    where {% for column in columns %}{{ "and " if not loop.first }}{{ column }} is not null {% endfor %}
) as child
left join {{ to }} as parent
    on {% for column in columns %}{{ "and " if not loop.first }}child.{{ column }} = parent.{{ column }} {% endfor %}
where parent.{{ columns[0] }} is null
{% endtest %}
