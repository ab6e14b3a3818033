{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['fetch_id'],
            'input': 'stg_keepa_newest_content',
            'input_where': "in_force.content = 'aPlus'",
            'has_empty_keys': True,
        },
    )
}}

with

{{ content_elements('aPlus') }},

contents as (

    select
        fetch_id,
        domain_id,
        asin,
        fetched_at,
        position as aplus_position,
        {{ json_boolean('element', 'fromManufacturer') }} as is_from_manufacturer,
        element as payload
    from elements

),

modules as (

    select
        fetch_id,
        domain_id,
        asin,
        fetched_at,
        is_from_manufacturer,
        aplus_position,
        position as module_position,
        element as payload
    from (
        {{ elements_of(
            'contents',
            [
                'fetch_id',
                'domain_id',
                'asin',
                'fetched_at',
                'is_from_manufacturer',
                'aplus_position',
            ],
            'module',
        ) }}
    ) as numbered_modules

),

assets as (

    {% for asset_type, field in [
        ('text', 'text'),
        ('image', 'image'),
        ('video', 'video'),
        ('asin', 'asin'),
        ('alt_text', 'imageAltText'),
    ] %}
    {{ "union all" if not loop.first }}
    select
        fetch_id,
        domain_id,
        asin,
        fetched_at,
        is_from_manufacturer,
        aplus_position,
        module_position,
        position,
        '{{ asset_type }}' as asset_type,
        nullif(trim({{ json_scalar('element') }}), '') as asset
    from (
        {{ elements_of(
            'modules',
            [
                'fetch_id',
                'domain_id',
                'asin',
                'fetched_at',
                'is_from_manufacturer',
                'aplus_position',
                'module_position',
            ],
            field,
        ) }}
    ) as assets_of_type
    {% endfor %}

),

final as (

    select
        -- ids
        assets.domain_id,
        assets.asin,
        assets.aplus_position,
        assets.module_position,
        assets.asset_type,
        assets.position,
        assets.fetch_id,

        -- attributes
        assets.asset,
        -- A picture's description stands at the same place of a list of its own.
        case when assets.asset_type = 'image' then counterparts.asset end as alt_text,

        -- booleans
        assets.is_from_manufacturer,

        -- timestamps
        assets.fetched_at
    from assets
    left join assets as counterparts
        on
            (
                (assets.asset_type = 'image' and counterparts.asset_type = 'alt_text')
                or (assets.asset_type = 'alt_text' and counterparts.asset_type = 'image')
            )
            and assets.domain_id = counterparts.domain_id
            and assets.asin = counterparts.asin
            and assets.aplus_position = counterparts.aplus_position
            and assets.module_position = counterparts.module_position
            and assets.position = counterparts.position
    -- A description without a picture stands by itself.
    where assets.asset_type <> 'alt_text' or counterparts.asset_type is null

)

select * from final
