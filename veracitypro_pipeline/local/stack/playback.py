"""Plays a day: sets the stack's clock, and chooses the products of the local Keepa."""

import csv
import hashlib
import json
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, NonNegativeInt

from veracitypro_pipeline.local.clock import StackClock
from veracitypro_pipeline.local.played_day import (
    TRACKED_ALONE,
    KeepSource,
    PlaybackError,
    PlayedDay,
    Products,
)
from veracitypro_pipeline.local.private_files import read_json, write_json
from veracitypro_pipeline.local.services.airbyte.jobs import RUNNING, SUCCEEDED, JobStore
from veracitypro_pipeline.local.sources.keepa.catalogue import CatalogueSource, TrackedProduct
from veracitypro_pipeline.local.sources.keepa.products import DirectorySource, ProductSource
from veracitypro_pipeline.sources.keepa import KEEPA

# When the nightly run begins, after the end of the as-of day.
NIGHTLY_START: Final = timedelta(minutes=10)
# Two syncs of one day then differ in all timestamps, even in whole seconds.
BETWEEN_SYNCS: Final = timedelta(seconds=2)
# Seconds; the limit of a valid clock offset.
CENTURY: Final = 100 * 365.25 * 86_400
GENERATED: Final = "generated catalogue"


@dataclass
class _State:
    """The state in the file. `folder` is None for the generated catalogue, whose size is `asins`.
    `played` has the turn of each as-of day, per folder: a day keeps its first turn."""

    offset_seconds: Annotated[float, Field(ge=-CENTURY, le=CENTURY)] = 0.0
    inputs: str = ""
    folder: str | None = None
    asins: NonNegativeInt = TRACKED_ALONE
    turn: NonNegativeInt = 0
    played: dict[str, dict[str, NonNegativeInt]] = field(default_factory=dict)


class Playback:
    """The clock and the product source, stored in a file. Thread-safe."""

    def __init__(self, path: Path, tracked_products: Path) -> None:
        """Raises DamagedFileError if the file is damaged."""
        self._path = path
        self._tracked_products = tracked_products
        self._lock = threading.Lock()
        self._state = read_json(path, _State) or _State()
        self._source: ProductSource | None = None
        self._clock = StackClock(timedelta(seconds=self._state.offset_seconds))

    def now(self) -> datetime:
        """The stack's clock, UTC."""
        return self._clock.now()

    def source(self) -> ProductSource:
        """The products in play.

        Raises:
            PayloadError, PlaybackError: they cannot be read (any more).
        """
        if self._source is None:
            self._source = self._read_source(self._state)
        return self._source

    def inputs(self) -> str:
        """The fingerprint, made when the day was played, of what a sync fetches; empty before."""
        return self._state.inputs

    def play(self, as_of_date: date, products: Products, jobs: JobStore) -> PlayedDay:
        """Put the clock after the as-of day and its products into play.

        The clock is set to 00:10 UTC of the next day, or to just after the day's newest sync. It
        and the products are left alone if the day's sync is running from just these products.

        Raises:
            PayloadError: the payload folder cannot be used; all is as before.
            PlaybackError: another sync is running, tracked_products cannot be read, or it has more
                products than are asked for.
        """
        with self._lock:
            state = self._state_on(as_of_date, products)
            source = self._read_source(state)
            of_day = [job for job in jobs.newest_first() if job.as_of_date == as_of_date]
            start = datetime.combine(as_of_date + timedelta(days=1), time(), UTC) + NIGHTLY_START
            instant = max([start, *(job.updated_at + BETWEEN_SYNCS for job in of_day)])
            state.inputs = _fingerprint(source, instant)
            if running := [job for job in jobs.newest_first() if job.status == RUNNING]:
                if any(
                    job.as_of_date != as_of_date
                    or (job.source == KEEPA.name and job.inputs != state.inputs)
                    for job in running
                ):
                    raise PlaybackError(
                        f"Airbyte job {running[0].job_id} for {running[0].as_of_date} is still"
                        f" running, so the local stack cannot turn to {as_of_date} with these"
                        " products now: wait for its end, or stop it with `vp down`."
                    )
            else:
                self._clock.set(instant)
            before = self._state
            state.offset_seconds = self._clock.offset.total_seconds()
            write_json(self._path, asdict(state))
            self._state, self._source = state, source
            of_keepa = [job for job in of_day if job.source == KEEPA.name]
            succeeded = next((job for job in of_keepa if job.status == SUCCEEDED), None)
            return PlayedDay(
                tracked=sum(map(len, source.tracked().values())),
                source=_source_of(state),
                changed=succeeded is not None and succeeded.inputs != state.inputs,
                before=_source_of(before)
                if jobs.newest_first() and before.folder != state.folder
                else "",
            )

    def _state_on(self, as_of_date: date, products: Products) -> _State:
        old = self._state
        if isinstance(products, KeepSource):
            products = old.asins if old.folder is None else Path(old.folder)
        if isinstance(products, int):
            return _State(asins=products, played=old.played)
        folder = str(products.resolve())
        turns = old.played.get(folder, {})
        turn = turns.get(as_of_date.isoformat(), len(turns))
        turns = {**turns, as_of_date.isoformat(): turn}
        return _State(folder=folder, turn=turn, played={**old.played, folder: turns})

    def _read_source(self, state: _State) -> ProductSource:
        if state.folder is not None:
            return DirectorySource(Path(state.folder), state.turn)
        tracked = _tracked_products(self._tracked_products)
        if 0 < state.asins < len(tracked):
            raise PlaybackError(
                f"The catalogue is asked for {state.asins} products, but {len(tracked)} are tracked"
                f" in {self._tracked_products}: ask for at least as many."
            )
        return CatalogueSource(tracked, extra_asins=max(0, state.asins - len(tracked)))


def _source_of(state: _State) -> str:
    """The origin of the products, for people."""
    return GENERATED if state.folder is None else f"payload files of {state.folder}"


def _tracked_products(path: Path) -> list[TrackedProduct]:
    """The rows of the dbt seed, or PlaybackError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                TrackedProduct(int(row["domain_id"]), row["asin"], row["role"], row["product_line"])
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlaybackError(
            f"The tracked products cannot be read from {path} ({type(error).__name__}: {error}):"
            " expected a CSV file with domain_id, asin, role, product_line."
        ) from error


def _fingerprint(source: ProductSource, at: datetime) -> str:
    """A hash of the tracked set and, if payloads are given out as recorded, of each payload."""
    tracked = source.tracked()
    digest = hashlib.sha256(json.dumps(sorted(tracked.items())).encode())
    if source.is_recorded:
        for domain_id, asins in sorted(tracked.items()):
            for asin in asins:
                payload = source.product(domain_id, asin, at)
                digest.update(json.dumps(payload).encode())
    return digest.hexdigest()
