"""Any value in any place of a product is read unchanged, or it is in quarantine.

One build has about a thousand products, each a valid one with one or more parts replaced. Every
place of a payload is compared: no value may be missing from both the tables and the quarantine, and
no valid value may be refused because of its neighbour.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest

from tests.support.warehouse import reference
from tests.support.warehouse.building import Warehouse
from tests.support.warehouse.mutations import FIRST_NIGHT, SOUND, Mutated, Path
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNELS, EPOCH, ChannelKind

# The table of each attribute, and how it is read.
PRODUCT: Final = {
    "productType": ("product_type", "integer"),
    **{name: (name, "text") for name in ("title", "brand", "manufacturer", "model", "color")},
    **{name: (name, "text") for name in ("size", "binding")},
    "partNumber": ("part_number", "text"),
    "productGroup": ("product_group", "text"),
    "parentAsin": ("parent_asin", "text"),
    "rootCategory": ("root_category_id", "id"),
    "availabilityAmazon": ("availability_amazon", "integer"),
    "trackingSince": ("tracking_since_at", "minute"),
    "listedSince": ("listed_since_at", "minute"),
    "lastUpdate": ("last_update_at", "minute"),
}
ELEMENTS: Final = {
    "categoryTree": {"catId": ("category_id", "id"), "name": ("category_name", "text")},
    "variations": {
        "asin": ("variation_asin", "text"),
        "image": ("image", "text"),
        "attributes": ("attributes_json", "json"),
    },
    "videos": {
        "url": ("url", "text"),
        "title": ("title", "text"),
        "name": ("author_name", "text"),
        "creator": ("creator", "text"),
        "image": ("image", "text"),
        "duration": ("duration_seconds", "integer"),
    },
}
TABLES: Final = {
    "categoryTree": "stg_keepa_category_tree",
    "variations": "stg_keepa_variation",
    "videos": "stg_keepa_video",
}
ASSETS: Final = ("text", "image", "video", "asin")
OFFER: Final = {
    "sellerId": ("seller_id", "text"),
    "condition": ("condition_id", "integer"),
    "lastSeen": ("last_seen_minute", "clock"),
    "minOrderQty": ("min_order_quantity", "integer"),
    "isPrime": ("is_prime", "boolean"),
    "isFBA": ("is_fba", "boolean"),
    "isMAP": ("is_map", "boolean"),
    "isShippable": ("is_shippable", "boolean"),
    "isPreorder": ("is_preorder", "boolean"),
    "isPrimeExcl": ("is_prime_exclusive", "boolean"),
    "shipsFromChina": ("is_shipped_from_china", "boolean"),
    "isAmazon": ("is_amazon", "boolean"),
    "isWarehouseDeal": ("is_warehouse_deal", "boolean"),
}
CONTAINERS: Final = {"array": list, "object": dict}
OTHER: Final = "another type"  # What no table holds.

Given = tuple[str, str, Any]  # Path, kind and value.
Place = tuple[int, int]  # The minute of a point, and its position in the history.

pytestmark = pytest.mark.xdist_group("hostile")


@dataclass
class Read:
    """The content of the tables for one product."""

    attributes: dict[str, Any] = field(default_factory=dict)
    points: dict[str, dict[int, tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(dict))
    refused: set[tuple[str, int | None]] = field(default_factory=set)


@pytest.fixture(scope="module")
def read(hostile: Warehouse) -> dict[str, Read]:
    return what_was_read(hostile)


def what_was_read(warehouse: Warehouse) -> dict[str, Read]:
    result = defaultdict[str, Read](Read)
    for asin, series, position in warehouse.query(
        "select asin, series, position from STG.stg_keepa_quarantine inner join"
        " STG.stg_keepa_fetch using (source_file, file_row_number)"
    ):
        assert (series, position) not in result[asin].refused
        result[asin].refused.add((series, position))
    for asin, series, minute, *values in warehouse.query(
        "select asin, series, minute, value, second_value, text_value, unknown_from_minute"
        " from STG.stg_keepa_point"
    ):
        result[asin].points[series][minute] = tuple(values)

    def attributes(table: str, path: str, columns: Mapping[str, tuple[str, str]]) -> None:
        names = ", ".join(column for column, _ in columns.values())
        for asin, prefix, *values in warehouse.query(f"select asin, {path}, {names} from {table}"):
            for name, value in zip(columns, values, strict=True):
                result[asin].attributes[prefix + name] = value

    attributes("STG.stg_keepa_product", "''", PRODUCT)
    attributes("STG.stg_keepa_offer", "'offers:' || offer_id || '.'", OFFER)
    for name, columns in ELEMENTS.items():
        attributes(f"STG.{TABLES[name]}", f"'{name}[' || position || '].'", columns)
    for asin, content, module, kind, position, asset, alt_text, by_maker in warehouse.query(
        "select asin, aplus_position, module_position, asset_type, position, asset, alt_text,"
        " is_from_manufacturer from STG.stg_keepa_aplus_module"
    ):
        of = f"aPlus[{content}]"
        found = result[asin].attributes
        name = "imageAltText" if kind == "alt_text" else kind
        found[f"{of}.module[{module}].{name}[{position}]"] = asset
        if kind == "image":
            found[f"{of}.module[{module}].imageAltText[{position}]"] = alt_text
        found[f"{of}.fromManufacturer"] = by_maker
    return result


def test_a_valid_product_is_read_completely(
    mutated: dict[str, Mutated], read: dict[str, Read]
) -> None:
    product, found = mutated[SOUND].product, read[SOUND]
    given = [path for path, kind, _ in attributes_of(product) if kind not in (*CONTAINERS, "place")]
    assert len(given) > 45
    assert all(found.attributes[path] is not None for path in given)
    assert not found.refused


def test_every_value_is_read_unchanged_or_is_in_quarantine(
    mutated: dict[str, Mutated], read: dict[str, Read]
) -> None:
    assert len(mutated) > 4_000
    for asin, case in mutated.items():
        try:
            assert_each_is_read_or_refused(case.product, read[asin])
        except AssertionError as error:
            raise AssertionError(f"{asin}, changed at {case.changed}: {error}") from error


def test_nothing_is_refused_because_of_its_neighbour(
    mutated: dict[str, Mutated], read: dict[str, Read]
) -> None:
    refusals = 0
    for asin, case in mutated.items():
        for series, position in read[asin].refused:
            refusals += 1
            assert any(is_about(path, series, position) for path in case.changed), (
                asin,
                case.changed,
                (series, position),
            )
    assert refusals > 2_000


def is_about(changed: Path, series: str, position: int | None) -> bool:
    """Whether a refusal is about the series or attribute that contains the place."""
    top = str(changed[0])
    if top == "csv":
        of = CHANNELS[int(changed[1])] if len(changed) > 1 else None
        return series == "csv" or of is None or series == of.name
    if top == "offers":
        return series.startswith(("offers", "offerCSV", "stockCSV"))
    return series.startswith(top)


def assert_each_is_read_or_refused(product: Mapping[str, Any], read: Read) -> None:
    for path, kind, value in attributes_of(product):
        if (path, None) in read.refused:
            assert read.attributes.get(path) is None, f"{path} is refused and read"
        else:
            expected = as_read(kind, value)
            assert expected is not OTHER, f"{path} is {value!r}, and no word of it"
            if kind not in CONTAINERS:
                assert read.attributes.get(path) == expected, f"{path} is {value!r}"
    kept = dict(series_kept(product, read.refused))
    assert read.points.keys() == kept.keys()
    for name, points in kept.items():
        assert read.points[name] == points, name


def attributes_of(product: Mapping[str, Any]) -> Iterator[Given]:
    """The values of all attributes that models read, without series."""
    yield from members("", product, PRODUCT)
    for name, columns in ELEMENTS.items():
        for path, element in elements(name, product.get(name)):
            yield path, "object", element
            yield from members(f"{path}.", element, columns)
        yield from container(name, product.get(name))
    yield from container("aPlus", product.get("aPlus"))
    for path, content in elements("aPlus", product.get("aPlus")):
        yield path, "object", content
        modules = list(elements(f"{path}.module", member(content, "module")))
        yield from container(f"{path}.module", member(content, "module"))
        read_assets = False
        for of, module in modules:
            yield of, "object", module
            for kind in (*ASSETS, "imageAltText"):
                yield from container(f"{of}.{kind}", member(module, kind))
                for asset_path, asset in elements(f"{of}.{kind}", member(module, kind)):
                    read_assets = True
                    yield asset_path, "text", asset
        # It is a property of assets: without assets there is no row for it.
        if read_assets or not isinstance(member(content, "fromManufacturer"), bool):
            yield from members(f"{path}.", content, {"fromManufacturer": ("", "boolean")})
    live = product.get("liveOffersOrder")
    yield from container("liveOffersOrder", live)
    for path, place in elements("liveOffersOrder", live):
        yield path, "place", place
    for path, offer in offers_of(product):
        if not path.startswith("offers:#"):
            yield from members(f"{path}.", offer, OFFER)


def member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def members(prefix: str, value: Any, columns: Mapping[str, tuple[str, str]]) -> Iterator[Given]:
    for name, (_, kind) in columns.items():
        if member(value, name) is not None:
            yield prefix + name, kind, value[name]


def container(path: str, value: Any) -> Iterator[Given]:
    if value is not None:
        yield path, "array", value


def elements(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    for position, element in enumerate(value if isinstance(value, list) else []):
        if element is not None:
            yield f"{path}[{position}]", element


def offers_of(product: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each offer by its id, or by its position if it has no id."""
    seen = set[int]()
    offers = product.get("offers")
    for position, offer in enumerate(offers if isinstance(offers, list) else []):
        if offer is None:
            continue
        offer_id = integer(member(offer, "offerId"))
        is_own = offer_id is not None and offer_id not in seen and str(offer_id) != "-0"
        if is_own and offer_id is not None:
            seen.add(offer_id)
        yield f"offers:{offer_id}" if is_own else f"offers:#{position}", offer


