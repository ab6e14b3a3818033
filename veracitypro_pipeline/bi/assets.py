"""The Power BI dataset as an asset: refreshed when every mart is built and nothing is red."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from veracitypro_pipeline.bi.refresh import RefreshState, reason_of, seconds_of, state_of
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure, final_when_interrupted
from veracitypro_pipeline.handover import RefreshClaim, RefreshReport
from veracitypro_pipeline.lineage import BI, HANDOVER_IO, MART, OWNERS, POWERBI_DATASET
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of
from veracitypro_pipeline.resources.handover_store import HandoverStore
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.warehouse import WarehouseResource

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.powerbi import PowerBIClient

_USABLE: Final = frozenset({RefreshState.RUNNING, RefreshState.COMPLETED})


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
    @final_when_interrupted
    def powerbi_veracitypro(
        context: dg.AssetExecutionContext,
        powerbi: PowerBIResource,
        warehouse: WarehouseResource,
        handover: HandoverStore,
    ) -> dg.MaterializeResult[RefreshReport]:
        """The dataset behind every report, refreshed from MART and followed to its end.

        Grain: one refresh per run. Rows are those of the MART tables it was offered; Power BI does
        not say how many it took.
        Re-run: refreshes again; a further try of the same run follows the refresh it has started.
        """
        rows = sum(warehouse.row_counts(MART).values())
        as_of_date = context.partition_time_window.start.date()
        claim_name = f"{'/'.join(POWERBI_DATASET.path)}/claims/{as_of_date}"
        client = powerbi.client()
        claim = handover.read(claim_name, RefreshClaim)
        if (
            claim is not None
            and claim.run_id == context.run_id
            and _state(client.refresh(claim.request_id)) in _USABLE
        ):
            request_id = claim.request_id
        else:
            request_id = client.start_refresh()
            handover.write(
                claim_name,
                RefreshClaim(as_of_date=as_of_date, request_id=request_id, run_id=context.run_id),
            )
        context.log.info(f"Following Power BI refresh {request_id}.")
        refresh = _finished(client, request_id, powerbi)
        report = RefreshReport(
            as_of_date=as_of_date,
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
        state = _state(refresh)
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


def _state(refresh: Mapping[str, Any] | None) -> RefreshState:
    """Raises PermanentFailure if Power BI says something that its documentation does not."""
    try:
        return state_of(refresh)
    except ValueError as error:
        raise PermanentFailure(str(error)) from error
