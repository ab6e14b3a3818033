"""The decorator of every asset and check: it handles the errors and the check results of a body."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Final, ParamSpec, TypeVar, cast

import dagster as dg

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.failures import INTERRUPTED, Interrupted, PermanentFailure
from veracitypro_pipeline.markdown import one_line
from veracitypro_pipeline.masking import mask_error

# Dagster's run-retry daemon reads this tag, not the exception.
RUN_RETRIES_TAG: Final = "dagster/max_retries"

# Two retries, ten seconds apart: the service has just answered the asset, and a blocking check
# holds up the stages after it.
CHECK_RETRIES: Final = dg.RetryPolicy(max_retries=2, delay=10)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def final_when_interrupted(body: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Wrap the body of an asset or a check.

    - An interrupt becomes `Interrupted`, which is not retried. Under a retry policy Dagster 1.13.27
      would retry the step and continue the run (`op_execution_error_boundary`).
    - A permanent failure also ends the retries of the run.
    - Secrets are masked in errors and in their causes, all of which Dagster stores.
    - The description of a check result is escaped: it quotes names of files and errors of services,
      and Dagster's UI renders Markdown.
    """

    @wraps(body)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with permanent_failures_end_retries(), errors_are_masked(), interrupts_are_final():
            result = body(*args, **kwargs)
        if isinstance(result, dg.AssetCheckResult):
            return cast("Result", escaped_description(result))
        return result

    return guarded


def escaped_description(result: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """The result with Markdown escaped in its description."""
    if result.description is None:
        return result
    return result._replace(description=one_line(result.description))


@contextmanager
def permanent_failures_end_retries() -> Iterator[None]:
    """Re-raise every error; after a permanent failure, end the retries of the run."""
    try:
        yield
    except PermanentFailure as failure:
        end_retries_of_run(failure)
        raise


def end_retries_of_run(failure: dg.Failure) -> None:
    """Stop the run-retry daemon from retrying the current run, if the failure is permanent.

    A failure hook would do the same, but Dagster logs a skipped hook after every good step.
    """
    if not isinstance(failure, PermanentFailure):
        return
    try:
        context = dg.OpExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return  # Outside of a run there is nothing to retry.
    context.instance.add_run_tags(context.run_id, {RUN_RETRIES_TAG: "0"})


@contextmanager
def errors_are_masked() -> Iterator[None]:
    """Mask secrets in errors and their causes.

    Raises:
        PermanentFailure: in place of any error that a full disk caused.
    """
    try:
        yield
    except Exception as error:
        if (full := full_disk.message_of(error)) is not None and not _is_permanent(error):
            raise PermanentFailure(full) from mask_error(error)
        raise mask_error(error)  # noqa: B904 - the same error, or one with its causes


def _is_permanent(error: Exception) -> bool:
    return isinstance(error, dg.Failure) and not error.allow_retries


@contextmanager
def interrupts_are_final() -> Iterator[None]:
    """Turn an interrupt into `Interrupted`; for a part of a body, such as a generator."""
    try:
        yield
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt) as interrupt:
        raise Interrupted(INTERRUPTED) from interrupt
