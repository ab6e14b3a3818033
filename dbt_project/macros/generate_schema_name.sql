{# Schemas carry exactly the names of infra/snowflake (STG, CORE, MART, MONITORING), on every target:
   environments are separate databases or files, never prefixes. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim | upper }}
{%- endmacro %}
