"""The Power BI dataset as an asset: refreshed when every mart is built and nothing is red."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from veracitypro_pipeline.bi.refresh import RefreshState, reason_of, seconds_of, state_of
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.handover import RefreshReport
from veracitypro_pipeline.lineage import BI, HANDOVER_IO, MART, OWNERS, POWERBI_DATASET
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.warehouse import WarehouseResource

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.powerbi import PowerBIClient


def build_assets(
    retries: dg.RetryPolicy, marts: Sequence[dg.AssetKey]
) -> list[dg.AssetsDefinition]:
    """The assets of this stage; `marts` are the tables that the dataset imports."""

    @dg.asset(
        key=POWERBI_DATASET,
        deps=marts,
        group_name=BI,
        owners=OWNERS,
        kinds={"powerbi"},
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        io_manager_key=HANDOVER_IO,
        retry_policy=retries,
    )
    def powerbi_veracitypro(
        context: dg.AssetExecutionContext, powerbi: PowerBIResource, warehouse: WarehouseResource
    ) -> dg.MaterializeResult[RefreshReport]:
        """The dataset behind every report, refreshed from MART and followed to its end.

        Grain: one refresh per run. Rows are those of the MART tables it was offered; Power BI does
        not say how many it took.
        Re-run: refreshes again.
        """
        rows = sum(warehouse.row_counts(MART).values())
        client = powerbi.client()
        request_id = client.start_refresh()
        context.log.info(f"Following Power BI refresh {request_id}.")
        refresh = _finished(client, request_id, powerbi)
        report = RefreshReport(
            as_of_date=context.partition_time_window.start.date(),
            request_id=request_id,
            rows=rows,
            seconds=seconds_of(refresh),
        )
        return dg.MaterializeResult(
            value=report,
            metadata={
                "request_id": request_id,
                "rows_in": rows,
                "rows_out": rows,
                "rows_refused": 0,
                "refresh_seconds": report.seconds,
            },
        )

    return [powerbi_veracitypro]


def _finished(
    client: "PowerBIClient", request_id: str, powerbi: PowerBIResource
) -> Mapping[str, Any]:
    """The history entry of the refresh once it is completed.

    Raises:
        TransientFailure: it failed, or still runs at the time-out.
        PermanentFailure: refreshes are switched off, or somebody cancelled it.
    """
    deadline = time.monotonic() + powerbi.timeout_seconds
    while True:
        refresh = client.refresh(request_id)
        state = state_of(refresh)
        if refresh is not None and state is RefreshState.COMPLETED:
            return refresh
        if refresh is not None and state is RefreshState.FAILED:
            raise TransientFailure(
                f"Power BI refresh {request_id} failed: {reason_of(refresh)}; it is started again"
                " later."
            )
        if state is not RefreshState.RUNNING:
            raise PermanentFailure(
                f"Power BI refresh {request_id} ended as {state}: look at the dataset's refresh"
                " history and settings, then materialize this asset again."
            )
        if time.monotonic() > deadline:
            raise TransientFailure(
                f"Power BI refresh {request_id} still runs after {powerbi.timeout_seconds:.0f} s"
                " (POWERBI_TIMEOUT_SECONDS)."
            )
        time.sleep(powerbi.poll_seconds)
