"""`vp doctor` against the stand-ins: green when all is right, and each fault named with its fix."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import duckdb
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.support.servers import servers
from tests.support.settings import fixed
from veracitypro_pipeline import settings as settings_module
from veracitypro_pipeline.doctor import code_location, snowflake, storage
from veracitypro_pipeline.doctor.checklist import checklist, examine
from veracitypro_pipeline.doctor.deployment import Deployment, message_of
from veracitypro_pipeline.doctor.probe import Finding, Probe, ProbeError, State, findings
from veracitypro_pipeline.doctor.warehouse import MODELS, SCHEMAS, TABLES, VIEWS
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.lineage import SCHEDULE_NAME
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.services.airbyte.app import create_airbyte_app
from veracitypro_pipeline.local.services.airbyte.connector import Connector
from veracitypro_pipeline.local.services.airbyte.destination import Bucket
from veracitypro_pipeline.local.services.airbyte.jobs import JobStore
from veracitypro_pipeline.local.services.airbyte.sync import Connection, Syncs
from veracitypro_pipeline.local.services.powerbi import Refreshes, create_powerbi_app
from veracitypro_pipeline.local.services.s3 import s3_client, start_s3
from veracitypro_pipeline.local.services.slack import Inbox, create_slack_app
from veracitypro_pipeline.resources.dbt.command import FINGERPRINT, fingerprint
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources.connector import CONNECTORS, tracked_asins, tracked_products_file
from veracitypro_pipeline.sources.keepa import KEEPA, PRODUCT_RAW

pytestmark = pytest.mark.xdist_group("doctor")

OWN: Final = Credentials()
MANIFEST: Final = CONNECTORS / KEEPA.manifest
CHANNEL, OTHER_CHANNEL = "#data-alerts", "#general"
Change = Callable[[dict[str, Any]], None]


@dataclass
class Interference:
    """Changes or replaces responses of the stand-ins, by method and path."""

    changes: dict[str, tuple[int, Change]] = field(default_factory=dict)
    instead: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def __call__(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        asked = f"{request.method} {request.url.path}"
        for pattern, document in self.instead.items():
            if re.search(pattern, asked):
                return JSONResponse(document)
        answer = await call_next(request)
        for pattern, (status, change) in self.changes.items():
            if re.search(pattern, asked):
                body = b"".join([chunk async for chunk in answer.body_iterator])  # type: ignore[attr-defined]
                document = json.loads(body or b"{}")
                change(document)
                return JSONResponse(document, status)
        return answer


@dataclass
class Stand:
    """A deployment in which every service is in order."""

    settings: Settings
    interference: Interference

    def examine(self, **changes: Any) -> list[Finding]:
        return list(examine(Deployment(fixed(self.settings.model_copy(update=changes)))))


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("doctor")
    settings = Settings.load(home=folder / "home", slack_channel=CHANNEL)
    s3 = start_s3(folder / "s3", OWN.aws_access_key_id, OWN.aws_secret_access_key)
    interference = Interference()
    with servers() as serve:
        url = serve(_services(folder, settings, interference))
        s3_client(s3.url, OWN.aws_access_key_id, OWN.aws_secret_access_key).put_object(
            Bucket=settings.raw_bucket,
            Key=f"{PRODUCT_RAW.prefix(settings.environment)}a.jsonl.gz",
            Body=b"x" * 5_000,
        )
        make_warehouse(settings.warehouse_path, SCHEMAS, (*TABLES, *VIEWS, *MODELS))
        of_these_files(settings.dbt_target_dir, settings.dbt_project_dir)
        yield Stand(_signed_in(settings, url, s3.url), interference)
    s3.stop()


def _services(folder: Path, settings: Settings, interference: Interference) -> Starlette:
    def now() -> datetime:
        return datetime.now(UTC)

    tracked = tracked_asins(tracked_products_file(settings))
    connection = Connection(
        source=KEEPA,
        manifest=MANIFEST,
        source_config=lambda: {
            **KEEPA.configuration(tracked),
            "base_url": "http://127.0.0.1:1",
            "api_key": "k",
        },
        inputs=lambda: "fingerprint",
        reader=lambda folder: Connector(MANIFEST, KEEPA.secrets, folder),
        buckets={
            PRODUCT_RAW.name: Bucket(
                None, settings.raw_bucket, PRODUCT_RAW.prefix(settings.environment)
            )
        },
    )
    jobs = JobStore(folder / "airbyte.json", now)
    syncs = [Syncs(connection, jobs, now, folder)]
    airbyte = create_airbyte_app(credentials=OWN, syncs=syncs, jobs=jobs, now=now)
    powerbi = create_powerbi_app(
        credentials=OWN, refreshes=Refreshes(folder / "refreshes.json", now)
    )
    slack = create_slack_app(
        bot_token=OWN.slack_bot_token,
        webhook_secret=OWN.slack_webhook_secret,
        channel=CHANNEL,
        inbox=Inbox(folder / "messages.jsonl", now),
        other_channels=[OTHER_CHANNEL],
    )
    return Starlette(
        routes=[Mount("/airbyte", airbyte), Mount("/powerbi", powerbi), Mount("/slack", slack)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=interference)],
    )


def _signed_in(settings: Settings, url: str, s3_url: str) -> Settings:
    return settings.model_copy(
        update={
            "airbyte_api_url": f"{url}/airbyte/v1",
            "airbyte_configuration_api_url": f"{url}/airbyte/api/v1",
            "airbyte_workspace_id": OWN.airbyte_workspace_id,
            "airbyte_connection_id": OWN.airbyte_id("connection", "keepa"),
            "airbyte_client_id": OWN.airbyte_client_id,
            "airbyte_client_secret": SecretStr(OWN.airbyte_client_secret),
            "aws_endpoint_url_s3": s3_url,
            "aws_access_key_id": OWN.aws_access_key_id,
            "aws_secret_access_key": SecretStr(OWN.aws_secret_access_key),
            "powerbi_api_url": f"{url}/powerbi/v1.0/myorg",
            "powerbi_authority_url": f"{url}/powerbi",
            "powerbi_tenant_id": OWN.powerbi_tenant_id,
            "powerbi_client_id": OWN.powerbi_client_id,
            "powerbi_client_secret": SecretStr(OWN.powerbi_client_secret),
            "powerbi_workspace_id": OWN.powerbi_workspace_id,
            "powerbi_dataset_id": OWN.powerbi_dataset_id,
            "slack_api_url": f"{url}/slack/api/",
            "slack_bot_token": SecretStr(OWN.slack_bot_token),
        }
    )


def test_the_doctor_looks_for_what_infra_creates_for_the_pipeline() -> None:
    made: dict[str, list[str]] = {"table": [], "view": []}
    for file in sorted((REPOSITORY_DIR / "infra" / "snowflake").rglob("*.sql")):
        text = file.read_text(encoding="utf-8")
        for kind, name in re.findall(r"create (table|view) if not exists \S+?\.(\S+)", text):
            made[kind].append(name)
    made = {kind: sorted(names) for kind, names in made.items()}
    assert made == {"table": sorted(TABLES), "view": list(VIEWS)}


def make_warehouse(path: Path, schemas: tuple[str, ...], tables: tuple[str, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        for schema in schemas:
            connection.execute(f"create schema {schema}")
        for table in tables:
            connection.execute(f"create table {table} as select 1 as one, now() as arrived_at")
    return path


def of_these_files(target: Path, project: Path) -> None:
    """A manifest with the fingerprint of the current project."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "manifest.json").write_text("{}")
    (target / FINGERPRINT).write_text(fingerprint(project))


