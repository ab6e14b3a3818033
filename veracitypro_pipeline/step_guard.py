"""The border between Dagster and the body of an asset or a check; every body has it.

It decides what becomes of an error and of a check's description that leave the body.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Final, ParamSpec, TypeVar, cast

import dagster as dg

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.failures import INTERRUPTED, Interrupted, PermanentFailure
from veracitypro_pipeline.markdown import one_line
from veracitypro_pipeline.masking import mask_error

# Dagster's run-retry daemon reads this tag; it never looks at the exception.
RUN_RETRIES_TAG: Final = "dagster/max_retries"

# A check asks a service that has just answered its asset; it asks again soon, because it may hold
# up what follows. Two repeats, seconds between them.
CHECK_RETRIES: Final = dg.RetryPolicy(max_retries=2, delay=10)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def final_when_interrupted(body: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The border between Dagster and the body of an asset or a check; every body has it.

    A person who stops a run stops it. A permanent failure ends the retries of the run. No error
    holds a secret, because Dagster keeps an error with all that led to it. The description of a
    check's result is shown as it stands, because Dagster's UI reads it as Markdown, and names of
    files and errors of services are in it.

    Under a retry policy Dagster takes an interrupt for a passing fault, so that the in-process
    executor would try the step again and go on (1.13.27, `op_execution_error_boundary`).
    """

    @wraps(body)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with permanent_failures_end_retries(), errors_are_masked(), interrupts_are_final():
            result = body(*args, **kwargs)
        if isinstance(result, dg.AssetCheckResult):
            return cast("Result", shown_as_text(result))
        return result

    return guarded


def shown_as_text(result: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """The same, with a description in which Markdown finds nothing to read."""
    if result.description is None:
        return result
    return result._replace(description=one_line(result.description))


@contextmanager
def permanent_failures_end_retries() -> Iterator[None]:
    """Raise what was raised; see `end_retries_of_run`."""
    try:
        yield
    except PermanentFailure as failure:
        end_retries_of_run(failure)
        raise


def end_retries_of_run(failure: dg.Failure) -> None:
    """Keep the run-retry daemon from repeating the run of the current step, if the failure is
    permanent. Not a failure hook: Dagster logs a hook that it skips after every good step."""
    if not isinstance(failure, PermanentFailure):
        return
    try:
        context = dg.OpExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return  # Outside of a run there is nothing to repeat.
    context.instance.add_run_tags(context.run_id, {RUN_RETRIES_TAG: "0"})


@contextmanager
def errors_are_masked() -> Iterator[None]:
    """What services say is masked where it comes from; this is for the errors behind ours.

    Raises:
        PermanentFailure: a disk is full, whatever met that.
    """
    try:
        yield
    except Exception as error:
        if (full := full_disk.message_of(error)) is not None and not _is_permanent(error):
            raise PermanentFailure(full) from mask_error(error)
        raise mask_error(error)  # noqa: B904 - it is the same one, or has what is behind it


def _is_permanent(error: Exception) -> bool:
    return isinstance(error, dg.Failure) and not error.allow_retries


@contextmanager
def interrupts_are_final() -> Iterator[None]:
    """The same for a part of a body, e.g. of a generator."""
    try:
        yield
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt) as interrupt:
        raise Interrupted(INTERRUPTED) from interrupt
