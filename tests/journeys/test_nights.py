"""Nights of the generated catalogue, as a newcomer runs them after cloning the project."""

import csv
import gzip
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import dagster as dg
import duckdb
import pytest

from tests.support.home import FIRST, RUN_SECONDS, SECOND, Home, counts
from tests.support.warehouse.products import a_product, an_unknown_asin
from veracitypro_pipeline.home import make_home
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.local.services.s3 import s3_client
from veracitypro_pipeline.local.stack.run_settings import on_stack, started_stack
from veracitypro_pipeline.local.stack.server import RAW_BUCKET
from veracitypro_pipeline.resources.airbyte.client import SyncClient
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW

pytestmark = pytest.mark.xdist_group("nights")


@pytest.fixture(scope="module")
def home(nights_home: Home) -> Home:
    """The home that the group shares."""
    return nights_home


@pytest.fixture
def kept(home: Home, nights: dict[str, Any]) -> Iterator[Path]:
    """The warehouse file; it is restored after the test."""
    file = home.path / "warehouse" / "vp_dwh.duckdb"
    copy = file.with_suffix(".kept")
    shutil.copyfile(file, copy)
    yield file
    copy.replace(file)


def tracked_count() -> int:
    with (REPOSITORY_DIR / "dbt_project/seeds/tracked_products.csv").open() as file:
        return sum(1 for _ in csv.DictReader(file))


def sync_by_hand(home: Home) -> None:
    """Start a sync as a person does in Airbyte, on the day that the stack is at."""
    settings = Settings.load(home=home.path)
    stack = started_stack(settings)
    client = SyncClient.from_settings(
        on_stack(settings, stack), stack.airbyte_connection_ids["keepa"]
    )
    client.wait(int(client.start()["jobId"]), lambda _: None)


def test_the_document_says_what_each_stage_of_each_night_brought(nights: dict[str, Any]) -> None:
    assert [run["as_of_date"] for run in nights["runs"]] == [str(FIRST), str(SECOND)]
    for run in nights["runs"]:
        assert run["status"] == "success"
        assert run["run_id"]
        assert run["checks"]["passed"] > 70
        assert (run["checks"]["warned"], run["checks"]["failed"]) == (0, 0)
        assert [stage["name"] for stage in run["stages"]] == list(STAGES)
        assert all(stage["seconds"] > 0 for stage in run["stages"])
        assert sum(stage["seconds"] for stage in run["stages"]) <= run["seconds"]


def test_counts_agree_from_hop_to_hop(home: Home, nights: dict[str, Any]) -> None:
    for run in nights["runs"]:
        stages = counts(run)
        for before, after in pairwise(STAGES[:4]):
            assert stages[after][0] == stages[before][1]
        assert stages["ingest"][1] == tracked_count()
        assert all(refused == 0 for _, _, refused in stages.values())
        assert stages["mart"][0] == stages["core"][1]
        assert stages["bi"][0] == stages["mart"][1]
    lines = sum(
        len(gzip.decompress(file.read_bytes()).splitlines()) for file in home.landing_files()
    )
    assert home.query("select count(*) from RAW.KEEPA_RAW") == [(lines,)]
    assert home.query("select sum(lines), sum(loaded) from MONITORING.LOAD_LEDGER") == [
        (lines, lines)
    ]


def test_a_table_without_rows_says_why(home: Home, nights: dict[str, Any]) -> None:
    """In its description, which tools show. A quarantine is empty if nothing is refused."""
    tables = home.query(
        "select schema_name || '.' || table_name, coalesce(comment, '') from duckdb_tables()"
        " where schema_name in ('STG', 'CORE', 'MART') union all"
        " select schema_name || '.' || view_name, coalesce(comment, '') from duckdb_views()"
        " where schema_name in ('STG', 'CORE', 'MART')"
    )
    counts = " union all ".join(f"select '{name}', count(*) from {name}" for name, _ in tables)
    empty = {name for name, rows in home.query(counts) if not rows}
    noted = {name for name, comment in tables if "Empty as configured" in comment}
    assert noted == empty - {"STG.stg_keepa_quarantine", "STG.stg_keepa_refused_part"}
    assert "MART.fct_offer_price_daily" in noted


