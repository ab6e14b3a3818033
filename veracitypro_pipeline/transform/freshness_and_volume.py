"""The checks of the promises to readers: each mart reaches the day, and the volume is usual.

They warn and block nothing, because old or unusual figures are not wrong. The promises are in
`veracitypro_pipeline/service_levels.py`.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

import dagster as dg

from veracitypro_pipeline.lineage import JOB_NAME, MART, landing_key, model_key
from veracitypro_pipeline.partitions import day_of_step
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import (
    MARTS,
    Freshness,
    Night,
    freshness,
    good_nights,
    newest_days,
    volume,
)
from veracitypro_pipeline.sources.source import Source
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.step_guard import (
    CHECK_RETRIES,
    errors_are_masked,
    interrupts_are_final,
    permanent_failures_end_retries,
)

FRESH: Final = "data_is_fresh"
USUAL: Final = "volume_is_usual"
_FRESH_DESCRIPTION: Final = """\
The newest day in the rows is the as-of day of the run, whenever they were written.

If it warns: reports end on an earlier day than readers expect. Compare with the newest day of
`mart/dim_product` and CORE: if they stopped too, look there. "Execution failed" means that the run
ended before this check and says nothing about the rows; in `prod`, the deadline then repeats it.

Runbook: infra/runbooks/data_is_fresh.md"""
_USUAL_DESCRIPTION: Final = """\
Records, bytes a record and rows added are within the band of the last good nights. The description
has each figure, its band and the number of nights behind it.

If it warns: some products or series may be missing, or came twice. Compare the records with the
tracked products. After products were added it warns until enough good nights have them.

Runbook: infra/runbooks/volume_is_usual.md"""


def build_checks(source: Source) -> list[dg.AssetChecksDefinition]:
    """The checks of a source with promises: its marts, and the gate of its night."""
    gate = source.gate
    if gate is None or not source.promises:
        return []
    (stream,) = source.streams

    @dg.multi_asset_check(
        name="service_levels",
        specs=[
            *(
                dg.AssetCheckSpec(
                    FRESH,
                    asset=model_key(MART, mart),
                    description=_FRESH_DESCRIPTION,
                )
                for mart in source.promises
            ),
            dg.AssetCheckSpec(
                USUAL,
                asset=model_key(MART, gate),
                description=_USUAL_DESCRIPTION,
                additional_deps=[landing_key(stream)],
            ),
        ],
        retry_policy=CHECK_RETRIES,
        can_subset=True,
        ins={"manifest": dg.AssetIn(key=landing_key(stream))},
    )
    def service_levels(
        context: dg.AssetCheckExecutionContext,
        manifest: LandingManifest,
        warehouse: WarehouseResource,
    ) -> Iterator[dg.AssetCheckResult]:
        """One question for all marts and one for the nights before; each only if a check needs
        it."""
        with permanent_failures_end_retries(), errors_are_masked(), interrupts_are_final():
            as_of_date = day_of_step(context)
            selected = context.selected_asset_check_keys
            marts = [key.asset_key.path[-1] for key in selected if key.name == FRESH]
            if marts:
                for found in freshness(warehouse.query(newest_days(marts)).dicts(), as_of_date):
                    yield _freshness_result(found, as_of_date.isoformat())
            if not any(key.name == USUAL for key in selected):
                return
            tonight = Night(
                as_of_date=as_of_date,
                records=manifest.lines,
                size_bytes=manifest.size_bytes,
                mart_rows_out=sum(warehouse.row_counts(MART).values()),
                seconds=0.0,
                ingest_seconds=None,
            )
            yield _volume_result(
                model_key(MART, gate), good_nights(warehouse.query, JOB_NAME, as_of_date), tonight
            )

    return [service_levels]


def freshness_evaluations(
    found: Iterable[Freshness], as_of_date: date
) -> list[dg.AssetCheckEvaluation]:
    """Evaluations of `data_is_fresh` for a day whose run ended before the check."""
    return [
        dg.AssetCheckEvaluation(
            asset_key=model_key(MART, one.mart),
            check_name=FRESH,
            passed=not one.is_late,
            severity=dg.AssetCheckSeverity.WARN,
            description=_freshness_description(one, as_of_date.isoformat()),
            metadata=_freshness_metadata(one),
            partition=as_of_date.isoformat(),
        )
        for one in found
    ]


def _freshness_result(found: Freshness, as_of_date: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=model_key(MART, found.mart),
        check_name=FRESH,
        passed=not found.is_late,
        severity=dg.AssetCheckSeverity.WARN,
        description=_freshness_description(found, as_of_date),
        metadata=_freshness_metadata(found),
    )


def _freshness_description(found: Freshness, as_of_date: str) -> str:
    if found.newest_date is None:
        return "It has no rows, so nothing in it can be late."
    return (
        f"Its newest day is {found.newest_date}, {found.days_behind} days behind {as_of_date};"
        f" {MARTS[found.mart].days_allowed} are allowed."
    )


def _freshness_metadata(found: Freshness) -> dict[str, int]:
    return {} if found.days_behind is None else {"days_behind": found.days_behind}


def _volume_result(asset: dg.AssetKey, nights: list[Night], tonight: Night) -> dg.AssetCheckResult:
    measured = volume(nights, tonight)
    odd = [one for one in measured if not one.is_usual]
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=USUAL,
        passed=not odd,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            "; ".join(map(str, [*odd, *(one for one in measured if one.is_usual)]))
            or f"A day later than {tonight.as_of_date} exists, so its added rows are unknown"
        )
        + ".",
        metadata={name: value for one in measured for name, value in one.metadata.items()},
    )
