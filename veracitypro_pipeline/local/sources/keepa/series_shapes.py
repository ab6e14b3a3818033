"""How common each series of the generated catalogue is, how busy, and around which value.

`catalogue.py` and `timeline.py` use these numbers. Source: measured on real responses for 30
products, 2019 to 2026, with the used market of books cut down to paddles.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class SeriesShape:
    """How common a csv series is and how it behaves.

    `points` is the median of a product tracked for a year; `ratio` scales the product's usual price
    (or its number of offers); `none_share` is the share of points without a value.
    """

    share: float
    points: float
    gap_hours: float
    ratio: float = 1.0
    none_share: float = 0.0
    burst: float = 4.0


# By channel name; other channels do not occur.
SHAPES: Final = {
    "AMAZON": SeriesShape(0.6, 12, 6.9, 1.0, 0.05),
    "NEW": SeriesShape(1.0, 32, 5.9, 0.97, 0.01, 8),
    "USED": SeriesShape(0.9, 60, 6.8, 0.72, 0.02, 8),
    "SALES": SeriesShape(1.0, 340, 3.0, burst=120),
    "LISTPRICE": SeriesShape(0.9, 8, 123.6, 1.15),
    "COLLECTIBLE": SeriesShape(0.04, 2, 274.0, 1.3, 0.26),
    "NEW_FBM_SHIPPING": SeriesShape(0.8, 8, 22.0, 1.0, 0.07),
    "LIGHTNING_DEAL": SeriesShape(0.3, 6, 48.0, 0.8),
    "WAREHOUSE": SeriesShape(0.5, 6, 70.0, 0.75, 0.3),
    "NEW_FBA": SeriesShape(0.8, 10, 6.9, 1.0, 0.31),
    "COUNT_NEW": SeriesShape(1.0, 40, 4.7, 1.0, 0.01, 10),
    "COUNT_USED": SeriesShape(0.85, 50, 7.0, 0.4, 0.02, 8),
    "COUNT_REFURBISHED": SeriesShape(0.07, 0.5, 3.7, 0.1, 0.67),
    "COUNT_COLLECTIBLE": SeriesShape(0.04, 2, 306.0, 0.1, 0.23),
    "EXTRA_INFO_UPDATES": SeriesShape(0.85, 60, 5.8, burst=20),
    "RATING": SeriesShape(0.95, 5, 180.0, none_share=0.02),
    "COUNT_REVIEWS": SeriesShape(0.95, 45, 5.0, burst=8),
    "BUY_BOX_SHIPPING": SeriesShape(0.95, 24, 9.0, 1.0, 0.07, 8),
    "USED_NEW_SHIPPING": SeriesShape(0.5, 8, 29.9, 0.85, 0.11),
    "USED_VERY_GOOD_SHIPPING": SeriesShape(0.5, 14, 11.3, 0.78, 0.06),
    "USED_GOOD_SHIPPING": SeriesShape(0.5, 16, 8.7, 0.7, 0.05),
    "USED_ACCEPTABLE_SHIPPING": SeriesShape(0.4, 10, 8.7, 0.62, 0.05),
    "COLLECTIBLE_NEW_SHIPPING": SeriesShape(0.04, 1, 4.4, 1.4, 0.49),
    "EBAY_NEW_SHIPPING": SeriesShape(0.2, 6, 49.7, 0.95, 0.01),
    "EBAY_USED_SHIPPING": SeriesShape(0.15, 8, 26.2, 0.6, 0.02),
    "BUY_BOX_USED_SHIPPING": SeriesShape(0.6, 12, 8.5, 0.72, 0.18),
    "PRIME_EXCL": SeriesShape(0.15, 4, 25.7, 0.9),
    "COUNT_NEW_FBA": SeriesShape(0.7, 8, 28.5, 0.4),
    "COUNT_NEW_FBM": SeriesShape(0.6, 14, 4.7, 0.6, 0.05),
}
# Every second point of these ends the deal or list price.
ON_AND_OFF: Final = frozenset({"LISTPRICE", "LIGHTNING_DEAL", "PRIME_EXCL"})
CATEGORY_RANKS: Final = SeriesShape(1.0, 90, 3.0, burst=60)
MONTHLY_SOLD: Final = SeriesShape(0.4, 12, 60.0)
COUPONS: Final = SeriesShape(0.5, 10, 200.0)

# Spread (sigma of the logarithm) of how busy products and their series are, and the most.
POPULARITY_SPREAD: Final = 0.7
SERIES_SPREAD: Final = 0.6
MAX_BUSYNESS: Final = 8.0
