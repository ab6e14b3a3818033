"""The invented assortment: brands, names, categories and measures of pickleball paddles.

Nothing here changes over time. All brands, sellers, codes and texts are made up.
"""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

OWN_BRAND: Final = "VeracityPro"
OTHER_BRANDS: Final = (
    "Dinkforge",
    "Volleyhawk",
    "Baseliner Labs",
    "Third Shot Goods",
    "NorthCourt",
    "PickleRidge",
    "Kitchen Line Co.",
)
LINES: Final = ("Control", "Power", "Spin", "Hybrid", "Junior", "Tour")
FACES: Final = ("T700 Raw Carbon Fiber", "Kevlar", "Fiberglass", "Graphite", "Carbon Friction")
COLOURS: Final = ("Black", "Navy", "Teal", "Red", "White", "Graphite Grey", "Lime")
CORE_MM: Final = (11, 13, 14, 16, 19)
SHAPES: Final = ("Elongated", "Standard", "Hybrid", "Widebody")

# US dollars; with the movements of `timeline.py` prices stay between some 20 and 250.
PRICE_USD: Final = (38.0, 155.0)

# From the root down. Ids are invented, and as long as real ones: they exceed 32 bits.
CATEGORY_PATH: Final = (
    (9_900_375_301, "Sports & Outdoors"),
    (9_900_706_812, "Sports"),
    (99_001_971_443, "Racquet Sports"),
    (99_016_310_154, "Pickleball"),
    (99_016_310_161, "Paddles"),
)
# Leaves besides the last one of the path, in which a paddle may be ranked as well.
OTHER_LEAVES: Final = (
    (99_016_310_172, "Paddle Sets"),
    (99_016_310_188, "Training Equipment"),
    (99_016_310_190, "Gifts for Players"),
)
ASIN_LETTERS: Final = "0123456789BCDFGHJKLMNPQRSTVWXYZ"
SELLER_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Paddle:
    """The properties of a paddle, the same on every marketplace."""

    asin: str
    brand: str
    line: str
    face: str
    core_mm: int
    shape: str
    colour: str
    price_usd: float
    ean: str
    parent_asin: str | None
    depth: int  # How many entries of the category path apply to it.
    weight_g: int

    @property
    def model(self) -> str:
        return f"{self.line[:3].upper()}{self.core_mm}-{self.asin[-3:]}"

    @property
    def title(self) -> str:
        return (
            f"{self.brand} {self.line} {self.core_mm}mm Pickleball Paddle, {self.face} Face,"
            f" {self.shape}, {self.colour}"
        )


def invented_asin(random: Random) -> str:
    """A random ASIN of the usual form."""
    return "B0X" + "".join(random.choices(ASIN_LETTERS, k=7))


def sellers(random: Random, count: int) -> list[str]:
    """Invented seller ids of the usual form."""
    return ["A" + "".join(random.choices(SELLER_LETTERS, k=13)) for _ in range(count)]


def paddle(random: Random, asin: str, *, is_own: bool, product_line: str) -> Paddle:
    """The paddle behind an ASIN."""
    return Paddle(
        asin=asin,
        brand=OWN_BRAND if is_own else random.choice(OTHER_BRANDS),
        line=product_line.replace("_", " ").title() or random.choice(LINES),
        face=random.choice(FACES),
        core_mm=random.choice(CORE_MM),
        shape=random.choice(SHAPES),
        colour=random.choice(COLOURS),
        price_usd=round(random.triangular(*PRICE_USD, 70.0)) - 0.01,
        ean=f"0{random.randrange(10**12):012d}",
        parent_asin=invented_asin(random) if random.random() < 0.4 else None,
        depth=random.choice((4, 4, 5, 5, 5)),
        weight_g=random.randrange(210, 245),
    )


