"""Reads the summary and the record of a run from its events in the Dagster instance.

Input: the event log of one run. Counts come from the metadata of materializations and checks:
`rows_in`, `rows_out` and `rows_refused`, or `<stage>_rows_in` and so on if one step covers several
stages.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import dagster as dg
from dagster import AssetKey, DagsterEventType

from veracitypro_pipeline.failures import INTERRUPTED
from veracitypro_pipeline.lineage import (
    DBT_STAGES,
    INGEST,
    LANDING,
    STAGES,
    stage_of,
)
from veracitypro_pipeline.markdown import as_text
from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.partitions import are_checks_alone, days_of
from veracitypro_pipeline.runs.summary import (
    CANCELED,
    CHECKS_ALONE,
    SUCCESS,
    CheckCounts,
    CheckResult,
    RedCheck,
    RunRecord,
    RunSummary,
    Stage,
    StepFailure,
)

COUNTS: Final = ("rows_in", "rows_out", "rows_refused")
# dagster-dbt's metadata key of a model's execution time.
DBT_SECONDS: Final = "Execution Duration"
# dagster-dbt's metadata key of the rows that failed a dbt test.
DBT_ROWS_FAILING: Final = "dagster_dbt/failed_row_count"
LEFT_OUT: Final = (
    "It has no result although the run succeeded, so the data is not checked: look in the log of"
    " the run for the step that evaluates it, then run the day again."
)
_CHECK_FAILED: Final = "DagsterAssetCheckFailedError"


def run_summary(instance: dg.DagsterInstance, run_id: str) -> RunSummary:
    """The current summary of a run, finished or not.

    Raises:
        LookupError: the instance has no such run.
    """
    return run_record(instance, run_id).summary


def run_record(instance: dg.DagsterInstance, run_id: str) -> RunRecord:
    """The full record of a run. Raises as `run_summary` does."""
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        raise LookupError(f"Dagster has no run {run_id}: look for it in the list of runs.")
    run = record.dagster_run
    events = [entry for entry in instance.all_logs(run_id) if entry.is_dagster_event]
    started = record.start_time or record.create_timestamp.timestamp()
    ended = _end(record, events)
    summary = summarize(
        run_id,
        [day.isoformat() for day in days_of(run)],
        run.status.value.lower(),
        (ended or (events[-1].timestamp if events else started)) - started,
        events,
        are_checks_alone=are_checks_alone(run),
    )
    sync = _figures_of(events, INGEST)
    files = _figures_of(events, LANDING)
    return RunRecord(
        summary=summary,
        job=CHECKS_ALONE if summary.are_checks_alone else run.job_name,
        started_at=datetime.fromtimestamp(started, UTC),
        ended_at=None if ended is None else datetime.fromtimestamp(ended, UTC),
        airbyte_job_id=sync.get("job_id"),
        records=sync.get("rows_out"),
        tokens_spent=sync.get("tokens_spent"),
        size_bytes=files.get("bytes"),
        files=files.get("file_count"),
        models_built=sum(
            stage_of(event.step_materialization_data.materialization.asset_key) in DBT_STAGES
            for event in _dagster_events(events, DagsterEventType.ASSET_MATERIALIZATION)
        ),
        check_results=[_result(one) for one in _results(events, summary.status).values()],
    )


def summarize(
    run_id: str,
    as_of_dates: Sequence[str],
    status: str,
    seconds: float,
    events: Sequence[dg.EventLogEntry],
    *,
    are_checks_alone: bool = False,
) -> RunSummary:
    """The summary from its parts; `as_of_dates` and `events` are the run's, oldest first."""
    planned, evaluations = _planned_checks(events), _results(events, status)
    counts = _counts(events, evaluations.values())
    seconds_of = _stage_seconds(events)
    return RunSummary(
        run_id=run_id,
        as_of_date=as_of_dates[-1] if as_of_dates else None,
        first_as_of_date=as_of_dates[0] if as_of_dates else None,
        are_checks_alone=are_checks_alone,
        status=status,
        seconds=round(seconds, 3),
        stages=[
            Stage(
                name=stage,
                **counts.get(stage, {}),
                seconds=round(seconds_of[stage], 3) if stage in seconds_of else None,
                checks=_outcomes(
                    {key for key in planned if stage_of(key[0]) == stage},
                    {key: one for key, one in evaluations.items() if stage_of(key[0]) == stage},
                ),
            )
            for stage in STAGES
        ],
        checks=_outcomes(planned, evaluations),
        red_checks=[
            RedCheck(
                name=f"{one.asset_key.to_user_string()}: {one.check_name}",
                is_error=one.severity is dg.AssetCheckSeverity.ERROR,
                description=_description(one),
            )
            for one in evaluations.values()
            if not one.passed
        ],
        failures=[
            # Steps of a stopped run fail with arbitrary errors, so their reason is replaced.
            failure.model_copy(update={"reason": INTERRUPTED}) if status == CANCELED else failure
            for failure in _failures(events)
        ],
    )


