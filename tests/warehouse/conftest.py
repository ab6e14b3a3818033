"""Fixtures of the warehouse tests: one parse of the dbt project, empty warehouses to build, and an
emulated Snowflake account with its bucket."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr

from tests.support.emulator.running import Emulator, s3_of, start_emulator
from tests.support.warehouse import walkthrough
from tests.support.warehouse.building import Line, Project, Warehouse, parse_project
from tests.support.warehouse.hostile import (
    BROKEN_LINES,
    HOSTILE_AS_OF,
    HOSTILE_NIGHT,
    hostile_products,
)
from tests.support.warehouse.mutations import FIRST_DAY, FIRST_NIGHT, Mutated, mutations
from tests.support.warehouse.site import KEY_ID, SECRET, STORAGE_ROLE, Site
from veracitypro_pipeline.cli.infra import FOLDER, make, parameters_of
from veracitypro_pipeline.infra_plan import statements_of
from veracitypro_pipeline.local.services.s3 import S3Server, start_s3
from veracitypro_pipeline.raw.engines import raw_engine
from veracitypro_pipeline.resources.warehouse.on_snowflake import SnowflakeWarehouse
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Project:
    """The dbt project, parsed once for the local target."""
    cache: pytest.Cache | None = getattr(pytestconfig, "cache", None)  # `-p no:cacheprovider`.
    parsed = cache.mkdir("dbt") if cache else None
    return parse_project(REPOSITORY_DIR / "dbt_project", tmp_path_factory.mktemp("dbt"), parsed)


@pytest.fixture
def new_warehouse(project: Project, tmp_path: Path) -> Callable[[], Warehouse]:
    """Creates empty warehouses, each in its own folder."""
    made: list[Warehouse] = []

    def make() -> Warehouse:
        made.append(Warehouse(project, tmp_path / str(len(made))))
        return made[-1]

    return make


@pytest.fixture
def warehouse(new_warehouse: Callable[[], Warehouse]) -> Warehouse:
    return new_warehouse()


@pytest.fixture(scope="session")
def mutated() -> dict[str, Mutated]:
    """Products with a part replaced, by ASIN; the first is unchanged."""
    random = Random(2011)  # noqa: S311 - the same products every time
    return {case.product["asin"]: case for case in mutations(random, several=400)}


@pytest.fixture(scope="session")
def hostile(
    project: Project, tmp_path_factory: pytest.TempPathFactory, mutated: dict[str, Mutated]
) -> Warehouse:
    """One build, with all tests, of hostile products, mutated ones, lines without a product and the
    product of the walkthrough."""
    warehouse = Warehouse(project, tmp_path_factory.mktemp("hostile") / "all")
    warehouse.load(
        Line(json.dumps(product), HOSTILE_NIGHT, HOSTILE_AS_OF, "hostile.gz", row)
        for row, product in enumerate(hostile_products(), start=1)
    )
    warehouse.load(
        Line(json.dumps(case.product), FIRST_NIGHT, FIRST_DAY, "mutated.gz", row)
        for row, case in enumerate(mutated.values(), start=1)
    )
    warehouse.load(
        Line(payload, HOSTILE_NIGHT, HOSTILE_AS_OF, "broken.gz", row, raw_line)
        for row, (payload, raw_line, _) in enumerate(BROKEN_LINES, start=1)
    )
    warehouse.load([walkthrough.line()])
    warehouse.build()
    return warehouse


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("landing") / "s3"
    settings = Settings.load(environment="dev")
    for bucket in (settings.raw_bucket, settings.monitoring_bucket):
        (folder / bucket).mkdir(parents=True)
    server = start_s3(folder, KEY_ID, SECRET)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Emulator]:
    running = start_emulator(
        tmp_path_factory.mktemp("emulator"), s3_of(s3_server.url, KEY_ID, SECRET)
    )
    yield running
    running.stop()


@pytest.fixture(scope="session")
def snowflake(emulator: Emulator, s3_server: S3Server) -> Site:
    """The account as infra/snowflake creates it, with an empty RAW."""
    settings = emulator.settings(
        aws_endpoint_url_s3=s3_server.url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SecretStr(SECRET),
        snowflake_storage_role_arn=STORAGE_ROLE,
    )
    administrator = SnowflakeWarehouse.of(settings, {}, role="ACCOUNTADMIN")
    with administrator.session() as session:
        make(session, statements_of(FOLDER, parameters_of(settings)))
    site = Site(settings, s3_server)
    raw_engine(site.warehouse).prepare(site.warehouse, PRODUCT_RAW)
    return site


@pytest.fixture(scope="session")
def duckdb_site(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Site:
    """DuckDB on the same bucket."""
    settings = Settings.load(
        environment="local",
        warehouse_file=tmp_path_factory.mktemp("duckdb") / "warehouse.duckdb",
        aws_endpoint_url_s3=s3_server.url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SecretStr(SECRET),
    )
    site = Site(settings, s3_server)
    raw_engine(site.warehouse).prepare(site.warehouse, PRODUCT_RAW)
    return site
