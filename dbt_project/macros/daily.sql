{# From points, which are changes, to days: every day has the value carried into it. #}

{# Cut the time between the changes of series at midnight (UTC), for the days that this model has to
   describe (`changed_days`).

   `changes`: a relation with the columns of `keys` and `values`, domain_id, asin, minute (of the Keepa
   clock) and unknown_from_minute, one row per change. `keys` are the same in every row of a series. `series`:
   the name of the series that a row of it belongs to, an expression on `changes`. Gives, per piece of a day in
   which nothing changes: keys, values, day_number (days since 2011-01-01), minutes (its length), and whether
   it is_opening (the day's first known), is_closing (runs to midnight) and is_change (begins at a change).
   After a point that was refused, up to the next change, values are null and the value `state` is unknown.
   Every day to describe has pieces, and exactly one that closes. Changes at or after the horizon wait for
   their day to be complete. #}
{% macro pieces_of_days(changes, series, keys, values) %}
select
    {{ (keys + values) | join(',\n    ') }},
    day_number,
    least(end_minute, (day_number + 1) * 1440) - greatest(minute, day_number * 1440) as minutes,
    minute <= day_number * 1440 or minute = first_minute as is_opening,
    end_minute >= (day_number + 1) * 1440 as is_closing,
    begins_at_change and minute >= day_number * 1440 as is_change
from (
    {{ with_each_integer(
        '(' ~ _known_and_unknown_spans(changes, series, keys, values) ~ ') as spans',
        keys + values + ['minute', 'first_minute', 'end_minute', 'begins_at_change'],
        'greatest(from_day, ' ~ quotient('minute', '1440') ~ ')',
        quotient('end_minute - 1', '1440'),
        'day_number'
    ) }}
) as pieces
{% endmacro %}

{# Each span between two changes, cut in two where a point in it was refused. #}
{% macro _known_and_unknown_spans(changes, series, keys, values) %}
with
-- By itself, and few: joined with the points one by one, its parts would be joined with all of them first.
days_to_describe as {{ computed_once() }} (
    select * from {{ changed_days() }} as changed
),

between_changes as {{ computed_once() }} (
    {{ _spans_between_changes(changes, series, keys, values) }}
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

{% macro _spans_between_changes(changes, series, keys, values) %}
select
    {% for column in keys + values -%}
    changes.{{ column }},
    {% endfor -%}
    changes.minute,
    changes.unknown_from_minute,
    series.first_minute,
    series.from_day,
    lead(changes.minute, 1, series.horizon_minute) over (
        partition by {% for column in keys %}changes.{{ column }}{{ ", " if not loop.last }}{% endfor %}
        order by changes.minute
    ) as end_minute
from {{ changes }} as changes
inner join days_to_describe as series
    on
        changes.domain_id = series.domain_id
        and changes.asin = series.asin
        and {{ series }} = series.series
        and changes.minute >= series.carry_minute
where changes.minute < series.horizon_minute
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

{# For models of CORE. The checks that nothing is lost on the way through STG need the quarantine: naming it
   makes dbt run them before the model, so that a red one stops the build. #}
{% macro after_the_checks_of_stg() -%}
    -- depends_on: {{ ref('stg_keepa_quarantine') }}
{%- endmacro %}
