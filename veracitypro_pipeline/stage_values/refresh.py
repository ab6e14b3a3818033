"""What bi leaves: which refresh of Power BI serves a day, and what it has read."""

from datetime import date

from pydantic import Field

from veracitypro_pipeline.stage_values.value import StageValue


class RefreshClaim(StageValue):
    """The refresh which serves an as-of day, written before it is waited for, so that a further try
    of the step in the same Dagster run follows it instead of starting another. Grain: one per as-of
    day.

    `marts` has the content hash of each table when it was started.
    """

    as_of_date: date
    request_id: str
    run_id: str
    marts: dict[str, str] = Field(default_factory=dict)


class RefreshReport(StageValue):
    """The refresh of the Power BI dataset that shows an as-of day. Grain: one per as-of day.

    `rows` counts the MART tables that it read, `seconds` is Power BI's own figure. `skipped` says
    why the day needed no refresh of its own; the request is then the earlier one that shows it.
    """

    as_of_date: date
    request_id: str
    rows: int
    seconds: float
    skipped: str | None = None


class RefreshedMarts(StageValue):
    """What the dataset's last good refresh has read, to see whether another would read the same.

    Grain: one. `marts` has the content hash of each table, `as_of_date` is the day whose run asked
    for the refresh.
    """

    marts: dict[str, str]
    request_id: str
    as_of_date: date