@pytest.fixture(autouse=True)
def in_order(stand: Stand) -> None:
    """Without Airbyte's real check, which starts a connector (see `test_airbyte_standin.py`)."""
    stand.interference.changes.clear()
    stand.interference.instead = {r"check_connection": {"status": "succeeded"}}


def test_a_deployment_in_order_is_green(stand: Stand) -> None:
    found = stand.examine()
    assert [finding for finding in found if finding.state is not State.OK] == []
    assert [finding.name for finding in found] == [check.name for check in checklist("local")]


# Each fault: what is done to the deployment, the check that names it, what it says, its fix.


def changed(pattern: str, change: Change, status: int = 200) -> Callable[[Stand], dict[str, Any]]:
    def do(stand: Stand) -> dict[str, Any]:
        stand.interference.changes[pattern] = (status, change)
        return {}

    return do


def with_settings(**settings: Any) -> Callable[[Stand], dict[str, Any]]:
    return lambda _: settings


def stream_config(name: str, value: Any) -> Change:
    def change(connection: dict[str, Any]) -> None:
        connection["syncCatalog"]["streams"][0]["config"][name] = value

    return change


def destination(**values: Any) -> Callable[[Stand], dict[str, Any]]:
    return changed(r"GET .*/v1/destinations/", lambda it: it["configuration"].update(values))


