{# Payloads. RAW has them all; stg_keepa_payload has those that came last once more, cut to what models
   read. Reading RAW costs what is stored beside the rows asked for (DuckDB unpacks 2,048 payloads
   together, ten nights of 200 products, for one model as for the next), so models read the cut and go
   to RAW only for what it lacks: after a build that died, or when a file that counted is gone. #}

{# The parts of a payload, and the top-level fields in each. #}
{% macro payload_parts() -%}
    {{ return({
        'attributes': attribute_fields(product_attributes()),
        'histories': ['csv', 'salesRanks', 'offers', 'liveOffersOrder'] + plain_histories(),
    }) }}
{%- endmacro %}

{# A query (loaded_at): the loads whose points are counted again in their payloads. A day must cost what the day
   brings, so these are the newest, and whatever no build has counted so far: a night loads the files
   that came late as well, and a build may die before it counts. #}
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
        database=this.database, schema=monitoring_schema(), identifier='COUNTED_LOADS'
    )) }}
{%- endmacro %}

{# Post-hook of a model that dbt builds only after the tests that count: what they have counted. #}
{% macro remember_counted_loads() -%}
    create or replace {{ transient_table() }} {{ counted_loads() }} as
    select distinct loaded_at
    from {{ ref('stg_keepa_fetch') }}
{%- endmacro %}

{# A relation (fetch_id, payload): this part of the payloads of `fetches`, a relation (fetch_id,
   source_file, file_row_number). `are_held` says whether stg_keepa_payload has all of them; from RAW
   comes the whole payload. #}
{% macro payloads_of(fetches, part, are_held) %}
{%- set held -%}
select
    held.fetch_id,
    held.{{ part }} as payload
from {{ ref('stg_keepa_payload') }} as held
where held.fetch_id in (select wanted.fetch_id from {{ fetches }} as wanted)
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
    -- For the payloads of all other files to stay unread.
    and raw_rows.source_file in (select wanted.source_file from {{ fetches }} as wanted)
{%- endif %}
{% endmacro %}

{# Whether stg_keepa_payload has the payloads of `fetches`, a query (fetch_id). Asked while the model is
   compiled: a query that might read RAW does. #}
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

{# The fetches that this model, built from fetch_id, has no rows of. #}
{% macro fetches_not_yet_built() -%}
select fetched.*
from {{ ref('stg_keepa_fetch') }} as fetched
where not fetched.is_repeat and {{ not_yet_built('fetched') }}
{%- endmacro %}
