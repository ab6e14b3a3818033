"""The as-of day around UTC midnight, and the days of a run."""

import runpy
from datetime import UTC, date, datetime, timedelta, timezone

import dagster as dg
import pytest

from tests.support.ui_runs import checks_alone
from veracitypro_pipeline import partitions
from veracitypro_pipeline.partitions import (
    are_checks_alone,
    check_as_of_date,
    day_of_run,
    days_of,
    end_of,
    newest_as_of_date,
    runs_of_day,
)
from veracitypro_pipeline.resources.run_settings import RunSettings

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_newest_day_is_the_one_that_has_just_ended_in_utc() -> None:
    assert newest_as_of_date(MIDNIGHT) == date(2026, 2, 28)
    assert newest_as_of_date(MIDNIGHT - timedelta(microseconds=1)) == date(2026, 2, 27)
    in_tokyo = MIDNIGHT.astimezone(timezone(timedelta(hours=9)))
    assert newest_as_of_date(in_tokyo) == date(2026, 2, 28)


def test_a_day_ends_at_the_midnight_after_it() -> None:
    assert end_of(date(2026, 2, 28)) == MIDNIGHT


def test_the_first_day_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster reads the partitions when the code location loads."""
    monkeypatch.setenv("VP_FIRST_AS_OF_DATE", "2024-02-29")
    again = runpy.run_path(partitions.__file__)
    assert again["daily_as_of"].get_first_partition_key() == "2024-02-29"
    with pytest.raises(ValueError, match=r"first partition 2024-02-29: .* VP_FIRST_AS_OF_DATE"):
        again["check_as_of_date"](date(2024, 2, 28), MIDNIGHT)


def a_run(**tags: str) -> dg.DagsterRun:
    return dg.DagsterRun("vp_daily_batch", tags=tags)


RANGE = {
    "dagster/asset_partition_range_start": "2026-02-27",
    "dagster/asset_partition_range_end": "2026-03-01",
}


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({}, []),
        ({"dagster/partition": "2026-02-28"}, ["2026-02-28"]),
        (dict.fromkeys(RANGE, "2026-02-28"), ["2026-02-28"]),
        (RANGE, ["2026-02-27", "2026-02-28", "2026-03-01"]),
        ({".dagster/vp_judged_day": "another-run 2026-02-28"}, []),
    ],
)
def test_the_days_of_a_run_are_in_its_tags(tags: dict[str, str], days: list[str]) -> None:
    assert [str(day) for day in days_of(a_run(**tags))] == days


def test_a_run_of_several_days_is_rejected() -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(dg.Failure, match="3 days from 2026-02-27 to 2026-03-01, but a run loads"),
    ):
        day_of_run(instance, a_run(**RANGE))


def test_checks_alone_judge_the_newest_day_of_all_their_assets() -> None:
    daily = dg.DailyPartitionsDefinition("2025-11-15")

    def table(name: str) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition]:
        @dg.asset(key=["mart", name], partitions_def=daily)
        def asset() -> None: ...

        @dg.asset_check(asset=asset, name="is_good", required_resource_keys={"run_settings"})
        def check() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=True)

        return asset, check

    ahead, behind, never = (table(name) for name in ("ahead", "behind", "never"))
    defs = dg.Definitions(
        assets=[ahead[0], behind[0], never[0]],
        asset_checks=[ahead[1], behind[1], never[1]],
        resources={"run_settings": RunSettings()},
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.ephemeral() as instance:

        def judged(*names: str) -> list[date]:
            keys = [dg.AssetCheckKey(dg.AssetKey(["mart", name]), "is_good") for name in names]
            run = instance.get_run_by_id(checks_alone(instance, defs, *keys))
            assert run is not None
            assert are_checks_alone(run)
            return days_of(run)

        for asset, day in ((ahead, "2026-01-31"), (ahead, "2026-01-01"), (behind, "2026-01-30")):
            dg.materialize([asset[0]], instance=instance, partition_key=day)
        assert judged("ahead") == [date(2026, 1, 31)]
        assert judged("ahead", "behind", "never") == [date(2026, 1, 30)]
        assert judged("never") == []
        assert runs_of_day(instance, date(2026, 1, 31)) != []
        assert not any(map(are_checks_alone, runs_of_day(instance, date(2026, 1, 31))))


@pytest.mark.parametrize("day", [date(2025, 11, 15), date(2026, 2, 28)])
def test_days_that_are_over_can_be_run(day: date) -> None:
    assert check_as_of_date(day, MIDNIGHT) == day


@pytest.mark.parametrize("day", [date(2025, 11, 14), date(2026, 3, 1)])
def test_other_days_cannot_be_run(day: date) -> None:
    with pytest.raises(ValueError, match=str(day)):
        check_as_of_date(day, MIDNIGHT)
