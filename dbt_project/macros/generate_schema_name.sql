{# For the pipeline, and for everybody on target `local` and `prod`, schemas carry exactly the names of
   infra/snowflake (STG, CORE, MART, MONITORING): environments are separate databases or files. A person on
   target `dev` has schemas of their own, e.g. ANNA_STG, so that two people and the night do not overwrite
   each other's tables. `target.schema` tells whose they are: STG, or a name (profiles.yml). #}
{% macro generate_schema_name(custom_schema_name, node=none) -%}
    {%- set name = (custom_schema_name or 'STG') | trim | upper -%}
    {%- if is_pipelines() -%} {{ name }}
    {%- else -%} {{ modules.re.sub('[^A-Z0-9_]', '_', target.schema | upper) }}_{{ name }}
    {%- endif -%}
{%- endmacro %}

{% macro is_pipelines() -%} {{ return(target.schema == 'STG') }} {%- endmacro %}

{# Where builds remember what they have found and made. #}
{% macro monitoring_schema() -%} {{ return(generate_schema_name('MONITORING') | trim) }} {%- endmacro %}

{# on-run-start: dbt makes the schemas of models, and what a build remembers is none. #}
{% macro make_own_schema() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] and not is_pipelines() -%}
    {%- do adapter.create_schema(
        api.Relation.create(database=target.database, schema=monitoring_schema())
    ) -%}
    {%- endif -%}
{%- endmacro %}