def test_the_second_night_continues_the_histories_of_the_first(
    home: Home, nights: dict[str, Any]
) -> None:
    ends = home.query(
        "select min(last_day), max(last_day) from (select max(date) as last_day"
        " from MART.FCT_RANK_HISTORY_DAILY group by domain_id, asin)"
    )
    assert ends == [(SECOND, SECOND)]
    roles = home.query("select distinct role from MART.DIM_PRODUCT order by 1")
    assert roles == [("competitor",), ("own",)]


def test_slack_got_a_thread_per_night_and_power_bi_was_refreshed(
    home: Home, nights: dict[str, Any]
) -> None:
    """Each thread has a headline that was updated, and the result as its reply."""
    said = home.slack()[:6]
    for as_of_date, of_night in zip((FIRST, SECOND), (said[:3], said[3:]), strict=True):
        began, ended, headline = of_night
        assert f"vp_daily_batch started for {as_of_date}" in began["text"]
        assert f"vp_daily_batch succeeded for {as_of_date}" in ended["text"] == headline["text"]
        assert ended["thread_ts"] == began["ts"] == headline["ts"]
    assert len(home.state("powerbi/refreshes.json")) >= 2


def test_the_doctor_finds_all_in_order_and_says_what_is_not(
    home: Home, nights: dict[str, Any], tmp_path: Path
) -> None:
    outcome = home.vp("doctor")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    *lines, last = outcome.stdout.splitlines()
    assert all(line.startswith("ok     ") for line in lines)
    assert last == f"All is well: local, {len(lines)} checks."

    elsewhere = {"VP_WAREHOUSE_PATH": str(tmp_path / "none.duckdb")}
    outcome = home.vp("doctor", "--json", **elsewhere)
    assert outcome.returncode == 1
    document = json.loads(outcome.stdout)
    assert (document["environment"], document["is_good"]) == ("local", False)
    (fault,) = [check for check in document["checks"] if check["state"] == "fault"]
    assert fault["name"] == "warehouse sign-in"
    assert "`vp run` makes" in fault["fix"]


def test_each_night_is_a_row_of_the_monitoring_table(home: Home, nights: dict[str, Any]) -> None:
    for run in nights["runs"]:
        stages = counts(run)
        (row,) = home.query(
            "select as_of_date, status, records, files, raw_rows_out, mart_rows_out, rows_refused,"
            " tests_passed, tests_warned, tests_failed, tokens_spent, seconds"
            f" from MONITORING.PIPELINE_RUN_MONITORING where run_id = '{run['run_id']}'"
        )
        assert row == (
            date.fromisoformat(run["as_of_date"]),
            "success",
            tracked_count(),
            1,
            stages["raw"][1],
            stages["mart"][1],
            0,
            run["checks"]["passed"],
            0,
            0,
            4 * tracked_count(),
            run["seconds"],
        )


def test_status_tells_of_the_nights(home: Home, nights: dict[str, Any]) -> None:
    document = json.loads(home.vp("status", "--json").stdout)
    newest, before = nights["runs"][::-1]
    assert [run["run_id"] for run in document["runs"]] == [newest["run_id"], before["run_id"]]
    assert {hop["stage"]: hop["rows_out"] for hop in document["hops"]} == {
        stage["name"]: stage["rows_out"] for stage in newest["stages"]
    }
    assert document["red_checks"] == []
    promised = home.query(
        "select check_name, count(*), min(description) from MONITORING.PIPELINE_RUN_CHECK where"
        f" run_id = '{newest['run_id']}' and check_name in ('data_is_fresh', 'volume_is_usual',"
        " 'run_time_is_usual') group by check_name order by check_name"
    )
    assert [(name, checks) for name, checks, _ in promised] == [
        ("data_is_fresh", len(document["marts"])),
        ("run_time_is_usual", 1),
        ("volume_is_usual", 1),
    ]
    assert "records 24: fewer than 7 good nights known" in promised[2][2]
    fresh = {mart["mart"]: mart["days_behind"] for mart in document["marts"]}
    assert fresh["fct_price_history_daily"] == fresh["fct_rank_history_daily"] == 0

    printed = home.vp("status").stdout
    file = home.path / "warehouse" / "vp_dwh.duckdb"
    assert printed.splitlines()[0] == f"Environment local: DuckDB, {file}"
    assert "How fresh MART is, as of 2025-11-21" in printed
    assert printed.endswith("All is well.\n")


