"""The page "Pipeline": runs, red checks, refused rows, freshness of MART."""

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from veracitypro_pipeline.dashboard import charts, pipeline_queries
from veracitypro_pipeline.dashboard.reading import rows, status
from veracitypro_pipeline.markdown import escaped
from veracitypro_pipeline.monitoring.status import STARTED, Run, Status
from veracitypro_pipeline.runs.summary import (
    CANCELED,
    OUTCOMES,
    ROWS_ARE,
    CheckCounts,
)
from veracitypro_pipeline.service_levels import MARTS


def show() -> None:
    st.title("Pipeline")
    found = status()
    if found is None:
        st.info("No run is recorded yet: `vp run` makes one, and then this page shows it.")
        return
    runs = [Run(**row) for row in rows(pipeline_queries.RUNS)]
    nights = [run for run in runs if not run.are_checks_alone] or runs
    _say_how_things_stand(nights[0], found)
    chosen = st.selectbox(
        "Run",
        runs,
        index=runs.index(next((run for run in nights if run.ended_at), nights[0])),
        format_func=pipeline_queries.name_of_run,
    )
    stages = rows(pipeline_queries.stages_of_runs(runs[-1].started_at))
    _show_figures(chosen, runs)
    _show_stages(chosen, [stage for stage in stages if stage["run_id"] == chosen.run_id])
    _show_history(runs, stages)
    _show_checks(runs, chosen, found)
    left, right = st.columns(2, gap="large")
    with left:
        _show_freshness(found)
    with right:
        _show_tokens(runs)
    _show_quarantine()


def _say_how_things_stand(last: Run, found: Status) -> None:
    if last.status == STARTED:
        st.info("The newest run is in progress.")
    elif last.status == CANCELED:
        st.warning("The newest run was stopped; run the day again.")
    elif last.failure:
        at = f" at {last.failed_step}" if last.failed_step else ""
        st.error(f"The newest run ended{at}: {escaped(last.failure)}")
    elif found.red_checks:
        failed = sum(red.severity == "ERROR" for red in found.red_checks)
        counts = CheckCounts(failed=failed, warned=len(found.red_checks) - failed)
        st.warning(f"Of the newest checks, {counts}: see below.")
    elif last.is_good:
        st.success(f"All is well: {last.as_of_date or 'the newest run'} is built and checked.")


