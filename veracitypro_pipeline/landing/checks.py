"""Checks on the landing files: they arrived, they are whole, they are of this sync, all of them;
and those of the last days still are."""

import dagster as dg

from veracitypro_pipeline.landing.assets import INDEX
from veracitypro_pipeline.landing.manifest import (
    faults_of_earlier,
    lost_files,
    surplus,
    surplus_lines,
)
from veracitypro_pipeline.lineage import LANDING_PRODUCT
from veracitypro_pipeline.resources.state_store import StateStore
from veracitypro_pipeline.stage_values.landing import LandingIndex, LandingManifest
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted


@dg.asset_check(asset=LANDING_PRODUCT, blocking=True, retry_policy=CHECK_RETRIES)
@final_when_interrupted
def files_arrived(
    landing_product_raw: LandingManifest, state_store: StateStore
) -> dg.AssetCheckResult:
    """The sync left at least one file, none is empty, and each can be read to its end.

    If red: RAW is not loaded, dashboards show yesterday. Look for the named file in the bucket;
    if it is gone or cut, run the day again with `resync: true`.

    Runbook: infra/runbooks/files_arrived.md
    """
    manifest = landing_product_raw
    damaged = [f"{file.key} ({file.damage})" for file in manifest.files if file.damage]
    empty = [file.key for file in manifest.files if not file.lines]
    lost = lost_files(manifest, state_store.read(INDEX, LandingIndex) or LandingIndex())
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


@dg.asset_check(asset=LANDING_PRODUCT, blocking=True, retry_policy=CHECK_RETRIES)
@final_when_interrupted
def records_equal_lines(landing_product_raw: LandingManifest) -> dg.AssetCheckResult:
    """Airbyte's count of records equals the lines in the manifest's files, each another record.

    If red: products are missing or there twice, or lines are blank. The numbers say which; the
    files are listed in the materialization. Run the day again with `resync: true`.

    Runbook: infra/runbooks/records_equal_lines.md
    """
    manifest = landing_product_raw
    difference = manifest.lines - manifest.records_reported
    word = "agree" if not difference else f"differ by {difference:+d}"
    surplus_said = surplus_lines(manifest)
    return dg.AssetCheckResult(
        passed=manifest.lines == manifest.records == manifest.records_reported,
        description=(
            f"Airbyte job {manifest.job_id} reports {manifest.records_reported} records, its files"
            f" hold {manifest.lines} lines: they {'; '.join((word, *surplus_said))}."
        ),
        metadata={
            "records_reported": manifest.records_reported,
            "lines": manifest.lines,
            "records": manifest.records,
            "difference": difference,
        },
    )


@dg.asset_check(asset=LANDING_PRODUCT, retry_policy=CHECK_RETRIES)
@final_when_interrupted
def files_of_this_sync(
    landing_product_raw: LandingManifest, state_store: StateStore
) -> dg.AssetCheckResult:
    """Every line of the manifest's files carries this sync's id, and no other file lacks an id.

    If it warns: a line is broken so far that its id cannot be read (it is loaded and quarantined),
    or somebody else writes into the landing prefix (such files are not loaded, and may be closed to
    us). Nothing is lost; find out who wrote the named files.

    Runbook: infra/runbooks/files_of_this_sync.md
    """
    manifest = landing_product_raw
    others, unowned = surplus(manifest, state_store.read(INDEX, LandingIndex) or LandingIndex())
    return dg.AssetCheckResult(
        passed=not others and not unowned,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"Lines of another sync or of none in the files: {others or 'none'}; files that no"
            f" sync wrote: {list(unowned) or 'none'}."
        ),
        metadata={"lines_of_other_syncs": others, "surplus_files": list(unowned)},
    )


@dg.asset_check(asset=LANDING_PRODUCT, retry_policy=CHECK_RETRIES)
@final_when_interrupted
def earlier_files_are_whole(
    landing_product_raw: LandingManifest, state_store: StateStore
) -> dg.AssetCheckResult:
    """The files of the last days' other syncs are all there, whole, and as they were.

    If it warns: a named file is gone, changed, cut or surplus; of such a sync nothing more is
    loaded, what RAW has of it stays. Restore the file in the bucket, and the next run loads what is
    missing. If it cannot be restored, the check warns until that day is a week back; a sync that is
    started now stands for yesterday, and brings the products' histories as each night does.

    Runbook: infra/runbooks/earlier_files_are_whole.md
    """
    manifest = landing_product_raw
    index = state_store.read(INDEX, LandingIndex) or LandingIndex()
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


CHECKS = [files_arrived, records_equal_lines, files_of_this_sync, earlier_files_are_whole]