def was_stopped(summary: RunSummary) -> bool:
    """Whether the run failed only because its process was stopped, e.g. by a container
    orchestrator. Nobody is alerted then; if the day is missing at its deadline, that is
    reported."""
    failures = summary.failures
    return bool(failures) and all(failure.reason == INTERRUPTED for failure in failures)


# An asset and the name of one of its checks.
CheckKey = tuple[AssetKey, str]
Evaluations = Mapping[CheckKey, dg.AssetCheckEvaluation]


def retry_reason(event: dg.DagsterEvent) -> str:
    """The reason for a retry; `event` is the step's STEP_UP_FOR_RETRY."""
    return _innermost(event.step_retry_data.error)


def _end(record: dg.RunRecord, events: Sequence[dg.EventLogEntry]) -> float | None:
    """The time of the run's end; for a killed process, of its last event."""
    if not record.dagster_run.is_finished:
        return None
    for before, entry in pairwise(events):
        event = entry.dagster_event
        # A failure without data was reported by another process, maybe a day later.
        if (
            event is not None
            and event.event_type is DagsterEventType.RUN_FAILURE
            and event.event_specific_data is None
        ):
            return before.timestamp
    return record.end_time or (events[-1].timestamp if events else None)


def _figures_of(events: Iterable[dg.EventLogEntry], stage: str) -> dict[str, int]:
    """The whole numbers that the assets of a stage state, by name: the sums over the assets; of an
    id, which is text, the last. Of an asset that was materialized twice, the last one counts."""
    last: dict[AssetKey, Mapping[str, Any]] = {
        materialization.asset_key: materialization.metadata
        for event in _dagster_events(events, DagsterEventType.ASSET_MATERIALIZATION)
        for materialization in (event.step_materialization_data.materialization,)
        if stage_of(materialization.asset_key) == stage
    }
    figures: dict[str, int] = {}
    for metadata in last.values():
        for name, value in metadata.items():
            if isinstance(value, dg.IntMetadataValue) and value.value is not None:
                figures[name] = figures.get(name, 0) + value.value
            elif isinstance(value, dg.TextMetadataValue) and str(value.value).isdecimal():
                figures[name] = int(str(value.value))
    return figures


def _result(evaluation: dg.AssetCheckEvaluation) -> CheckResult:
    rows_failing = evaluation.metadata.get(DBT_ROWS_FAILING)
    return CheckResult(
        asset=evaluation.asset_key.to_user_string(),
        stage=stage_of(evaluation.asset_key),
        name=evaluation.check_name,
        is_error=evaluation.severity is dg.AssetCheckSeverity.ERROR,
        passed=evaluation.passed,
        rows_failing=None if rows_failing is None else int(str(rows_failing.value)),
        description=_description(evaluation),
    )


def _description(evaluation: dg.AssetCheckEvaluation) -> str:
    """The description of a check result as plain text; Dagster has it as Markdown."""
    return as_text(evaluation.description or "")


def _evaluations(events: Iterable[dg.EventLogEntry]) -> Evaluations:
    """The last evaluation of each check; a retried step evaluates its checks again."""
    return {
        (evaluation.asset_key, evaluation.check_name): evaluation
        for event in _dagster_events(events, DagsterEventType.ASSET_CHECK_EVALUATION)
        for evaluation in (event.asset_check_evaluation_data,)
    }


def _results(events: Sequence[dg.EventLogEntry], status: str) -> Evaluations:
    """The last result of each check. If a successful run left out a planned check, the check counts
    as failed: the data was not checked. A failed run may not have reached it.
    """
    evaluations = _evaluations(events)
    if status != SUCCESS:
        return evaluations
    left_out = {
        (asset, name): dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=name,
            passed=False,
            metadata={},
            severity=dg.AssetCheckSeverity.ERROR,
            description=LEFT_OUT,
        )
        for asset, name in sorted(_planned_checks(events) - evaluations.keys())
    }
    return {**evaluations, **left_out}


