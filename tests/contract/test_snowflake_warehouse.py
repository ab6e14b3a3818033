"""Snowflake rejects, fails and stalls: transient errors are distinguished from permanent ones.

The stand-in implements a few responses of Snowflake's wire protocol, as its connector (4.x) reads
them.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import HttpUrl, SecretStr

from tests.support.settings import fixed
from tests.support.snowflake_service import NO_OTHER_ROLE, PASSWORD, Service
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.resources.warehouse import on_snowflake
from veracitypro_pipeline.resources.warehouse.factory import open_warehouse
from veracitypro_pipeline.resources.warehouse.on_snowflake import SnowflakeWarehouse
from veracitypro_pipeline.resources.warehouse.protocol import (
    WarehouseRejectedError,
    WarehouseUnavailableError,
)
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings, SettingsError
from veracitypro_pipeline.statement import Statement


def test_a_session_is_in_utc_tagged_and_limited(service: Service, settings: Settings) -> None:
    warehouse = SnowflakeWarehouse.of(settings, {"app": "veracitypro", "run_id": "r", "step": None})
    assert warehouse.query("select 1 as N").dicts() == [{"n": 1}]
    (signed_in,) = service.signed_in
    parameters = signed_in["SESSION_PARAMETERS"]
    assert json.loads(parameters["QUERY_TAG"]) == {"app": "veracitypro", "run_id": "r"}
    assert parameters["TIMEZONE"] == "UTC"
    assert parameters["TIMESTAMP_TYPE_MAPPING"] == "TIMESTAMP_NTZ"
    assert parameters["TIMESTAMP_NTZ_OUTPUT_FORMAT"] == "YYYY-MM-DD HH24:MI:SS.FF6"
    assert parameters["STATEMENT_TIMEOUT_IN_SECONDS"] == parameters["LOCK_TIMEOUT"] == 3600
    assert signed_in["PASSWORD"] == PASSWORD
    # Less than a second is rounded up: 0 would mean Snowflake's maximum.
    hasty = settings.model_copy(update={"snowflake_timeout_seconds": 0.5})
    assert on_snowflake.session_parameters(hasty)["STATEMENT_TIMEOUT_IN_SECONDS"] == 1


def test_a_statement_may_run_longer_than_the_network_timeout(
    service: Service, settings: Settings
) -> None:
    service.seconds = 1.5
    assert open_warehouse(settings).query("select 1 as N").rows == [(1,)]
    assert not service.is_aborted


def test_a_service_that_no_longer_answers_is_given_up(service: Service, settings: Settings) -> None:
    service.seconds = service.held_seconds = 2.5
    with pytest.raises(WarehouseUnavailableError, match="no answer within 1 seconds"):
        open_warehouse(settings).query("select 1 as N")


def test_values_are_bound_by_the_service(service: Service, settings: Settings) -> None:
    open_warehouse(settings).query("select $x where a in ($f)", {"x": 1, "f": ["it's", "b"]})
    (_, asked) = service.asked
    assert asked["sqlText"] == "select ? where a in (?, ?)"
    bound = [asked["bindings"][place]["value"] for place in ("1", "2", "3")]
    assert bound == ["1", "it's", "b"]


def test_a_transaction_begins_after_ddl_and_ends_with_commit(
    service: Service, settings: Settings
) -> None:
    before = [Statement("create temporary table t (a int)")]
    with open_warehouse(settings).transaction(before=before) as transaction:
        transaction.run(Statement("insert into t values (1)"))
    assert service.statements == [
        "create temporary table t (a int)",
        "begin",
        "insert into t values (1)",
        "commit",
    ]


def test_a_transaction_is_rolled_back_when_a_statement_is_rejected(
    service: Service, settings: Settings
) -> None:
    service.refusals["insert"] = ("002003", "Table T does not exist")

    def load() -> None:
        with open_warehouse(settings).transaction() as transaction:
            transaction.run(Statement("insert into t values (1)"))

    with pytest.raises(WarehouseRejectedError, match="Table T does not exist"):
        load()
    assert service.statements == ["begin", "insert into t values (1)", "rollback"]


def test_a_session_has_one_role(service: Service, settings: Settings) -> None:
    for is_reader in (False, True):
        open_warehouse(settings, is_reader=is_reader).query("select 1")
        assert [asked["sqlText"] for asked in service.asked] == [NO_OTHER_ROLE, "select 1"]
        service.asked.clear()


@pytest.mark.parametrize(
    "sql",
    [
        "call p()",
        "",
        "-- select\n",
        "delete from t",
        "/* select */ delete from t",
        "with p as procedure () returns int language sql as $$ begin return 1; end $$ call p()",
        "with p as -- a comment\n procedure () returns int language sql as $$x$$ call p()",
        "with p as/* a comment */procedure () returns int language sql as 'x' call p()",
        "select 1 ->> delete from t",
        "(select 1)->>(delete from t)",
        "select '\\'' ->> delete from t -- '",
        'select 1 as "\\" ->> delete from t -- "',
        "select $$ '$$ ->> delete from t -- '",
        "select a$$ from t ->> delete from t -- $$",
        "select 1 // '\n ->> delete from t -- '",
        "select 1 /* /* */ ' */ ->> delete from t -- '",
        "select 1 -- \r ' \n ->> delete from t -- '",
        "select 1; delete from t",
        "show tables ->> select * from $1 ->> insert into t select 1",
        "explain select 1 ->> drop table t",
    ],
)
def test_a_statement_that_writes_is_not_sent(
    sql: str, service: Service, settings: Settings
) -> None:
    for is_reader in (False, True):
        with pytest.raises(
            WarehouseRejectedError, match=r"Only a statement that reads|does not end"
        ):
            open_warehouse(settings, is_reader=is_reader).query(sql)
    assert not service.statements


@pytest.mark.parametrize(
    "sql",
    [
        "select 1;",
        "  ((select '->> delete' as \"->> drop\", $$ call 'p' -- $$))",
        "-- delete\nwith a as (select 'as procedure' as call) select * from a",
        "/* call\n */ // delete\r\n select 'it''s \\' ->> delete'",
        'show tables ->> select * from $1 where "rows" > 1 ->> select count(*) from $1',
        "explain using text delete from t",
        "desc table t",
        "list @stage",
    ],
)
def test_a_statement_that_reads_is_sent(sql: str, service: Service, settings: Settings) -> None:
    open_warehouse(settings, is_reader=True).query(sql)
    assert service.statements == [sql.strip()]


@pytest.mark.parametrize("kept", ["in a file", "in a variable", "in a variable of one line"])
def test_the_key_pair_goes_before_the_password(
    kept: str, service: Service, settings: Settings, tmp_path: Path
) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"phrase"),
    ).decode()
    path = tmp_path / "key.p8"
    path.write_text(pem)
    place: dict[str, Any] = {
        "in a file": {"snowflake_private_key_path": path},
        "in a variable": {"snowflake_private_key": SecretStr(pem)},
        "in a variable of one line": {"snowflake_private_key": SecretStr(pem.replace("\n", "\\n"))},
    }
    with_key = settings.model_copy(
        update={**place[kept], "snowflake_private_key_passphrase": SecretStr("phrase")}
    )
    wrong = with_key.model_copy(update={"snowflake_private_key_passphrase": SecretStr("wrong")})
    with pytest.raises(WarehouseRejectedError, match=r"(?i)private key.* (passphrase|password)"):
        open_warehouse(wrong).query("select 1")

    open_warehouse(with_key).query("select 1")
    (signed_in,) = service.signed_in
    assert signed_in["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    assert PASSWORD not in json.dumps(signed_in)
    claims = signed_in["TOKEN"].split(".")[1]
    issuer = json.loads(base64.urlsafe_b64decode(claims + "=="))["iss"]
    assert issuer.startswith("ACME.VP_PIPELINE.SHA256:")
    assert not [
        value for value in dbt_command.environment(with_key, path).values() if PASSWORD in value
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"snowflake_account": None}, "SNOWFLAKE_ACCOUNT is not set"),
        ({"snowflake_user": None}, "SNOWFLAKE_USER is not set"),
        (
            {"snowflake_password": None},
            "None of SNOWFLAKE_PRIVATE_KEY_PATH, SNOWFLAKE_PRIVATE_KEY and",
        ),
        ({"snowflake_private_key_path": Path("/nowhere/key.p8")}, "/nowhere/key.p8, where there"),
    ],
)
def test_a_sign_in_that_is_not_set_is_named(
    fields: dict[str, Any], said: str, settings: Settings
) -> None:
    incomplete = settings.model_copy(update=fields)
    with pytest.raises(SettingsError, match=said):
        open_warehouse(incomplete)
    with pytest.raises(PermanentFailure, match=said):
        WarehouseResource(settings=fixed(incomplete)).query("select 1")


def test_a_rejected_sign_in_is_permanent_and_shows_no_secret(
    service: Service, settings: Settings
) -> None:
    service.refuse_sign_in = ("390100", "Incorrect username or password was specified.")
    with pytest.raises(PermanentFailure, match="the sign-in as VP_PIPELINE") as refusal:
        WarehouseResource(settings=fixed(settings)).query("select 1")
    assert "Incorrect username or password" in str(refusal.value)
    assert PASSWORD not in str(refusal.value)
    assert PASSWORD not in repr(open_warehouse(settings))


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("000603", TransientFailure),  # an internal error
        ("000625", TransientFailure),  # a lock timeout
        ("000630", TransientFailure),  # the statement timeout
        ("000604", TransientFailure),  # it was canceled
        ("001003", PermanentFailure),  # no SQL
        ("002003", PermanentFailure),  # not there, or not allowed
        ("090073", PermanentFailure),  # the resource monitor's quota is used up
    ],
)
def test_transient_errors_are_distinguished_from_permanent_ones(
    code: str, failure: type[Exception], service: Service, settings: Settings
) -> None:
    service.refusals["select"] = (code, "Snowflake's own words")
    with pytest.raises(failure, match="Snowflake's own words"):
        WarehouseResource(settings=fixed(settings)).query("select 1")


def test_a_network_that_is_away_is_transient(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = settings.model_copy(update={"snowflake_url": HttpUrl("http://127.0.0.1:1/")})
    with pytest.raises(WarehouseUnavailableError, match="the sign-in as VP_PIPELINE"):
        open_warehouse(nowhere).query("select 1")
