{# The lists that a fetch gives whole: the newest list replaces all older ones, even if it is empty. A fetch
   without the list was not asked for it; then the older fetch stays the newest, and its rows stay. See
   stg_keepa_newest_content. #}

{# CTEs that end in `elements` (fetch_id, domain_id, asin, fetched_at, position, element): the elements of
   the array `field` in the fetches that are in force for it and not built yet. #}
{% macro content_elements(field) %}
newest as (

    {{ newest_content_not_yet_built(field) }}

),

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where
        not is_repeat
        and fetch_id in (select newest.fetch_id from newest)

),

payloads as (

    {{ payloads_of('fetches', 'attributes', payloads_are_held(newest_content_not_yet_built(field))) }}

),

elements as (

    select
        newest.fetch_id,
        newest.domain_id,
        newest.asin,
        newest.fetched_at,
        numbered.position,
        numbered.element
    from newest
    inner join (
        {{ elements_of('payloads', ['fetch_id'], field) }}
    ) as numbered on newest.fetch_id = numbered.fetch_id

)
{% endmacro %}

{% macro newest_content_not_yet_built(field) %}
select newest.*
from {{ ref('stg_keepa_newest_content') }} as newest
where newest.content = '{{ field }}' and {{ not_yet_built('newest') }}
{% endmacro %}