def test_no_file_of_a_home_has_a_secret_and_only_its_owner_can_read_it(
    home: Home, nights: dict[str, Any]
) -> None:
    """Dagster's events and metadata, dbt's logs and compiled SQL, tables, messages, logs."""
    signs_in = home.state("credentials.json")
    secrets = [
        value.encode()
        for name, value in signs_in.items()
        if any(word in name for word in ("secret", "token", "key"))
    ]
    assert len(secrets) > 5
    files = [file for file in home.path.rglob("*") if file.is_file()]
    assert {file.name for file in files} > {"vp.log", "dbt.log", "stack.log", "vp_dwh.duckdb"}
    telling = [file for file in files if any(secret in file.read_bytes() for secret in secrets)]
    assert telling == [home.path / "stack" / "credentials.json"]
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_every_question_of_a_document_has_an_answer(home: Home, nights: dict[str, Any]) -> None:
    questions = {
        question
        for document in (REPOSITORY_DIR / "README.md", *REPOSITORY_DIR.glob("infra/runbooks/*"))
        for question in re.findall(r'^\S*vp sql "(.+)"$', document.read_text(), re.MULTILINE)
    }
    assert len(questions) > 10
    for question in questions:
        home.query(question)


def test_a_file_that_airbyte_did_not_count_stops_the_run_and_is_named(
    home: Home, nights: dict[str, Any]
) -> None:
    """It has the sync's id, so it would be loaded; Airbyte counted one record less."""
    stack = started_stack(Settings.load(home=home.path))
    s3 = s3_client(stack.s3_endpoint_url, stack.aws_access_key_id, stack.aws_secret_access_key)
    line = gzip.decompress(home.landing_files()[-1].read_bytes()).splitlines()[0]
    surplus = {"Bucket": RAW_BUCKET, "Key": PRODUCT_RAW.prefix("local") + "surplus.jsonl.gz"}
    s3.put_object(**surplus, Body=gzip.compress(line + b"\n"))
    tables, refreshes = home.tables(), home.state("powerbi/refreshes.json")
    try:
        outcome = home.vp("run", "--json", "--date", str(SECOND))
    finally:
        s3.delete_object(**surplus)

    assert outcome.returncode == 1
    document = json.loads(outcome.stdout)
    assert document["status"] == "failure"
    assert counts(document)["raw"] == (None, None, None)
    assert document["checks"]["not_run"] > 100
    (red,) = [check for check in document["red_checks"] if check["is_error"]]
    assert red["name"] == "landing/keepa/product_raw: records_equal_lines"
    assert "reports 24 records, its files hold 25 lines" in red["description"]
    assert home.tables() == tables
    assert home.state("powerbi/refreshes.json") == refreshes
    headline, failed, digest, _ = home.slack()[-4:]
    assert "failed for 2025-11-21" in failed["text"]
    assert failed["reply_broadcast"]
    assert "runbook `infra/runbooks/records_equal_lines.md`" in json.dumps(failed["blocks"])
    assert headline["ts"] == failed["thread_ts"] == digest["thread_ts"]
    assert digest["text"] == "Checks for 2025-11-21: 1 failed, 0 warned"


