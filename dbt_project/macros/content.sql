{# The content of a product that a fetch gives whole: its newest list replaces all older ones, also with
   nothing. A fetch without the list was not asked for it, and says nothing. #}

{# CTEs that end in `elements` (domain_id, asin, history_version, fetched_at, position, element): the
   elements of the array `field` in the newest usable fetch of each product that has it (`flag`). #}
{% macro content_elements(flag, field) %}
products as (

    select *
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

newest as (

    select
        snapshots.fetch_id,
        snapshots.domain_id,
        snapshots.asin,
        snapshots.fetched_at,
        products.history_version
    from {{ ref('stg_keepa_product') }} as snapshots
    inner join products
        on snapshots.domain_id = products.domain_id and snapshots.asin = products.asin
    where snapshots.is_usable and snapshots.{{ flag }}
    qualify
        row_number() over (
            partition by snapshots.domain_id, snapshots.asin
            order by snapshots.fetched_at desc, snapshots.content_hash desc
        ) = 1

),

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where
        not is_repeat
        and fetch_id in (select newest.fetch_id from newest)

),

-- Only of the files concerned, so that the payloads of all others stay unread.
raw_rows as (

    select *
    from {{ source('keepa', 'keepa_raw') }}
    where source_file in (select fetches.source_file from fetches)

),

payloads as (

    select
        newest.domain_id,
        newest.asin,
        newest.history_version,
        newest.fetched_at,
        raw_rows.payload
    from newest
    inner join fetches on newest.fetch_id = fetches.fetch_id
    inner join raw_rows
        on
            fetches.source_file = raw_rows.source_file
            and fetches.file_row_number = raw_rows.file_row_number

),

elements as (

    {{ elements_of('payloads', ['domain_id', 'asin', 'history_version', 'fetched_at'], field) }}

)
{% endmacro %}
