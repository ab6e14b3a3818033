"""Figures of each mart as metadata of its materialization, which Dagster plots.

They are the row count, the rows added since the last materialization, the rows of new days and the
newest day. One query counts all marts after dbt has ended, because dbt locks the DuckDB file until
then. So the events of marts, which are built last, are held back until dbt ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final

import dagster as dg

from veracitypro_pipeline.lineage import MART, model_key
from veracitypro_pipeline.partitions import day_of_step
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import figures_of

ROW_COUNT: Final = "dagster/row_count"
_NEWEST_DAY: Final = "newest_day"
_OUTPUT: Final = f"{MART}__"


def is_of_mart(event: Any) -> bool:
    """Whether an event of dbt is the output of a mart or a result of its tests."""
    if isinstance(event, dg.Output):
        return event.output_name.startswith(_OUTPUT)
    key = getattr(event, "asset_key", None)
    return key is not None and key.path[0] == MART


def with_figures(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, events: Sequence[Any]
) -> Iterator[Any]:
    """Yield the events, and add figures to the outputs of marts.

    If the query fails, the outputs have no figures, and the log has a warning.
    """
    marts = [_mart_of(event) for event in events if isinstance(event, dg.Output)]
    before = _figures_before(context.instance, marts)
    known_until = {mart: day for mart, (_, day) in before.items() if day is not None}
    try:
        rows = warehouse.query(figures_of(marts, known_until)).dicts() if marts else []
    except dg.Failure as failure:
        context.log.warning(f"The marts are not counted: {failure.description}")
        rows = []
    figures = {row["mart"]: row for row in rows}
    day = day_of_step(context)
    for event in events:
        mart = _mart_of(event) if isinstance(event, dg.Output) else ""
        if mart in figures:
            rows_before, _ = before.get(mart, (None, None))
            of_mart = _metadata(figures[mart], rows_before, day)
            yield event.with_metadata({**event.metadata, **of_mart})
        else:
            yield event


def _metadata(row: Mapping[str, Any], rows_before: int | None, day: date) -> dict[str, Any]:
    count, newest = int(row["row_count"]), row["newest_date"]
    metadata: dict[str, Any] = {ROW_COUNT: count}
    if rows_before is not None:
        metadata["rows_added"] = count - rows_before
    if row["new_rows"] is not None:
        metadata["rows_of_new_days"] = int(row["new_rows"])
    if newest is not None:
        midnight = datetime.combine(newest, time(), UTC)
        metadata[_NEWEST_DAY] = dg.MetadataValue.timestamp(midnight)
        metadata["days_behind"] = max((day - newest).days, 0)
    return metadata


def _figures_before(
    instance: dg.DagsterInstance, marts: Sequence[str]
) -> dict[str, tuple[int | None, date | None]]:
    """Row count and newest day in the metadata of each mart's last materialization, or None."""
    found = {}
    for record in instance.get_asset_records([model_key(MART, mart) for mart in marts]):
        last = record.asset_entry.last_materialization
        metadata = (
            last.asset_materialization.metadata if last and last.asset_materialization else {}
        )
        count, newest = metadata.get(ROW_COUNT), metadata.get(_NEWEST_DAY)
        found[record.asset_entry.asset_key.path[-1]] = (
            count.value if isinstance(count, dg.IntMetadataValue) else None,
            datetime.fromtimestamp(newest.value, UTC).date()
            if isinstance(newest, dg.TimestampMetadataValue)
            else None,
        )
    return found


def _mart_of(built: dg.Output[Any]) -> str:
    return built.output_name.removeprefix(_OUTPUT)
