"""Settings of the user for other programs do not affect our clients on loopback."""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.support.settings import fixed
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.local.stack.lifecycle import StackState
from veracitypro_pipeline.local.stack.run_settings import on_stack
from veracitypro_pipeline.resources.airbyte.resource import AirbyteResource
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.slack import SlackResource, SlackUnavailableError
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import KEEPA

# Nothing listens there.
PROXY: Final = "http://127.0.0.1:9"
PROXIES: Final = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)
AWS_CONFIG: Final = """[default]
s3 =
    use_accelerate_endpoint = true
    addressing_style = virtual
"""
NETRC: Final = "default login somebody password else\n"


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a user behind a company's proxy who also works with AWS."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "intranet.example")
    for name in PROXIES:
        monkeypatch.setenv(name, PROXY)
    (tmp_path / "config").write_text(AWS_CONFIG)
    (tmp_path / "netrc").write_text(NETRC)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("AWS_PROFILE", "of-another-project")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_every_client_reaches_the_local_stack(surroundings: None, local_stack: StackState) -> None:
    settings = on_stack(Settings.load(), local_stack)
    of_run = fixed(settings)
    assert isinstance([*S3Resource(settings=of_run).list_objects(settings.raw_bucket, "")], list)
    assert PowerBIResource(settings=of_run).client().history() is not None
    AirbyteResource(settings=of_run).client(KEEPA.connection).validate_workspace_id()
    assert SlackResource(settings=of_run).bot_name()
    assert os.environ["NO_PROXY"] == "intranet.example,127.0.0.1,localhost,::1"


def test_an_error_behind_a_proxy_names_the_variable(
    surroundings: None, local_stack: StackState
) -> None:
    away = {
        "environment": "dev",
        "aws_endpoint_url_s3": "https://s3.example",
        "powerbi_authority_url": "https://signin.example",
        "slack_api_url": "https://slack.example/api/",
    }
    of_run = fixed(on_stack(Settings.load(), local_stack).model_copy(update=away))
    said = "went through the proxy of https_proxy; NO_PROXY lists hosts that need none"
    with pytest.raises(TransientFailure, match=said):
        [*S3Resource(settings=of_run).list_objects("bucket", "")]
    with pytest.raises(TransientFailure, match=said):
        PowerBIResource(settings=of_run).client().sign_in()
    with pytest.raises(SlackUnavailableError, match=said):
        SlackResource(settings=of_run).bot_name()


def test_the_aws_profile_of_an_account_stays_and_is_named_if_it_is_wrong(
    surroundings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VP_ENVIRONMENT", "prod")
    of_run = fixed(Settings.load())
    with pytest.raises(PermanentFailure, match=r"of-another-project.*correct AWS_PROFILE"):
        [*S3Resource(settings=of_run).list_objects("bucket", "")]
