"""`dbt build` on Snowflake, twice: the same tables as on DuckDB, row for row.

Both engines load the same landing files and build after each of two loads. The products include
invented series with everything that happens between nights, and malformed payloads. Hashes differ
by design and are not compared across engines: Snowflake formats JSON text in its own way, and hash
functions differ.

Before Snowflake's second build, one build fails in a model and is killed. It must leave no trace.
"""

import json
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import Any, Final

import pytest
import sqlglot
import streamlit as st
from click.testing import CliRunner
from sqlglot import exp
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from tests.support.emulator.transactions import first_word
from tests.support.killing import dbt_statement, environment_of
from tests.support.warehouse import spellings
from tests.support.warehouse.building import Project
from tests.support.warehouse.histories import fetches_of
from tests.support.warehouse.hostile import hostile_products
from tests.support.warehouse.landing_lines import LINES
from tests.support.warehouse.reference import Fetch
from tests.support.warehouse.site import Site
from tests.support.warehouse.spellings import spelled_product
from veracitypro_pipeline import service_levels
from veracitypro_pipeline.cli.dashboard import SCRIPT
from veracitypro_pipeline.cli.main import vp
from veracitypro_pipeline.dashboard import pipeline_queries, product_queries, reading
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.monitoring.tables import create_tables, record_statements
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.resources.warehouse.factory import open_warehouse
from veracitypro_pipeline.resources.warehouse.on_snowflake import (
    SnowflakeWarehouse,
    session_parameters,
)
from veracitypro_pipeline.runs.summary import (
    CheckCounts,
    CheckResult,
    RunRecord,
    RunSummary,
    Stage,
)
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.sources.keepa.conservation import CONSERVATION, COUNTS_OF_DAY
from veracitypro_pipeline.sources.keepa.refusals import REFUSALS
from veracitypro_pipeline.statement import Statement
from veracitypro_pipeline.transform import failing_rows
from veracitypro_pipeline.transform.conservation import broken_equations

pytestmark = pytest.mark.xdist_group("snowflake")

FIRST_DAY: Final = date(2011, 1, 3)
FIRST_NIGHT: Final = datetime(2011, 1, 4, 0, 10)
HASHES: Final = ("fetch_id", "content_hash", "text_hash", "history_version", "points_digest")
RUNS: Final = ("run-1", "run-2")
PAGES: Final = ("", "product")
APP_INSIDE: Final = REPOSITORY_DIR / "infra" / "streamlit" / "streamlit_app.py"
KILLED: Final = dbt_statement(
    "a model is written, what it was made of is not kept", "before", "_BUILT_STG_KEEPA_POINT"
)
# A model whose second night replaces rows, and on which no model depends that is built before the
# kill.
FAILING: Final = "STG.STG_KEEPA_VARIATION"


# With numbers in all spellings, and their values.
SPELLED: Final = spelled_product(Random(7))  # noqa: S311 - the same every time


def line_of(fetch: Fetch) -> bytes:
    read_at = fetch.fetched_at.replace(tzinfo=UTC)
    return json.dumps(
        {
            "_airbyte_raw_id": f"{fetch.product['asin']}-{read_at:%d%H%M}",
            "_airbyte_extracted_at": int(read_at.timestamp() * 1000),
            "_airbyte_data": fetch.product,
        },
        ensure_ascii=False,
    ).encode()


