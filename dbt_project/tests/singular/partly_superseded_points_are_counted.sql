-- If red: where a newer fetch begins in the middle of a history, points before that minute are lost, or
-- points after it are kept. The row names the product, its file, and both counts. Counted again in the
-- payloads is what new loads made so: fetches that came with them, and those they superseded in part. A
-- fetch with the whole history supersedes all or nothing, and then there is nothing to read.
{{ config(meta={'dagster': {'ref': {'name': 'stg_keepa_point'}}}) }}

{% set new_fetches %}
        select fetch_id
        from {{ ref('stg_keepa_fetch') }}
        where loaded_at in ({{ loads_to_count() }})
    {% endset %}
{% set cut_slices %}
    select *
    from (
        select
            *,
            lead(fetch_id) over (
                partition by domain_id, asin, series
                order by first_minute
            ) as next_fetch_id
        from {{ ref('stg_keepa_slice') }}
    ) as slices
    where
        next_fetch_id is not null
        and (fetch_id in ({{ new_fetches }}) or next_fetch_id in ({{ new_fetches }}))
{% endset %}

with

cut_slices as (

    {{ cut_slices }}

),

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where
        not is_repeat
        and fetch_id in (select cut_slices.fetch_id from cut_slices)

),

payloads as (

    {{ payloads_of('fetches', 'histories', payloads_are_held(cut_slices)) }}

),

histories as (

    {{ named_histories('payloads') }}

),

readable as (

    select
        histories.fetch_id,
        histories.series,
        histories.series_group,
        histories.stride,
        histories.series_json
    from histories
    inner join cut_slices
        on
            histories.fetch_id = cut_slices.fetch_id
            and histories.series = cut_slices.series
    where histories.refusal_reason is null

),

numbered as {{ computed_once() }} (

    {{ numbers_of_series('readable') }}

),

points as (

    {{ points_of_series('numbered') }}

),

good as (

    select
        fetch_id,
        series,
        minute
    from points
    where {{ point_refusal() }} is null

),

in_payloads as (

    select
        cut_slices.fetch_id,
        cut_slices.series,
        count(distinct good.minute) as point_count
    from cut_slices
    inner join good
        on cut_slices.fetch_id = good.fetch_id and cut_slices.series = good.series
    where good.minute >= cut_slices.first_minute and good.minute < cut_slices.until_minute
    group by cut_slices.fetch_id, cut_slices.series

),

in_force as (

    select
        cut_slices.fetch_id,
        cut_slices.series,
        count(*) as point_count
    from cut_slices
    inner join {{ ref('stg_keepa_point') }} as kept
        on
            cut_slices.domain_id = kept.domain_id
            and cut_slices.asin = kept.asin
            and cut_slices.series = kept.series
            and cut_slices.first_minute = kept.slice_minute
    group by cut_slices.fetch_id, cut_slices.series

)

select
    fetches.source_file,
    fetches.file_row_number,
    cut_slices.domain_id,
    cut_slices.asin,
    cut_slices.series,
    cut_slices.first_minute,
    cut_slices.until_minute,
    coalesce(in_payloads.point_count, 0) as points_in_payload,
    coalesce(in_force.point_count, 0) as points_kept
from cut_slices
inner join fetches on cut_slices.fetch_id = fetches.fetch_id
left join in_payloads
    on cut_slices.fetch_id = in_payloads.fetch_id and cut_slices.series = in_payloads.series
left join in_force
    on cut_slices.fetch_id = in_force.fetch_id and cut_slices.series = in_force.series
where coalesce(in_payloads.point_count, 0) <> coalesce(in_force.point_count, 0)
