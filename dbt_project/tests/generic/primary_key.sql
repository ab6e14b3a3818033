{# `columns` identify a row: no two rows share them, and none is null except those in `nullable`, where null
   counts as one value. Covers `unique` and `not_null`. Name the column with the most values last
   (macros/engine/keys.sql). #}
{% test primary_key(model, columns, nullable=[]) %}
{{ broken_keys(model, columns, nullable) }}
{% endtest %}
