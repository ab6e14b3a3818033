"""The page "Product": prices, rank, ratings and buy box of a product and of its competitors."""

import html
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import streamlit as st

from veracitypro_pipeline.dashboard import charts, pipeline_queries, product_queries
from veracitypro_pipeline.dashboard.reading import rows
from veracitypro_pipeline.markdown import escaped

SHOWN_DAYS: Final = 90
# The channels shown first: what a buyer pays for a new item.
FIRST_CHANNELS: Final = ("BUY_BOX_SHIPPING", "AMAZON", "NEW", "LISTPRICE")
# A chart of more sellers cannot be read.
NAMED_SELLERS: Final = 5
OTHER_SELLERS: Final = "All others"

# A marketplace and an ASIN.
Key = tuple[int, str]
Product = dict[str, Any]


def show() -> None:
    st.title("Product")
    tables = {(row["table_schema"], row["table_name"]) for row in rows(pipeline_queries.TABLES)}
    if ("MART", "DIM_PRODUCT") not in tables:
        st.info("No product is known yet: the first run that reaches MART adds them.")
        return
    products = {
        (product["domain_id"], product["asin"]): product
        for product in rows(product_queries.PRODUCTS)
    }
    left, right = st.columns([3, 1])
    with left:
        product = _chosen(products)
    if product is None:
        return
    spans = rows(product_queries.channels(product["domain_id"], product["asin"]))
    if not spans:
        st.info("Keepa has no price of this product yet.")
        return
    with right:
        days = _days(product, spans)
    if days is None:
        st.info("Choose the last day of the range, too.")
        return
    rivals = _rivals(product, products)
    _show_standing(product, rivals, spans, days)
    _show_channels(product, spans, days)
    _show_landed(product, rivals, spans, days)
    _show_ranks(product, rivals, days)
    _show_reviews(product, rivals, days)
    _show_buy_box(product, days)


def _chosen(products: dict[Key, Product]) -> Product | None:
    """The product of the URL (`?domain_id=1&asin=...`), until another one is chosen."""
    if "product" not in st.session_state:
        wanted = _of_address()
        if wanted is not None and wanted not in products:
            st.warning(
                f"There is no product {escaped(wanted[1])} on marketplace {wanted[0]} in"
                " MART.DIM_PRODUCT: choose one that is tracked."
            )
        st.session_state["product"] = (
            next(iter(products), None) if wanted is None else wanted if wanted in products else None
        )
    key = st.selectbox(
        "Product: title, ASIN, marketplace",
        list(products),
        format_func=lambda key: _title(products[key]),
        placeholder="Type a title or an ASIN",
        key="product",
    )
    if key is None:
        return None
    st.query_params.from_dict({"domain_id": str(key[0]), "asin": key[1]})
    return products[key]


def _of_address() -> Key | None:
    asin, domain_id = st.query_params.get("asin"), st.query_params.get("domain_id", "1")
    if asin is None:
        return None
    return (int(domain_id) if domain_id.isdecimal() else 0, asin.upper())


def _days(product: Product, spans: list[dict[str, Any]]) -> tuple[date, date] | None:
    """The chosen range, both days included; None while only its first day is chosen."""
    first = min(span["first_day"] for span in spans)
    last = max(span["last_day"] for span in spans)
    chosen = st.date_input(
        "Days (UTC)",
        value=(max(first, last - timedelta(days=SHOWN_DAYS - 1)), last),
        min_value=first,
        max_value=last,
        format="YYYY-MM-DD",
        key=f"days of {product['domain_id']} {product['asin']}",
    )
    return (chosen[0], chosen[1]) if isinstance(chosen, tuple) and len(chosen) == 2 else None


def _rivals(product: Product, products: dict[Key, Product]) -> list[Product]:
    """The other products of the same line and marketplace, our own too."""
    if product["product_line"] is None:
        return []
    return [
        other
        for other in products.values()
        if other["product_line"] == product["product_line"]
        and other["domain_id"] == product["domain_id"]
        and other["asin"] != product["asin"]
    ]


