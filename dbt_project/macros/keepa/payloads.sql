{# Payloads. RAW has all of them; stg_keepa_payload has a second copy of the newest ones, cut to what models
   read. To read a row of RAW costs what is stored beside it: DuckDB unpacks 2,048 payloads together, ten nights
   of 200 products, for every model again. So models read the cut, and RAW only for what it lacks: after a build
   that died, or when a file that counted is gone. #}

{# The parts of a payload, and the top-level fields in each. #}
{% macro payload_parts() -%}
    {{ return({
        'attributes': attribute_fields(product_attributes()),
        'histories': ['csv', 'salesRanks', 'offers', 'liveOffersOrder'] + plain_histories(),
    }) }}
{%- endmacro %}

{# A query (loaded_at): the loads whose points a test counts in their payloads. So that a night costs what it
   brings, these are the newest load and those that no build has counted: late files come in loads of their own,
   and a build may die before it counts. #}
{% macro loads_to_count() -%}
select distinct uncounted.loaded_at
from {{ ref('stg_keepa_fetch') }} as uncounted
{%- if load_relation(counted_loads()) is not none %}
where
    uncounted.loaded_at = (select max(newest.loaded_at) from {{ ref('stg_keepa_fetch') }} as newest)
    or uncounted.loaded_at not in (select counted.loaded_at from {{ counted_loads() }} as counted)
{%- endif -%}
{%- endmacro %}

{% macro counted_loads() -%}
    {{ return(api.Relation.create(
        database=this.database, schema=monitoring_schema(), identifier='_COUNTED_LOADS'
    )) }}
{%- endmacro %}

{# Post-hook of a model that dbt builds after the tests that count: the loads that they have counted. #}
{% macro save_counted_loads() -%}
    create or replace {{ transient_table() }} {{ counted_loads() }} as
    select distinct loaded_at
    from {{ ref('stg_keepa_fetch') }}
{%- endmacro %}

{# A relation (fetch_id, payload): this part of the payloads of `fetches`, a relation (fetch_id,
   source_file, file_row_number). `are_held`: stg_keepa_payload has all of them; RAW gives whole payloads. #}
{% macro payloads_of(fetches, part, are_held) %}
{%- set held -%}
select
    held.fetch_id,
    held.{{ part }} as payload
from {{ ref('stg_keepa_payload') }} as held
where held.fetch_id in (select asked.fetch_id from {{ fetches }} as asked)
{%- endset -%}
{{ in_shares(held, 'fetch_id') }}
{%- if not are_held %}
union all
select
    wanted.fetch_id,
    raw_rows.payload
from {{ fetches }} as wanted
inner join {{ source('keepa', 'keepa_raw') }} as raw_rows
    on
        wanted.source_file = raw_rows.source_file
        and wanted.file_row_number = raw_rows.file_row_number
where
    wanted.fetch_id not in (select held.fetch_id from {{ ref('stg_keepa_payload') }} as held)
    -- Leaves the payloads of all other files unread.
    and raw_rows.source_file in (select files.source_file from {{ fetches }} as files)
{%- endif %}
{% endmacro %}

{# Whether stg_keepa_payload has the payloads of `fetches`, a query (fetch_id). Asked while the model is
   compiled, because a query that names RAW reads it. #}
{% macro payloads_are_held(fetches) -%}
    {%- if not execute or load_relation(ref('stg_keepa_payload')) is none -%} {{ return(false) }} {%- endif -%}
    {%- set missing -%}
    select wanted.fetch_id
    from ({{ fetches }}) as wanted
    left join {{ ref('stg_keepa_payload') }} as held on wanted.fetch_id = held.fetch_id
    where held.fetch_id is null
    limit 1
    {%- endset -%}
    {{ return(run_query(missing) | length == 0) }}
{%- endmacro %}

{# The fetches that have no rows in this model, whose key is fetch_id. #}
{% macro fetches_not_yet_built() -%}
select fetched.*
from {{ ref('stg_keepa_fetch') }} as fetched
where not fetched.is_repeat and {{ not_yet_built('fetched') }}
{%- endmacro %}
