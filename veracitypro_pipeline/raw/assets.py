"""The RAW table as an asset: the manifest's files, and nothing else, a transaction per sync."""

from datetime import UTC, datetime

import dagster as dg

from veracitypro_pipeline.lineage import OWNERS, RAW, STAGE_VALUES_IO, landing_key, raw_key
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of
from veracitypro_pipeline.raw.engines import raw_engine
from veracitypro_pipeline.raw.tables import LEDGER_OF_FILES, ROWS_OF_FILES, Load, on
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.sources.source import Source, Stream
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.step_guard import final_when_interrupted


class LoadConfig(dg.Config):
    """`reload`: load the day's files again although the ledger knows them, and whatever other file
    of the last days has not as many rows in RAW as lines."""

    reload: bool = False


def build_assets(source: Source, retries: dg.RetryPolicy) -> list[dg.AssetsDefinition]:
    """The assets of this stage: the table of each stream."""
    return [_table(stream, retries) for stream in source.streams]


def _table(stream: Stream, retries: dg.RetryPolicy) -> dg.AssetsDefinition:
    rows_of_files = on(stream, ROWS_OF_FILES)

    @dg.asset(
        key=raw_key(stream),
        ins={"manifest": dg.AssetIn(key=landing_key(stream))},
        group_name=RAW,
        owners=OWNERS,
        kinds={"table"},
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        io_manager_key=STAGE_VALUES_IO,
        retry_policy=retries,
    )
    @final_when_interrupted
    def table(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        manifest: LandingManifest,
        run_settings: RunSettings,
        s3: S3Resource,
        warehouse: WarehouseResource,
    ) -> dg.MaterializeResult[None]:
        """Every line that Airbyte landed, as it came: valid JSON as payload, the rest as text.

        Files of earlier days that came late are loaded too. The rows' as-of day is the last one
        that their sync has seen, whichever day's run loads them.

        Grain: one row per line of a landing file. Instants are UTC.
        Re-run: a file that was loaded before, in the same version, is left alone, unless `reload`
        asks for it; a file whose etag has changed replaces the rows it brought. The load of a sync
        is one transaction.
        """
        engine = raw_engine(warehouse)
        engine.prepare(warehouse, stream)
        known = {"files": [file.key for file in manifest.loadable_files]}
        ledger = warehouse.query(LEDGER_OF_FILES, known).rows
        loaded = {name: (etag, day) for name, etag, day in ledger}
        if config.reload:
            rows = {name: count for name, count, _ in warehouse.query(rows_of_files, known).rows}
            whole = {
                file.key for file in manifest.loadable_files if rows.get(file.key) == file.lines
            }
            earlier = whole - {file.key for file in manifest.files}
            loaded = {key: loaded[key] for key in loaded.keys() & earlier}
        loads = {
            sync.job_id: [
                file for file in sync.files if loaded.get(file.key) != (file.etag, sync.as_of_date)
            ]
            for sync in manifest.loadable
        }
        # One instant for all that this step loads: STG counts again what came with a load.
        loaded_at = datetime.now(UTC).replace(tzinfo=None)
        for sync in manifest.loadable:
            if loads[sync.job_id]:
                load = Load(
                    stream=stream,
                    files=loads[sync.job_id],
                    as_of_date=sync.as_of_date,
                    load_id=context.op_execution_context.run_id,
                    loaded_at=loaded_at,
                    gone=sync.gone,
                )
                engine.load(load, run_settings.get(), s3, warehouse)

        new = loads.pop(manifest.job_id)
        late = [file for files in loads.values() for file in files]
        names = {"files": sorted(file.key for file in manifest.files)}
        rows = {name: counts for name, *counts in warehouse.query(rows_of_files, names).rows}
        in_raw = sum(counts[0] for counts in rows.values())
        refused = sum(counts[1] for counts in rows.values())
        return dg.MaterializeResult(
            metadata={
                "rows_in": manifest.lines,
                "rows_out": in_raw - refused,
                "rows_refused": refused,
                "dagster/partition_row_count": in_raw,
                "files_loaded": len(new),
                "files_already_loaded": len(manifest.files) - len(new),
                "late_files": [file.key for file in late],
                "late_rows": sum(file.lines for file in late),
                "load_id": context.op_execution_context.run_id,
            }
        )

    return table
