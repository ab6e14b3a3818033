"""Each check across models is red after the fault that it guards against."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import duckdb
import pytest

from tests.support.settings import fixed
from tests.support.warehouse.building import Project, Warehouse, fetch_at, line_of
from tests.support.warehouse.histories import FIRST_NIGHT, START
from tests.support.warehouse.products import a_product
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources.connector import tracked_asins
from veracitypro_pipeline.sources.keepa import KEEPA
from veracitypro_pipeline.stage_values.landing import LandedFile, LandingManifest
from veracitypro_pipeline.transform.refusals import build_checks

(REFUSALS_ARE_FEW,) = build_checks(KEEPA)

# A change of the tables by a person or a fault -> the checks that notice it.
DAMAGES = {
    "a fetch is lost": (
        "delete from STG.stg_keepa_record where asin = 'B0PADDLE02'",
        {"raw_rows_are_accepted_or_refused"},
    ),
    "a refused line is lost": (
        "delete from STG.stg_keepa_record where refusal_reason is not null",
        {"raw_rows_are_accepted_or_refused"},
    ),
    "a refused point is lost": (
        "delete from STG.stg_keepa_refused_part where scope = 'point'",
        {"points_are_kept_refused_or_superseded"},
    ),
    "a point is lost": (
        "delete from STG.stg_keepa_point where minute = (select max(minute) from"
        " STG.stg_keepa_point)",
        {"points_are_kept_refused_or_superseded"},
    ),
    "a point of which a newer fetch says nothing is lost": (
        f"delete from STG.stg_keepa_point where minute = {START}",
        {"partly_superseded_points_are_counted"},
    ),
    "a withdrawn point is kept": (
        # Of the newest slice: an older one may be superseded in part, which another check counts.
        "insert into STG.stg_keepa_point select * replace (minute + 1 as minute)"
        " from STG.stg_keepa_point order by slice_minute desc, asin, series, minute desc limit 1",
        {"points_are_kept_refused_or_superseded"},
    ),
    "a point is left over that no fetch speaks for": (
        "insert into STG.stg_keepa_point select * replace (minute + 5000 as minute, 0 as"
        " slice_minute) from STG.stg_keepa_point order by slice_minute desc, asin, series,"
        " minute desc limit 1",
        {"points_are_kept_refused_or_superseded"},
    ),
    "a series of a new load is overlooked": (
        "update STG.stg_keepa_series set point_count = point_count - 1"
        " where point_count = (select max(point_count) from STG.stg_keepa_series)",
        {"points_of_new_loads_are_all_counted", "points_are_kept_refused_or_superseded"},
    ),
    "a day counts too many minutes": (
        "update CORE.core_keepa_price_daily set minutes_priced = 1441",
        {"fct_price_history_daily_accounts_for_every_minute"},
    ),
    "a mean lies above the highest price": (
        "update CORE.core_keepa_price_daily set price_avg = price_max + 1",
        {"core_keepa_price_daily_is_ordered"},
    ),
    "a day stands twice": (
        "insert into CORE.core_keepa_reviews_daily select * from CORE.core_keepa_reviews_daily",
        {"primary_key_fct_review_history_daily_domain_id__asin__date"},
    ),
    "a key is null": (
        "update CORE.core_keepa_reviews_daily set asin = null",
        {"primary_key_fct_review_history_daily_domain_id__asin__date"},
    ),
    "six stars": (
        "update CORE.core_keepa_reviews_daily set rating_close = 6",
        {"accepted_range_fct_review_history_daily_rating_close__5__0"},
    ),
    "a fact without its product": (
        "delete from MART.dim_product where asin = (select min(asin) from"
        " CORE.core_keepa_price_daily)",
        {"foreign_key_fct_price_history_daily_domain_id__asin__ref_dim_product_"},
    ),
    "a day is missing from the calendar": (
        "delete from MART.dim_date where date = (select max(date) from MART.dim_date)",
        {"foreign_key_fct_price_history_daily_date__ref_dim_date_"},
    ),
    "a tracked product has no role": (
        "update MART.dim_product set is_tracked = not is_tracked",
        {"dim_product_has_role_and_line_exactly_where_tracked"},
    ),
    "a point without a value": (
        "update STG.stg_keepa_point set value = null",
        {"not_null_columns_stg_keepa_point_value__slice_minute"},
    ),
}
CHECKS = {check for _, checks in DAMAGES.values() for check in checks}

pytestmark = pytest.mark.xdist_group("checks")


@pytest.fixture(scope="module")
def given_warehouse(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    warehouse = Warehouse(project, tmp_path_factory.mktemp("damage") / "all")
    old = a_product(
        series={
            "NEW": [START - 5, 9, START, 1, START + 5, 2],
            "SALES": [START, "x"],
        }
    )
    new = a_product(series={"NEW": [START + 1, 3, START + 6, 4, START + 7, 5]})
    other = a_product("B0PADDLE02", series={"RATING": [START - 1, 45]})
    garbled = a_product("B0PADDLE03", series={"SALES": [START, 1, *[START + 1, "x"] * 7]})
    warehouse.load(
        [
            line_of(fetch_at(old, FIRST_NIGHT), "old.gz"),
            line_of(fetch_at(new, FIRST_NIGHT + timedelta(days=1)), "new.gz"),
            line_of(fetch_at(other, FIRST_NIGHT), "other.gz"),
            line_of(fetch_at(a_product(asin="wrong"), FIRST_NIGHT), "broken.gz"),
            *(
                line_of(fetch_at(a_product(asin=f"wrong {row}"), FIRST_NIGHT), "late.gz", row)
                for row in range(1, 7)
            ),
            line_of(fetch_at(garbled, FIRST_NIGHT), "garbled.gz"),
        ]
    )
    warehouse.build()
    return warehouse


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_check_notices(
    damage: str,
    given_warehouse: Warehouse,
    new_warehouse: Callable[[], Warehouse],
) -> None:
    statement, expected = DAMAGES[damage]
    damaged = new_warehouse()
    damaged.path.write_bytes(given_warehouse.path.read_bytes())
    with duckdb.connect(str(damaged.path)) as connection:
        connection.execute(statement)
    assert damaged.red_checks(CHECKS) >= expected


def test_a_load_whose_build_died_before_its_points_were_counted_is_counted_by_the_next(
    warehouse: Warehouse,
) -> None:
    """And only once: the cost of a night depends on its new rows."""

    def night(number: int) -> None:
        at = FIRST_NIGHT + timedelta(days=number)
        product = a_product(f"B0PADDLE0{number}", series={"NEW": [START, 1, START + 5, 2]})
        warehouse.load([line_of(fetch_at(product, at))])

    night(1)
    warehouse.run_up_to("stg_keepa_point")
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("update STG.stg_keepa_series set point_count = 0, good_count = 0")
        connection.execute("delete from STG.stg_keepa_point")
    night(2)
    failures = warehouse.project.dbt(
        warehouse.path, "build", "--exclude-resource-type", "unit_test"
    )
    assert "points_of_new_loads_are_all_counted" in failures
    assert failures["stg_keepa_merged_series"].startswith("skipped")

    warehouse.refresh()
    night(3)
    warehouse.run_up_to("stg_keepa_payload")
    assert warehouse.query(
        "select distinct asin from MONITORING._stg_keepa_payload"
        " join STG.stg_keepa_fetch using (fetch_id)"
    ) == [("B0PADDLE03",)]


def test_a_tracked_product_that_keepa_left_out_is_named(warehouse: Warehouse) -> None:
    """An answer without `products` is a green sync. A day with other products only is no fault."""
    check = "tracked_products_are_fetched"
    tracked = tracked_asins(REPOSITORY_DIR / "dbt_project" / "seeds" / "tracked_products.csv")
    products = [(domain_id, asin) for domain_id, asins in tracked.items() for asin in asins]

    def night(number: int, brings: list[tuple[int, str]]) -> str:
        """Build the night and return the outcome of the check."""
        at = FIRST_NIGHT + timedelta(days=number)
        lines = [line_of(fetch_at(a_product(asin, domain_id), at)) for domain_id, asin in brings]
        warehouse.load([replace(line, load_id=f"load-{number}") for line in lines])
        warehouse.run_up_to("stg_keepa_fetch", "tracked_products")
        return warehouse.said_by(check)

    assert night(0, [(1, "B0PADDLE01")]) == "pass"
    assert night(1, products) == "pass"
    assert night(2, products[2:]).startswith("warn Got 2 results")
    assert night(3, products) == "pass"
    assert night(4, [(1, "B0PADDLE01")]) == "pass"


@pytest.fixture
def refusals(
    given_warehouse: Warehouse, new_warehouse: Callable[[], Warehouse]
) -> Callable[..., dg.AssetCheckResult]:
    """The check of the newest day beside earlier syncs, whose files were loaded `hours` before."""

    def judged(*earlier: LandingManifest, hours: int) -> dg.AssetCheckResult:
        warehouse = new_warehouse()
        warehouse.path.write_bytes(given_warehouse.path.read_bytes())
        with duckdb.connect(str(warehouse.path)) as connection:
            connection.execute(
                f"update RAW.KEEPA_RAW set loaded_at = loaded_at - interval {hours} hour"
                " where source_file <> 'new.gz'"
            )
        manifest = a_manifest(9, 1, "new.gz", lines=1).model_copy(update={"earlier": earlier})
        settings = Settings.load(warehouse_file=warehouse.path)
        result = REFUSALS_ARE_FEW(manifest, warehouse=WarehouseResource(settings=fixed(settings)))
        assert isinstance(result, dg.AssetCheckResult)
        assert result.severity is dg.AssetCheckSeverity.WARN, "it blocks no report"
        assert str(result.description).startswith("Refused: 0 of 1 records, 0 of 3 points")
        return result

    return judged


@pytest.mark.parametrize(
    ("file", "lines", "said"),
    [
        ("late.gz", 6, "refused 6 of 6 records, 0 of 0 points, 0 of 0 histories"),
        ("garbled.gz", 1, "refused 0 of 1 records, 7 of 8 points, 0 of 1 histories"),
    ],
)
def test_an_earlier_day_full_of_refusals_is_named_until_it_is_fetched_again(
    file: str, lines: int, said: str, refusals: Callable[..., dg.AssetCheckResult]
) -> None:
    garbled = a_manifest(1, 0, file, lines)
    result = refusals(garbled, hours=24)
    assert not result.passed
    assert f"Airbyte job 1 of {FIRST_NIGHT.date()} ({file}): {said}." in str(result.description)

    again = a_manifest(2, 0, "other.gz", lines=1)
    assert refusals(garbled, again, hours=24).passed


def test_a_single_refusal_in_a_late_file_is_named_by_the_run_that_loads_it(
    refusals: Callable[..., dg.AssetCheckResult],
) -> None:
    """No other run names it, as for a refusal in a file of the day itself."""
    late = a_manifest(1, 0, "old.gz", lines=1)
    result = refusals(late, hours=0)
    assert not result.passed
    assert f"Airbyte job 1 of {FIRST_NIGHT.date()} (old.gz): refused 0 of 1 records, 1 of 4" in (
        str(result.description)
    )

    assert refusals(late, hours=24).passed


def test_a_refused_history_of_many_products_is_red_although_they_have_others(
    new_warehouse: Callable[[], Warehouse],
) -> None:
    """Seven of 70 histories are not more than one in ten, but seven of seven products are."""
    warehouse = new_warehouse()
    others = ["AMAZON", "NEW", "USED", "SALES", "COLLECTIBLE", "REFURBISHED"]
    others += ["RATING", "COUNT_NEW", "COUNT_USED"]
    series = {**{name: [START, 1] for name in others}, "LISTPRICE": "?"}
    warehouse.load(
        [
            line_of(
                fetch_at(a_product(f"B0LACKING{n}", series=series), FIRST_NIGHT),
                "a.gz",
                n,
            )
            for n in range(1, 8)
        ]
    )
    warehouse.run_up_to("stg_keepa_quarantine", "stg_keepa_series")
    settings = Settings.load(warehouse_file=warehouse.path)
    result = REFUSALS_ARE_FEW(
        a_manifest(1, 0, "a.gz", lines=7), warehouse=WarehouseResource(settings=fixed(settings))
    )
    assert isinstance(result, dg.AssetCheckResult)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "7 of 70 histories, of B0LACKING1, B0LACKING2," in str(result.description)
    assert str(result.description).endswith("B0LACKING5 and 2 more.")
    assert result.metadata["core_rows_refused"].value == 7


def a_manifest(job_id: int, day: int, key: str, lines: int) -> LandingManifest:
    file = LandedFile(key=key, etag="e", size_bytes=1, lines=lines, sync_ids={str(job_id): lines})
    return LandingManifest(
        as_of_date=FIRST_NIGHT.date() + timedelta(days=day),
        job_id=job_id,
        records_reported=lines,
        files=(file,),
    )
