"""The gate between MART and Power BI: nothing was lost on the way from RAW, in numbers.

What holds inside one model, or must stop the build before the next layer, is a dbt test. This check
counts over all three layers once dbt is done, and reports the counts.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from veracitypro_pipeline.lineage import CORE, DBT_STAGES, MART, landing_key, model_key
from veracitypro_pipeline.partitions import day_of_step
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.sources.source import Equation, Source
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted


def build_checks(source: Source) -> list[dg.AssetChecksDefinition]:
    """The check of a source that declares what must hold."""
    of_source, gate = source.conservation, source.gate
    if of_source is None or gate is None:
        return []
    (stream,) = source.streams

    @dg.asset_check(
        asset=model_key(MART, gate),
        blocking=True,
        retry_policy=CHECK_RETRIES,
        additional_ins={"manifest": dg.AssetIn(key=landing_key(stream))},
    )
    @final_when_interrupted
    def nothing_lost_between_raw_and_mart(
        context: dg.AssetCheckExecutionContext,
        manifest: LandingManifest,
        warehouse: WarehouseResource,
    ) -> dg.AssetCheckResult:
        """Every RAW row is accepted or refused, and what STG accepted is in CORE and MART.

        If red: reports would miss prices or products; Power BI is not refreshed. The description
        says which two numbers differ. Make the tables anew by `vp backfill --full-refresh`
        of the day.

        Runbook: infra/runbooks/nothing_lost_between_raw_and_mart.md
        """
        of_day = {"files": [file.key for file in manifest.files]}
        (row,) = warehouse.query(of_source.counts, of_day).dicts()
        counts = {name: int(count) for name, count in row.items()}
        day = day_of_step(context).isoformat()
        # Each view of STG and CORE joins all points; marts are views of one table each.
        rows_of = {
            stage: warehouse.row_counts(stage, has_views=stage == MART) for stage in DBT_STAGES
        }
        core_rows, mart_rows = (sum(rows_of[stage].values()) for stage in (CORE, MART))
        for stage, rows_by_model in rows_of.items():
            for model, rows in rows_by_model.items():
                context.op_execution_context.log_event(
                    row_count(model_key(stage, model), rows, day)
                )
        broken = broken_equations(of_source.equations, counts)
        return dg.AssetCheckResult(
            passed=not broken,
            description="; ".join(broken) or f"{day}: {of_source.summary.format_map(counts)}",
            metadata={
                **counts,
                # The lines that are no record were counted as refused by the raw stage.
                "stg_rows_in": counts["raw_rows"] - counts["unreadable"],
                "stg_rows_out": counts["accepted"],
                "stg_rows_refused": counts["refused"] - counts["unreadable"],
                "core_rows_in": counts[of_source.read_by_core],
                "core_rows_out": core_rows,
                "mart_rows_in": core_rows,
                "mart_rows_out": mart_rows,
                "mart_rows_refused": 0,
                **{f"warehouse_{name}": figure for name, figure in warehouse.usage().items()},
            },
        )

    return [nothing_lost_between_raw_and_mart]


def row_count(asset: dg.AssetKey, rows: int, as_of_date: str) -> dg.AssetObservation:
    """How many rows a table has, where the Dagster UI looks for that.

    Seen here, because these counts are taken anyway: counting in the build would be a query per
    model, and on DuckDB wait until dbt lets go of the file.
    """
    return dg.AssetObservation(asset, partition=as_of_date, metadata={"dagster/row_count": rows})


def broken_equations(equations: Sequence[Equation], counts: Mapping[str, int]) -> list[str]:
    """A sentence for each equation that does not hold."""
    sums = [
        (equation, sum(map(counts.__getitem__, names)), sum(map(counts.__getitem__, others)))
        for equation in equations
        for names, others in ((equation.left_counts, equation.right_counts),)
    ]
    return [
        f"{equation.left} {left} are not {equation.right} {right}"
        for equation, left, right in sums
        if left != right
    ]