def attributes(random: Random, paddle: Paddle) -> dict[str, Any]:
    """The part of the product object that does not change over time."""
    images = [_image(random) for _ in range(random.randrange(3, 8))]
    path = CATEGORY_PATH[: paddle.depth]
    variations = _variations(random, paddle)
    videos, a_plus = _videos(random, paddle), _a_plus(random, paddle)
    return {
        "productType": 0,
        "asin": paddle.asin,
        "brand": paddle.brand,
        "manufacturer": paddle.brand,
        "model": paddle.model,
        "partNumber": paddle.model,
        "color": paddle.colour,
        "size": f"{paddle.core_mm}mm",
        "style": paddle.shape,
        "binding": "Sports",
        "productGroup": "Sports",
        "type": "RACKET",
        "itemTypeKeyword": "pickleball-paddles",
        "author": None,
        "edition": None,
        "format": None,
        "languages": None,
        "description": (
            f"{paddle.title}. Polypropylene honeycomb core of {paddle.core_mm} mm,"
            f" {paddle.weight_g} g."
        ),
        "features": [
            f"{paddle.face} face for spin and touch",
            f"{paddle.core_mm} mm honeycomb core",
            f"{paddle.shape} shape, {paddle.weight_g} g",
        ],
        "eanList": [paddle.ean],
        "upcList": [paddle.ean[1:]],
        "gtinList": [f"0{paddle.ean}"],
        "ebayListingIds": None,
        "images": images,
        "imagesCSV": ",".join(image.get("l", image["m"]) for image in images),
        "rootCategory": path[0][0],
        "categories": [path[-1][0]],
        "categoryTree": [{"catId": category_id, "name": name} for category_id, name in path],
        "parentAsin": paddle.parent_asin,
        "variations": variations,
        "variationCSV": None,
        "historicalVariations": variations and [each["asin"] for each in variations],
        "frequentlyBoughtTogether": None,
        "promotions": None,
        "packageLength": 430,
        "packageWidth": 215,
        "packageHeight": 40,
        "packageWeight": paddle.weight_g + 120,
        "packageQuantity": 1,
        "itemLength": 410,
        "itemWidth": 197,
        "itemHeight": paddle.core_mm,
        "itemWeight": paddle.weight_g,
        "numberOfItems": 1,
        "numberOfPages": -1,
        "publicationDate": -1,
        "hasReviews": True,
        "isAdultProduct": False,
        "isB2B": False,
        "isEligibleForSuperSaverShipping": True,
        "isEligibleForTradeIn": False,
        "isHeatSensitive": False,
        "isRedirectASIN": False,
        "isSNS": False,
        "newPriceIsMAP": False,
        "launchpad": False,
        "referralFeePercent": 15,
        "referralFeePercentage": 15.0,
        "g": random.randrange(10_000),
        **({"videos": videos} if videos else {}),
        **({"aPlus": a_plus} if a_plus else {}),
    }


def _image(random: Random) -> dict[str, Any]:
    name = "".join(random.choices(SELLER_LETTERS, k=10))
    image: dict[str, Any] = {"m": f"31{name}.jpg", "mH": 500, "mW": 380}
    if random.random() < 0.8:
        image |= {"l": f"61{name}.jpg", "lH": 1500, "lW": 1140}
    return image


def _variations(random: Random, paddle: Paddle) -> list[dict[str, Any]] | None:
    if paddle.parent_asin is None:
        return None
    others = [(invented_asin(random), random.choice(COLOURS)) for _ in range(2)]
    return [
        {
            "asin": asin,
            "attributes": [
                {"dimension": "Color", "value": colour},
                {"dimension": "Size", "value": f"{paddle.core_mm}mm"},
            ],
            "image": None,
        }
        for asin, colour in [(paddle.asin, paddle.colour), *others]
    ]


def _videos(random: Random, paddle: Paddle) -> list[dict[str, Any]]:
    found = []
    for place in range(random.choice((0, 0, 1, 3))):
        video: dict[str, Any] = {
            "creator": random.choice(("Main", "Customer", "Influencer", "Seller")),
            "image": f"71{paddle.asin}{place}.jpg",
            "url": f"https://videos.example.com/{paddle.asin}/{place}.m3u8",
        }
        if random.random() < 0.9:
            video |= {"title": f"{paddle.line} paddle, part {place + 1}", "name": paddle.brand}
            video["duration"] = random.randrange(12, 95)
        found.append(video)
    return found


def _a_plus(random: Random, paddle: Paddle) -> list[dict[str, Any]]:
    if random.random() < 0.5:
        return []
    pictures = [f"https://images.example.com/{paddle.asin}/{place}.jpg" for place in range(2)]
    return [
        {
            "fromManufacturer": True,
            "module": [
                {"text": [f"{paddle.brand} {paddle.line}", f"Face: {paddle.face}"]},
                {
                    "image": pictures,
                    "imageAltText": [f"{paddle.face} face", f"{paddle.core_mm} mm core"],
                },
                {"asin": [paddle.asin]},
            ],
        }
    ]
