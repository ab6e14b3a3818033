{# How the session of a node is set up on Snowflake: nothing is open in it, its statements carry the tag of
   the node, and its parameters are those of the pipeline's own sessions
   (veracitypro_pipeline/resources/warehouse/on_snowflake.py). The tag names the run, the as-of day, and the
   model, seed or test; costs are added up by `run_id`.

   dbt calls `set_query_tag` as the first statement of every node, in a session that it keeps from the node
   before. If a statement of that node failed inside its transaction, the transaction is still open: on
   Snowflake an error does not end it, and the next DDL would commit what it had deleted. Without a
   transaction `rollback` does nothing. #}

{# Called by our own materialization, where those of dbt-snowflake call `set_query_tag`. #}
{% macro begin_session() -%}
    {{ return(adapter.dispatch('begin_session')()) }}
{%- endmacro %}

{% macro duckdb__begin_session() -%} {%- endmacro %}

{% macro snowflake__begin_session() -%} {%- do set_query_tag() -%} {%- endmacro %}

{% macro snowflake__set_query_tag() -%}
    {%- do run_query('rollback') -%}
    {%- set tag = {'app': 'veracitypro'} -%}
    {%- for name in ['run_id', 'partition'] -%}
    {%- set value = env_var('DBT_ENV_CUSTOM_ENV_' ~ name | upper, '') -%}
    {%- if value -%}{%- do tag.update({name: value}) -%}{%- endif -%}
    {%- endfor -%}
    {%- do tag.update({'step': model.resource_type ~ '/' ~ model.name}) -%}
    {%- do run_query(
        "alter session set query_tag = '" ~ tojson(tag) | replace("'", "''") ~ "' "
        ~ env_var('SNOWFLAKE_SESSION_PARAMETERS', '')
    ) -%}
    {{ return(none) }}
{%- endmacro %}

{# The next node sets its own. What dbt asks before that, while it compiles the node, carries the tag of the
   node before; the comment in each statement names the right one. #}
{% macro snowflake__unset_query_tag(original_query_tag) -%}
{%- endmacro %}
