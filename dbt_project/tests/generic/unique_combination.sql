{# The key of a table: no two rows share it, and no part of it is null, except the `nullable` ones
   (which then count as one value). Also checks what `unique` and `not_null` check. Name the column with the
   most values last: macros/engine/keys.sql. #}
{% test unique_combination(model, columns, nullable=[]) %}
{{ broken_keys(model, columns, nullable) }}
{% endtest %}
