{# Which segments are outdated: how the input differs from the watermark. See incremental_by_segment.sql. #}

{# The statement that keeps the difference in `outdated_segments`. Only where there is a watermark. #}
{% macro find_outdated() -%}
    {%- set queries = {
        'entity': query_of_outdated_entities,
        'series': query_of_outdated_series,
        'days': query_of_outdated_days,
    } -%}
    {{ save_state(outdated_segments(), queries[config.get('meta')['segment']]()) }}
{%- endmacro %}

{# The statements that delete the outdated rows of `target`. Joined, not by `exists`: for a correlated one DuckDB
   groups the whole table to find a few rows. #}
{% macro delete_outdated(target) -%}
    {%- set meta = config.get('meta') -%}
    {%- if meta['segment'] == 'key' -%}
    delete from {{ target }} as outdated
    where not exists (
        select 1
        from {{ relation_of('input') }} as in_force
        where
            {{ meta['input_where'] or 'true' }}
            and {{ same(meta['built_from'], 'in_force', 'outdated') }}
    );
    {%- elif not has_watermark() -%}
    delete from {{ target }};
    {%- else -%}
    delete from {{ target }} as outdated
    using {{ outdated_segments() }} as segments
    where
        {{ same(meta['entity'], 'segments', 'outdated') }}
        {%- if meta['segment'] == 'series' %}
        and outdated.series = segments.series
        {%- if meta['minute'] %}
        and outdated.{{ meta['minute'] }} >= segments.from_minute
        {%- endif %}
        {%- elif meta['segment'] == 'days' %}
        and outdated.date >= segments.from_date
        {%- if meta['series'] %}
        and {{ meta['series'] }} = segments.series
        {%- endif %}
        {%- endif %};
    {%- if meta['segment'] == 'days' and daily_history_days() %}
    delete from {{ target }}
    where date < {{ date_of_day(first_day_kept()) }};
    {%- endif %}
    {%- endif %}
{%- endmacro %}

{# --- Entities ------------------------------------------------------------------------------------ #}

{% macro query_of_outdated_entities() -%}
{%- set entity = config.get('meta')['entity'] -%}
{%- set version = config.get('meta')['version'] -%}
select
    {{ from_either(entity, 'known', 'built') }}
from ({{ state_of_input() }}) as known
full outer join {{ watermark() }} as built
    on {{ same(entity, 'known', 'built') }}
where
    known.{{ version }} is null
    or built.{{ version }} is null
    or known.{{ version }} <> built.{{ version }}
{%- endmacro %}

{# --- Series -------------------------------------------------------------------------------------- #}

{# Series whose slices come from other fetches or have another text, and from which minute on. A slice that only
   became shorter is unchanged up to its new end. #}
{% macro query_of_outdated_series() -%}
{%- set entity = config.get('meta')['entity'] -%}
{%- set series = entity + ['series'] -%}
select
    {{ series | join(',\n    ') }},
    min(from_minute) as from_minute
from (
    select
        {{ from_either(series, 'known', 'built') }},
        case
            when known.series is null then built.first_minute
            when built.series is null then known.first_minute
            else least(known.until_minute, built.until_minute)
        end as from_minute
    from ({{ state_of_input() }}) as known
    full outer join {{ watermark() }} as built
        on {{ same(series + ['first_minute', 'text_hash'], 'known', 'built') }}
    where
        known.series is null
        or built.series is null
        or known.until_minute <> built.until_minute
) as compared
group by {{ series | join(', ') }}
{%- endmacro %}

{# --- Days ---------------------------------------------------------------------------------------- #}

{# Series with days that are not built yet or no longer right, and the first of these days. If the points up to
   the last one of the last build still have its digest, the past stands, and only what came after it counts.
   `carry_minute` is the point in force when that day begins. Series that share rows
   (`meta.rows_span_series`) begin on the same day. #}
{% macro query_of_outdated_days() -%}
{%- set meta = config.get('meta') -%}
{%- set entity = meta['entity'] -%}
{%- set series = entity + ['series'] -%}
{%- set row_keys = (entity if meta['rows_span_series'] else series) | join(', ') -%}
{%- set points = relation_of('points') -%}
with states as (
    select
        {{ from_either(series, 'known', 'built') }},
        known.last_minute,
        known.horizon_minute,
        built.last_minute as built_last_minute,
        built.horizon_minute as built_horizon_minute,
        built.points_digest as built_digest,
        coalesce(known.points_digest = built.points_digest, false) as has_same_points,
        coalesce(known.horizon_minute = built.horizon_minute, false) as has_same_horizon,
        -- Days that the last build left out stand before those that it built.
        coalesce(known.first_day_kept >= built.first_day_kept, false) as goes_no_further_back
    from ({{ state_of_input() }}) as known
    full outer join {{ watermark() }} as built
        on {{ same(series, 'known', 'built') }}
),
compared as (
    select *
    from states
    qualify
        max(
            case when has_same_points and has_same_horizon and goes_no_further_back then 0 else 1 end
        ) over (partition by {{ row_keys }}) = 1
),
past as (
    select
        compared.{{ series | join(', compared.') }},
        {{ digest_of_points('points.minute <= compared.built_last_minute') }} as digest,
        min(
            case when points.minute > compared.built_last_minute then points.minute end
        ) as next_minute
    from compared
    inner join {{ points }} as points on {{ same(series, 'points', 'compared') }}
    where not compared.has_same_points
    group by compared.{{ series | join(', compared.') }}
),
begun as (
    select
        compared.*,
        case
            when not compared.goes_no_further_back then 0
            when compared.has_same_points
                then least(compared.horizon_minute, compared.built_horizon_minute)
            when past.digest = compared.built_digest
                then
                    least(
                        compared.horizon_minute,
                        compared.built_horizon_minute,
                        coalesce(past.next_minute, compared.horizon_minute)
                    )
            else 0
        end as from_minute
    from compared
    left join past on {{ same(series, 'compared', 'past') }}
),
days as (
    select
        *,
        min({{ quotient('from_minute', '1440') }}) over (partition by {{ row_keys }}) as from_day
    from begun
),
carried as (
    select
        days.{{ series | join(', days.') }},
        max(points.minute) as carry_minute
    from days
    inner join {{ points }} as points on {{ same(series, 'points', 'days') }}
    where
        days.last_minute >= days.from_day * 1440
        and points.minute < days.from_day * 1440
    group by days.{{ series | join(', days.') }}
)
select
    days.{{ series | join(',\n    days.') }},
    days.from_day,
    {{ date_of_day('days.from_day') }} as from_date,
    case
        when days.last_minute < days.from_day * 1440 then days.last_minute
        else coalesce(carried.carry_minute, 0)
    end as carry_minute,
    coalesce(days.from_day * 1440 < days.built_horizon_minute, false) as is_rewritten
from days
left join carried on {{ same(series, 'days', 'carried') }}
{%- endmacro %}