def integer(value: Any) -> int | None:
    """An integer of at most 18 digits, also as text."""
    if type(value) is int and abs(value) < 10**18:
        return value
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,18}", value):
        return int(value)
    return None


def as_read(kind: str, value: Any) -> Any:
    """The value that a table must have, unless the value is refused."""
    number = integer(value)
    match kind:
        case "array" | "object":
            return value if isinstance(value, CONTAINERS[kind]) else OTHER
        case "text":
            return (value.strip(" ") or None) if isinstance(value, str) else OTHER
        case "boolean":
            return {"true": True, "false": False}.get(str(value).lower(), OTHER)
        case "json":
            return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else OTHER
        case "integer":
            return number if number is not None and abs(number) < 2**31 else OTHER
        case "id":
            return OTHER if number is None or number < -1 else number if number > 0 else None
        case "place":
            return None if number is not None and 0 <= number < 2**31 else OTHER
    if number is None or not -21_564_000 <= number < 2**31:
        return OTHER
    if number in (0, -1, -2):
        return None
    return number if kind == "clock" else (EPOCH + timedelta(minutes=number)).replace(tzinfo=None)


def histories_of(product: Mapping[str, Any]) -> Iterator[tuple[str, int, Any]]:
    """Name, stride and value of each series, of any type, and of fields that should hold some."""
    csv, ranks, offers = (product.get(name) for name in ("csv", "salesRanks", "offers"))
    for name, value, kind in (
        ("csv", csv, list),
        ("salesRanks", ranks, dict),
        ("offers", offers, list),
    ):
        if value is not None and not isinstance(value, kind):
            yield name, 1, value
    for channel, numbers in zip(CHANNELS, csv if isinstance(csv, list) else [], strict=False):
        if channel.kind is not ChannelKind.EVENT:
            yield channel.name, channel.stride, numbers
    for category_id, numbers in ranks.items() if isinstance(ranks, dict) else ():
        yield f"salesRanks:{category_id}", 2, numbers
    for name, stride in reference.PLAIN_HISTORIES.items():
        yield name, stride, product.get(name)
    for path, offer in offers_of(product):
        if path.startswith("offers:#"):
            yield path, 1, offer
        else:
            offer_id = path.removeprefix("offers:")
            yield f"offerCSV:{offer_id}", 3, member(offer, "offerCSV")
            yield f"stockCSV:{offer_id}", 2, member(offer, "stockCSV")


