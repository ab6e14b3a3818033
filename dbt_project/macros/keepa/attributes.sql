{# The attributes that models read, by the pattern of their path ([] is any element of a list), and the
   type that each has. A value of another type, or beyond the range of its own, is none in every table and
   stands in quarantine.

   text     a JSON string
   boolean  true or false
   integer  of 32 bits, as Keepa's own client reads it
   id       of at most 18 digits; 0, -1 and the largest long are none
   minute   of Keepa's clock, also before it began; 0, -1 and -2 are none. Amazon lists some products since
            before 2011
   place    a position in a list, from 0
   array, object #}
{% macro product_attributes() -%}
    {%- set types = {
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
        'rootCategory': 'id',
        'availabilityAmazon': 'integer',
        'trackingSince': 'minute',
        'listedSince': 'minute',
        'lastUpdate': 'minute',
        'offersSuccessful': 'boolean',
        'liveOffersOrder': 'array',
        'liveOffersOrder[]': 'place',
        'categoryTree': 'array',
        'categoryTree[]': 'object',
        'categoryTree[].catId': 'id',
        'categoryTree[].name': 'text',
        'variations': 'array',
        'variations[]': 'object',
        'variations[].asin': 'text',
        'variations[].image': 'text',
        'variations[].attributes': 'array',
        'videos': 'array',
        'videos[]': 'object',
        'videos[].url': 'text',
        'videos[].title': 'text',
        'videos[].name': 'text',
        'videos[].creator': 'text',
        'videos[].image': 'text',
        'videos[].duration': 'integer',
        'aPlus': 'array',
        'aPlus[]': 'object',
        'aPlus[].fromManufacturer': 'boolean',
        'aPlus[].module': 'array',
        'aPlus[].module[]': 'object',
    } -%}
    {%- for field in ['text', 'image', 'imageAltText', 'video', 'asin'] -%}
    {%- do types.update({
        'aPlus[].module[].' ~ field: 'array',
        'aPlus[].module[].' ~ field ~ '[]': 'text',
    }) -%}
    {%- endfor -%}
    {{ return(types) }}
{%- endmacro %}

{# Those of an offer. #}
{% macro offer_attributes() -%}
    {{ return({
        'sellerId': 'text',
        'condition': 'integer',
        'lastSeen': 'minute',
        'minOrderQty': 'integer',
        'isPrime': 'boolean',
        'isFBA': 'boolean',
        'isMAP': 'boolean',
        'isShippable': 'boolean',
        'isPreorder': 'boolean',
        'isPrimeExcl': 'boolean',
        'shipsFromChina': 'boolean',
        'isAmazon': 'boolean',
        'isWarehouseDeal': 'boolean',
    }) }}
{%- endmacro %}

{# The top-level fields in which attributes stand. #}
{% macro attribute_fields(types) -%}
    {{ return(_members_at(types, 0)) }}
{%- endmacro %}

{# --- Reading one: none if it is refused -------------------------------------------------------- #}

{# A text attribute; null also if it is blank. #}
{% macro text_or_none(payload, path) -%}
nullif(trim({{ json_string(payload, path) }}), '')
{%- endmacro %}

{# An attribute of the type integer. #}
{% macro integer_or_none(payload, path) -%}
case
    when {{ _is_in_range(json_as_integer(payload, path), 'integer') }}
        then {{ json_as_integer(payload, path) }}
end
{%- endmacro %}

{# An attribute of the type id. #}
{% macro id_or_none(payload, path) -%}
case
    when {{ json_as_integer(payload, path) }} > 0
        then {{ json_as_integer(payload, path) }}
end
{%- endmacro %}

{# An attribute of the type minute. #}
{% macro minute_or_none(payload, path) -%}
case
    when
        {{ _is_in_range(json_as_integer(payload, path), 'minute') }}
        and {{ json_as_integer(payload, path) }} not in (0, -1, -2)
        then {{ json_as_integer(payload, path) }}
end
{%- endmacro %}

{% macro _is_in_range(number, type) -%}
    {%- set ranges = {
        'integer': (-2147483647, keepa_largest_integer()),
        'minute': (keepa_earliest_minute(), keepa_largest_integer()),
        'place': (0, keepa_largest_integer()),
        'id': (-1, 999999999999999999),
    } -%}
    {{ number }} between {{ ranges[type][0] }} and {{ ranges[type][1] }}
{%- endmacro %}

{# --- What a fetch does not state ----------------------------------------------------------------- #}

{# The attributes that every answer has, even if null: one without such a key states nothing about it. #}
{% macro attributes_always_sent() -%}
    {{ return([
        'title', 'brand', 'manufacturer', 'model', 'partNumber', 'color', 'size', 'binding', 'productGroup',
        'parentAsin', 'rootCategory', 'availabilityAmazon', 'categoryTree'
    ]) }}
{%- endmacro %}

{# Those that every offer has. #}
{% macro offer_attributes_always_sent() -%}
    {{ return(offer_attributes().keys() | reject('equalto', 'minOrderQty') | list) }}
{%- endmacro %}

{# The fields in which something was refused, by `keys`, for the rows of `refused`, a relation as
   `refused_attributes` gives: keys, refused_attribute_count and refused_fields (as `absent_members` writes
   them). #}
{% macro refusals_by_field(refused, keys) %}
select
    {{ keys | join(',\n    ') }},
    sum(refused_count) as refused_attribute_count,
    {{ joined_in_order('field') }} || ',' as refused_fields
from (
    select
        {{ keys | join(',\n        ') }},
        split_part(split_part(attribute, '.', 1), '[', 1) as field,
        count(*) as refused_count
    from ({{ refused }}) as refused
    group by {{ keys | join(', ') }}, field
) as by_field
group by {{ keys | join(', ') }}
{% endmacro %}

{# True if a field is among those that `absent_fields` or `refused_fields` names. #}
{% macro is_among(fields, field) -%}
    coalesce(contains(',' || {{ fields }}, ',{{ field }},'), false)
{%- endmacro %}

{# The columns that fetches state about a product, each with the field that states it and its type. #}
{% macro product_columns() -%}
    {{ return({
        'parent_asin': ('parentAsin', 'varchar'),
        'root_category_id': ('rootCategory', 'bigint'),
        'title': ('title', 'varchar'),
        'brand': ('brand', 'varchar'),
        'manufacturer': ('manufacturer', 'varchar'),
        'model': ('model', 'varchar'),
        'part_number': ('partNumber', 'varchar'),
        'color': ('color', 'varchar'),
        'size': ('size', 'varchar'),
        'binding': ('binding', 'varchar'),
        'product_group': ('productGroup', 'varchar'),
        'root_category_name': ('categoryTree', 'varchar'),
        'availability_amazon': ('availabilityAmazon', 'bigint'),
    }) }}
{%- endmacro %}

{# Those that fetches state about an offer. #}
{% macro offer_columns() -%}
    {{ return({
        'seller_id': ('sellerId', 'varchar'),
        'condition_id': ('condition', 'bigint'),
        'min_order_quantity': ('minOrderQty', 'bigint'),
        'last_seen_minute': ('lastSeen', 'bigint'),
        'is_prime': ('isPrime', 'boolean'),
        'is_fba': ('isFBA', 'boolean'),
        'is_map': ('isMAP', 'boolean'),
        'is_shippable': ('isShippable', 'boolean'),
        'is_preorder': ('isPreorder', 'boolean'),
        'is_prime_exclusive': ('isPrimeExcl', 'boolean'),
        'is_shipped_from_china': ('shipsFromChina', 'boolean'),
        'is_amazon': ('isAmazon', 'boolean'),
        'is_warehouse_deal': ('isWarehouseDeal', 'boolean'),
    }) }}
{%- endmacro %}

{# The last stated value of each of `columns` (a mapping as `product_columns`), as a select list.

   A fetch that lacks a field, or whose value was refused, states nothing about it; a null field states
   an empty value. Each stated value is prefixed with the number of its fetch, so that the
   greatest text is the last value. `over`: the window to look back through, if the query does not group.
   Columns in scope: answer_number, absent_fields, refused_fields and `columns`. #}
{% macro last_stated(columns, over='') -%}
    {%- for column, (field, type) in columns.items() %}
cast(
    nullif(
        substr(
            max(
                case
                    when
                        {{ column }} is not null
                        or not (
                            {{ is_among('absent_fields', field) }}
                            or {{ is_among('refused_fields', field) }}
                        )
                        then
                            lpad(cast(answer_number as varchar), 9, '0')
                            || coalesce(cast({{ column }} as varchar), '')
                end
            ) {{ over }},
            10
        ),
        ''
    ) as {{ type }}
) as {{ column }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# --- Finding those that are refused ------------------------------------------------------------- #}

{# One row per refused attribute of `objects`, a relation of `keys` and payload (a JSON object): keys,
   attribute (its path, with positions), reason and raw_text. Reads level by level, and only what is in
   `types`: lists can be long, and histories of offers are. #}
{% macro refused_attributes(objects, keys, types) -%}
    {%- set columns = keys | join(', ') -%}
    {%- set depths = range(_depth_of(types) + 1) -%}
with
{% for depth in depths %}
members_{{ depth }} as {{ computed_once() }} (
    select
        {{ columns }},
        {{ "name" if depth == 0 else "path || '.' || name" }} as path,
        {{ "name" if depth == 0 else "pattern || '.' || name" }} as pattern,
        value
    from (
        {% if depth == 0 -%}
        {{ members_of(objects, keys, _members_at(types, 0)) }}
        {%- else -%}
        {{ members_of(
            _values_of_type('elements_' ~ (depth - 1), columns, types, 'object'),
            keys + ['path', 'pattern'],
            _members_at(types, depth),
        ) }}
        {%- endif %}
    ) as members
),
elements_{{ depth }} as {{ computed_once() }} (
    select
        {{ columns }},
        path || '[' || position || ']' as path,
        pattern || '[]' as pattern,
        element as value
    from (
        {{ elements_of(
            _values_of_type('members_' ~ depth, columns, types, 'array'),
            keys + ['path', 'pattern'],
        ) }}
    ) as elements
),
{% endfor %}
given as (
    {% for depth in depths -%}
    {{ "union all" if not loop.first }}
    select * from members_{{ depth }}
    union all
    select * from elements_{{ depth }}
    {% endfor %}
),
typed as (
    select
        *,
        case
            {% for type in types.values() | unique -%}
            when pattern in ({{ _patterns_of(types, type) }}) then '{{ type }}'
            {% endfor %}
        end as type
    from given
),
numbered as (
    select
        *,
        case
            when type in ('integer', 'id', 'minute', 'place') then {{ json_as_integer('value') }}
        end as number
    from typed
    -- All others are of objects that are not read.
    where type is not null
),
judged as (
    select
        *,
        case
            when type = 'text' and not {{ json_is('value', 'string') }} then 'attribute_not_text'
            when type = 'array' and not {{ json_is('value', 'array') }} then 'attribute_not_an_array'
            when type = 'object' and not {{ json_is('value', 'object') }} then 'attribute_not_an_object'
            when type = 'boolean' and {{ json_text('value') }} not in ('true', 'false') then 'attribute_not_boolean'
            when type = 'id' and {{ json_as_id('value') }} in ({{ unknown_ids() }}) then null
            when type in ('integer', 'id', 'minute', 'place') and number is null
                then 'attribute_not_an_integer'
            {% for type in ['integer', 'id', 'minute', 'place'] -%}
            when type = '{{ type }}' and not {{ _is_in_range('number', type) }}
                then 'attribute_out_of_range'
            {% endfor %}
        end as reason
    from numbered
)
select
    {{ columns }},
    path as attribute,
    reason,
    {{ json_text('value') }} as raw_text
from judged
where reason is not null
{%- endmacro %}

{% macro _depth_of(types) -%}
    {%- set depths = [] -%}
    {%- for pattern in types -%}{%- do depths.append(pattern.count('.')) -%}{%- endfor -%}
    {{ return(depths | max) }}
{%- endmacro %}

{# The names of the members of objects at that depth, whatever the objects are. #}
{% macro _members_at(types, depth) -%}
    {%- set names = [] -%}
    {%- for pattern in types if pattern.count('.') == depth and not pattern.endswith('[]') -%}
    {%- do names.append(pattern.split('.')[-1]) -%}
    {%- endfor -%}
    {{ return(names | unique | list) }}
{%- endmacro %}

{# Those of the values at a level that should be of a type that holds others. #}
{% macro _values_of_type(level, columns, types, type) -%}
    {%- set patterns = _patterns_of(types, type) -%}
    (
        select
            {{ columns }},
            path,
            pattern,
            value as payload
        from {{ level }}
        where pattern in ({{ patterns }})
    )
{%- endmacro %}

{% macro _patterns_of(types, type) -%}
    {%- set patterns = [] -%}
    {%- for pattern in types if types[pattern] == type -%}{%- do patterns.append(pattern) -%}{%- endfor -%}
    '{{ patterns | join("', '") }}'
{%- endmacro %}
