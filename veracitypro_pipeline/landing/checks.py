"""Checks on the landing files: they arrived, they are whole, they are of this sync, all of them;
and those of the last days still are."""

import dagster as dg

from veracitypro_pipeline.landing.manifest import (
    faults_of_earlier,
    lost_files,
    surplus,
    surplus_lines,
)
from veracitypro_pipeline.lineage import landing_index, landing_key
from veracitypro_pipeline.resources.state_store import StateStore
from veracitypro_pipeline.sources.source import Source, Stream
from veracitypro_pipeline.stage_values.landing import LandingIndex, LandingManifest
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted


def build_checks(source: Source) -> list[dg.AssetChecksDefinition]:
    """The checks of this stage, on the landing files of each stream."""
    return [check for stream in source.streams for check in _checks(stream)]


def _checks(stream: Stream) -> list[dg.AssetChecksDefinition]:
    key = landing_key(stream)

    def index_in(state_store: StateStore) -> LandingIndex:
        return state_store.read(landing_index(stream), LandingIndex) or LandingIndex()

    @dg.asset_check(asset=key, blocking=True, retry_policy=CHECK_RETRIES)
    @final_when_interrupted
    def files_arrived(manifest: LandingManifest, state_store: StateStore) -> dg.AssetCheckResult:
        """The sync left at least one file, none is empty, and each can be read to its end.

        If red: RAW is not loaded, dashboards show yesterday. Look for the named file in the bucket;
        if it is gone or cut, run the day again with `resync: true`.

        Runbook: infra/runbooks/files_arrived.md
        """
        damaged = [f"{file.key} ({file.damage})" for file in manifest.files if file.damage]
        empty = [file.key for file in manifest.files if not file.lines]
        lost = lost_files(manifest, index_in(state_store))
        if not manifest.files:
            said = f"No object in the bucket was written by Airbyte job {manifest.job_id}."
        elif damaged or empty:
            said = f"Cannot be read to the end: {damaged or 'none'}; empty: {empty or 'none'}."
        else:
            said = f"{len(manifest.files)} files of Airbyte job {manifest.job_id} are whole."
        if lost:
            said = f"{said} Of what was there before: {'; '.join(lost)}."
        return dg.AssetCheckResult(
            passed=bool(manifest.files) and not damaged and not empty,
            description=said,
            metadata={
                "files": len(manifest.files),
                "damaged": damaged,
                "empty": empty,
                "lost": lost,
            },
        )

    @dg.asset_check(asset=key, blocking=True, retry_policy=CHECK_RETRIES)
    @final_when_interrupted
    def records_equal_lines(manifest: LandingManifest) -> dg.AssetCheckResult:
        """Airbyte's count of records equals the lines in the manifest's files, each another record.

        If red: products are missing or there twice, or lines are blank. The numbers say which; the
        files are listed in the materialization. Run the day again with `resync: true`.

        Runbook: infra/runbooks/records_equal_lines.md
        """
        difference = manifest.lines - manifest.records_reported
        word = "agree" if not difference else f"differ by {difference:+d}"
        surplus_said = surplus_lines(manifest)
        return dg.AssetCheckResult(
            passed=manifest.lines == manifest.records == manifest.records_reported,
            description=(
                f"Airbyte job {manifest.job_id} reports {manifest.records_reported} records, its"
                f" files hold {manifest.lines} lines: they {'; '.join((word, *surplus_said))}."
            ),
            metadata={
                "records_reported": manifest.records_reported,
                "lines": manifest.lines,
                "records": manifest.records,
                "difference": difference,
            },
        )

    @dg.asset_check(asset=key, retry_policy=CHECK_RETRIES)
    @final_when_interrupted
    def files_of_this_sync(
        manifest: LandingManifest, state_store: StateStore
    ) -> dg.AssetCheckResult:
        """Every line of the manifest's files carries this sync's id, and no other file lacks an id.

        If it warns: a line is broken so far that its id cannot be read (it is loaded and
        quarantined), or somebody else writes into the landing prefix (such files are not loaded,
        and may be closed to us). Nothing is lost; find out who wrote the named files.

        Runbook: infra/runbooks/files_of_this_sync.md
        """
        others, unowned = surplus(manifest, index_in(state_store))
        return dg.AssetCheckResult(
            passed=not others and not unowned,
            severity=dg.AssetCheckSeverity.WARN,
            description=(
                f"Lines of another sync or of none in the files: {others or 'none'}; files that no"
                f" sync wrote: {list(unowned) or 'none'}."
            ),
            metadata={"lines_of_other_syncs": others, "surplus_files": list(unowned)},
        )

    @dg.asset_check(asset=key, retry_policy=CHECK_RETRIES)
    @final_when_interrupted
    def earlier_files_are_whole(
        manifest: LandingManifest, state_store: StateStore
    ) -> dg.AssetCheckResult:
        """The files of the last days' other syncs are all there, whole, and as they were.

        If it warns: a named file is gone, changed, cut or surplus; of such a sync nothing more is
        loaded, what RAW has of it stays. Restore the file in the bucket, and the next run loads
        what is missing. If it cannot be restored, the check warns until that day is a week back; a
        sync that is started now stands for yesterday, and brings the products' histories as each
        night does.

        Runbook: infra/runbooks/earlier_files_are_whole.md
        """
        index = index_in(state_store)
        faults = faults_of_earlier(manifest, index)
        return dg.AssetCheckResult(
            passed=not faults,
            severity=dg.AssetCheckSeverity.WARN,
            description=(
                "; ".join(faults)
                or f"{len(manifest.earlier)} earlier syncs are in the bucket as they were."
            ),
            metadata={"earlier_syncs": len(manifest.earlier), "faults": faults},
        )

    return [files_arrived, records_equal_lines, files_of_this_sync, earlier_files_are_whole]
