{# The content of a product that a fetch gives whole: its newest list replaces all older ones, also with
   nothing. A fetch without the list was not asked for it, and says nothing. #}

{# CTEs that end in `elements` (domain_id, asin, history_version, fetched_at, position, element): the
   elements of the array `field` in the newest usable fetch of each product that has it (`flag`). #}
{% macro content_elements(flag, field) %}
newest as (

    {{ newest_fetches_with(flag) }}

),

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where
        not is_repeat
        and fetch_id in (select newest.fetch_id from newest)

),

read as (

    {{ payloads_of('fetches', 'attributes', payloads_are_held(newest_fetches_with(flag))) }}

),

payloads as (

    select
        newest.domain_id,
        newest.asin,
        newest.history_version,
        newest.fetched_at,
        read.payload
    from newest
    inner join read on newest.fetch_id = read.fetch_id

),

elements as (

    {{ elements_of('payloads', ['domain_id', 'asin', 'history_version', 'fetched_at'], field) }}

)
{% endmacro %}

{# The newest usable fetch with this content, of each product that this model has other fetches of. #}
{% macro newest_fetches_with(flag) %}
select
    snapshots.fetch_id,
    snapshots.domain_id,
    snapshots.asin,
    snapshots.fetched_at,
    history.history_version
from {{ ref('stg_keepa_product') }} as snapshots
inner join {{ ref('stg_keepa_history') }} as history
    on snapshots.domain_id = history.domain_id and snapshots.asin = history.asin
where
    snapshots.is_usable
    and snapshots.{{ flag }}
    and {{ not_yet_built('history') }}
qualify
    row_number() over (
        partition by snapshots.domain_id, snapshots.asin
        order by snapshots.fetched_at desc, snapshots.content_hash desc
    ) = 1
{% endmacro %}
