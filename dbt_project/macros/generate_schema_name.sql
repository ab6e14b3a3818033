{# The pipeline, and everyone on target `local` or `prod`, builds in exactly the schemas of infra/snowflake (STG,
   CORE, MART, MONITORING): environments are separate databases or files. A person on target `dev` builds in
   schemas of their own, e.g. ANNA_STG, so that people and the nightly run do not overwrite each other's tables.
   `target.schema` is STG or the person's name (profiles.yml). #}
{% macro generate_schema_name(custom_schema_name, node=none) -%}
    {%- set name = (custom_schema_name or 'STG') | trim | upper -%}
    {%- if is_pipelines() -%} {{ name }}
    {%- else -%} {{ modules.re.sub('[^A-Z0-9_]', '_', target.schema | upper) }}_{{ name }}
    {%- endif -%}
{%- endmacro %}

{% macro is_pipelines() -%} {{ return(target.schema == 'STG') }} {%- endmacro %}

{# Where builds save their state. #}
{% macro monitoring_schema() -%} {{ return(generate_schema_name('MONITORING') | trim) }} {%- endmacro %}

{# on-run-start: dbt creates the schemas of models only, and the state of builds is not a model. #}
{% macro make_own_schema() -%}
    {%- if execute and flags.WHICH in ['build', 'run'] and not is_pipelines() -%}
    {%- do adapter.create_schema(
        api.Relation.create(database=target.database, schema=monitoring_schema())
    ) -%}
    {%- endif -%}
{%- endmacro %}
