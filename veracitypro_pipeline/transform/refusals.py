"""The other gate before Power BI: few products have something refused, or missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Self

import dagster as dg

from veracitypro_pipeline.lineage import MART, landing_key, model_key
from veracitypro_pipeline.refusal_policy import refusal_severity
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.sources.source import Refusals, Source
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted
from veracitypro_pipeline.transform.missing import missing_of, named


def build_checks(source: Source) -> list[dg.AssetChecksDefinition]:
    """The check of a source that declares what it refuses."""
    of_source, gate = source.refusals, source.gate
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
    def refusals_are_few(
        manifest: LandingManifest, warehouse: WarehouseResource
    ) -> dg.AssetCheckResult:
        """What STG refused of the files loaded, or what products lack, is the fault of single
        products.

        If it warns: the named products keep their older figures. STG's quarantine table has each
        refusal with its reason and text; what is missing, their answers had on an earlier night. If
        red: the source or Airbyte has changed the format, or leaves something out. Reports would
        freeze unnoticed, so Power BI is not refreshed. Compare a refused text, or an answer in RAW,
        with infra/airbyte and the data contract in the models' descriptions. A file of an earlier
        day that came late is judged too, as is an earlier day of which STG refused as much as is
        red, but neither holds up a report of this day.

        Runbook: infra/runbooks/refusals_are_few.md
        """
        # Of a day that was fetched again, the newest sync counts.
        by_day = {sync.as_of_date: sync for sync in sorted(manifest.loadable[1:], key=_job_of)}
        files = {file.key for sync in (manifest, *by_day.values()) for file in sync.files}
        rows = warehouse.query(of_source.of_files, {"files": sorted(files)}).dicts()
        by_file = {row.pop("source_file"): row for row in rows}
        of_day = Refused.of(of_source, manifest, by_file)
        said = [
            f"Airbyte job {sync.job_id} of {sync.as_of_date}"
            f" ({', '.join(file.key for file in sync.files)}): refused {refused.summary}."
            for sync in by_day.values()
            if (refused := Refused.of(of_source, sync, by_file)).total
            and (refused.are_grave or is_late(sync, manifest, by_file))
        ]
        names = {"files": [file.key for file in manifest.files]}
        of_products = "".join(
            examples_named(warehouse.query(examples.sql, names).dicts())
            for examples in of_source.examples
            if any(of_day.counts[count] for count in examples.counts)
        )
        missing = missing_of(warehouse.query(of_source.missing, names).dicts())
        are_grave = of_day.are_grave or any(one.is_grave for one in missing)
        return dg.AssetCheckResult(
            passed=not of_day.total and not said and not missing,
            severity=dg.AssetCheckSeverity.ERROR if are_grave else dg.AssetCheckSeverity.WARN,
            description=" ".join(
                [
                    f"Refused: {of_day.summary}{of_products}.",
                    *([f"Missing: {'; '.join(map(str, missing))}."] if missing else []),
                    *said,
                ]
            ),
            metadata={
                **of_day.counts,
                "core_rows_refused": sum(of_day.counts[name] for name in of_source.of_core),
                "missing": len(missing),
            },
        )

    return [refusals_are_few]


@dataclass(frozen=True)
class Refused:
    """What STG refused of some files, by the names of the source's `Refusals`."""

    of_source: Refusals
    counts: Mapping[str, int]

    @classmethod
    def of(
        cls,
        of_source: Refusals,
        sync: LandingManifest,
        by_file: Mapping[str, Mapping[str, Any]],
    ) -> Self:
        """The sums over a sync's files; `by_file` are rows of `Refusals.of_files`."""
        rows = [by_file[file.key] for file in sync.files if file.key in by_file]
        names = {name for pair in of_source.shares for name in pair} | {*of_source.refused}
        return cls(of_source, {name: sum(int(row[name]) for row in rows) for name in sorted(names)})

    @property
    def total(self) -> int:
        return sum(self.counts[name] for name in self.of_source.refused)

    @property
    def are_grave(self) -> bool:
        """More than single products are at fault."""
        return any(
            refusal_severity(self.counts[part], self.counts[whole]) is dg.AssetCheckSeverity.ERROR
            for part, whole in self.of_source.shares
        )

    @property
    def summary(self) -> str:
        return self.of_source.summary(self.counts)


def is_late(
    sync: LandingManifest, manifest: LandingManifest, by_file: Mapping[str, Mapping[str, Any]]
) -> bool:
    """Whether a file of an earlier sync was loaded with those of the manifest, or since.

    Not by the run's id: a run that failed after its load is followed by one that loads nothing.
    """
    loaded_at, of_manifest = (
        [by_file[file.key]["loaded_at"] for file in one.files if file.key in by_file]
        for one in (sync, manifest)
    )
    return bool(of_manifest) and max(loaded_at, default=datetime.min) >= min(of_manifest)


def examples_named(rows: Iterable[Mapping[str, Any]]) -> str:
    """What was refused of which products; `rows` are those of `Examples.sql`."""
    return "".join(
        f"{', of' if what is None else f'; {what} of'} {named([row['asin'] for row in of], count)}"
        for (what, count), of in groupby(rows, key=itemgetter("what", "products"))
    )


def _job_of(sync: LandingManifest) -> int:
    return sync.job_id
