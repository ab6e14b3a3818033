{# From points, which are changes, to days: every day has the value carried into it. #}

{# Cut the time between points at midnight (UTC).

   `points`: a relation with the columns of `keys` and `values`, minute (of the Keepa clock),
   first_minute (that of the whole series), horizon_minute (the end of the last day to describe) and
   from_day (the first day to describe); it must hold the point in force when that day begins. Gives,
   per piece of a day in which nothing changes: keys, values, day_number (days since 2011-01-01),
   minutes (its length), and whether it is_opening (the day's first known), is_closing (runs to
   midnight) and is_change (begins at a point). Every day to describe has pieces, and exactly one that
   closes. Points at or after the horizon wait for their day to be complete. #}
{% macro pieces_of_days(points, keys, values) %}
select
    {{ (keys + values) | join(',\n    ') }},
    day_number,
    least(end_minute, (day_number + 1) * 1440) - greatest(minute, day_number * 1440) as minutes,
    minute <= day_number * 1440 or minute = first_minute as is_opening,
    end_minute >= (day_number + 1) * 1440 as is_closing,
    minute >= day_number * 1440 as is_change
from (
    {{ with_each_integer(
        '(' ~ _spans_between_points(points, keys, values) ~ ') as spans',
        keys + values + ['minute', 'first_minute', 'end_minute'],
        'greatest(from_day, ' ~ quotient('minute', '1440') ~ ')',
        quotient('end_minute - 1', '1440'),
        'day_number'
    ) }}
) as pieces
{% endmacro %}

{% macro _spans_between_points(points, keys, values) %}
select
    {{ (keys + values) | join(',\n    ') }},
    minute,
    first_minute,
    from_day,
    lead(minute, 1, horizon_minute) over (
        partition by {{ keys | join(', ') }}
        order by minute
    ) as end_minute
from {{ points }}
where minute < horizon_minute
{% endmacro %}

{# The end of the last complete day that a product's fetches speak for, as a Keepa minute. #}
{% macro horizon_minute(last_as_of_date) -%}
    ({{ day_of_date(last_as_of_date) }} + 1) * 1440
{%- endmacro %}

{# The mean of an amount of at most two decimals over the minutes in which it has a value: four
   decimals, half rounded up, the same digits on every engine; null without any such minute. #}
{% macro mean_over_minutes(value, minutes='minutes') -%}
    {%- set weight = 'sum(case when ' ~ value ~ ' is not null then ' ~ minutes ~ ' else 0 end)' -%}
    {%- set total = 'sum(cast(' ~ value ~ ' * 100 as bigint) * ' ~ minutes ~ ')' -%}
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
