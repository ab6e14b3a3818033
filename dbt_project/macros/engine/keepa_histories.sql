{# The explode: history arrays of product objects -> series -> points. The only place that knows how
   an engine turns a JSON array into rows; what a number means is decided in portable SQL. #}

{# Every history of every payload.

   `payloads`: a relation (fetch_id, payload). Gives fetch_id, source_array (`csv`, `salesRanks`),
   slot (the position in csv from 0, the category id as text; null for the container itself when it
   is no array or object), series_json. A history that is absent or null gives no row. #}
{% macro histories_of_payloads(payloads) -%}
    {{ return(adapter.dispatch('histories_of_payloads')(payloads)) }}
{%- endmacro %}

{% macro duckdb__histories_of_payloads(payloads) %}
-- Each JSON function parses a payload anew and keeps what it parsed for a whole batch of rows: one call
-- for both collections, and all else on its results.
with containers as (
    select
        fetch_id,
        parts[1] as csv,
        parts[2] as ranks
    from (
        select fetch_id, payload -> ['$.csv', '$.salesRanks'] as parts
        from {{ payloads }}
    ) as parsed
)
select fetch_id, source_array, slot, series_json
from (
    select
        fetch_id,
        'csv' as source_array,
        cast(unnest(range(len(slots))) as varchar) as slot,
        unnest(slots) as series_json
    from (
        select fetch_id, cast(csv as json []) as slots
        from containers
        where json_type(csv) = 'ARRAY'
    ) as csv
    union all
    select
        containers.fetch_id,
        'salesRanks' as source_array,
        category.key as slot,
        category.value as series_json
    from containers, json_each(containers.ranks) as category
    where json_type(containers.ranks) = 'OBJECT'
    union all
    select fetch_id, 'csv' as source_array, null as slot, csv as series_json
    from containers
    where json_type(csv) <> 'ARRAY'
    union all
    select fetch_id, 'salesRanks' as source_array, null as slot, ranks as series_json
    from containers
    where json_type(ranks) <> 'OBJECT'
) as histories
where json_type(series_json) <> 'NULL'
{% endmacro %}

{% macro snowflake__histories_of_payloads(payloads) %}
select fetch_id, source_array, slot, series_json
from (
    select
        payloads.fetch_id,
        'csv' as source_array,
        slot.index::varchar as slot,
        slot.value as series_json
    from {{ payloads }} as payloads, lateral flatten(input => payloads.payload:csv, mode => 'ARRAY') as slot
    union all
    select
        payloads.fetch_id,
        'salesRanks' as source_array,
        category.key as slot,
        category.value as series_json
    from
        {{ payloads }} as payloads,
        lateral flatten(input => payloads.payload:salesRanks, mode => 'OBJECT') as category
    union all
    select fetch_id, 'csv' as source_array, null as slot, payload:csv as series_json
    from {{ payloads }}
    where not {{ json_is('payload', 'array', 'csv') }}
    union all
    select fetch_id, 'salesRanks' as source_array, null as slot, payload:salesRanks as series_json
    from {{ payloads }}
    where not {{ json_is('payload', 'object', 'salesRanks') }}
) as histories
where typeof(series_json) <> 'NULL_VALUE'
{% endmacro %}

{# Every point of every series.

   `series`: a relation (fetch_id, series, series_group, stride, series_json), series_json a JSON
   array. Gives the first four, position (of the point, from 0), minute, value, shipping, is_whole and
   may_repeat. A number is null if it is no integer of at most 18 digits (integers written as text
   count); shipping is null at stride 2. A point is not whole if the array ends inside it. may_repeat
   is false only if no minute stands twice in the series, so that nobody needs to count. With
   `with_text`, point_text is the JSON text of the point as it came. #}
{% macro points_of_series(series, with_text=false) -%}
    {{ return(adapter.dispatch('points_of_series')(series, with_text)) }}
{%- endmacro %}

{% macro duckdb__points_of_series(series, with_text) %}
select
    fetch_id,
    series,
    series_group,
    stride,
    position,
    numbers[position * stride + 1] as minute,
    numbers[position * stride + 2] as value,
    case when stride = 3 then numbers[position * stride + 3] end as shipping,
    (position + 1) * stride <= len(numbers) as is_whole,
    may_repeat
    {%- if with_text %},
    cast(to_json(elements[position * stride + 1 : (position + 1) * stride]) as varchar) as point_text
    {%- endif %}
from (
    select
        *,
        unnest(range(point_count)) as position
    from (
        -- One level below the unnest, which would have it counted again for every point.
        select
            *,
            (len(numbers) + stride - 1) // stride as point_count,
            list_unique(numbers[1:len(numbers):stride]) < (len(numbers) + stride - 1) // stride
                as may_repeat
        from (
            select
                fetch_id,
                series,
                series_group,
                stride,
                {% if with_text %}cast(series_json as json []) as elements,{% endif %}
                -- Nearly every series is clean, and then one cast does; the other way takes ten
                -- times as long.
                case
                    when
                        regexp_full_match(
                            cast(series_json as varchar),
                            '\[(-?[0-9]{1,18}(,-?[0-9]{1,18})*)?\]'
                        )
                        then cast(cast(series_json as varchar) as bigint [])
                    else list_transform(
                        cast(series_json as json []),
                        lambda element:
                            case
                                when regexp_full_match(element ->> '$', '-?[0-9]{1,18}')
                                    then cast(element ->> '$' as bigint)
                            end
                    )
                end as numbers
            from {{ series }}
        ) as numbered
    ) as lists
) as points
{% endmacro %}

{% macro snowflake__points_of_series(series, with_text) %}
select
    fetch_id,
    series,
    series_group,
    stride,
    position,
    max(case when place = 0 then number end) as minute,
    max(case when place = 1 then number end) as value,
    max(case when place = 2 then number end) as shipping,
    count(*) = stride as is_whole,
    true as may_repeat
    {%- if with_text %},
    to_json(array_agg(element) within group (order by place)) as point_text
    {%- endif %}
from (
    select
        series.fetch_id,
        series.series,
        series.series_group,
        series.stride,
        -- array_agg would leave a null out.
        coalesce(item.value, parse_json('null')) as element,
        floor(item.index / series.stride) as position,
        mod(item.index, series.stride) as place,
        {{ text_as_integer('item.value::varchar') }} as number
    from {{ series }} as series, lateral flatten(input => series.series_json, mode => 'ARRAY') as item
) as elements
group by fetch_id, series, series_group, stride, position
{% endmacro %}
