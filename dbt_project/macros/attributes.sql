{# The attributes that models read from a product object, by path, and the type that each has. An
   attribute of another type is none, and stands in quarantine. #}
{% macro attribute_types() -%}
    {{ return({
        'productType': 'integer',
        'title': 'text',
        'brand': 'text',
        'manufacturer': 'text',
        'model': 'text',
        'partNumber': 'text',
        'color': 'text',
        'size': 'text',
        'binding': 'text',
        'productGroup': 'text',
        'parentAsin': 'text',
        'categoryTree': 'array',
        'categoryTree[0].name': 'text',
        'variations': 'array',
        'videos': 'array',
        'aPlus': 'array',
        'rootCategory': 'integer',
        'availabilityAmazon': 'integer',
        'trackingSince': 'integer',
        'listedSince': 'integer',
        'lastUpdate': 'integer',
    }) }}
{%- endmacro %}

{# The top-level fields in which they stand. #}
{% macro attribute_fields() -%}
    {%- set fields = [] -%}
    {%- for path in attribute_types() if '[' not in path -%}
    {%- do fields.append(path) -%}
    {%- endfor -%}
    {{ return(fields) }}
{%- endmacro %}

{# True if the attribute is there, but of another type. #}
{% macro attribute_is_refused(payload, path, type) -%}
    {%- if type == 'integer' -%}
    {{ json_text(payload, path) }} is not null
    and {{ text_as_integer(json_text(payload, path)) }} is null
    {%- else -%}
    {{ json_text(payload, path) }} is not null
    and not {{ json_is(payload, 'string' if type == 'text' else type, path) }}
    {%- endif -%}
{%- endmacro %}

{# How many attributes of a payload are refused. #}
{% macro refused_attribute_count(payload) -%}
    {%- for path, type in attribute_types().items() -%}
    {{ "+ " if not loop.first -}}
    case when {{ attribute_is_refused(payload, path, type) }} then 1 else 0 end
    {% endfor -%}
{%- endmacro %}

{# One row per refused attribute of `payloads` (fetch_id, payload): fetch_id, attribute, reason and
   raw_text. #}
{% macro refused_attributes(payloads) -%}
    {%- for path, type in attribute_types().items() -%}
    {{ "union all" if not loop.first }}
    select
        fetch_id,
        '{{ path }}' as attribute,
        'attribute_not_{{ 'an_' if type != 'text' }}{{ type }}' as reason,
        {{ json_text('payload', path) }} as raw_text
    from {{ payloads }}
    where {{ attribute_is_refused('payload', path, type) }}
    {% endfor -%}
{%- endmacro %}

{# A text attribute; null if absent, no text, or blank: all of them mean that there is none. #}
{% macro text_or_none(payload, path) -%}
nullif(trim({{ json_string(payload, path) }}), '')
{%- endmacro %}

{# The instant of a minute; null for 0 and -1, Keepa's "never" and "unknown", and for damage. #}
{% macro instant_or_none(minute) -%}
case
    when {{ minute }} between 1 and {{ keepa_largest_integer() }}
        then {{ instant_of_minute(minute) }}
end
{%- endmacro %}
