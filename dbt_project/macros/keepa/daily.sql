{# From points, which are changes, to days: every day has the value carried into it. #}

{# Cut the time between the changes of series at midnight (UTC), for the days that this model has to
   describe (`outdated_days`).

   `points`: a relation with the columns of `keys` and `values`, domain_id, asin, minute (of the Keepa
   clock) and unknown_from_minute, one row per change. `keys` are the same in every row of a series. `series`:
   the name of the series that a row of it belongs to, an expression on `points`. Gives, per piece of a day in
   which nothing changes: keys, values, day_number (days since 2011-01-01), minutes (its length), and whether
   it is_opening (the day's first known), is_closing (runs to midnight) and is_change (begins at a change).
   After a point that was refused, up to the next change, values are null and the value `state` is unknown.
   Every day to describe has pieces, and exactly one that closes. Changes at or after the horizon wait for
   their day to be complete. #}
{% macro pieces_of_days(points, series, keys, values) %}
{#- The materialization reads the points; dbt must see that when it parses. -#}
{%- if not execute -%} {%- do ref('stg_keepa_point') -%} {%- endif -%}
select
    {{ (keys + values) | join(',\n    ') }},
    day_number,
    least(end_minute, (day_number + 1) * 1440) - greatest(minute, day_number * 1440) as minutes,
    minute <= day_number * 1440 or minute = first_minute as is_opening,
    end_minute >= (day_number + 1) * 1440 as is_closing,
    begins_at_change and minute >= day_number * 1440 as is_change
from (
    {{ with_each_integer(
        '(' ~ _known_and_unknown_spans(points, series, keys, values) ~ ') as spans',
        keys + values + ['minute', 'first_minute', 'end_minute', 'begins_at_change'],
        'greatest(from_day, ' ~ quotient('minute', '1440') ~ ')',
        quotient('end_minute - 1', '1440'),
        'day_number'
    ) }}
) as pieces
{% endmacro %}

{# Each span between two changes, cut in two where a point in it was refused. #}
{% macro _known_and_unknown_spans(points, series, keys, values) %}
with
-- By itself, and few: joined with the points one by one, its parts would be joined with all of them first.
days_to_describe as {{ computed_once() }} (
    select * from {{ outdated_days() }} as changed
),

between_changes as {{ computed_once() }} (
    {{ _spans_between_changes(points, series, keys, values) }}
),

cut as (
    select
        {{ (keys + values + ['first_minute', 'from_day', 'minute']) | join(',\n        ') }},
        least(end_minute, coalesce(unknown_from_minute, end_minute)) as end_minute,
        true as begins_at_change
    from between_changes
    union all
    select
        {{ keys | join(',\n        ') }},
        {% for column in values -%}
        {% if column == 'state' %}'unknown'{% else %}null{% endif %} as {{ column }},
        {% endfor -%}
        first_minute,
        from_day,
        unknown_from_minute as minute,
        end_minute,
        -- A point that another of its minute makes unknown holds for no time.
        unknown_from_minute = minute as begins_at_change
    from between_changes
    where unknown_from_minute < end_minute
)

select * from cut
where minute < end_minute and end_minute > from_day * 1440
{% endmacro %}

{% macro _spans_between_changes(points, series, keys, values) %}
select
    {% for column in keys + values -%}
    points.{{ column }},
    {% endfor -%}
    points.minute,
    points.unknown_from_minute,
    series.first_minute,
    series.from_day,
    lead(points.minute, 1, series.horizon_minute) over (
        partition by {% for column in keys %}points.{{ column }}{{ ", " if not loop.last }}{% endfor %}
        order by points.minute
    ) as end_minute
from {{ points }} as points
inner join days_to_describe as series
    on
        points.domain_id = series.domain_id
        and points.asin = series.asin
        and {{ series }} = series.series
        and points.minute >= series.carry_minute
where points.minute < series.horizon_minute
{% endmacro %}

{# The end of an as-of day, as a Keepa minute. #}
{% macro horizon_minute(last_as_of_date) -%}
    ({{ day_of_date(last_as_of_date) }} + 1) * 1440
{%- endmacro %}

{# The mean of an amount of at most two decimals over the minutes in which it has a value: four
   decimals, half rounded up, the same digits on every engine; null without any such minute. #}
{% macro mean_over_minutes(value, minutes='minutes') -%}
    {%- set weight = 'sum(case when ' ~ value ~ ' is not null then ' ~ minutes ~ ' else 0 end)' -%}
    {%- set total = 'sum(cast(cast(' ~ value ~ ' as decimal(18, 2)) * 100 as bigint) * ' ~ minutes ~ ')' -%}
    cast(
        cast(
            {{ quotient(
                '200 * ' ~ total ~ ' + ' ~ weight,
                'nullif(2 * ' ~ weight ~ ', 0)'
            ) }} as decimal(18, 0)
        ) * 0.0001 as decimal(18, 4)
    )
{%- endmacro %}

{# Minutes as a part of the day, in percent: four decimals, half rounded up, the same digits on every
   engine. #}
{% macro share_of_day(minutes) -%}
    cast(
        cast({{ quotient('2000000 * ' ~ minutes ~ ' + 1440', '2880') }} as decimal(18, 0)) * 0.0001
        as decimal(18, 4)
    )
{%- endmacro %}

{# How many days the daily tables go back, as text; empty if to the first point. #}
{% macro daily_history_days() -%} {{ return(env_var('VP_DAILY_HISTORY_DAYS', '')) }} {%- endmacro %}

{# The first day that the daily tables describe, in days since 2011-01-01. It counts back from
   the newest as-of day of all products, so that it depends on the set of fetches alone. #}
{% macro first_day_kept() -%}
{#- Also while dbt parses, so that it sees what is read. -#}
{%- if daily_history_days() or not execute -%}
(
    select max({{ day_of_date('newest.last_as_of_date') }}) + 1 - {{ daily_history_days() | int }}
    from {{ ref('stg_keepa_history') }} as newest
)
{%- else -%}
0
{%- endif -%}
{%- endmacro %}

{# The state of the series of `meta.series_groups`: a daily model's watermark. #}
{% macro state_of_days() -%}
select {{ columns_of_state(config.get('meta')) | join(', ') }}
from (
    select
        *,
        {{ first_day_kept() }} as first_day_kept
    from {{ relation_of('input') }}
) as series
where series_group in ('{{ config.get('meta')['series_groups'] | join("', '") }}')
{%- endmacro %}

{# A relation of the series to describe: the columns of core_keepa_series, from_day (the first day to
   describe, in days since 2011-01-01) and carry_minute (no earlier point is needed for it). #}
{% macro outdated_days() -%}
(
    select
        series.domain_id,
        series.asin,
        series.series,
        series.first_minute,
        series.horizon_minute,
        {% if has_watermark() -%}
        greatest(outdated.from_day, {{ first_day_kept() }}) as from_day,
        outdated.carry_minute
        {%- else -%}
        {{ first_day_kept() }} as from_day,
        0 as carry_minute
        {%- endif %}
    from {{ ref('core_keepa_series') }} as series
    {% if has_watermark() -%}
    inner join {{ outdated_segments() }} as outdated
        on {{ same(['domain_id', 'asin', 'series'], 'series', 'outdated') }}
    {%- endif %}
)
{%- endmacro %}
