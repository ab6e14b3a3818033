{# Instants are UTC and carry no zone on either engine. #}

{# The instant at which a Keepa minute (minutes since 2011-01-01T00:00Z) begins. #}
{% macro instant_of_minute(minute) -%}
    {{ return(adapter.dispatch('instant_of_minute')(minute)) }}
{%- endmacro %}

{% macro duckdb__instant_of_minute(minute) -%}
    timestamp '2011-01-01 00:00:00' + to_minutes({{ minute }})
{%- endmacro %}

{% macro snowflake__instant_of_minute(minute) -%}
    timestampadd(minute, {{ minute }}, '2011-01-01 00:00:00'::timestamp_ntz)
{%- endmacro %}

{# The instant at which a date ends. #}
{% macro midnight_after(date) -%}
    {{ return(adapter.dispatch('midnight_after')(date)) }}
{%- endmacro %}

{% macro duckdb__midnight_after(date) -%} cast({{ date }} + 1 as timestamp) {%- endmacro %}

{% macro snowflake__midnight_after(date) -%}
    dateadd(day, 1, {{ date }})::timestamp_ntz
{%- endmacro %}

{# The day `days` after 2011-01-01, the first day of Keepa's clock. #}
{% macro date_of_day(days) -%}
    {{ return(adapter.dispatch('date_of_day')(days)) }}
{%- endmacro %}

{% macro duckdb__date_of_day(days) -%}
    date '2011-01-01' + cast({{ days }} as integer)
{%- endmacro %}

{% macro snowflake__date_of_day(days) -%}
    dateadd(day, {{ days }}, '2011-01-01'::date)
{%- endmacro %}

{# How many days `date` lies after 2011-01-01. #}
{% macro day_of_date(date) -%}
    {{ return(adapter.dispatch('day_of_date')(date)) }}
{%- endmacro %}

{% macro duckdb__day_of_date(date) -%} date_diff('day', date '2011-01-01', {{ date }}) {%- endmacro %}

{% macro snowflake__day_of_date(date) -%} datediff(day, '2011-01-01'::date, {{ date }}) {%- endmacro %}

{# An instant or a date as text of ids. Snowflake writes them as its session is told to, unless the format
   is named. DuckDB has one form: ISO 8601 with as many decimals as are not zero; the ids of the tables that
   are there were made of it. #}
{% macro instant_as_text(instant) -%}
    {{ return(adapter.dispatch('instant_as_text')(instant)) }}
{%- endmacro %}

{% macro duckdb__instant_as_text(instant) -%} cast({{ instant }} as varchar) {%- endmacro %}

{% macro snowflake__instant_as_text(instant) -%}
    to_char({{ instant }}, 'YYYY-MM-DD HH24:MI:SS.FF6')
{%- endmacro %}

{% macro date_as_text(date) -%}
    {{ return(adapter.dispatch('date_as_text')(date)) }}
{%- endmacro %}

{% macro duckdb__date_as_text(date) -%} cast({{ date }} as varchar) {%- endmacro %}

{% macro snowflake__date_as_text(date) -%} to_char({{ date }}, 'YYYY-MM-DD') {%- endmacro %}
