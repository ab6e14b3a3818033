{# Series and days are kept, not rebuilt: a build writes what its input says anew and leaves the rest.

   A model with `incremental_strategy='replace_changed'` remembers beside itself, in MONITORING.BUILT_<model>,
   the state of its input at its last build. Its pre-hook compares that with the state now and writes what
   differs, and from where on, into MONITORING.CHANGES_OF_<model>. The model reads its input for these
   changes only; rows that they outdate (`meta.outdates`, conditions on `changes` and `outdated`) are
   deleted and the model's rows inserted. The post-hook then remembers the new state. It comes last, so a
   build that died is made up for by the next one, which finds the same changes and replaces what the dead one
   wrote. A model whose memory is gone makes all of its rows anew. States compared are of content, so tables
   depend on the set of fetches and equal a full refresh. #}

{# True if this build goes on from an earlier one that is remembered. #}
{% macro is_continued() -%}
    {{ return(is_incremental() and load_relation(built_state()) is not none) }}
{%- endmacro %}

{% macro built_state() -%}
    {{ return(_beside('BUILT_')) }}
{%- endmacro %}

{% macro changes() -%}
    {{ return(_beside('CHANGES_OF_')) }}
{%- endmacro %}

{% macro _beside(prefix) -%}
    {{ return(api.Relation.create(
        database=this.database, schema=monitoring_schema(), identifier=prefix ~ (this.identifier | upper)
    )) }}
{%- endmacro %}

{# Post-hook: the state that this build was made from. #}
{% macro remember(state) -%}
    create or replace {{ transient_table() }} {{ built_state() }} as
    {{ state }}
{%- endmacro %}

{# dbt's hook for `incremental_strategy='replace_changed'`. #}
{% macro get_incremental_replace_changed_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
    {%- set statements -%}
    {#- Joined: as a correlated `exists`, DuckDB groups the whole table to find these few rows. #}
    delete from {{ arguments['target_relation'] }} as outdated
    {%- if is_continued() %}
    using {{ changes() }} as changes
    where
        changes.domain_id = outdated.domain_id
        and changes.asin = outdated.asin
        {% for condition in config.get('meta')['outdates'] -%}
        and {{ condition }}
        {% endfor %}
    {%- if 'series_groups' in config.get('meta') and daily_history_days() %};
    delete from {{ arguments['target_relation'] }} as outdated
    where outdated.date < {{ date_of_day(first_day_kept()) }}
    {%- endif %}
    {%- endif %};
    insert into {{ arguments['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arguments['temp_relation'] }};
    {%- endset -%}
    {{ return(in_one_transaction(statements)) }}
{%- endmacro %}

{# --- Products whose fetches changed ------------------------------------------------------------- #}

{% macro products_known() -%}
select
    domain_id,
    asin,
    history_version
from {{ ref('stg_keepa_history') }}
{%- endmacro %}

{# Pre-hook: products with another set of fetches than at the last build. #}
{% macro find_changed_products() -%}
{%- if is_continued() -%}
create or replace {{ transient_table() }} {{ changes() }} as
select
    coalesce(known.domain_id, built.domain_id) as domain_id,
    coalesce(known.asin, built.asin) as asin
from ({{ products_known() }}) as known
full outer join {{ built_state() }} as built
    on known.domain_id = built.domain_id and known.asin = built.asin
where
    known.asin is null
    or built.asin is null
    or known.history_version <> built.history_version
{%- endif -%}
{%- endmacro %}

{# A relation (domain_id, asin): the products to read. #}
{% macro changed_products() -%}
{%- if is_continued() -%} {{ changes() }} {%- else -%} {{ ref('stg_keepa_history') }} {%- endif -%}
{%- endmacro %}

{# --- Series whose slices changed ---------------------------------------------------------------- #}

{% macro slices_known() -%}
select
    domain_id,
    asin,
    series,
    first_minute,
    until_minute,
    text_hash
from {{ ref('stg_keepa_slice') }}
{%- endmacro %}

{# Pre-hook: series of which other fetches speak now, or other words, and from which minute on. A slice
   that only became shorter is as it was up to its new end. #}
{% macro find_changed_slices() -%}
{%- if is_continued() -%}
create or replace {{ transient_table() }} {{ changes() }} as
{{ differing_slices() }}
{%- endif -%}
{%- endmacro %}

{% macro differing_slices() -%}
select
    domain_id,
    asin,
    series,
    min(from_minute) as from_minute
from (
    select
        coalesce(known.domain_id, built.domain_id) as domain_id,
        coalesce(known.asin, built.asin) as asin,
        coalesce(known.series, built.series) as series,
        case
            when known.asin is null then built.first_minute
            when built.asin is null then known.first_minute
            else least(known.until_minute, built.until_minute)
        end as from_minute
    from ({{ slices_known() }}) as known
    full outer join {{ built_state() }} as built
        on
            known.domain_id = built.domain_id
            and known.asin = built.asin
            and known.series = built.series
            and known.first_minute = built.first_minute
            and known.text_hash = built.text_hash
    where
        known.asin is null
        or built.asin is null
        or known.until_minute <> built.until_minute
) as compared
group by domain_id, asin, series
{%- endmacro %}

{# A relation (domain_id, asin, series, from_minute): the series to read, and from where on. Before the
   pre-hook has found them, only a comparison `by_query` tells. #}
{% macro changed_slices(by_query=false) -%}
{%- if is_continued() and by_query -%}
    ({{ differing_slices() }})
{%- elif is_continued() -%}
    {{ changes() }}
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

{# The slices to read for `changed`, a relation as `changed_slices` gives, and from which minute on. #}
{% macro slices_to_read(changed) %}
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
    greatest(slices.first_minute, changed.from_minute) as from_minute
from {{ ref('stg_keepa_slice') }} as slices
inner join {{ changed }} as changed
    on
        slices.domain_id = changed.domain_id
        and slices.asin = changed.asin
        and slices.series = changed.series
where slices.until_minute > changed.from_minute
{% endmacro %}

{# --- Series whose days changed ------------------------------------------------------------------ #}

{# The state of a series, as a daily model remembers it. #}
{% macro columns_of_series_known() -%}
    {{ return([
        'domain_id', 'asin', 'series', 'points_digest', 'last_minute', 'horizon_minute', 'first_day_kept'
    ]) }}
{%- endmacro %}

{# The state of the series of the model's `meta.series_groups`. #}
{% macro series_known() -%}
select {{ columns_of_series_known() | join(', ') }}
from (
    select
        *,
        {{ first_day_kept() }} as first_day_kept
    from {{ ref('core_keepa_series') }}
) as series
where
    series_group in (
        {% for group in config.get('meta')['series_groups'] %}'{{ group }}'{{ ", " if not loop.last }}{% endfor %}
    )
{%- endmacro %}

{# Pre-hook: series with days that are not described yet, or not any more as they should be, and the first
   of these days. The points up to the last one known at the last build tell (by their digest) whether the
   past still stands; then only what came after it counts. `carry_minute` is the point in force when that
   day begins. Where several series share a row (`meta.rows_span_series`), they begin together. #}
{% macro find_changed_days() -%}
{#- Outside of the condition, for dbt to see it when it parses. -#}
{%- set points_in_force = ref('stg_keepa_point') -%}
{%- if is_continued() -%}
{%- set row_keys = 'domain_id, asin' if config.get('meta')['rows_span_series'] else 'domain_id, asin, series' -%}
{%- set same_series -%}
    points.domain_id = compared.domain_id
    and points.asin = compared.asin
    and points.series = compared.series
{%- endset -%}
create or replace {{ transient_table() }} {{ changes() }} as
with states as (
    select
        coalesce(known.domain_id, built.domain_id) as domain_id,
        coalesce(known.asin, built.asin) as asin,
        coalesce(known.series, built.series) as series,
        known.last_minute,
        known.horizon_minute,
        built.last_minute as built_last_minute,
        built.horizon_minute as built_horizon_minute,
        built.points_digest as built_digest,
        coalesce(known.points_digest = built.points_digest, false) as has_same_points,
        coalesce(known.horizon_minute = built.horizon_minute, false) as has_same_horizon,
        -- Days that were left out at the last build stand before those that it described.
        coalesce(known.first_day_kept >= built.first_day_kept, false) as goes_no_further_back
    from ({{ series_known() }}) as known
    full outer join {{ built_state() }} as built
        on
            known.domain_id = built.domain_id
            and known.asin = built.asin
            and known.series = built.series
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
        compared.domain_id,
        compared.asin,
        compared.series,
        {{ digest_of_points('points.minute <= compared.built_last_minute') }} as digest,
        min(
            case when points.minute > compared.built_last_minute then points.minute end
        ) as next_minute
    from compared
    inner join {{ points_in_force }} as points on {{ same_series }}
    where not compared.has_same_points
    group by compared.domain_id, compared.asin, compared.series
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
    left join past
        on
            compared.domain_id = past.domain_id
            and compared.asin = past.asin
            and compared.series = past.series
),
days as (
    select
        *,
        min({{ quotient('from_minute', '1440') }}) over (partition by {{ row_keys }}) as from_day
    from begun
),
carried as (
    select
        compared.domain_id,
        compared.asin,
        compared.series,
        max(points.minute) as carry_minute
    from days as compared
    inner join {{ points_in_force }} as points on {{ same_series }}
    where
        compared.last_minute >= compared.from_day * 1440
        and points.minute < compared.from_day * 1440
    group by compared.domain_id, compared.asin, compared.series
)
select
    days.domain_id,
    days.asin,
    days.series,
    days.from_day,
    {{ date_of_day('days.from_day') }} as from_date,
    case
        when days.last_minute < days.from_day * 1440 then days.last_minute
        else coalesce(carried.carry_minute, 0)
    end as carry_minute,
    coalesce(days.from_day * 1440 < days.built_horizon_minute, false) as is_rewritten
from days
left join carried
    on
        days.domain_id = carried.domain_id
        and days.asin = carried.asin
        and days.series = carried.series
{%- endif -%}
{%- endmacro %}

{# How many days the daily tables go back, as text; empty if to the first point. #}
{% macro daily_history_days() -%} {{ return(env_var('VP_DAILY_HISTORY_DAYS', '')) }} {%- endmacro %}

{# The first day that the daily tables describe, in days since 2011-01-01. The newest as-of day of all
   products tells, so that it depends on the set of fetches alone. #}
{% macro first_day_kept() -%}
{#- Also when dbt parses, for it to see what is read. -#}
{%- if daily_history_days() or not execute -%}
(
    select max({{ day_of_date('newest.last_as_of_date') }}) + 1 - {{ daily_history_days() | int }}
    from {{ ref('stg_keepa_history') }} as newest
)
{%- else -%}
0
{%- endif -%}
{%- endmacro %}

{# A relation of the series to describe: the columns of core_keepa_series, from_day (the first day to
   describe, in days since 2011-01-01) and carry_minute (no earlier point is needed for it). #}
{% macro changed_days() -%}
(
    select
        series.domain_id,
        series.asin,
        series.series,
        series.first_minute,
        series.horizon_minute,
        {% if is_continued() -%}
        greatest(changes.from_day, {{ first_day_kept() }}) as from_day,
        changes.carry_minute
        {%- else -%}
        {{ first_day_kept() }} as from_day,
        0 as carry_minute
        {%- endif %}
    from {{ ref('core_keepa_series') }} as series
    {% if is_continued() -%}
    inner join {{ changes() }} as changes
        on
            series.domain_id = changes.domain_id
            and series.asin = changes.asin
            and series.series = changes.series
    {%- endif %}
)
{%- endmacro %}

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