def _planned_checks(events: Iterable[dg.EventLogEntry]) -> set[CheckKey]:
    return {
        (planned.asset_key, planned.check_name)
        for event in _dagster_events(events, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
        for planned in (event.asset_check_planned_data,)
    }


def _outcomes(planned: set[CheckKey], evaluations: Evaluations) -> CheckCounts:
    counts = CheckCounts(not_run=len(planned - evaluations.keys()))
    for one in evaluations.values():
        if one.passed:
            counts.passed += 1
        elif one.severity is dg.AssetCheckSeverity.ERROR:
            counts.failed += 1
        else:
            counts.warned += 1
    return counts


def _counts(
    events: Iterable[dg.EventLogEntry], evaluations: Iterable[dg.AssetCheckEvaluation]
) -> dict[str, dict[str, int]]:
    """Counts by stage, then by name: the sum over its assets and checks.

    If an asset was materialized twice, e.g. by a retried step, the last one counts.
    """
    last = {
        (materialization.asset_key, materialization.partition): materialization
        for event in _dagster_events(events, DagsterEventType.ASSET_MATERIALIZATION)
        for materialization in (event.step_materialization_data.materialization,)
    }
    by_stage: dict[str, dict[str, int]] = {stage: {} for stage in STAGES}
    for one in (*last.values(), *evaluations):
        of_asset = stage_of(one.asset_key)
        for stage, counts in by_stage.items():
            for count in COUNTS:
                for name in (f"{stage}_{count}", *([count] if stage == of_asset else [])):
                    if name in one.metadata:
                        stated = int(str(one.metadata[name].value))
                        counts[count] = counts.get(count, 0) + stated
    return by_stage


def _stage_seconds(events: Sequence[dg.EventLogEntry]) -> dict[str, float]:
    """Wall seconds of each stage's steps, including checks.

    The dbt step covers three stages: its time is divided in proportion to the times of their
    models. If it built none, all of it belongs to the first.
    """
    stages_of_step = _stages_of_step(events)
    dbt_seconds: dict[str, float] = dict.fromkeys(DBT_STAGES, 0.0)
    for event in _dagster_events(events, DagsterEventType.ASSET_MATERIALIZATION):
        materialization = event.step_materialization_data.materialization
        stage = stage_of(materialization.asset_key)
        if stage in dbt_seconds and DBT_SECONDS in materialization.metadata:
            dbt_seconds[stage] += float(materialization.metadata[DBT_SECONDS].value)

    seconds: dict[str, float] = {}
    for step, duration in _step_seconds(events).items():
        stages = stages_of_step.get(step, set())
        weights = {stage: dbt_seconds[stage] for stage in stages if dbt_seconds.get(stage)}
        if len(stages) == 1 or not weights:
            weights = dict.fromkeys(sorted(stages, key=STAGES.index)[:1], 1.0)
        for stage, weight in weights.items():
            share = weight / sum(weights.values())
            seconds[stage] = seconds.get(stage, 0.0) + share * duration
    return seconds


def _stages_of_step(events: Iterable[dg.EventLogEntry]) -> dict[str, set[str]]:
    """The stages of each step, by the assets and checks that it planned."""
    stages_of_step: dict[str, set[str]] = {}
    for event in _dagster_events(
        events,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    ):
        key = event.asset_key or event.asset_check_planned_data.asset_key
        if event.step_key is not None and (stage := stage_of(key)):
            stages_of_step.setdefault(event.step_key, set()).add(stage)
    return stages_of_step


def _step_seconds(events: Iterable[dg.EventLogEntry]) -> dict[str, float]:
    """Seconds from the start of a step's first try to the end of its last."""
    started: dict[str, float] = {}
    ended: dict[str, float] = {}
    for entry in events:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        if event.event_type is DagsterEventType.STEP_START:
            started.setdefault(event.step_key, entry.timestamp)
        elif event.event_type in (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE):
            ended[event.step_key] = entry.timestamp
    return {step: ended[step] - started[step] for step in ended if step in started}


def _failures(events: Sequence[dg.EventLogEntry]) -> list[StepFailure]:
    stages_of_step = _stages_of_step(events)
    failed_checks = _failed_checks_of_step(events)
    failures = [
        StepFailure(
            step=str(event.step_key),
            reason=_reason(event.step_failure_data, failed_checks.get(str(event.step_key), [])),
            stage=min(stages_of_step.get(str(event.step_key), ()), key=STAGES.index, default=""),
        )
        for event in _dagster_events(events, DagsterEventType.STEP_FAILURE)
    ]
    if failures:
        return failures
    return [
        StepFailure(
            step="run",
            # Without data, another process reported it, e.g. after a kill.
            reason=_innermost(data.error) if data is not None else str(event.message),
        )
        for event in _dagster_events(events, DagsterEventType.RUN_FAILURE)
        for data in (event.event_specific_data,)
        if data is None or data.error is not None
    ]


def _failed_checks_of_step(events: Iterable[dg.EventLogEntry]) -> dict[str, list[str]]:
    """Descriptions of the failed checks of severity ERROR, by the step that evaluated them."""
    found: dict[str, list[str]] = {}
    for event in _dagster_events(events, DagsterEventType.ASSET_CHECK_EVALUATION):
        check = event.asset_check_evaluation_data
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
            text = _description(check) or "it has no description"
            found.setdefault(str(event.step_key), []).append(f"{check.check_name}: {text}")
    return found


def _reason(data: Any, failed_checks: list[str]) -> str:
    if data.error is not None and data.error.cls_name == _CHECK_FAILED:
        # Dagster's error only counts the blocking checks.
        return " ".join(failed_checks)
    if data.user_failure_data is not None and data.user_failure_data.description:
        return masked(str(data.user_failure_data.description))
    return _innermost(data.error)


def _innermost(error: Any) -> str:
    """The message of the root cause, without its class if the class is ours."""
    if error is None:
        return "no reason given"
    while error.cause is not None:
        error = error.cause
    message = masked(str(error.message).strip())
    _, _, sentence = message.partition(": ")
    return sentence if error.cls_name in ("PermanentFailure", "TransientFailure") else message


def _dagster_events(events: Iterable[dg.EventLogEntry], *kinds: DagsterEventType) -> Iterable[Any]:
    for entry in events:
        if entry.dagster_event is not None and entry.dagster_event.event_type in kinds:
            yield entry.dagster_event
