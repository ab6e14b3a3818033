"""What a night asks of Snowflake, by model: the real dbt and connector on the emulated account.

Statements are counted by their query tags, as the run's own cost report does. Rows are those that
Snowflake says a model's main statement has written; it says 1 of a table made anew. Bytes and
seconds of an emulator say nothing about Snowflake.
"""

import json
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from tests.bench.harness import Benchmark, Cost, cost_of_process
from tests.bench.landing import Catalogue, land_night
from tests.support.emulator.running import s3_of, start_emulator
from veracitypro_pipeline.cli.infra import FOLDER, make, parameters_of
from veracitypro_pipeline.infra_plan import statements_of
from veracitypro_pipeline.local.services.s3 import s3_client, start_s3
from veracitypro_pipeline.raw.engines import raw_engine
from veracitypro_pipeline.raw.tables import Load
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.warehouse.on_snowflake import SnowflakeWarehouse
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW

FIRST_DAY: Final = date(2026, 1, 1)
_KEY_ID, _SECRET = "AKIABENCH", "not-a-secret"
_ROLE: Final = "arn:aws:iam::123456789012:role/vp-snowflake-dev"
_SHOWN: Final = 4
_TAGS: Final = "select query_tag from table(information_schema.query_history_by_user())"


def statements(products: int) -> Benchmark:
    """The first night of a small catalogue, and one in which every product was fetched again."""
    result = Benchmark(
        "statements",
        f"what does a night of {products} products ask of Snowflake?",
        baseline="first night",
    )
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as name:
        account = _Account(Path(name))
        try:
            for number, night in enumerate(("first night", "second night")):
                _build(result, account, night, products, FIRST_DAY + timedelta(days=number))
        finally:
            account.stop()
    return result


def _build(
    result: Benchmark, account: "_Account", night: str, products: int, as_of_date: date
) -> None:
    account.load(as_of_date, products)
    cost = account.build(night)
    of_kind, of_model = account.asked(night)
    written = account.rows_written()
    result.variant(
        night,
        asked=of_kind.total(),
        by_models=of_kind["model"],
        by_tests=of_kind["test"],
        rows=sum(written.values()),
    ).costs.append(cost)
    # The models that ask or write most, each as a line of its own.
    for model, count in of_model.most_common(_SHOWN):
        result.variant(f"{night}, {model}", asked=count, rows=written.get(model, 0)).costs.append(
            Cost(account.seconds(model))
        )


class _Account:
    """An emulated account as `vp infra apply` leaves it, and its bucket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        bucket = Settings.load(environment="dev").raw_bucket
        (folder / "s3" / bucket).mkdir(parents=True)
        self._s3 = start_s3(folder / "s3", _KEY_ID, _SECRET)
        self._emulator = start_emulator(folder, s3_of(self._s3.url, _KEY_ID, _SECRET))
        self.settings = self._emulator.settings(
            home=folder / "home",
            aws_endpoint_url_s3=self._s3.url,
            aws_access_key_id=_KEY_ID,
            aws_secret_access_key=SecretStr(_SECRET),
            snowflake_storage_role_arn=_ROLE,
        )
        administrator = SnowflakeWarehouse.of(self.settings, {}, role="ACCOUNTADMIN")
        with administrator.session() as session, redirect_stdout(StringIO()):
            make(session, statements_of(FOLDER, parameters_of(self.settings)))

    def stop(self) -> None:
        self._emulator.stop()
        self._s3.stop()

    def load(self, as_of_date: date, products: int) -> None:
        """Land the catalogue and load it as the raw stage does."""
        night = land_night(self._folder / "landing", Catalogue(products), as_of_date)
        bucket = s3_client(self._s3.url, _KEY_ID, _SECRET)
        files = []
        for file, path in zip(night.files, night.paths, strict=True):
            key = PRODUCT_RAW.prefix(self.settings.environment) + file.key
            put = bucket.put_object(
                Bucket=self.settings.raw_bucket, Key=key, Body=path.read_bytes()
            )
            files.append(file.model_copy(update={"key": key, "etag": put["ETag"].strip('"')}))
        load = Load(PRODUCT_RAW, files, as_of_date, f"load-{as_of_date}", datetime(2026, 2, 1))
        settings = _fixed(self.settings)
        warehouse = WarehouseResource(settings=settings)
        raw_engine(warehouse).load(load, self.settings, S3Resource(settings=settings), warehouse)

    def build(self, run_id: str) -> Cost:
        """`dbt build` with its tests; what it asks carries the id."""
        return cost_of_process(
            dbt_command.arguments("build", "--exclude-resource-type", "unit_test"),
            {
                **dbt_command.environment(self.settings, self._results.parent),
                "DBT_ENV_CUSTOM_ENV_RUN_ID": run_id,
            },
            self.settings.dbt_project_dir,
        )

    def asked(self, run_id: str) -> tuple[Counter[str], Counter[str]]:
        """Statements of a run by kind (`model`, `test`, ...), and those of models by name."""
        of_kind, of_model = Counter[str](), Counter[str]()
        reader = SnowflakeWarehouse.of(self.settings, {}, role="ACCOUNTADMIN")
        for (text,) in reader.query(_TAGS).rows:
            tag = json.loads(text or "{}")
            if tag.get("run_id") == run_id:
                kind, _, name = tag.get("step", "run").partition("/")
                of_kind[kind] += 1
                if kind == "model":
                    of_model[name] += 1
        return of_kind, of_model

    def rows_written(self) -> dict[str, int]:
        """By the models of the newest build."""
        return {
            name: int(node["adapter_response"].get("rows_affected") or 0)
            for name, node in self._nodes().items()
        }

    def seconds(self, model: str) -> float:
        return float(self._nodes()[model]["execution_time"])

    @property
    def _results(self) -> Path:
        return dbt_command.build_folder(self.settings) / "run_results.json"

    def _nodes(self) -> dict[str, dict[str, Any]]:
        nodes = json.loads(self._results.read_text(encoding="utf-8"))["results"]
        return {
            node["unique_id"].split(".")[-1]: node
            for node in nodes
            if node["unique_id"].startswith("model.")
        }


def _fixed(settings: Settings) -> RunSettings:
    """A settings resource of a new class: Dagster copies resources and drops their attributes."""

    class FixedSettings(RunSettings):
        def _load(self) -> Settings:
            return settings

    return FixedSettings()
