"""Keepa's token bucket: arithmetic over a clock, no HTTP.

Source: Keepa documentation, "How our API plans work"; akaszynski/keepa 1.6.0 (`time_to_refill`).
"""

import math
import time
from collections.abc import Callable
from typing import Final

REFILL_SECONDS: Final = 60
# A token expires after one hour, so a balance never exceeds an hour's refills.
CEILING_MINUTES: Final = 60


class TokenBucket:
    """A balance that grows by `refill_rate` at the end of each minute and may be overdrawn.

    `clock` counts seconds and never goes back; `tokens` is the initial balance, full by default.
    """

    def __init__(
        self,
        refill_rate: int,
        tokens: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refill_rate = refill_rate
        self._clock = clock
        self._ceiling = refill_rate * CEILING_MINUTES
        self._tokens = self._ceiling if tokens is None else tokens
        self._last_refill = clock()

    @property
    def tokens_left(self) -> int:
        """The balance; negative if the last request cost more than there was."""
        self._refill()
        return self._tokens

    @property
    def refill_in_ms(self) -> int:
        """Milliseconds until the next refill, at least 1."""
        self._refill()
        seconds = self._last_refill + REFILL_SECONDS - self._clock()
        return max(1, math.ceil(seconds * 1000))

    def admits(self) -> bool:
        """Whether a request may start: it may cost more than the balance, which must be above 0."""
        return self.tokens_left > 0

    def spend(self, tokens: int) -> None:
        self._refill()
        self._tokens -= tokens

    def _refill(self) -> None:
        refills = int((self._clock() - self._last_refill) // REFILL_SECONDS)
        self._last_refill += refills * REFILL_SECONDS
        self._tokens = min(self._ceiling, self._tokens + refills * self.refill_rate)