def _show_standing(
    product: Product,
    rivals: list[Product],
    spans: list[dict[str, Any]],
    days: tuple[date, date],
) -> None:
    """The headline figures. They use the same queries as the charts below, so no query runs
    twice."""
    domain_id, money = product["domain_id"], product["currency_code"]
    asins = _asins(product, rivals)
    channel = _first_channel(spans, days)
    prices = rows(product_queries.prices(domain_id, asins, [channel], *days)) if channel else []
    ranks = rows(product_queries.ranks(domain_id, asins, *days))
    reviews = rows(product_queries.reviews(domain_id, asins, *days))
    figures = (
        (f"Landed price, {channel_title(channel)} ({money})", prices, "landed_close", ",.2f"),
        ("Sales rank", ranks, "rank_close", ",.0f"),
        ("Rating (stars)", reviews, "rating_close", ".1f"),
        ("Ratings", reviews, "review_count_close", ",.0f"),
    )
    for column, (label, found, value, form) in zip(st.columns(len(figures)), figures, strict=True):
        ours = (row[value] for row in found if row["asin"] == product["asin"])
        known = [one for one in ours if one is not None]
        if not known:
            column.metric(label, "none")
            continue
        change = known[-1] - known[0]
        column.metric(
            label,
            f"{known[-1]:{form}}",
            f"{change:+{form}} since {days[0]}" if change else f"as on {days[0]}",
            delta_color="off",
            delta_arrow="off",
        )


def _show_channels(product: Product, spans: list[dict[str, Any]], days: tuple[date, date]) -> None:
    st.subheader("What it cost, channel by channel")
    priced = _priced(spans, days)
    if not priced:
        st.info("No channel had a price on these days.")
        return
    first = [channel for channel in FIRST_CHANNELS if channel in priced] or priced[:1]
    chosen = st.multiselect(
        "Price channels",
        priced,
        default=first,
        format_func=channel_title,
        key=f"channels of {product['domain_id']} {product['asin']} {days[0]}",
    )
    if not chosen:
        st.info("Choose a channel.")
        return
    found = rows(product_queries.prices(product["domain_id"], [product["asin"]], chosen, *days))
    st.caption("Price at the end of each day, without shipping; a gap is a day without an offer.")
    st.vega_lite_chart(
        charts.lines(
            [{**row, "name": channel_title(row["price_channel"])} for row in found],
            [channel_title(channel) for channel in chosen],
            "price_close",
            f"Price ({product['currency_code']})",
        )
    )


def _show_landed(
    product: Product,
    rivals: list[Product],
    spans: list[dict[str, Any]],
    days: tuple[date, date],
) -> None:
    st.subheader("Landed price against its competitors")
    priced = _priced(spans, days)
    if not priced:
        st.info("No channel had a price on these days.")
        return
    channel = st.selectbox(
        "Price channel to compare",
        priced,
        format_func=channel_title,
        key=f"channel of {product['domain_id']} {product['asin']} {days[0]}",
    )
    found = rows(
        product_queries.prices(product["domain_id"], _asins(product, rivals), [channel], *days)
    )
    st.caption(f"Price with shipping at the end of each day. {_line(product, rivals)}")
    _compare(found, product, rivals, "landed_close", f"Landed price ({product['currency_code']})")


def _show_ranks(product: Product, rivals: list[Product], days: tuple[date, date]) -> None:
    st.subheader("Sales rank: the higher the line, the better it sells")
    found = rows(product_queries.ranks(product["domain_id"], _asins(product, rivals), *days))
    st.caption(
        "Rank at the end of each day, on a logarithmic scale, each in the category in which Keepa"
        " ranks it."
    )
    _compare(found, product, rivals, "rank_close", "Sales rank", number=",.0f", best_is_lowest=True)


def _show_reviews(product: Product, rivals: list[Product], days: tuple[date, date]) -> None:
    found = rows(product_queries.reviews(product["domain_id"], _asins(product, rivals), *days))
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Rating")
        _compare(found, product, rivals, "rating_close", "Rating (stars, 0 to 5)", number=".1f")
    with right:
        st.subheader("Number of ratings")
        _compare(found, product, rivals, "review_count_close", "Ratings", number=",.0f")