def test_the_same_day_again_changes_no_table_and_calls_keepa_not_once(
    home: Home, nights: dict[str, Any]
) -> None:
    """After `vp down`, whose stored state is there again, and after the failure above, from which
    the run recovers."""
    tables, jobs, files = home.tables(), home.state("airbyte.json"), home.landing_files()
    assert "is stopped" in home.vp("down").stdout
    assert "was not running" in home.vp("down").stdout

    outcome = home.vp("run", "--date", str(SECOND))

    assert outcome.returncode == 0
    assert home.tables() == tables
    assert home.state("airbyte.json") == jobs
    assert home.landing_files() == files
    for stage in STAGES:
        assert f"│ {stage} " in outcome.stdout
    assert "All is well. 2025-11-21 took" in outcome.stdout
    assert "records Airbyte read" in outcome.stdout
    assert "24 products from generated catalogue" in outcome.stderr
    assert outcome.stderr.count("Starting the local stack") == 1
    assert re.findall(r" s  (\w+): .+ (?:is|are) done$", outcome.stderr, re.MULTILINE) == [*STAGES]
    assert "Warning" not in outcome.stderr
    assert "recovered for 2025-11-21" in home.slack()[-1]["text"]


def is_told_as_canceled(home: Home, as_of_date: date) -> bool:
    """In Slack's last thread: the channel shows only its headline, and no one is mentioned."""
    began, ended, headline = home.slack()[-3:]
    assert f"was canceled for {as_of_date}" in ended["text"] == headline["text"]
    assert ended["thread_ts"] == began["ts"] == headline["ts"]
    return "<!here>" not in json.dumps(ended["blocks"]) and not ended.get("reply_broadcast")


def test_a_night_goes_on_after_a_dead_stack_a_killed_run_and_ctrl_c(
    home: Home, nights: dict[str, Any]
) -> None:
    """In the night before it, a person started a sync in Airbyte, which no run has loaded."""
    third = SECOND + timedelta(days=1)
    sync_by_hand(home)
    jobs = len(home.state("airbyte.json"))
    process = home.start("run", "--date", str(third))
    while process.poll() is None:
        found = home.state("airbyte.json")
        if len(found) > jobs and found[-1]["status"] == "running":
            os.kill(home.state("state.json")["pid"], signal.SIGKILL)
            break
    assert process.stderr is not None
    for line in process.stderr:
        if "raw: " in line:
            process.kill()
    process.communicate()
    of_night = home.state("airbyte.json")[jobs:]
    assert [job["status"] for job in of_night] == ["failed", "succeeded"]
    runs_of_night = (
        "select status, failed_step, failure, records, tokens_spent, ended_at is null"
        " from MONITORING.PIPELINE_RUN_MONITORING"
        f" where as_of_date = '{third}' order by started_at"
    )
    assert home.query(runs_of_night) == [("started", None, None, None, None, True)]
    assert "killed" in home.vp("status").stdout

    # In a terminal, where dbt gets the signal too.
    process = home.start("run", "--date", str(third))
    assert process.stderr is not None
    next(line for line in process.stderr if "stg: " in line)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert "Stopped by you; nothing is half written; run it again." in out
    assert "dbt build failed" not in out
    assert is_told_as_canceled(home, third)

    again = home.run("--date", str(third))

    tracked = tracked_count()
    assert counts(again)["stg"] == (tracked, tracked, 0)
    killed, interrupted, good = home.query(runs_of_night)
    assert killed[0] == "failure"
    assert killed[2:] == ("The process of this run was killed.", tracked, 4 * tracked, False)
    assert interrupted[:3] == ("canceled", "dbt_models", "It was interrupted; run the day again.")
    assert good == ("success", None, None, tracked, 0, False)
    assert home.query(
        "select as_of_date, count(*) from RAW.KEEPA_RAW"
        f" where as_of_date >= '{SECOND}' group by all order by all"
    ) == [(SECOND, 2 * tracked), (third, tracked)]
    with closing(sqlite3.connect(home.path / "dagster" / "history" / "runs.db")) as runs:
        statuses = runs.execute("select status from runs order by id").fetchall()
    assert statuses[-3:] == [("FAILURE",), ("CANCELED",), ("SUCCESS",)]


