{# Rules about Keepa's numbers, portable. The vocabulary is in the seeds keepa_channels and
   keepa_marketplaces. #}

{# Keepa's own client reads every number of a history into 32 bits. What is larger is damage. #}
{% macro keepa_largest_integer() -%} 2147483647 {%- endmacro %}

{# The `until_minute` of a slice that no newer fetch cuts: past the largest minute. #}
{% macro no_newer_slice() -%} cast({{ keepa_largest_integer() }} as bigint) + 1 {%- endmacro %}

{# 1970-01-01T00:00Z on Keepa's clock. #}
{% macro keepa_earliest_minute() -%} -21564000 {%- endmacro %}

{# RATING is in tenths of a star, at most 50. #}
{% macro keepa_largest_rating() -%} 50 {%- endmacro %}

{# A coupon in percent is written as a negative number. #}
{% macro keepa_largest_percent() -%} 100 {%- endmacro %}

{# Who holds a buy box, by the text that stands for it: 0 a seller, -1 nobody, -2 a seller whom Keepa
   cannot name; null for damage. #}
{% macro seller_state(text) -%}
case
    when {{ text }} in ('', '-1') then -1
    when {{ text }} = '-2' then -2
    when {{ text_matches(text, '[A-Z0-9]{2,30}') }} then 0
end
{%- endmacro %}

{# True if a text is an id as Keepa writes it: an integer without leading zeros, which would be two texts
   of one number. #}
{% macro is_id(text) -%}
    coalesce(cast({{ text_as_integer(text) }} as varchar) = {{ text }}, false)
{%- endmacro %}

{# What stands for a category that Keepa does not know, as text. #}
{% macro unknown_ids() -%} '0', '-1', '9223372036854775807' {%- endmacro %}

{# True for a series whose points have a text behind the minute. #}
{% macro second_is_text() -%} series_group in ('buy_box', 'buy_box_used') {%- endmacro %}

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

{# Why a point is refused; null if it is good. Columns in scope: those of `points_of_series`. #}
{% macro point_refusal() -%}
case
    when not is_whole then 'point_incomplete'
    when minute is null then 'minute_not_an_integer'
    when minute not between 0 and {{ keepa_largest_integer() }} then 'minute_out_of_range'
    when value is null and {{ second_is_text() }} then 'seller_malformed'
    when value is null then 'value_not_an_integer'
    when
        abs(value) > {{ keepa_largest_integer() }}
        or (series_group = 'rating' and value > {{ keepa_largest_rating() }})
        or (series_group = 'coupon' and value < -{{ keepa_largest_percent() }})
        or (text_value is not null and value < 0)
        then 'value_out_of_range'
    when
        (stride = 3 or (series_group = 'buy_box_used' and text_value is not null))
        and second_value is null
        then 'second_value_not_an_integer'
    when
        (stride = 3 and abs(second_value) > {{ keepa_largest_integer() }})
        or (series_group = 'coupon' and second_value < -{{ keepa_largest_percent() }})
        or (series_group = 'buy_box_used' and text_value is not null and second_value not in (0, 1))
        then 'second_value_out_of_range'
end
{%- endmacro %}

{# What a value of a history says: a value, none from then on, or not known. #}
{% macro point_state(value) -%}
case when {{ value }} >= 0 then 'ok' when {{ value }} = -1 then 'none' else 'unknown' end
{%- endmacro %}

{# Keepa's integer as an amount in currency units; null for its negative markers. `minor_per_unit` is in
   scope: 100, or 1 for yen. #}
{% macro in_units(value) -%}
case when {{ value }} >= 0 then cast({{ value }} / minor_per_unit as decimal(18, 2)) end
{%- endmacro %}

{# Price and shipping in currency units. Unsaid shipping counts as free, as in Keepa's own figures. #}
{% macro landed_in_units(price, shipping) -%}
case
    when {{ price }} >= 0
        then
            cast(
                -- Each has 32 bits, their sum may have more.
                (cast({{ price }} as bigint) + greatest(coalesce({{ shipping }}, 0), 0)) / minor_per_unit
                as decimal(18, 2)
            )
end
{%- endmacro %}

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