def without_a_product(source: dict[str, Any]) -> None:
    source["configuration"]["marketplaces"][0]["asins"].pop()


def keepa_refuses(stand: Stand) -> dict[str, Any]:
    stand.interference.instead = {
        "check_connection": {"status": "failed", "message": "Keepa refuses the API key (HTTP 402)"}
    }
    return {}


def dead_webhook(stand: Stand) -> dict[str, Any]:
    url = stand.settings.slack_api_url.removesuffix("api/")
    return {"slack_bot_token": None, "slack_webhook_url": SecretStr(f"{url}services/revoked")}


WRONG: Final = SecretStr("open sesame")
FAULTS: Final = {
    "a setting is missing": (
        with_settings(airbyte_connection_id=None, airbyte_client_id=None),
        ("airbyte settings", "AIRBYTE_CONNECTION_ID, AIRBYTE_CLIENT_ID", r"\.env\.example"),
    ),
    "airbyte: wrong secret": (
        with_settings(airbyte_client_secret=WRONG),
        ("airbyte sign-in", "Airbyte answered 401", "AIRBYTE_CLIENT_SECRET"),
    ),
    "airbyte: another workspace": (
        with_settings(airbyte_workspace_id="other"),
        ("airbyte sign-in", "no workspace other", "AIRBYTE_WORKSPACE_ID"),
    ),
    "airbyte: no such connection": (
        with_settings(airbyte_connection_id="other"),
        ("airbyte connection", "no connection other", "AIRBYTE_CONNECTION_ID"),
    ),
    "airbyte: connection switched off": (
        changed("connections/get", lambda it: it.update(status="inactive")),
        ("airbyte connection", "'keepa_to_s3' is inactive", "enable it"),
    ),
    "airbyte: stream not selected": (
        changed("connections/get", stream_config("selected", False)),
        ("airbyte stream", "selected: no stream", "select product_raw"),
    ),
    "airbyte: incremental sync": (
        changed("connections/get", stream_config("syncMode", "incremental")),
        ("airbyte stream", r"incremental \+ append", r"full_refresh \+ append"),
    ),
    "airbyte: schema of an older connector": (
        changed(
            "connections/get",
            lambda it: it["syncCatalog"]["streams"][0]["stream"]["jsonSchema"]["properties"].pop(
                "csv"
            ),
        ),
        ("airbyte schema", "drops the fields csv", "source_keepa.yaml"),
    ),
    "airbyte: a tracked product is missing": (
        changed(r"GET .*/v1/sources/", without_a_product),
        ("airbyte source", r"tracked_products has \d+:\w{10} that", "sources.connector keepa"),
    ),
    "airbyte: ratings are not asked for": (
        changed(r"GET .*/v1/sources/", lambda it: it["configuration"].update(rating=False)),
        ("airbyte source", "rating is not", "sources.connector keepa"),
    ),
    "airbyte: CSV": (
        destination(format={"format_type": "CSV"}),
        ("airbyte destination", "the format is CSV, expected JSONL", "infra/airbyte/README.md"),
    ),
    "airbyte: no compression": (
        destination(
            format={
                "format_type": "JSONL",
                "compression": {"compression_type": "No Compression"},
            }
        ),
        ("airbyte destination", "No Compression, expected GZIP", "infra/airbyte/README.md"),
    ),
    "airbyte: another path": (
        destination(s3_bucket_path="keepa"),
        ("airbyte destination", "s3_bucket_path is 'keepa', expected 'env=local/", "README"),
    ),
    "keepa: key refused": (
        keepa_refuses,
        ("keepa key", "HTTP 402", "Keepa API key in the Airbyte source"),
    ),
    "s3: denied": (
        with_settings(aws_access_key_id="AKIAOTHER"),
        ("s3 list", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
    ),
    "powerbi: wrong secret": (
        with_settings(powerbi_client_secret=WRONG),
        ("powerbi sign-in", "Microsoft sign-in answered 401", "POWERBI_CLIENT_SECRET"),
    ),
    "powerbi: no such dataset": (
        with_settings(powerbi_dataset_id="other"),
        ("powerbi dataset", "no such dataset", "POWERBI_DATASET_ID"),
    ),
    "powerbi: dataset of direct queries": (
        changed(r"GET .*/datasets/[^/]+$", lambda it: it.update(isRefreshable=False)),
        ("powerbi dataset", "'veracitypro' cannot be refreshed", "import mode"),
    ),
    "powerbi: may read and not refresh": (
        changed(r"GET .*/refreshes", lambda it: it.clear(), 403),
        ("powerbi history", "Power BI answered 403", "Contributor"),
    ),
    "slack: nothing set": (
        with_settings(slack_bot_token=None),
        ("slack settings", "neither SLACK_BOT_TOKEN nor", "SLACK_WEBHOOK_URL"),
    ),
    "slack: wrong token": (
        with_settings(slack_bot_token=WRONG),
        ("slack sign-in", "invalid_auth", "SLACK_BOT_TOKEN"),
    ),
    "slack: no such channel": (
        with_settings(slack_channel="#elsewhere"),
        ("slack channel", "no channel #elsewhere", "SLACK_CHANNEL"),
    ),
    "slack: not in the channel": (
        with_settings(slack_channel=OTHER_CHANNEL),
        ("slack channel", "the bot is not in #general", "invite the bot"),
    ),
    "slack: webhook revoked": (
        dead_webhook,
        ("slack sign-in", "no longer knows the webhook", "SLACK_WEBHOOK_URL"),
    ),
}


def the_fault(found: list[Finding]) -> Finding:
    """The only fault; probes that depend on it are skipped, not faults."""
    (fault,) = [finding for finding in found if finding.state is State.FAULT]
    return fault


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_fix_and_is_the_only_one(stand: Stand, fault: str) -> None:
    inject, (name, message, fix) = FAULTS[fault]
    finding = the_fault(stand.examine(**inject(stand)))
    assert finding.name == name
    assert re.search(message, finding.message), finding.message
    assert re.search(fix, finding.fix or ""), finding.fix
    assert WRONG.get_secret_value() not in f"{finding}"


def test_a_missing_bucket_is_named(stand: Stand) -> None:
    """The buckets of a new environment are created one after the other."""
    settings = stand.settings.model_copy(update={"environment": "dev"})
    s3 = s3_client(
        str(settings.aws_endpoint_url_s3), OWN.aws_access_key_id, OWN.aws_secret_access_key
    )
    finding = the_fault(_look(settings, *storage.PROBES))
    assert finding.name == "s3 list"
    assert "vp-raw-dev-us-east-2" in finding.message
    assert "NoSuchBucket" in finding.message
    assert "infra/aws/storage.yaml" in (finding.fix or "")

    s3.create_bucket(Bucket=settings.raw_bucket)
    finding = the_fault(_look(settings, *storage.PROBES))
    assert finding.name == "s3 handover"
    assert "vp-monitoring-dev-us-east-2" in finding.message

    s3.create_bucket(Bucket=settings.monitoring_bucket)
    found = _look(settings, *storage.PROBES)
    assert [finding.state for finding in found] == [State.OK] * 3


@pytest.mark.parametrize(
    ("schemas", "tables", "name", "message"),
    [
        (None, (), "warehouse sign-in", "There is no warehouse at"),
        (SCHEMAS[:-1], (), "warehouse schemas", "missing: MONITORING"),
        (SCHEMAS, TABLES[:1], "warehouse tables", "missing: MONITORING.LOAD_LEDGER"),
        (
            SCHEMAS,
            (*TABLES, *VIEWS, *MODELS[:2]),
            "warehouse models",
            "missing: MART.DIM_PRODUCT",
        ),
    ],
)
def test_missing_tables_and_schemas_are_named(
    stand: Stand,
    tmp_path: Path,
    schemas: tuple[str, ...] | None,
    tables: tuple[str, ...],
    name: str,
    message: str,
) -> None:
    path = tmp_path / "dwh.duckdb"
    if schemas is not None:
        make_warehouse(path, schemas, tables)
    finding = the_fault(stand.examine(warehouse_file=path))
    assert (finding.name, "`vp run`" in (finding.fix or "")) == (name, True)
    assert message in finding.message


def test_a_column_that_an_older_warehouse_lacks_is_named(stand: Stand, tmp_path: Path) -> None:
    path = make_warehouse(tmp_path / "dwh.duckdb", SCHEMAS, (*TABLES, *VIEWS, *MODELS))
    with duckdb.connect(str(path)) as connection:
        connection.execute("alter table MONITORING.LOAD_LEDGER drop column arrived_at")
    finding = the_fault(stand.examine(warehouse_file=path))
    assert finding.name == "warehouse tables"
    assert finding.message.endswith("missing: MONITORING.LOAD_LEDGER.ARRIVED_AT")


def test_a_webhook_is_enough_and_the_probe_posts_nothing(stand: Stand) -> None:
    url = stand.settings.slack_api_url.removesuffix("api/")
    hook = SecretStr(f"{url}services/{OWN.slack_webhook_secret}")
    found = stand.examine(slack_bot_token=None, slack_webhook_url=hook)
    assert {finding.state for finding in found} == {State.OK}


@contextmanager
def _deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A deployment has no checkout, only the files of its wheel."""
    project = tmp_path / "dbt_project"
    shutil.copytree(
        REPOSITORY_DIR / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs")
    )
    monkeypatch.setattr(settings_module, "REPOSITORY_DIR", tmp_path)
    settings = Settings.load(environment="prod", dbt_project_dir=project)
    of_these_files(settings.dbt_target_dir, project)
    yield settings


def _look(settings: Settings, *probes: Probe[Deployment]) -> list[Finding]:
    return list(findings(probes, Deployment(fixed(settings)), explain=message_of))


def test_a_stale_or_missing_manifest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _deployed(tmp_path, monkeypatch) as settings:
        (finding,) = _look(settings, code_location.MANIFEST)
        assert finding.state is State.OK

        with (settings.dbt_project_dir / "models/mart/dim/dim_seller.sql").open("a") as model:
            model.write("-- changed after the build\n")
        (finding,) = _look(settings, code_location.MANIFEST)
        assert (finding.state, finding.name) == (State.FAULT, "dbt manifest")
        assert "was made from other files" in finding.message
        assert ".ci/build" in (finding.fix or "")

        shutil.rmtree(settings.dbt_target_dir)
        (finding,) = _look(settings, code_location.MANIFEST)
        assert "There is no dbt manifest" in finding.message


class InSnowflake:
    """Answers of a Snowflake that is in order, by statement; a test replaces one."""

    def __init__(self, url: str) -> None:
        role = "select current_role() as role, current_warehouse() as warehouse,"
        self.answers: dict[str, list[dict[str, Any]]] = {
            f"{role} current_database() as database": [
                {"ROLE": "DAGSTER_ROLE", "WAREHOUSE": "WH_INGEST", "DATABASE": "VP_DWH"}
            ],
            'show grants to role "DAGSTER_ROLE"': [
                grant("USAGE", "DATABASE", "VP_DWH"),
                grant("USAGE", "STAGE", "VP_DWH.RAW.STAGE_KEEPA"),
                grant("USAGE", "ROLE", "LOADERS"),
                grant("OWNERSHIP", "TABLE", "VP_DWH.RAW.KEEPA_RAW"),
            ],
            'show grants to role "LOADERS"': [
                grant("USAGE", "ROLE", "DAGSTER_ROLE"),
                grant("USAGE", "WAREHOUSE", "WH_INGEST"),
                *(
                    grant(privilege, "TABLE", f"VP_DWH.{table}")
                    for table in TABLES[1:]
                    for privilege in ("SELECT", "INSERT", "DELETE")
                ),
            ],
            'show grants to role "DBT_ROLE"': [
                grant("USAGE", "DATABASE", "VP_DWH"),
                grant("USAGE", "WAREHOUSE", "WH_INGEST"),
                grant("USAGE", "SCHEMA", "VP_DWH.RAW"),
                grant("SELECT", "TABLE", "VP_DWH.RAW.KEEPA_RAW"),
                grant("OWNERSHIP", "SCHEMA", "VP_DWH.CORE"),
                *(
                    grant(privilege, "SCHEMA", f"VP_DWH.{schema}")
                    for schema in ("STG", "MART", "MONITORING")
                    for privilege in ("USAGE", "CREATE TABLE", "CREATE VIEW")
                ),
            ],
            'show grants to role "OPERATOR_ROLE"': [
                grant("USAGE", "DATABASE", "VP_DWH"),
                grant("USAGE", "WAREHOUSE", "WH_BI"),
                *(
                    grant("USAGE", "SCHEMA", f"VP_DWH.{schema}")
                    for schema in ("RAW", "STG", "CORE", "MART", "MONITORING")
                ),
            ],
            "show stages like 'STAGE_KEEPA' in schema RAW": [
                {"url": url, "storage_integration": "VP_S3_INT"}
            ],
            "list @RAW.STAGE_KEEPA": [{"name": f"{url}a.jsonl.gz", "size": 1}],
        }

    def query(self, sql: str) -> Any:
        if sql not in self.answers:
            raise PermanentFailure(f"Snowflake refuses: {sql}")
        rows = self.answers[sql]
        columns = list(rows[0]) if rows else []
        return SimpleNamespace(columns=columns, rows=[tuple(row.values()) for row in rows])


def in_snowflake(deployment: Deployment) -> tuple[InSnowflake, InSnowflake, InSnowflake]:
    """The account as the pipeline, dbt and readers see it; a role sees only its own grants."""
    settings = deployment.settings
    there = InSnowflake(f"s3://{settings.raw_bucket}/{PRODUCT_RAW.prefix(settings.environment)}")
    to_dbt, to_readers = InSnowflake(""), InSnowflake("")
    for of_role, role in ((to_dbt, "DBT_ROLE"), (to_readers, "OPERATOR_ROLE")):
        grants = f'show grants to role "{role}"'
        of_role.answers = {grants: there.answers.pop(grants)}
    deployment.warehouse = there  # type: ignore[assignment]
    deployment.dbt_warehouse = to_dbt  # type: ignore[assignment]
    deployment.reader_warehouse = to_readers  # type: ignore[assignment]
    return there, to_dbt, to_readers


def grant(privilege: str, kind: str, name: str) -> dict[str, str]:
    return {"privilege": privilege, "granted_on": kind, "name": name}


SNOWFLAKE_FAULTS: Final = {
    "nothing": ("", None, ""),
    "another role": ("current_role", {"ROLE": "PUBLIC"}, "the session has role PUBLIC"),
    "a grant is missing": (
        '"LOADERS"',
        None,
        "lacks USAGE on WAREHOUSE WH_INGEST, SELECT on TABLE VP_DWH.MONITORING.LOAD_LEDGER",
    ),
    "dbt may make nothing": (
        '"DBT_ROLE"',
        None,
        "DBT_ROLE lacks USAGE on DATABASE VP_DWH, USAGE on WAREHOUSE WH_INGEST, USAGE on SCHEMA"
        " VP_DWH.RAW, SELECT on TABLE VP_DWH.RAW.KEEPA_RAW, USAGE on SCHEMA VP_DWH.STG",
    ),
    "readers may read nothing": (
        '"OPERATOR_ROLE"',
        None,
        "OPERATOR_ROLE lacks USAGE on DATABASE VP_DWH, USAGE on WAREHOUSE WH_BI, USAGE on SCHEMA",
    ),
    "no stage": ("show stages", None, "there is no stage RAW.STAGE_KEEPA"),
    "a stage elsewhere": ("show stages", {"url": "s3://other/"}, "is at s3://other/"),
    "another integration": ("show stages", {"storage_integration": "OLD"}, "through OLD"),
}


@pytest.mark.parametrize("fault", SNOWFLAKE_FAULTS)
def test_missing_objects_and_grants_in_snowflake_are_named(fault: str) -> None:
    """Tests how answers are judged; the statements themselves need an account."""
    settings = Settings.load(environment="prod")
    deployment = Deployment(fixed(settings))
    asked, change, message = SNOWFLAKE_FAULTS[fault]
    for there in in_snowflake(deployment):
        for sql, rows in there.answers.items():
            if asked and asked in sql:
                there.answers[sql] = [] if change is None else [{**rows[0], **change}]
    found = list(findings(snowflake.PROBES, deployment, explain=message_of))
    if fault == "nothing":
        assert {finding.state for finding in found} == {State.OK}
    else:
        assert message in the_fault(found).message


def test_a_bucket_that_snowflake_may_not_read_is_named() -> None:
    settings = Settings.load(environment="prod")
    deployment = Deployment(fixed(settings))
    there, *_ = in_snowflake(deployment)
    del there.answers["list @RAW.STAGE_KEEPA"]
    finding = the_fault(list(findings(snowflake.PROBES, deployment, explain=message_of)))
    assert finding.name == "snowflake integration"
    assert "infra/aws/access.yaml" in (finding.fix or "")


def test_dbt_and_readers_are_probed_with_their_own_sign_in() -> None:
    """A user who lacks their roles fails here as the night, or `vp sql`, would."""
    deployment = Deployment(fixed(Settings.load(environment="prod", snowflake_dbt_role="BUILDER")))
    signed_in = [
        (settings.snowflake_role, settings.snowflake_warehouse)
        for warehouse in (
            deployment.warehouse,
            deployment.dbt_warehouse,
            deployment.reader_warehouse,
        )
        for settings in [warehouse.settings.get()]
    ]
    assert signed_in == [
        ("DAGSTER_ROLE", "WH_INGEST"),
        ("BUILDER", "WH_INGEST"),
        ("OPERATOR_ROLE", "WH_BI"),
    ]


def dagster(answer: dict[str, Any] | None, status: int = 200) -> Starlette:
    """Dagster's GraphQL endpoint, with one answer for requests with the token, or with none."""

    async def graphql(request: Request) -> Response:
        asked = await request.json()
        assert asked["variables"]["selector"]["scheduleName"] == SCHEDULE_NAME
        if request.headers.get("dagster-cloud-api-token") != "token":
            return JSONResponse({"error": "unauthorized"}, 401)
        data = None if answer is None else {"scheduleOrError": answer}
        return JSONResponse({"data": data}, status)

    return Starlette(routes=[Route("/vp-prod/graphql", graphql, methods=["POST"])])


def schedule(status: str) -> dict[str, Any]:
    return {"__typename": "Schedule", "scheduleState": {"status": status}}


@pytest.mark.parametrize(
    ("answer", "token", "message", "fix"),
    [
        (schedule("RUNNING"), "token", None, None),
        (schedule("STOPPED"), "token", "is STOPPED", "switch"),
        (
            {"__typename": "ScheduleNotFoundError", "message": "no such"},
            "token",
            "no such",
            "deploy the code location",
        ),
        (schedule("RUNNING"), "wrong", "Dagster answered 401", "switch"),
        (None, "token", "Dagster", "switch"),
    ],
)
def test_the_schedule_must_be_on_in_production(
    serve: Callable[[Starlette], str],
    answer: dict[str, Any] | None,
    token: str,
    message: str | None,
    fix: str | None,
) -> None:
    url = f"{serve(dagster(answer))}/vp-prod"
    settings = Settings.load(environment="prod", dagster_url=url)
    settings = settings.model_copy(update={"dagster_api_token": SecretStr(token)})
    in_order, finding = _look(settings, *code_location.SCHEDULE)
    assert in_order.state is State.OK
    if message is None:
        assert finding.state is State.OK
    else:
        assert message in finding.message
        assert (fix or "") in (finding.fix or "")


def test_the_query_for_the_schedule_is_valid_in_dagsters_schema() -> None:
    """In that of the pinned version, which Dagster Cloud serves too."""
    from dagster_graphql.schema import create_schema
    from graphql import parse, validate

    schema = create_schema().graphql_schema
    assert validate(schema, parse(code_location.SCHEDULE_STATE)) == []


def test_only_production_needs_the_schedule_and_only_accounts_need_snowflake() -> None:
    names = {
        environment: {check.name for check in checklist(environment)}
        for environment in settings_module.Environment.__args__  # type: ignore[attr-defined]
    }
    assert names["prod"] - names["dev"] == {"schedule settings", "schedule"}
    assert {name.split()[0] for name in names["dev"] - names["local"]} == {"snowflake"}
    assert names["local"] < names["dev"] < names["prod"]


def test_a_probe_comes_after_the_one_it_needs_and_names_are_unique() -> None:
    probes = checklist("prod")
    names = [probe.name for probe in probes]
    assert len(set(names)) == len(names)
    for number, probe in enumerate(probes):
        assert probe.after is None or probe.after in names[:number], probe.name
        assert probe.fix


def test_probes_that_need_a_faulty_one_are_skipped_and_bugs_are_raised() -> None:
    def faulty(_: None) -> str:
        raise ProbeError("broken", "mend it")

    def wrong(_: None) -> str:
        raise KeyError("ours")

    probes = [
        Probe[None]("first", faulty, "own fix"),
        Probe[None]("second", wrong, "", after="first"),
        Probe[None]("third", wrong, "", after="second"),
        Probe[None]("fourth", lambda _: "fine", ""),
    ]
    assert [(f.state, f.fix) for f in findings(probes, None)] == [
        (State.FAULT, "mend it"),
        (State.WAITS, None),
        (State.WAITS, None),
        (State.OK, None),
    ]
    with pytest.raises(KeyError, match="ours"):
        list(findings([Probe[None]("one", wrong, "")], None))
