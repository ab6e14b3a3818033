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

{# Who holds a buy box, by Keepa's text: 0 a seller, -1 no seller, -2 a seller that Keepa
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

{# The state of a value of a series: `ok`, `none` from then on, or `unknown`. #}
{% macro point_state(value) -%}
case when {{ value }} >= 0 then 'ok' when {{ value }} = -1 then 'none' else 'unknown' end
{%- endmacro %}

{# Keepa's integer as an amount in currency units; null for its negative markers. `minor_per_unit`: 100, or 1
   for yen. #}
{% macro in_units(value, minor_per_unit) -%}
case when {{ value }} >= 0 then cast({{ value }} / {{ minor_per_unit }} as decimal(18, 2)) end
{%- endmacro %}

{# Price and shipping in currency units. Missing shipping counts as free, as in Keepa's own figures. #}
{% macro landed_in_units(price, shipping, minor_per_unit) -%}
case
    when {{ price }} >= 0
        then
            cast(
                -- Each has 32 bits, their sum may have more.
                (cast({{ price }} as bigint) + greatest(coalesce({{ shipping }}, 0), 0))
                / {{ minor_per_unit }}
                as decimal(18, 2)
            )
end
{%- endmacro %}