def nights() -> list[tuple[date, list[bytes]]]:
    """Landing files, one a night, oldest first.

    The hostile ones come with the first, which is in Keepa's first days as their points are: a day
    is a row, and fifteen years of them would make this slow.
    """
    # With it, the first product has every kind of series.
    random = Random(23)  # noqa: S311 - a story to tell, no secret
    of_day = defaultdict[date, list[bytes]](list)
    for number in range(4):
        for fetch in fetches_of(random, f"B0ORDER{number:03d}", 1 if number else 5):
            of_day[fetch.as_of_date].append(line_of(fetch))
    hostile = [one for one in hostile_products() if "\0" not in str(one["title"])]
    of_day[FIRST_DAY] = [
        *(line_of(Fetch(one, FIRST_NIGHT, FIRST_DAY)) for one in hostile),
        b'{"_airbyte_extracted_at":1294099800e3,"_airbyte_data":%s}' % SPELLED[0].encode(),
        # The text of a refused line without a domain differs by engine.
        *(line for line in LINES if rb"\u" not in line),
    ]
    return sorted(of_day.items())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def begun(snowflake: Site, duckdb_site: Site, project: Project, home: Path) -> tuple[Site, Site]:
    """Each engine after the first three nights."""
    load(nights()[:3], snowflake, duckdb_site)
    outcome = build_on_snowflake(snowflake, home, RUNS[0], "--exclude-resource-type", "test")
    assert outcome.returncode == 0, said_by(outcome)
    build_on_duckdb(duckdb_site, project)
    return snowflake, duckdb_site


@dataclass(frozen=True)
class Interrupted:
    """The rows of FAILING before and after a build whose insert failed."""

    before: Counter[tuple[Any, ...]]
    after: Counter[tuple[Any, ...]]


@pytest.fixture(scope="module")
def interrupted(begun: tuple[Site, Site], home: Path) -> Interrupted:
    """The insert of a model fails after its delete, and a few models later dbt is killed."""
    snowflake, duckdb_site = begun
    load(nights()[3:], snowflake, duckdb_site)
    before = Counter(snowflake.query(f"select * from {FAILING}"))
    fault = {"pattern": f"insert into [^ ]*{FAILING}"}
    snowflake.warehouse.transact(
        [Statement("insert into _FS_GLOBAL.MAIN.FAULTS values ($pattern)", fault)]
    )
    # One thread, so that the next node runs in the session of the failed one. The emulator never
    # ends the transaction of a lost session, whose deleted rows could not be deleted again.
    killing = environment_of(home, KILLED)
    selection = ("--exclude-resource-type", "test", "--threads", "1")
    outcome = build_on_snowflake(snowflake, home, "killed", *selection, **killing)
    assert outcome.returncode == -SIGKILL, said_by(outcome)
    assert re.search(f"ERROR creating .*{FAILING}", outcome.stdout, re.IGNORECASE)
    return Interrupted(before, Counter(snowflake.query(f"select * from {FAILING}")))


@pytest.fixture(scope="module")
def built(
    begun: tuple[Site, Site], interrupted: Interrupted, project: Project, home: Path
) -> tuple[Site, Site]:
    """Each engine after all nights; tests judge this end result."""
    assert interrupted.before
    snowflake, duckdb_site = begun
    outcome = build_on_snowflake(snowflake, home, RUNS[1])
    assert outcome.returncode == 0, said_by(outcome)
    build_on_duckdb(duckdb_site, project)
    return begun


def load(files: Sequence[tuple[date, list[bytes]]], *sites: Site) -> None:
    for day, lines in files:
        for site in sites:
            site.load([site.land(f"{day}.jsonl.gz", lines)], f"load-{day}", day)


def build_on_duckdb(site: Site, project: Project) -> None:
    assert not project.dbt(
        site.settings.warehouse_path, *("build", "--exclude-resource-type", "unit_test", "test")
    )


def said_by(outcome: "subprocess.CompletedProcess[str]") -> str:
    return outcome.stdout[-8_000:] + outcome.stderr[-2_000:]