def test_an_interrupted_run_stops_with_its_sync(home: Home, nights: dict[str, Any]) -> None:
    """By a signal to `vp` only, as a supervisor sends it."""
    fourth = SECOND + timedelta(days=2)
    jobs = len(home.state("airbyte.json"))
    process = home.start("run", "--json", "--date", str(fourth))
    claims = "vp-monitoring-local-us-east-2/env=local/handover/airbyte/keepa/product_raw/claims"
    claim = home.path / "stack" / "s3" / claims / f"{fourth}.json"
    while process.poll() is None:
        if claim.exists():
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode == 130, err
    assert "Traceback" not in err
    document = json.loads(out)
    assert document["status"] == "canceled"
    (failure,) = document["failures"]
    assert failure["reason"] == "It was interrupted; run the day again."
    assert [job["status"] for job in home.state("airbyte.json")[jobs:]] == ["cancelled"]
    assert is_told_as_canceled(home, fourth)


def test_a_late_day_is_counted_like_any_other(
    home: Home, nights: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day before the first: its fetches are older than all others.

    The catalogue is larger for that day, so two products are new.
    """
    size = tracked_count() + 2
    late = home.run("--date", str(FIRST - timedelta(days=1)), "--asins", str(size))

    assert counts(late)["stg"] == (size, size, 0)
    monkeypatch.setenv("DAGSTER_HOME", str(home.path / "dagster"))
    with dg.DagsterInstance.from_config(str(home.path / "dagster"), "vp_run.yaml") as instance:
        evaluations = [
            entry.asset_check_evaluation
            for entry in instance.all_logs(
                late["run_id"], of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            )
        ]
        seen = {
            one.asset_key.to_user_string(): int(str(one.metadata["dagster/row_count"].value))
            for entry in instance.all_logs(
                late["run_id"], of_type=dg.DagsterEventType.ASSET_OBSERVATION
            )
            if (one := entry.asset_observation) is not None
        }
    (evaluation,) = [
        one
        for one in evaluations
        if one is not None and one.check_name == "nothing_lost_between_raw_and_mart"
    ]
    assert seen["mart/dim_product"] == size
    rows_in_mart = sum(rows for asset, rows in seen.items() if asset.startswith("mart/"))
    assert rows_in_mart == late["stages"][-1]["rows_out"]
    assert evaluation.metadata["products"].value == size
    assert int(str(evaluation.metadata["points"].value)) > 100_000


def test_a_backfill_restores_lost_rows_without_a_sync_or_a_message(
    home: Home, nights: dict[str, Any]
) -> None:
    """A line of the second night is deleted from RAW, and the prices of a day from CORE, which the
    checks of RAW do not notice."""

    def built() -> dict[str, Any]:
        return {
            name: rows
            for name, rows in home.tables().items()
            if name.startswith(("CORE.", "MART."))
        }

    before, jobs, messages = built(), home.state("airbyte.json"), home.slack()
    with duckdb.connect(str(home.path / "warehouse" / "vp_dwh.duckdb")) as db:
        of_night = f"from RAW.KEEPA_RAW where as_of_date = '{SECOND}'"
        first_file = f"source_file = (select min(source_file) {of_night})"
        db.execute(f"delete {of_night} and {first_file} and file_row_number = 1")
        db.execute(f"delete from CORE.CORE_KEEPA_PRICE_DAILY where date = '{FIRST}'")
    assert built()["MART.fct_price_history_daily"] != before["MART.fct_price_history_daily"]

    day = str(SECOND)
    outcome = home.vp("backfill", "--json", "--full-refresh", "--from", day, "--to", day)

    assert outcome.returncode == 0, outcome.stderr + outcome.stdout
    (run,) = json.loads(outcome.stdout)["runs"]
    stages = counts(run)
    assert stages["ingest"] == (None, None, None)
    assert [stages[name] for name in STAGES[1:4]] == [(tracked_count(), tracked_count(), 0)] * 3
    assert built() == before
    assert home.state("airbyte.json") == jobs
    assert home.slack() == messages
    assert home.query(
        "select status, tokens_spent from MONITORING.PIPELINE_RUN_MONITORING"
        f" where run_id = '{run['run_id']}'"
    ) == [("success", None)]


def test_a_day_that_was_never_synced_cannot_be_backfilled(
    home: Home, nights: dict[str, Any]
) -> None:
    day = str(SECOND + timedelta(days=30))
    runs = "select count(*) from MONITORING.PIPELINE_RUN_MONITORING"
    before = home.query(runs)
    # Nor is the day before it, which was.
    said = home.refusal("backfill", "--from", str(SECOND), "--to", day)
    assert "was never synced: run `vp run --date" in said
    assert home.query(runs) == before
    assert "is before --from" in home.refusal("backfill", "--from", day, "--to", str(FIRST))


def test_a_red_dbt_test_stops_power_bi_and_is_not_retried(home: Home, kept: Path) -> None:
    """One record is deleted from STG."""
    with duckdb.connect(str(kept)) as db:
        db.execute(
            "delete from STG.stg_keepa_record where (source_file, file_row_number) ="
            " (select (source_file, file_row_number) from STG.stg_keepa_record limit 1)"
        )
    refreshes = home.state("powerbi/refreshes.json")

    outcome = home.vp("run", "--json", "--date", str(SECOND))

    assert outcome.returncode == 1
    document = json.loads(outcome.stdout)
    assert "stg/stg_keepa_fetch: raw_rows_are_accepted_or_refused" in [
        check["name"] for check in document["red_checks"]
    ]
    (failure,) = document["failures"]
    assert failure["step"] == "dbt_models"
    assert failure["reason"].startswith("dbt build failed: ")
    assert "raw_rows_are_accepted_or_refused" in failure["reason"]
    assert "\x1b" not in failure["reason"]
    assert home.state("powerbi/refreshes.json") == refreshes
    kept_rows = home.query(
        "select check_name, failing_row from MONITORING.TEST_FAILURE_ROW"
        f" where run_id = '{document['run_id']}' order by row_number"
    )
    assert {name for name, _ in kept_rows} == {"raw_rows_are_accepted_or_refused"}
    assert json.loads(kept_rows[0][1])["source_file"].endswith(".jsonl.gz")
    assert document["seconds"] < 60


@pytest.mark.parametrize(
    ("form", "expected"),
    [("csv", "domain_id,asin\n1,B0"), ("json", '"asin": "B0'), ("table", "│ 1         │ B0")],
)
def test_sql_answers_in_three_forms(
    home: Home, nights: dict[str, Any], form: str, expected: str
) -> None:
    answer = home.vp(
        "sql",
        "select domain_id, asin from MART.DIM_PRODUCT order by all limit 1",
        "--format",
        form,
    )
    assert answer.returncode == 0
    assert expected in answer.stdout.replace("\r\n", "\n")
    if form == "json":
        assert len(json.loads(answer.stdout)) == 1
    if form == "csv":
        assert len(list(csv.reader(io.StringIO(answer.stdout)))) == 2


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select * from MART.NO_SUCH_TABLE", "NO_SUCH_TABLE does not exist"),
        ("delete from MART.DIM_PRODUCT", "read-only"),
        ("selec", "syntax error"),
    ],
)
def test_sql_refuses_in_a_sentence(
    home: Home, nights: dict[str, Any], query: str, said: str
) -> None:
    assert said in home.refusal("sql", query)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--date", "2999-01-01"], "is not over yet"),
        (["--date", "today"], "is not over yet"),
        (["--date", "2020-01-01"], "before the first partition 2025-11-15"),
        (["--date", "yesterday"], "'yesterday' is not a date"),
        (["--date", ""], "'' is not a date"),
        (["--days", "0"], "0 is not in the range"),
        (["--days", "9", "--date", "2025-11-20"], "before the first partition"),
        (["--products", "nowhere"], "nowhere does not exist"),
        (["--products", "empty"], "holds no payload"),
        (["--products", "broken"], "broken.json is not valid JSON"),
    ],
)
def test_a_run_that_cannot_be_is_refused_in_a_sentence_and_changes_nothing(
    home: Home, nights: dict[str, Any], arguments: list[str], said: str
) -> None:
    (home.path.parent / "empty").mkdir(exist_ok=True)
    (home.path.parent / "broken").mkdir(exist_ok=True)
    (home.path.parent / "broken" / "broken.json").write_text('{"asin": ')
    jobs = home.state("airbyte.json")
    today = datetime.now(UTC).date().isoformat()
    words = [today if word == "today" else word for word in arguments]

    assert said in home.refusal("run", "--json", *words)

    assert home.state("airbyte.json") == jobs


def test_an_unknown_setting_is_refused(home: Home) -> None:
    outcome = home.vp("sql", "select 1", VP_ENVIROMENT="prod")
    assert outcome.returncode == 2
    assert "VP_ENVIROMENT is not a setting of this project" in outcome.stderr


def test_a_port_in_use_is_named(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"The port {port} cannot be used" in home.refusal("dev", "--port", str(port))


def test_reset_deletes_what_is_ours_and_nothing_else(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    make_home(other.path)
    (other.path / "warehouse").mkdir()
    (other.path / "thesis.txt").write_text("mine")
    assert "also holds thesis.txt" in other.refusal("reset", "--yes")
    assert (other.path / "warehouse").exists()

    (other.path / "thesis.txt").unlink()
    assert other.vp("reset").returncode == 1  # The question got no answer.
    assert other.path.exists()
    assert "is deleted" in other.vp("reset", "--yes").stdout
    assert not other.path.exists()


# Commands of dbt as arguments; prints of each node that was shown how many rows came.
DBT: Final = """
import json, sys
from dbt.cli.main import dbtRunner
for command in sys.argv[1:]:
    outcome = dbtRunner().invoke(command.split())
    if not outcome.success:
        sys.exit(str(outcome.exception or [one.message for one in outcome.result.results]))
    if "show" in command:
        # Their tests are shown along with them.
        nodes = [one for one in outcome.result.results if one.node.resource_type == "model"]
        shown = {f"{one.node.schema}.{one.node.alias}": len(one.agate_table.rows) for one in nodes}
print(json.dumps(shown))
"""


def test_dbt_by_hand_builds_previews_and_documents_this_home(
    home: Home, nights: dict[str, Any], tmp_path: Path
) -> None:
    """From the project's folder, with only the home set. A preview reads the whole model, not only
    its outdated series."""
    tables = home.tables()
    commands = (
        "show --quiet --select config.materialized:incremental_by_segment --limit 2",
        "build --quiet --select core_keepa_monthly_sold_daily+",
        "docs generate --quiet",
    )
    outcome = subprocess.run(
        [sys.executable, "-c", DBT, *commands],
        cwd=REPOSITORY_DIR / "dbt_project",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "VP_HOME": str(home.path),
            "DBT_TARGET_PATH": str(tmp_path),
            "DBT_LOG_PATH": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    shown = json.loads(outcome.stdout.splitlines()[-1])
    assert len(shown) > 20
    for relation, rows in shown.items():
        assert len(home.query(f"from {relation} limit 2")) == rows, relation
    assert home.tables() == tables
    assert (tmp_path / "catalog.json").exists()


def test_other_products_on_the_same_day_are_synced_and_counted_separately(
    home: Home, nights: dict[str, Any], tmp_path: Path
) -> None:
    """The last test of this home: its day then has another sync. Keepa knows one of the two."""
    for product in (a_product("B0PADDLE01", series={"NEW": [7_000_000, 1999]}), an_unknown_asin()):
        (tmp_path / f"{product['asin']}_{product['productType']}.json").write_text(
            json.dumps({**product, "asin": f"B0{product['productType']}PADDLE0"})
        )

    run = home.run("--date", str(SECOND), "--products", str(tmp_path))

    stages = counts(run)
    assert [stages[name] for name in STAGES[:4]] == [(2, 2, 0)] * 4
    assert home.query(
        "select asin, title from MART.DIM_PRODUCT where asin like '%PADDLE0' order by 1"
    ) == [("B00PADDLE0", "Paddle B0PADDLE01"), ("B04PADDLE0", None)]
    assert home.query(
        "select count(*) from MART.FCT_PRICE_HISTORY_DAILY where asin like '%PADDLE0'"
        f" and date = '{SECOND}' and price_close = 19.99"
    ) == [(1,)]
    # The source is set to these products on purpose, which is not a fault.
    assert home.vp("doctor").returncode == 0
