{# Series, their slices and points: what models read of them. #}

{# A relation (domain_id, asin): the products whose fetches changed since the last build; all in a first one. #}
{% macro outdated_products() -%}
{%- if has_watermark() -%} {{ outdated_segments() }} {%- else -%} {{ ref('stg_keepa_history') }} {%- endif -%}
{%- endmacro %}

{# A relation (domain_id, asin, series, from_minute): the series to build, and from which minute on. `now`: by a
   query, for use while the model is compiled, before the materialization has kept the result. #}
{% macro outdated_series(now=false) -%}
{%- if has_watermark() and now -%}
    ({{ query_of_outdated_series() }})
{%- elif has_watermark() -%}
    {{ outdated_segments() }}
{%- else -%}
    (
        select distinct
            domain_id,
            asin,
            series,
            0 as from_minute
        from {{ ref('stg_keepa_slice') }}
    )
{%- endif -%}
{%- endmacro %}

{# The slices of `outdated`, a relation as `outdated_series` gives, with the first minute to read. #}
{% macro slices_to_read(outdated) %}
select
    slices.domain_id,
    slices.asin,
    slices.series,
    slices.series_group,
    slices.fetch_id,
    slices.first_minute,
    slices.until_minute,
    slices.repeated_count,
    slices.refused_count,
    greatest(slices.first_minute, outdated.from_minute) as from_minute
from {{ ref('stg_keepa_slice') }} as slices
inner join {{ outdated }} as outdated
    on {{ same(['domain_id', 'asin', 'series'], 'slices', 'outdated') }}
where slices.until_minute > outdated.from_minute
{% endmacro %}

{# The histories of payloads that models here read, named.

   `payloads`: a relation (fetch_id, payload). Gives fetch_id, series (unique in a product: the channel's
   name, the field, or field:id), series_group (what its values are), slot, stride, series_json and
   refusal_reason (null if it is a series at all). #}
{% macro named_histories(payloads) %}
select
    histories.fetch_id,
    histories.slot,
    histories.series_json,
    case
        when histories.source_array = 'csv' then coalesce(channels.channel_name, 'csv')
        when histories.slot is null or histories.slot = '' then histories.source_array
        else histories.source_array || ':' || histories.slot
    end as series,
    case histories.source_array
        when 'csv'
            then
                case
                    when channels.channel_name = 'COUNT_REVIEWS' then 'review_count'
                    when channels.kind = 'count' then 'offer_count'
                    when channels.kind is null then 'price'
                    else channels.kind
                end
        when 'salesRanks' then 'category_rank'
        when 'monthlySoldHistory' then 'monthly_sold'
        when 'couponHistory' then 'coupon'
        when 'buyBoxSellerIdHistory' then 'buy_box'
        when 'buyBoxUsedHistory' then 'buy_box_used'
        when 'stockCSV' then 'offer_stock'
        else 'offer_price'
    end as series_group,
    case
        when histories.source_array in ('couponHistory', 'offerCSV') then 3
        when histories.source_array = 'buyBoxUsedHistory' then 4
        else coalesce(channels.stride, 2)
    end as stride,
    case
        when histories.slot is null then 'histories_not_a_collection'
        when histories.source_array = 'offers' then 'offer_id_unusable'
        when histories.source_array = 'salesRanks' and not {{ is_id('histories.slot') }}
            then 'category_id_not_an_integer'
        when not {{ json_is('histories.series_json', 'array') }} then 'series_not_an_array'
    end as refusal_reason
from (
    {{ histories_of_payloads(payloads) }}
) as histories
left join {{ ref('keepa_channels') }} as channels
    on
        histories.source_array = 'csv'
        and histories.slot = cast(channels.channel_index as varchar)
        and channels.kind <> 'event'
where
    (
        histories.source_array <> 'csv'
        or histories.slot is null
        or channels.channel_name is not null
    )
    -- Drop ranks whose category Keepa does not know.
    and not (histories.source_array = 'salesRanks' and coalesce(histories.slot, '') in ({{ unknown_ids() }}))
{% endmacro %}

{# Every point of every series, with the columns that all series share.

   `series`: a relation as `numbers_of_series` gives. Gives fetch_id, series, series_group, stride and
   `columns` of it, position, minute, value, second_value, text_value, is_whole and may_repeat (and
   point_text, see `written_points`):

   - prices and offers: value is the price, second_value the shipping (null in a series without);
   - coupons: value is the one-time coupon, second_value that of subscribe-and-save;
   - buy boxes: text_value is the seller, value is 0 (the new one) or the condition (the used one) while
     a seller holds it, else -1 or -2; second_value is then 1 if the used one is fulfilled by Amazon,
     else 0;
   - all others: value. #}
{% macro points_of_series(series, columns=[], with_text=false) %}
select
    fetch_id,
    series,
    series_group,
    stride,
    {% for column in columns %}{{ column }},
    {% endfor -%}
    position,
    minute,
    case
        when series_group = 'buy_box' then {{ seller_state('second_text') }}
        when series_group <> 'buy_box_used' then second
        when {{ seller_state('second_text') }} < 0 then {{ seller_state('second_text') }}
        when {{ seller_state('second_text') }} = 0 then third
    end as value,
    case
        when series_group <> 'buy_box_used' then third
        when {{ seller_state('second_text') }} = 0 then fourth
    end as second_value,
    case when {{ seller_state('second_text') }} = 0 then second_text end as text_value,
    is_whole,
    may_repeat
    {%- if with_text %},
    point_text
    {%- endif %}
from (
    {{ written_points(series, columns, with_text) }}
) as written
{% endmacro %}

{# The points of these series groups in force, with the slice that each is of: slot_id (its slot as a number),
   fetch_id and fetched_at stand beside the columns of stg_keepa_point. #}
{% macro points_with_fetches(series_groups) %}
select
    points.*,
    slices.slot_id,
    slices.fetch_id,
    slices.fetched_at
from {{ ref('stg_keepa_point') }} as points
inner join (
    select
        domain_id,
        asin,
        series,
        first_minute,
        -- Here, once per slice instead of once per point.
        {{ text_as_integer('slot') }} as slot_id,
        fetch_id,
        fetched_at
    from {{ ref('stg_keepa_slice') }}
) as slices
    on
        points.domain_id = slices.domain_id
        and points.asin = slices.asin
        and points.series = slices.series
        and points.slice_minute = slices.first_minute
where points.series_group in ({% for name in series_groups %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %})
{% endmacro %}

{# A digest of the points of a group that meet the condition, whatever their order. Points after which nothing
   is unknown count as they did before there was such a minute, so that their days are not written again. #}
{% macro digest_of_points(condition) -%}
    cast(
        sum(
            case
                when {{ condition }} and points.unknown_from_minute is null
                    then hash(points.minute, points.value, points.second_value, points.text_value)
                when {{ condition }}
                    then
                        hash(
                            points.minute,
                            points.value,
                            points.second_value,
                            points.text_value,
                            points.unknown_from_minute
                        )
            end
        ) as varchar
    )
{%- endmacro %}