def build_on_snowflake(
    site: Site, home: Path, run_id: str, *selection: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """As the transform stage does, in a separate process."""
    settings = site.settings.model_copy(update={"home": home})
    target = dbt_command.build_folder(settings)
    return subprocess.run(
        dbt_command.arguments(
            *("--no-use-colors", "build", "--exclude-resource-type", "unit_test"), *selection
        ),
        env={
            **dbt_command.environment(settings, target),
            "DBT_LOG_FORMAT": "text",
            "DBT_ENV_CUSTOM_ENV_RUN_ID": run_id,
            "DBT_ENV_CUSTOM_ENV_PARTITION": "2026-01-14",
            **environment,
        },
        cwd=settings.dbt_project_dir,
        capture_output=True,
        text=True,
        check=False,
    )


def tables_of(site: Site, schema: str) -> dict[str, list[str]]:
    """Tables and views of a schema with their columns, by lower-case names."""
    found = defaultdict[str, list[str]](list)
    for table, column in site.query(
        "select lower(table_name), lower(column_name) from information_schema.columns"
        f" where upper(table_schema) = '{schema}'"
    ):
        found[table].append(column)
    return {table: sorted(columns) for table, columns in found.items()}


def test_an_insert_that_fails_leaves_the_table_of_the_night_before(
    built: tuple[Site, Site], interrupted: Interrupted
) -> None:
    assert interrupted.after == interrupted.before
    # The second night replaces some of them.
    snowflake, _ = built
    assert interrupted.before - Counter(snowflake.query(f"select * from {FAILING}"))


def test_no_statement_commits_a_transaction_early(built: tuple[Site, Site]) -> None:
    """Hooks and temporary tables are DDL: they come before or after it."""
    snowflake, _ = built
    is_open = dict[int, bool]()
    begun, ended = 0, Counter[str]()
    for session, text in snowflake.query(
        "select session, query_text from _FS_GLOBAL.MAIN.RECORDED order by at_seconds"
    ):
        word = first_word(text)
        if word == "begin":
            assert not is_open.get(session), text
            is_open[session] = True
            begun += 1
        elif word in ("commit", "rollback"):
            if is_open.pop(session, False):
                ended[word] += 1
        elif is_open.get(session):
            assert word in ("delete", "insert", "truncate", "copy", "select"), text
    assert ended["rollback"] == 1
    assert begun == ended.total() > 30


@pytest.mark.parametrize("schema", ["STG", "CORE", "MART"])
def test_tables_are_equal_row_for_row(built: tuple[Site, Site], schema: str) -> None:
    snowflake, duckdb = built
    tables = tables_of(duckdb, schema)
    assert tables_of(snowflake, schema) == tables
    assert len(tables) > 12
    for table, columns in tables.items():
        compared = ", ".join(column for column in columns if column not in HASHES)
        ours, theirs = (
            Counter(site.rows(f"select {compared} from {schema}.{table}")) for site in built
        )
        assert ours.total() == theirs.total(), table
        assert not ours - theirs, (
            table,
            compared,
            list(ours - theirs)[:3],
            list(theirs - ours)[:3],
        )


def test_a_number_counts_by_its_value_however_it_is_written(built: tuple[Site, Site]) -> None:
    _, histories = SPELLED
    expected = {
        (series, minute, value)
        for series, points in histories.items()
        for minute, value in points.items()
    }
    for site in built:
        rows = site.query(
            f"select series, minute, value from STG.STG_KEEPA_POINT where asin = '{spellings.ASIN}'"
        )
        assert {row for row in rows if row[0] in histories} == expected
        assert site.query(
            "select count(distinct series) from STG.STG_KEEPA_SERIES"
            f" where asin = '{spellings.ASIN}' and refused_count = 0 and refusal_reason is null"
        ) == [(6,)]
        assert site.query(
            "select offer_id, is_live, condition_id from STG.STG_KEEPA_OFFER"
            f" where asin = '{spellings.ASIN}'"
        ) == [(7, True, 1)]


def test_the_traps_are_in_the_data(built: tuple[Site, Site]) -> None:
    """Two empty tables are equal too."""
    snowflake, _ = built
    ((refused, points, superseded),) = snowflake.query(
        "select (select count(distinct reason) from STG.STG_KEEPA_QUARANTINE),"
        " (select count(*) from STG.STG_KEEPA_POINT),"
        " (select sum(good_count) from STG.STG_KEEPA_SERIES)"
        " - (select count(*) from STG.STG_KEEPA_POINT)"
    )
    assert refused > 15
    assert points > 300
    assert superseded > 100
    for table, rows in snowflake.warehouse.row_counts("MART").items():
        assert rows > 0, table


def test_the_gate_behind_mart_counts_alike(built: tuple[Site, Site]) -> None:
    def counted(site: Site, sql: str) -> list[dict[str, Any]]:
        prefix = PRODUCT_RAW.prefix(site.settings.environment)
        files = [f"{prefix}{day}.jsonl.gz" for day, _ in nights()[-3:]]
        rows = site.warehouse.query(sql, {"files": files}).dicts()
        return sorted(
            (
                {
                    name: value.removeprefix(prefix) if isinstance(value, str) else value
                    for name, value in row.items()
                }
                for row in rows
            ),
            key=str,
        )

    snowflake, duckdb = built
    (row,) = counted(snowflake, COUNTS_OF_DAY)
    assert [row] == counted(duckdb, COUNTS_OF_DAY)
    counts = {name: int(count) for name, count in row.items()}
    assert min(counts["raw_rows"], counts["points"], counts["days_due"]) > 0
    assert broken_equations(CONSERVATION.equations, counts) == []
    refusals = counted(snowflake, REFUSALS.of_files)
    assert len(refusals) == 3
    assert refusals == counted(duckdb, REFUSALS.of_files)
    for sql in (*(examples.sql for examples in REFUSALS.examples), REFUSALS.missing):
        named = counted(snowflake, sql)
        assert named
        assert named == counted(duckdb, sql)


def test_views_carry_their_descriptions(built: tuple[Site, Site], project: Project) -> None:
    """The emulator keeps no comments of columns: read from the statements that it was given."""
    snowflake, _ = built
    made: dict[str, Any] = {}
    for (text,) in snowflake.query(
        "select query_text from table(information_schema.query_history_by_user())"
    ):
        if "create or replace view" in text:
            statement: Any = sqlglot.parse_one(text, dialect="snowflake")
            made[statement.find(exp.Table).name.lower()] = statement
    views = [
        node
        for node in project.manifest.nodes.values()
        if node.resource_type == "model" and node.config.materialized == "view"
    ]
    assert len(views) > 15
    for node in views:
        statement = made[node.name]
        of_columns = {
            column.name.lower(): column.find(exp.CommentColumnConstraint).this.name
            for column in statement.find_all(exp.ColumnDef)
        }
        assert of_columns == {name: of.description for name, of in node.columns.items()}
        assert statement.find(exp.SchemaCommentProperty).this.name == node.description


def test_no_statement_of_the_next_night_would_be_rejected(
    built: tuple[Site, Site], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snowflake, _ = built
    settings = snowflake.settings.model_copy(update={"home": home})
    parsed = dbt_command.build_folder(settings) / dbt_command.PARTIAL_PARSE
    shutil.copyfile(
        parsed, dbt_command.build_folder(settings, "compiled") / dbt_command.PARTIAL_PARSE
    )
    monkeypatch.setattr(Settings, "load", lambda: settings)
    explained = CliRunner().invoke(vp, ["infra", "explain"])
    assert explained.exit_code == 0, explained.output
    assert int(re.findall(r"0 of (\d+) statements are rejected", explained.output)[0]) > 200


def test_every_statement_has_a_tag_with_its_run_and_step(built: tuple[Site, Site]) -> None:
    snowflake, _ = built
    tags = Counter[str]()
    steps: set[str] = set()
    for text, tag in snowflake.query(
        "select query_text, query_tag from table(information_schema.query_history_by_user())"
    ):
        if '"app": "dbt"' in text:
            of = json.loads(tag)
            assert of["app"] == "veracitypro"
            tags[of.get("run_id", "none")] += 1
            steps.add(of.get("step", "none"))
    assert set(tags) >= set(RUNS)
    assert tags["none"] < tags.total() / 10, tags
    assert {"model/stg_keepa_point", "seed/keepa_channels", "model/dim_product"} <= steps
    assert any(step.startswith("test/") for step in steps)


def test_every_session_has_the_same_parameters(built: tuple[Site, Site]) -> None:
    """dbt's sessions have them from the first node on; its sign-in comes before."""
    snowflake, _ = built
    expected = {name: str(value) for name, value in session_parameters(snowflake.settings).items()}
    found = Counter[str]()
    for text, parameters in snowflake.query(
        "select query_text, parameters::varchar from _FS_GLOBAL.MAIN.RECORDED"
    ):
        given = json.loads(parameters)
        tag = json.loads(given.get("QUERY_TAG") or "{}")
        if first_word(text) == "rollback" or ('"app": "dbt"' in text and "step" not in tag):
            continue
        found["dbt" if '"app": "dbt"' in text else "pipeline"] += 1
        assert expected.items() <= given.items(), text
    assert min(found["dbt"], found["pipeline"]) > 100, found


def test_the_cost_of_a_run_is_added_up_by_its_tag(built: tuple[Site, Site]) -> None:
    usage, none, not_metered = (
        open_warehouse(site.settings).usage(run_id)
        for site, run_id in ((built[0], RUNS[0]), (built[0], "another"), (built[1], RUNS[0]))
    )
    assert usage["statements"] > 50
    assert usage["bytes_scanned"] > 0
    assert 0 < usage["credits_compute"] < 1
    assert none["statements"] == none["bytes_scanned"] == none["credits_compute"] == 0
    assert not_metered == {}


STARTED_AT: Final = datetime(2026, 1, 15, 0, 10, tzinfo=UTC)
CHECK: Final = CheckResult(
    asset="raw/keepa_raw",
    stage="raw",
    name="lines_are_json",
    is_error=False,
    passed=False,
    rows_failing=3,
    description="3 lines are refused.",
)
RECORD: Final = RunRecord(
    summary=RunSummary(
        run_id="run-of-the-dashboard",
        as_of_date="2026-01-14",
        status="success",
        seconds=21.5,
        stages=[
            Stage(name=name, rows_in=3, rows_out=3, seconds=1.5, checks=CheckCounts())
            for name in STAGES
        ],
        checks=CheckCounts(passed=70, warned=1),
        red_checks=[],
        failures=[],
    ),
    job="vp_daily_batch",
    started_at=STARTED_AT,
    ended_at=STARTED_AT,
    tokens_spent=12,
    check_results=[CHECK],
)


@pytest.fixture(scope="module")
def recorded(built: tuple[Site, Site]) -> tuple[Site, Site]:
    """With a run of the pipeline and a red check in MONITORING."""
    _, duckdb = built
    duckdb.warehouse.transact(create_tables(STAGES))
    for site in built:
        site.warehouse.transact(record_statements(RECORD, STARTED_AT))
        red = failing_rows.FailedTest(
            CHECK.name, "select asin, title from MART.DIM_PRODUCT where asin = 'B0ORDER000'"
        )
        rows = site.warehouse.query(failing_rows.first_failing_rows(red)).dicts()
        site.warehouse.transact(
            failing_rows.replace("run-of-the-dashboard", "2026-01-14", red, rows)
        )
    return built


def test_the_dashboard_reads_the_same_from_both_engines(recorded: tuple[Site, Site]) -> None:
    """Every query of its pages, about a run and about products with every kind of series."""
    _, duckdb = recorded
    days = (date(2011, 1, 1), date(2026, 1, 31))
    products = duckdb.warehouse.query(product_queries.PRODUCTS.sql).dicts()
    (domain_id,) = {one["domain_id"] for one in products if one["asin"] == "B0ORDER000"}
    asins = [one["asin"] for one in products if one["domain_id"] == domain_id]
    (channels,) = zip(
        *duckdb.query("select distinct price_channel from MART.FCT_PRICE_HISTORY_DAILY"),
        strict=True,
    )
    reasons = duckdb.warehouse.query(pipeline_queries.REFUSALS_BY_REASON.sql).dicts()
    questions = {
        "runs": [pipeline_queries.RUNS],
        "stages": [pipeline_queries.stages_of_runs(STARTED_AT)],
        "red checks": [pipeline_queries.red_checks_of_run("run-of-the-dashboard")],
        "evaluations": [pipeline_queries.evaluations_of_check(CHECK.asset, CHECK.name, STARTED_AT)],
        "failing rows": [pipeline_queries.failing_rows("run-of-the-dashboard", CHECK.name)],
        "freshness": [Statement(service_levels.newest_days(service_levels.MARTS))],
        "nights": [
            Statement(service_levels._NIGHTS, {"job": RECORD.job, "as_of_date": STARTED_AT.date()})
        ],
        "reasons": [pipeline_queries.REFUSALS_BY_REASON],
        "refusals": [pipeline_queries.refusals(one["reason"], one["scope"]) for one in reasons],
        "products": [product_queries.PRODUCTS],
        "channels": [product_queries.channels(domain_id, asin) for asin in asins],
        "prices": [product_queries.prices(domain_id, asins, channels, *days)],
        "ranks": [product_queries.ranks(domain_id, asins, *days)],
        "reviews": [product_queries.reviews(domain_id, asins, *days)],
        "holders": [
            product_queries.holders(one["domain_id"], one["asin"], *days) for one in products
        ],
    }
    for name, statements in questions.items():
        ours, theirs = (
            Counter(
                row
                for question in statements
                for row in site.alike(
                    site.warehouse.query(question.sql, dict(question.values) or None).rows
                )
            )
            for site in recorded
        )
        assert ours == theirs, name
        assert ours, name


def test_the_app_in_snowflake_shows_what_the_pages_show_on_a_laptop(
    recorded: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`infra/streamlit` on what Snowflake mounts for an app: the connector's default connection."""
    snowflake, duckdb = recorded
    of_app = snowflake.settings.model_copy(update={"snowflake_warehouse": "WH_BI"})
    arguments = SnowflakeWarehouse.of(of_app, {}, role="DASHBOARD_ROLE").arguments
    mounted = {**arguments, **arguments["additional_snowflake_connection_args"]}
    monkeypatch.setenv(
        "SNOWFLAKE_CONNECTIONS",
        "[default]\n"
        + "\n".join(
            f"{name} = {json.dumps(mounted[name])}"
            for name in (
                *("account", "user", "password", "role", "warehouse", "database"),
                *("protocol", "host", "port"),
            )
        ),
    )
    monkeypatch.setattr(reading, "_open_warehouse", reading.warehouse_of_settings)
    monkeypatch.setenv("VP_WAREHOUSE_PATH", str(duckdb.settings.warehouse_path))
    ((domain_id, asin),) = duckdb.query(
        "select domain_id, asin from MART.DIM_PRODUCT where asin = 'B0ORDER000'"
    )
    product = {"domain_id": str(domain_id), "asin": asin}
    here = [shown(SCRIPT, page, duckdb, product) for page in PAGES]
    # The app in Snowflake does not know these.
    monkeypatch.delenv("VP_WAREHOUSE_PATH")
    with closing(st.connection("snowflake")):
        inside = [shown(APP_INSIDE, page, snowflake, product) for page in PAGES]
    assert inside == here
    pipeline, of_product = here
    assert "Of the newest checks, 1 warned: see below." in pipeline["words"]
    assert len(pipeline["tables"]) > 5
    assert len(of_product["charts"]) > 3


def shown(script: Path, page: str, site: Site, product: Mapping[str, str]) -> dict[str, list[Any]]:
    """All texts, tables and charts of a page, with the names of landing files normalized."""
    reading.clear_cache()
    test = AppTest.from_file(str(script), default_timeout=60).run()
    if page:
        test.query_params.update(product)
        # A page that is a function has no file that `switch_page` could name.
        test._page_hash = calc_hash(page)
        test.run()
    assert not test.exception
    words = (test.title, test.subheader, test.caption, test.text, test.markdown)
    boxes = (test.info, test.success, test.warning, test.error)
    return {
        "words": [str(one.value) for found in (*words, *boxes) for one in found],
        "choices": [one.options for one in (*test.selectbox, *test.multiselect)],
        "figures": [(one.label, one.value, one.delta) for one in test.metric],
        "tables": [
            [site.alike(table.value.astype(str).itertuples(index=False)), list(table.value)]
            for table in test.dataframe
        ],
        "charts": [
            (json.loads(chart.proto.spec), rows_of(chart.proto.data.data))
            for chart in test.get("vega_lite_chart")
        ],
    }


def rows_of(table: bytes) -> Any:
    """The rows of a chart as JSON, in which missing numbers are null and compare equal."""
    return json.loads(convert_arrow_bytes_to_pandas_df(table).to_json(orient="records"))
