"""What every test needs."""

import pytest

from veracitypro_pipeline import masking


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process masks what it has once known as secret, e.g. an address that is a webhook's."""
    monkeypatch.setattr(masking, "_known", set())
