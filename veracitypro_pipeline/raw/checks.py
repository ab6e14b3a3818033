"""Checks on the RAW load: no line is lost, and few are refused."""

import dagster as dg

from veracitypro_pipeline.lineage import landing_index, landing_key, raw_key
from veracitypro_pipeline.raw.tables import (
    DOUBLED_RECORDS,
    FILES_IN_LEDGER,
    FILES_UNLIKE_LEDGER,
    ROWS_OF_FILES,
    on,
)
from veracitypro_pipeline.raw.unloaded import days_not_loaded
from veracitypro_pipeline.refusal_policy import refusal_severity
from veracitypro_pipeline.resources.state_store import StateStore
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.sources.source import Source, Stream
from veracitypro_pipeline.stage_values.landing import LandingIndex, LandingManifest
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted


def build_checks(source: Source) -> list[dg.AssetChecksDefinition]:
    """The checks of this stage, on the table of each stream."""
    return [check for stream in source.streams for check in _checks(stream)]


def _checks(stream: Stream) -> list[dg.AssetChecksDefinition]:
    key = raw_key(stream)
    ins = {"manifest": dg.AssetIn(key=landing_key(stream))}
    rows_of_files = on(stream, ROWS_OF_FILES)

    @dg.asset_check(
        asset=key,
        blocking=True,
        retry_policy=CHECK_RETRIES,
        additional_ins=ins,
    )
    @final_when_interrupted
    def lines_loaded_or_quarantined(
        manifest: LandingManifest, warehouse: WarehouseResource, state_store: StateStore
    ) -> dg.AssetCheckResult:
        """Every line of every file of the day, and of late ones, is one row of RAW, and no more
        are; each is another record; RAW still has what the ledger says of every file of before; and
        the ledger has the files of the month before.

        If it warns: the warehouse lacks days that S3 has, as one does that was restored from an
        older copy; `vp backfill` of the named days, oldest first, loads them.

        If red: prices of some products would be missing or doubled. The file is named; `vp
        backfill` of the day of this run loads it again, one that is named with another day that of
        its day, or of the day after.

        Runbook: infra/runbooks/lines_loaded_or_quarantined.md
        """
        files = manifest.loadable_files
        lines = {file.key: file.lines for file in files}
        gone = {key: 0 for sync in manifest.loadable for key in sync.gone}
        answer = warehouse.query(rows_of_files, {"files": [*lines, *gone]})
        rows = {row["source_file"]: row["raw_rows"] for row in answer.dicts()}
        wrong = [
            f"{key}: {expected} lines, {rows.get(key, 0)} rows"
            for key, expected in (gone | lines).items()
            if rows.get(key, 0) != expected
        ]
        ((doubled,),) = warehouse.query(on(stream, DOUBLED_RECORDS), {"files": list(lines)}).rows
        of_stream = {"prefix": stream.prefix(warehouse.settings.get().environment)}
        differing = warehouse.query(on(stream, FILES_UNLIKE_LEDGER), of_stream)
        unlike = [
            f"{key} of {as_of_date}: {expected} lines loaded, {found} rows"
            for key, as_of_date, expected, found in differing.rows
            if key not in lines and key not in gone
        ]
        ledger = {key for (key,) in warehouse.query(FILES_IN_LEDGER).rows}
        days = landing_key(stream).to_user_string()
        unloaded = days_not_loaded(
            state_store.read(landing_index(stream), LandingIndex) or LandingIndex(),
            manifest,
            manifest.as_of_date,
            ledger,
            lambda day: state_store.read(f"{days}/{day}", LandingManifest),
        )
        is_wrong = bool(wrong or doubled or unlike)
        return dg.AssetCheckResult(
            passed=not is_wrong and not unloaded,
            severity=dg.AssetCheckSeverity.ERROR if is_wrong else dg.AssetCheckSeverity.WARN,
            description=(
                f"The {len(files)} files of this day and of the last ones hold"
                f" {sum(lines.values())} lines, RAW holds {sum(rows.values())} rows of them,"
                f" {doubled} of which double another; files that differ: {wrong or 'none'}; files"
                f" of before that are not as they were loaded: {unlike or 'none'}; days that S3 has"
                f" and the ledger lacks: {', '.join(map(str, unloaded)) or 'none'}."
            ),
            metadata={
                "lines": sum(lines.values()),
                "rows": sum(rows.values()),
                "doubled": doubled,
                "differences": [*wrong, *unlike],
                "days_not_loaded": [str(day) for day in unloaded],
            },
        )

    @dg.asset_check(
        asset=key,
        blocking=True,
        retry_policy=CHECK_RETRIES,
        additional_ins=ins,
    )
    @final_when_interrupted
    def lines_are_json(
        manifest: LandingManifest, warehouse: WarehouseResource
    ) -> dg.AssetCheckResult:
        """No line is refused for not being a JSON record.

        If it warns: the named lines are kept in RAW as text and in STG's quarantine table with
        their reason; their products keep yesterday's figures. If red, more than single lines are
        broken, and the build does not start: look at the files, then run the day again with
        `resync: true`.

        Runbook: infra/runbooks/lines_are_json.md
        """
        files = manifest.files
        lines = sum(file.lines for file in files)
        answer = warehouse.query(rows_of_files, {"files": [file.key for file in files]})
        refused = {row["source_file"]: row["refused"] for row in answer.dicts() if row["refused"]}
        share = sum(refused.values()) / max(lines, 1)
        return dg.AssetCheckResult(
            passed=not refused,
            severity=refusal_severity(sum(refused.values()), lines),
            description=f"{sum(refused.values())} of {lines} lines are refused: {refused}.",
            metadata={"refused": sum(refused.values()), "share": share, "files": refused},
        )

    return [lines_loaded_or_quarantined, lines_are_json]
