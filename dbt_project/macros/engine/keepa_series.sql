{# The explode: history arrays of product objects -> series -> points. The only place that knows how
   an engine turns a JSON array into rows; what a number means is decided in portable SQL. #}

{# The fields of a product that are one history each. #}
{% macro plain_histories() -%}
    {{ return([
        'monthlySoldHistory', 'couponHistory', 'buyBoxSellerIdHistory', 'buyBoxUsedHistory'
    ]) }}
{%- endmacro %}

{# The histories that an offer has. #}
{% macro offer_histories() -%} {{ return(['offerCSV', 'stockCSV']) }} {%- endmacro %}

{# Every history of every payload.

   `payloads`: a relation (fetch_id, payload). Gives fetch_id, source_array (`csv`, `salesRanks`, a
   plain history, or a history of an offer), slot and series_json. The slot is the position in csv
   from 0, the category id or the offer id as text; empty for a plain history; null for a container
   that is itself no array or object. An offer that cannot be told from others is given whole, as
   `offers` with a slot of # and its position. A history that is absent or null gives no row. #}
{% macro histories_of_payloads(payloads) -%}
    {{ return(adapter.dispatch('histories_of_payloads')(payloads)) }}
{%- endmacro %}

{% macro duckdb__histories_of_payloads(payloads) %}
{%- set fields = ['csv', 'salesRanks', 'offers'] + plain_histories() %}
-- Each JSON function parses its text again and keeps what it parsed for a whole batch of rows: one call
-- for all collections, and all else on its results.
with containers as materialized (
    select
        fetch_id,
        parts[1] as csv,
        parts[2] as ranks,
        parts[3] as offers,
        parts[4:] as plain,
        {{ json_is('parts[1]', 'array') }} as is_list_of_slots,
        -- Null also if a name stands there twice. That is legal JSON; Snowflake refuses such a line when it
        -- is loaded.
        try_cast(parts[2] as map(varchar, json)) as rank_by_category
    from (
        select
            fetch_id,
            payload -> [{% for field in fields %}'$.{{ field }}'{{ ", " if not loop.last }}{% endfor %}] as parts
        from {{ payloads }}
    ) as parsed
),

offers as (
    {{ offers_of_payloads('(select fetch_id, offers, ' ~ json_null() ~ ' as live from containers)') }}
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
        where is_list_of_slots
    ) as csv
    union all
    select
        fetch_id,
        'salesRanks' as source_array,
        category.key as slot,
        category.value as series_json
    from (
        select
            fetch_id,
            unnest(map_entries(rank_by_category)) as category
        from containers
    ) as ranks
    union all
    select
        fetch_id,
        unnest([{% for field in plain_histories() %}'{{ field }}'{{ ", " if not loop.last }}{% endfor %}])
            as source_array,
        '' as slot,
        unnest(plain) as series_json
    from containers
    union all
    select
        fetch_id,
        unnest([{% for field in offer_histories() %}'{{ field }}'{{ ", " if not loop.last }}{% endfor %}])
            as source_array,
        slot,
        unnest(offer -> [{% for field in offer_histories() %}'$.{{ field }}'{{ ", " if not loop.last }}{% endfor %}])
            as series_json
    from offers
    where not starts_with(slot, '#')
    union all
    select fetch_id, 'offers' as source_array, slot, offer as series_json
    from offers
    where starts_with(slot, '#')
    union all
    select fetch_id, 'csv' as source_array, null as slot, csv as series_json
    from containers
    where not is_list_of_slots
    union all
    select fetch_id, 'salesRanks' as source_array, null as slot, ranks as series_json
    from containers
    where rank_by_category is null
    union all
    select fetch_id, 'offers' as source_array, null as slot, offers as series_json
    from containers
    where not {{ json_is('offers', 'array') }}
) as histories
where cast(series_json as varchar) <> 'null'
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
    {% for field in plain_histories() %}
    union all
    select fetch_id, '{{ field }}' as source_array, '' as slot, payload:{{ field }} as series_json
    from {{ payloads }}
    {% endfor %}
    {% for field in offer_histories() %}
    union all
    select fetch_id, '{{ field }}' as source_array, slot, offer:{{ field }} as series_json
    from (
        {{ offers_of_payloads('(select fetch_id, payload:offers as offers, ' ~ json_null() ~ ' as live from ' ~ payloads ~ ')') }}
    ) as offers
    where not startswith(slot, '#')
    {% endfor %}
    union all
    select fetch_id, 'offers' as source_array, slot, offer as series_json
    from (
        {{ offers_of_payloads('(select fetch_id, payload:offers as offers, ' ~ json_null() ~ ' as live from ' ~ payloads ~ ')') }}
    ) as offers
    where startswith(slot, '#')
    {% for field, type in {'csv': 'array', 'salesRanks': 'object', 'offers': 'array'}.items() %}
    union all
    select fetch_id, '{{ field }}' as source_array, null as slot, payload:{{ field }} as series_json
    from {{ payloads }}
    where not {{ json_is('payload', type, field) }}
    {% endfor %}
) as histories
where typeof(series_json) <> 'NULL_VALUE'
{% endmacro %}

{# Every offer of every product.

   `containers`: a relation (fetch_id, offers, live), the product's JSON values `offers` and
   `liveOffersOrder`. Gives fetch_id, slot (the offer's id as text; # and the position of an offer that has
   no id, none that is one, or that of an offer before it), offer (JSON) and is_live. #}
{% macro offers_of_payloads(containers) -%}
    {{ return(adapter.dispatch('offers_of_payloads')(containers)) }}
{%- endmacro %}

{% macro duckdb__offers_of_payloads(containers) %}
select
    fetch_id,
    offer,
    list_contains(live_positions, position) as is_live,
    case
        when
            {{ is_id('offer_id') }}
            and row_number() over (partition by fetch_id, offer_id order by position) = 1
            then offer_id
        else '#' || position
    end as slot
from (
    select
        fetch_id,
        position,
        offer,
        live_positions,
        {{ json_as_id('offer', 'offerId') }} as offer_id
    from (
        select
            fetch_id,
            unnest(range(len(elements))) as position,
            unnest(elements) as offer,
            live_positions
        from (
            select
                containers.fetch_id,
                cast(containers.offers as json []) as elements,
                case
                    when json_type(containers.live) = 'ARRAY'
                        then list_transform(
                            cast(containers.live as json []), lambda place: {{ json_as_integer('place') }}
                        )
                end as live_positions
            from {{ containers }} as containers
            where {{ json_is('containers.offers', 'array') }}
        ) as listed
    ) as numbered
    where json_type(offer) <> 'NULL'
) as identified
{% endmacro %}

{% macro snowflake__offers_of_payloads(containers) %}
select
    fetch_id,
    offer,
    is_live,
    case
        when
            {{ is_id('offer_id') }}
            and row_number() over (partition by fetch_id, offer_id order by position) = 1
            then offer_id
        else '#' || position::varchar
    end as slot
from (
    select
        containers.fetch_id,
        item.index as position,
        item.value as offer,
        array_contains(item.index::variant, as_array(containers.live))
        or array_contains(item.index::varchar::variant, as_array(containers.live)) as is_live,
        {{ json_as_id('item.value', 'offerId') }} as offer_id
    from {{ containers }} as containers, lateral flatten(input => containers.offers, mode => 'ARRAY') as item
    where typeof(item.value) <> 'NULL_VALUE'
) as identified
{% endmacro %}

{# Series with their arrays read once, for `written_points`: `series`, a relation (fetch_id, series,
   series_group, stride, series_json, ...), series_json a JSON array, with what the engine reads points from
   in place of series_json. `with_text` keeps the text as well. #}
{% macro numbers_of_series(series, with_text=false) -%}
    {{ return(adapter.dispatch('numbers_of_series')(series, with_text)) }}
{%- endmacro %}

{% macro duckdb__numbers_of_series(series, with_text) %}
select
    * exclude (series_json, integers),
    {% if with_text %}cast(series_json as json []) as elements,{% endif %}
    case
        when list_count(integers) = len(integers) then cast(integers as bigint [])
        else list_transform(
            cast(series_json as json []),
            lambda element: {{ json_as_integer('element') }}
        )
    end as numbers,
    case
        when {{ second_is_text() }} and not contains(cast(series_json as varchar), '.')
            then cast(series_json as varchar [])
        when {{ second_is_text() }}
            then list_transform(cast(series_json as json []), lambda element: {{ json_as_id('element') }})
    end as texts
from (
    -- Nearly every series is integers of 32 bits and nothing else, and then one cast does. It would take
    -- fractions, exponents, booleans and texts for integers; of what else there may be it makes nulls. To
    -- look for a character is a tenth of the work of a regular expression.
    select
        *,
        case
            when not (
                {%- for mark in ['.', 'e', 'E', '"'] %}
                {{ "or " if not loop.first }}contains(cast(series_json as varchar), '{{ mark }}')
                {%- endfor %}
            )
                then try_cast(series_json as integer [])
        end as integers
    from {{ series }}
) as readable
{% endmacro %}

{% macro snowflake__numbers_of_series(series, with_text) %}
select * from {{ series }}
{% endmacro %}

{# Every point of every series, as it is written.

   `series`: a relation as `numbers_of_series` gives. Gives fetch_id, series, series_group, stride and
   `columns` of it, position (of the point, from 0), minute, second, third and fourth as numbers,
   second_text, is_whole and may_repeat. A number is null if it is not an integer of at most 18 digits (integers
   written as text count) or beyond the stride; second_text is null unless `second_is_text`. A point is not
   whole if the array ends inside it. may_repeat is false only if no minute stands twice in the series, so
   that counting is not needed. With `with_text`, point_text is the JSON text of the point as it came. #}
{% macro written_points(series, columns=[], with_text=false) -%}
    {{ return(adapter.dispatch('written_points')(series, columns, with_text)) }}
{%- endmacro %}

{% macro duckdb__written_points(series, columns, with_text) %}
select
    fetch_id,
    series,
    series_group,
    stride,
    {% for column in columns %}{{ column }},
    {% endfor -%}
    position,
    numbers[position * stride + 1] as minute,
    numbers[position * stride + 2] as second,
    case when stride >= 3 then numbers[position * stride + 3] end as third,
    case when stride >= 4 then numbers[position * stride + 4] end as fourth,
    texts[position * stride + 2] as second_text,
    (position + 1) * stride <= len(numbers) as is_whole,
    may_repeat
    {%- if with_text %},
    -- One by one: a slice of the list would copy all of it for every point.
    '[' || concat_ws(
        ','
        {%- for place in range(1, 5) %},
        case
            when stride >= {{ place }} and len(elements) >= position * stride + {{ place }}
                then coalesce(cast(elements[position * stride + {{ place }}] as varchar), 'null')
        end
        {%- endfor %}
    ) || ']' as point_text
    {%- endif %}
from (
    select
        *,
        unnest(range((len(numbers) + stride - 1) // stride)) as position
    from (
        -- One level below the unnest, which would have it asked again for every point. That minutes only
        -- rise is seen a good deal faster than different ones are counted.
        select
            *,
            len(list_filter(
                range(stride + 1, len(numbers) + 1, stride),
                lambda place: not coalesce(numbers[place] > numbers[place - stride], false)
            )) > 0 as may_repeat
        from {{ series }}
    ) as lists
) as points
{% endmacro %}

{% macro snowflake__written_points(series, columns, with_text) %}
{%- set handed_on = ['fetch_id', 'series', 'series_group', 'stride'] + columns %}
select
    {% for column in handed_on %}{{ column }},
    {% endfor -%}
    position,
    max(case when place = 0 then number end) as minute,
    max(case when place = 1 then number end) as second,
    max(case when place = 2 then number end) as third,
    max(case when place = 3 then number end) as fourth,
    max(case when place = 1 and {{ second_is_text() }} then text end) as second_text,
    count(*) = stride as is_whole,
    true as may_repeat
    {%- if with_text %},
    to_json(array_agg(element) within group (order by place)) as point_text
    {%- endif %}
from (
    select
        {% for column in handed_on %}series.{{ column }},
        {% endfor -%}
        -- array_agg would leave a null out.
        coalesce(item.value, parse_json('null')) as element,
        floor(item.index / series.stride) as position,
        mod(item.index, series.stride) as place,
        {{ json_as_id('item.value') }} as text,
        {{ json_as_integer('item.value') }} as number
    from {{ series }} as series, lateral flatten(input => series.series_json, mode => 'ARRAY') as item
) as elements
group by {{ handed_on | join(', ') }}, position
{% endmacro %}
