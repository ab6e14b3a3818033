{# Rules about Keepa's numbers, portable. The vocabulary is in the seeds keepa_channels and
   keepa_marketplaces. #}

{# Keepa's own client reads every number of a history into 32 bits. What is larger is damage. #}
{% macro keepa_largest_integer() -%} 2147483647 {%- endmacro %}

{# RATING is in tenths of a star, at most 50. #}
{% macro keepa_largest_rating() -%} 50 {%- endmacro %}

{# Why a point is refused; null if it is good. Columns in scope: is_whole, minute, value, shipping,
   stride, series_group. #}
{% macro point_refusal() -%}
case
    when not is_whole then 'point_incomplete'
    when minute is null then 'minute_not_an_integer'
    when minute not between 0 and {{ keepa_largest_integer() }} then 'minute_out_of_range'
    when value is null then 'value_not_an_integer'
    when
        abs(value) > {{ keepa_largest_integer() }}
        or (series_group = 'rating' and value > {{ keepa_largest_rating() }})
        then 'value_out_of_range'
    when stride = 3 and shipping is null then 'shipping_not_an_integer'
    when stride = 3 and abs(shipping) > {{ keepa_largest_integer() }} then 'shipping_out_of_range'
end
{%- endmacro %}

{# What a value of a history says: a value, none from then on, or not known. #}
{% macro point_state(value) -%}
case when {{ value }} >= 0 then 'ok' when {{ value }} = -1 then 'none' else 'unknown' end
{%- endmacro %}

{# The histories of payloads that a model here reads, named.

   `payloads`: a relation (fetch_id, payload). Gives fetch_id, series (the channel's name, or
   salesRanks:<category id>; unique in a product), series_group (price, rank, category_rank, rating,
   review_count), slot, stride, series_json and refusal_reason (null if it is a series at all). #}
{% macro named_histories(payloads) %}
select
    histories.fetch_id,
    histories.slot,
    histories.series_json,
    case
        when histories.slot is null then histories.source_array
        when histories.source_array = 'csv' then channels.channel_name
        else 'salesRanks:' || histories.slot
    end as series,
    case
        when histories.source_array = 'salesRanks' then 'category_rank'
        when channels.kind = 'count' then 'review_count'
        when histories.slot is null then 'price'
        else channels.kind
    end as series_group,
    coalesce(channels.stride, 2) as stride,
    case
        when histories.slot is null then 'histories_not_a_collection'
        when
            histories.source_array = 'salesRanks'
            and {{ text_as_integer('histories.slot') }} is null
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
        and (channels.kind in ('price', 'rank', 'rating') or channels.channel_name = 'COUNT_REVIEWS')
where
    histories.slot is null
    or histories.source_array = 'salesRanks'
    or channels.channel_name is not null
{% endmacro %}
