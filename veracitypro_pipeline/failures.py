"""The two ways a step can fail.

A `TransientFailure` is worth repeating: the step is retried as its policy says, then Dagster may
retry the run. A `PermanentFailure` is not: neither the step nor the run is repeated, because the
same request would only be refused again. Neither says a secret, whatever a service said.
"""

from typing import Final

import dagster as dg

from veracitypro_pipeline.masking import masked


class TransientFailure(dg.Failure):
    """A fault that time may heal: a timeout, HTTP 408, 429 or 5xx, a lock held by another run."""

    def __init__(self, description: str) -> None:
        super().__init__(description=masked(description), allow_retries=True)


class PermanentFailure(dg.Failure):
    """A fault that no repetition heals: a refused request, a wrong setting, lost data.

    `status_code` is the HTTP status of a refused request, where there was one.
    """

    def __init__(self, description: str, status_code: int | None = None) -> None:
        super().__init__(description=masked(description), allow_retries=False)
        self.status_code = status_code


# Why a step ended, if a person stopped its run.
INTERRUPTED: Final = "It was interrupted; run the day again."


class Interrupted(PermanentFailure):
    """A person stopped the run in the middle of a step."""
