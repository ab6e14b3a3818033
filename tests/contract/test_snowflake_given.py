"""The connection that Streamlit gives to an app inside Snowflake."""

import json
from collections.abc import Iterator

import pytest
from streamlit.connections import SnowflakeConnection

from tests.support.snowflake_service import Service
from veracitypro_pipeline.resources.warehouse.on_snowflake import SnowflakeWarehouse
from veracitypro_pipeline.resources.warehouse.protocol import (
    WarehouseRejectedError,
    WarehouseUnavailableError,
)
from veracitypro_pipeline.resources.warehouse.snowflake_given import GivenSnowflake
from veracitypro_pipeline.settings import Settings

SESSION_ENDED = ("390114", "Authentication token has expired.")


class Mounted(SnowflakeConnection):
    """Streamlit's connection; `heals` says whether it can replace an expired session."""

    heals = True

    def __init__(self, service: Service) -> None:
        self.service = service
        super().__init__("snowflake")

    def reset(self) -> None:
        if self.heals:
            self.service.refusals.clear()
        super().reset()


@pytest.fixture
def given(
    service: Service, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mounted]:
    """The connector's default connection, from a mounted file, as in Snowflake's container."""
    arguments = SnowflakeWarehouse.of(settings, {}).arguments
    mounted = {**arguments, **arguments["additional_snowflake_connection_args"]}
    names = ("account", "user", "password", "protocol", "host", "port")
    lines = [f"{name} = {json.dumps(mounted[name])}" for name in names]
    monkeypatch.setenv("SNOWFLAKE_CONNECTIONS", "\n".join(["[default]", *lines]))
    connection = Mounted(service)
    yield connection
    connection.close()


def test_all_queries_share_one_session_and_values_are_bound(
    service: Service, given: Mounted
) -> None:
    warehouse = GivenSnowflake(lambda: given)
    for _ in range(2):
        assert warehouse.query("select $x where a in ($f)", {"x": 1, "f": ["it's"]}).rows == [(1,)]
    assert len(service.signed_in) == 1
    assert {asked["sqlText"] for asked in service.asked} == {"select ? where a in (?)"}
    assert service.asked[0]["bindings"]["2"]["value"] == "it's"


def test_an_expired_session_is_replaced(service: Service, given: Mounted) -> None:
    service.refusals["select"] = SESSION_ENDED
    assert GivenSnowflake(lambda: given).query("select 1").rows == [(1,)]
    assert len(service.signed_in) == 2


def test_a_service_that_stays_unavailable_raises_after_one_retry(
    service: Service, given: Mounted
) -> None:
    given.heals = False
    service.refusals["select"] = SESSION_ENDED
    with pytest.raises(WarehouseUnavailableError, match="did not carry out a statement of the app"):
        GivenSnowflake(lambda: given).query("select 1")
    assert service.statements == ["select 1"] * 2


def test_a_rejection_is_not_retried_and_a_statement_that_writes_is_not_sent(
    service: Service, given: Mounted
) -> None:
    service.refusals["select"] = ("002003", "Object does not exist or not authorized.")
    warehouse = GivenSnowflake(lambda: given)
    with pytest.raises(WarehouseRejectedError, match="not authorized"):
        warehouse.query("select 1")
    with pytest.raises(WarehouseRejectedError, match="Only a statement that reads"):
        warehouse.query("delete from RAW.KEEPA_RAW")
    assert service.statements == ["select 1"]
