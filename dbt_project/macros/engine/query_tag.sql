{# On whose behalf a statement runs, in Snowflake's query history: the run, the as-of day, and the
   model, seed or test. dbt calls these around every node. Costs are added up by `run_id`; see
   veracitypro_pipeline/resources/snowflake_warehouse.py. #}

{% macro snowflake__set_query_tag() -%}
    {%- do _tag_session({'step': model.resource_type ~ '/' ~ model.name}) -%}
    {{ return(none) }}
{%- endmacro %}

{# What dbt asks between two nodes belongs to the run alone. #}
{% macro snowflake__unset_query_tag(original_query_tag) -%}
    {%- do _tag_session({}) -%}
{%- endmacro %}

{% macro _tag_session(of_node) -%}
    {%- set tag = {'app': 'veracitypro'} -%}
    {%- for name in ['run_id', 'partition'] -%}
    {%- set value = env_var('DBT_ENV_CUSTOM_ENV_' ~ name | upper, '') -%}
    {%- if value -%}{%- do tag.update({name: value}) -%}{%- endif -%}
    {%- endfor -%}
    {%- do tag.update(of_node) -%}
    {%- do run_query("alter session set query_tag = '" ~ tojson(tag) | replace("'", "''") ~ "'") -%}
{%- endmacro %}