def _show_buy_box(product: Product, days: tuple[date, date]) -> None:
    st.subheader("Who held the buy box")
    found = rows(product_queries.holders(product["domain_id"], product["asin"], *days))
    if not found:
        st.info("Keepa names no holder of the buy box on these days.")
        return
    held: dict[str, float] = {}
    for row in found:
        row["seller"] = f"Amazon ({row['seller_id']})" if row["is_amazon"] else row["seller_id"]
        held[row["seller"]] = held.get(row["seller"], 0.0) + row["share_pct"]
    sellers = sorted(held, key=lambda seller: (-held[seller], seller))
    named = sellers[:NAMED_SELLERS]
    for row in found:
        row["seller"] = row["seller"] if row["seller"] in named else OTHER_SELLERS
    count = (days[1] - days[0]).days + 1
    st.caption(
        f"Sellers by Amazon's id. {escaped(sellers[0])} held it for"
        f" {held[sellers[0]] / count:.0f} % of these {count} days; for the rest to 100 %, Keepa"
        " names no holder."
    )
    st.vega_lite_chart(
        charts.shares(found, named if len(sellers) == len(named) else [*named, OTHER_SELLERS])
    )


def _compare(
    found: list[dict[str, Any]],
    product: Product,
    rivals: list[Product],
    value: str,
    title: str,
    **how: Any,
) -> None:
    """Draw the product in the accent colour and its rivals in grey; name those without a value."""
    names = {other["asin"]: _name(other) for other in (product, *rivals)}
    known = {row["asin"] for row in found if row[value] is not None}
    if not known:
        st.info("Keepa has no value for these days.")
        return
    drawn = [names[asin] for asin in names if asin in known or asin == product["asin"]]
    st.vega_lite_chart(
        charts.lines(
            [{**row, "name": names[row["asin"]]} for row in found if row["asin"] in names],
            drawn,
            value,
            title,
            **how,
        )
    )
    silent = [name for asin, name in names.items() if asin not in known]
    if silent:
        st.caption(f"Without a value on these days: {escaped(', '.join(silent))}.")


def channel_title(channel: str | None) -> str:
    """Keepa's name of a channel as text, e.g. `Buy box`.

    SHIPPING in a name means that Keepa knows the shipping costs, too. It is dropped from the buy
    box, where it is always the case and would read like a fee.
    """
    if channel is None:
        return "no channel"
    if channel.startswith("BUY_BOX"):
        channel = channel.removesuffix("_SHIPPING")
    words = channel.lower().replace("_", " ").replace("listprice", "list price")
    for short in ("fba", "fbm"):
        words = words.replace(short, short.upper())
    return words[0].upper() + words[1:]


def _priced(spans: list[dict[str, Any]], days: tuple[date, date]) -> list[str]:
    """Channels with a price on the first of the days or later, the usual ones first."""
    found = [
        span["price_channel"]
        for span in spans
        if span["last_priced_day"] is not None
        and span["last_priced_day"] >= days[0]
        and span["first_day"] <= days[1]
    ]
    usual = {channel: place for place, channel in enumerate(FIRST_CHANNELS)}
    return sorted(found, key=lambda channel: (usual.get(channel, len(usual)), channel))


def _first_channel(spans: list[dict[str, Any]], days: tuple[date, date]) -> str | None:
    return next(iter(_priced(spans, days)), None)


def _asins(product: Product, rivals: Sequence[Product]) -> list[str]:
    return [product["asin"], *(rival["asin"] for rival in rivals)]


def _line(product: Product, rivals: list[Product]) -> str:
    if product["product_line"] is None:
        return "It is not tracked, so it has no competitors here."
    if not rivals:
        return f"Nothing else of the line {product['product_line']} is tracked on this marketplace."
    return f"The line is {product['product_line']}, on amazon.{product['marketplace_code']}."


def _name(product: Product) -> str:
    """A name short enough for a legend."""
    return f"{html.unescape(product['brand'] or 'no brand')} {product['asin']}"


def _title(product: Product) -> str:
    title = html.unescape(product["title"] or "No title yet")
    role = {"own": "ours", "competitor": "competitor"}.get(product["role"], "not tracked")
    return f"{title} · {product['asin']} · amazon.{product['marketplace_code']} · {role}"