def series_kept(
    product: Mapping[str, Any], refused: set[tuple[str, int | None]]
) -> Iterator[tuple[str, dict[int, tuple[Any, ...]]]]:
    """Each series without its refused points, by the reference, and the minute from which a
    refused point leaves the value unknown."""
    for name, stride, numbers in histories_of(product):
        if numbers is None or (name, None) in refused:
            continue
        assert isinstance(numbers, list), f"{name} is {numbers!r}, and no word of it"
        assert not name.startswith(("offers:#", "csv", "offers")), (
            f"{name}: neither read nor refused"
        )
        points: dict[int, tuple[Any, ...]] = {}
        good, gaps = list[Place](), list[Place]()
        for position in range(-(-len(numbers) // stride)):
            elements = numbers[position * stride : (position + 1) * stride]
            if (name, position) in refused:
                at = integer(elements[0])
                # One without a minute came some time after the point before it.
                if at is None or not 0 <= at < 2**31:
                    at = max(points) + 1 if points else None
                if at is not None:
                    gaps.append((at, position))
                continue
            assert len(elements) == stride, f"{name}: point {position} is cut"
            is_held = name.startswith("buyBox")
            minute, *rest = [
                element if is_held and place else integer(element)
                for place, element in enumerate(elements)
            ]
            assert minute is not None, f"{name}: {elements}"
            assert is_held or None not in rest, f"{name}: {elements}"
            point = reference.point(
                name, [minute, *map(as_text, rest)] if is_held else [minute, *rest], FIRST_NIGHT
            )
            good.append((int(minute), position))
            points[int(minute)] = (point.value, point.second, point.text, position)
        if points:
            yield (
                name,
                {
                    minute: (*values, gap_behind((minute, position), good, gaps))
                    for minute, (*values, position) in points.items()
                },
            )


def gap_behind(point: Place, good: Sequence[Place], refused: Sequence[Place]) -> int | None:
    """The minute of a refused point that directly follows a good one."""
    following = min((place for place in (*good, *refused) if place > point), default=None)
    return following[0] if following in refused and following else None


def as_text(element: Any) -> str:
    """In a buy box, a number counts as its text. One without a holder needs no other fields."""
    return str(element)