def _show_figures(run: Run, runs: list[Run]) -> None:
    figures = {
        "Seconds": "in progress" if run.seconds is None else f"{run.seconds:,.1f}",
        "Records from Keepa": _number(run.records),
        "Refused": _number(run.rows_refused),
        "Checks passed": f"{run.tests_passed:,} of {run.checks.run:,}",
        "Keepa tokens": _number(run.tokens_spent),
    }
    good = next((one for one in runs if one.is_good and not one.are_checks_alone), None)
    # A run that ended early has not reached all its checks.
    more = (
        {"Checks passed": f"a good run has {good.checks.run:,}"} if good and not run.is_good else {}
    )
    for column, (label, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(label, value, more.get(label), delta_color="off", delta_arrow="off")


def _show_stages(run: Run, stages: list[dict[str, Any]]) -> None:
    st.subheader("Conservation, stage by stage")
    differences = pipeline_queries.unexplained(stages)
    lost = [
        f"{difference:+,} between {stages[place - 1]['stage']} and {stages[place]['stage']}"
        for place, difference in enumerate(differences)
        if difference
    ]
    uncounted = [
        stage["stage"] for stage in stages if stage["seconds"] and stage["rows_out"] is None
    ]
    unreached = [stage["stage"] for stage in stages if not stage["seconds"]]
    if lost:
        st.error(f"Unexplained rows: {', '.join(lost)}.")
    elif not uncounted and not unreached:
        st.caption("Each stage took in what the one before put out: nothing is lost.")
    if uncounted:
        st.caption(f"The run ended before the rows of {', '.join(uncounted)} were counted.")
    if unreached:
        st.caption(f"The run did not reach {', '.join(unreached)}.")
    st.dataframe(
        [
            {
                "Stage": stage["stage"],
                "Rows are": ROWS_ARE.get(stage["stage"], ""),
                "Rows in": stage["rows_in"],
                "Rows out": stage["rows_out"],
                "Refused": stage["rows_refused"],
                "Unexplained": difference,
                "Seconds": stage["seconds"],
            }
            for stage, difference in zip(stages, differences, strict=True)
        ],
        hide_index=True,
        placeholder="–",
        column_config={
            **_columns("%,d", "Rows in", "Rows out", "Refused"),
            "Unexplained": st.column_config.NumberColumn(
                format="%,d",
                help="Rows out of the stage before, less rows in. CORE takes points, not records.",
            ),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
        },
        key=f"stages of {run.run_id}",
    )


def _show_history(runs: list[Run], stages: list[dict[str, Any]]) -> None:
    st.subheader("How long each run took, by stage")
    labels = _labels(runs)
    bars = [{"run": labels[row["run_id"]], **row} for row in stages if row["seconds"]]
    if bars:
        order = {row["stage"]: row["stage_number"] for row in stages}
        st.vega_lite_chart(
            charts.seconds_by_stage(bars, sorted(order, key=lambda name: order[name]))
        )
    else:
        st.info("No run has finished a stage yet.")
    with st.expander(f"The last {_counted(len(runs), 'run')} as a table"):
        st.dataframe(
            [
                {
                    "As-of day": run.as_of_date,
                    "Started (UTC)": run.started_at,
                    "Status": run.status,
                    "Seconds": run.seconds,
                    "Records": run.records,
                    "Refused": run.rows_refused,
                    "Tokens": run.tokens_spent,
                    "Passed": run.tests_passed,
                    "Warned": run.tests_warned,
                    "Failed": run.tests_failed,
                    "Failed at": run.failed_step,
                    "Failure": run.failure,
                }
                for run in runs
            ],
            hide_index=True,
            placeholder="",
            column_config={
                **_columns("%,d", "Records", "Refused", "Tokens", "Passed", "Warned", "Failed"),
                "Seconds": st.column_config.NumberColumn(format="%.1f"),
                "Started (UTC)": st.column_config.DatetimeColumn(
                    format="YYYY-MM-DD HH:mm", timezone="UTC"
                ),
            },
        )


def _show_checks(runs: list[Run], chosen: Run, found: Status) -> None:
    st.subheader("What warned or failed, run by run")
    labels = _labels(runs)
    if any(run.tests_warned or run.tests_failed for run in runs):
        st.vega_lite_chart(
            charts.red_by_run(
                [
                    {"run": labels[run.run_id], "outcome": outcome, "checks": checks}
                    for run in reversed(runs)
                    for outcome, checks in (
                        ("warned", run.tests_warned),
                        ("failed", run.tests_failed),
                    )
                ]
            )
        )
    else:
        st.caption(f"No check has warned or failed in the last {_counted(len(runs), 'run')}.")
    red = rows(pipeline_queries.red_checks_of_run(chosen.run_id))
    if not red:
        st.caption(
            f"In the chosen run, {_counted(chosen.tests_passed, 'check')} passed, none warned or"
            " failed."
        )
        return
    since = {check.check: check.red_since for check in found.red_checks}
    st.caption(f"{_counted(len(red), 'check')} of the chosen run did not pass. Choose a row.")
    picked = st.dataframe(
        [
            {
                "Check": row["check_name"],
                "Asset": row["asset"],
                "Outcome": OUTCOMES[row["severity"]],
                "Rows failing": row["rows_failing"],
                "Since": since.get(f"{row['asset']}: {row['check_name']}"),
                "Finding": row["description"],
            }
            for row in red
        ],
        hide_index=True,
        placeholder="",
        column_config=_columns("%,d", "Rows failing"),
        on_select="rerun",
        selection_mode="single-row",
        key=f"red checks of {chosen.run_id}",
    )
    place = _picked(picked.selection.rows)
    _show_check(red[place], chosen, runs)


def _show_check(check: dict[str, Any], chosen: Run, runs: list[Run]) -> None:
    history = rows(
        pipeline_queries.evaluations_of_check(
            check["asset"], check["check_name"], runs[-1].started_at
        )
    )
    with st.container(border=True):
        st.markdown(f"**{escaped(check['check_name'])}** of {escaped(check['asset'])}")
        st.text(check["description"] or "The check has no description.")
        _show_failing_rows(check, chosen)
        st.dataframe(
            [
                {
                    "As-of day": row["as_of_date"],
                    "Started (UTC)": row["started_at"],
                    "Outcome": "passed" if row["passed"] else OUTCOMES[row["severity"]],
                    "Rows failing": row["rows_failing"],
                    "Description": row["description"],
                }
                for row in history
            ],
            hide_index=True,
            placeholder="",
            column_config={
                **_columns("%,d", "Rows failing"),
                "Started (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            },
        )


def _show_failing_rows(check: dict[str, Any], chosen: Run) -> None:
    """The failing rows of a dbt test; other checks describe what they found."""
    if ("MONITORING", "TEST_FAILURE_ROW") not in _tables():
        return
    kept = rows(pipeline_queries.failing_rows(chosen.run_id, check["check_name"]))
    if not kept:
        return
    st.caption(f"The first {_counted(len(kept), 'failing row')}.")
    st.dataframe([json.loads(row["failing_row"]) for row in kept], hide_index=True, placeholder="")


def _tables() -> set[tuple[str, str]]:
    return {(row["table_schema"], row["table_name"]) for row in rows(pipeline_queries.TABLES)}


def _show_freshness(found: Status) -> None:
    st.subheader("How fresh each mart is")
    if not found.marts:
        st.info("No mart has been built yet.")
        return
    late = [mart.mart for mart in found.marts if mart.is_late]
    empty = [mart.mart for mart in found.marts if mart.newest_date is None]
    without = f" Without rows: {', '.join(empty)}." if empty else ""
    if late:
        st.warning(f"Late for {found.as_of_date}: {', '.join(late)}.{without}")
    else:
        st.caption(f"Every mart is as fresh as promised on {found.as_of_date}.{without}")
    st.dataframe(
        [
            {
                "Mart": mart.mart,
                "Newest day": mart.newest_date,
                "Days behind": mart.days_behind,
                "Days allowed": MARTS[mart.mart].days_allowed,
            }
            for mart in found.marts
        ],
        hide_index=True,
        placeholder="",
        column_config=_columns("%,d", "Days behind", "Days allowed"),
    )


def _show_tokens(runs: list[Run]) -> None:
    st.subheader("Keepa tokens spent by each run")
    labels = _labels(runs)
    spent = [
        {"run": labels[run.run_id], "tokens": run.tokens_spent}
        for run in reversed(runs)
        if run.tokens_spent is not None
    ]
    if not spent:
        st.info("No run has read from Keepa yet.")
        return
    total = sum(run.tokens_spent or 0 for run in runs)
    st.caption(f"{total:,} in {_counted(len(spent), 'run')}.")
    st.vega_lite_chart(charts.tokens_by_run(spent))


def _show_quarantine() -> None:
    st.subheader("What was refused, and why")
    if ("STG", "STG_KEEPA_QUARANTINE") not in _tables():
        st.info("The quarantine is not built yet: the first run that reaches STG builds it.")
        return
    reasons = rows(pipeline_queries.REFUSALS_BY_REASON)
    if not reasons:
        st.caption("The quarantine is empty: every line, point and attribute could be read.")
        return
    total = sum(row["refusals"] for row in reasons)
    st.caption(f"{total:,} refused in all, by reason. Choose a row to see the refused text.")
    picked = st.dataframe(
        [
            {
                "Reason": row["reason"],
                "What": row["scope"],
                "Refused": row["refusals"],
                "Files": row["files"],
                "First day": row["first_day"],
                "Last day": row["last_day"],
            }
            for row in reasons
        ],
        hide_index=True,
        placeholder="",
        column_config=_columns("%,d", "Refused", "Files"),
        on_select="rerun",
        selection_mode="single-row",
        key="reasons",
    )
    reason = reasons[_picked(picked.selection.rows)]
    newest = rows(pipeline_queries.refusals(reason["reason"], reason["scope"]))
    with st.container(border=True):
        st.markdown(f"**{escaped(reason['reason'])}** ({reason['scope']})")
        if reason["refusals"] > len(newest):
            st.caption(f"The newest {len(newest):,} of {reason['refusals']:,}.")
        st.dataframe(
            [
                {
                    "As-of day": row["as_of_date"],
                    "Series": row["series"],
                    "Point": row["position"],
                    "Refused text": row["refused_text"],
                    "File": row["source_file"],
                    "Line": row["file_row_number"],
                }
                for row in newest
            ],
            hide_index=True,
            placeholder="",
        )


def _labels(runs: list[Run]) -> dict[str, str]:
    """The name of each run in charts by its id, such as `24 Nov, started 25 Nov 00:39:11`."""
    return {
        run.run_id: (f"{run.as_of_date:%d %b}" if run.as_of_date else "no day")
        + f"{charts.OF_ITS_START}{run.started_at:%d %b %H:%M:%S}"
        for run in runs
    }


def _picked(places: Sequence[int]) -> int:
    """The chosen row of a table; by default the first."""
    return places[0] if places else 0


def _columns(form: str, *names: str) -> dict[str, Any]:
    return {name: st.column_config.NumberColumn(format=form) for name in names}


def _number(value: int | None) -> str:
    return "none" if value is None else f"{value:,}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
