"""The two ways a step can fail, and the hook which stops useless retries.

A `TransientFailure` is worth repeating: the step is retried as its policy says, then Dagster may
retry the run. A `PermanentFailure` is not: neither the step nor the run is repeated, because the
same request would only be refused again.
"""

from typing import Final

import dagster as dg

# Dagster's run-retry daemon reads this tag; it never looks at the exception.
RUN_RETRIES_TAG: Final = "dagster/max_retries"

# A check asks a service that has just answered its asset; it asks again soon, because it may hold
# up what follows. Two repeats, seconds between them.
CHECK_RETRIES: Final = dg.RetryPolicy(max_retries=2, delay=10)


class TransientFailure(dg.Failure):
    """A fault that time may heal: a timeout, HTTP 408, 429 or 5xx, a lock held by another run."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, allow_retries=True)


class PermanentFailure(dg.Failure):
    """A fault that no repetition heals: a refused request, a wrong setting, lost data.

    `status_code` is the HTTP status of a refused request, where there was one.
    """

    def __init__(self, description: str, status_code: int | None = None) -> None:
        super().__init__(description=description, allow_retries=False)
        self.status_code = status_code


@dg.failure_hook(name="no_run_retry_after_permanent_failure")
def no_run_retry_after_permanent_failure(context: dg.HookContext) -> None:
    """Tag the run so that the run-retry daemon leaves it alone after a permanent failure."""
    if isinstance(context.op_exception, PermanentFailure):
        context.instance.add_run_tags(context.run_id, {RUN_RETRIES_TAG: "0"})
