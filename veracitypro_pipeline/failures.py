"""The two ways a step can fail.

After a `TransientFailure` the step is retried by its retry policy, then Dagster may retry the run.
After a `PermanentFailure` neither is retried, because the same request would fail again. Both mask
secrets in their description.
"""

from typing import Final

import dagster as dg

from veracitypro_pipeline.masking import masked


class TransientFailure(dg.Failure):
    """A fault that may pass: a timeout, HTTP 408, 429 or 5xx, a lock of another run."""

    def __init__(self, description: str) -> None:
        super().__init__(description=masked(description), allow_retries=True)


class PermanentFailure(dg.Failure):
    """A fault that a retry cannot fix: a rejected request, a wrong setting, lost data.

    `status_code` is the HTTP status of a rejected request, if there was one.
    """

    def __init__(self, description: str, status_code: int | None = None) -> None:
        super().__init__(description=masked(description), allow_retries=False)
        self.status_code = status_code


# The description of a step whose run was stopped.
INTERRUPTED: Final = "It was interrupted; run the day again."


class Interrupted(PermanentFailure):
    """The run was stopped during a step."""
