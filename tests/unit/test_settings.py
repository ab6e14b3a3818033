"""Settings: read once, validated, and never shown if they are secret."""

import pickle
import re
from datetime import date
from pathlib import Path

import pytest
from pydantic import HttpUrl, SecretStr

from veracitypro_pipeline.settings import (
    REPOSITORY_DIR,
    Settings,
    SettingsError,
    env_example,
    known_variables,
    variable_of,
)
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW

SECRETS = [
    field for field, info in Settings.model_fields.items() if "Secret" in str(info.annotation)
]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in known_variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_no_setting_is_required() -> None:
    settings = Settings.load()
    assert settings.environment == "local"
    assert settings.raw_bucket == "vp-raw-local-us-east-2"
    assert PRODUCT_RAW.prefix(settings.environment) == "env=local/source=keepa/stream=product_raw/"
    assert settings.as_of_date is None


def test_the_example_file_lists_exactly_the_settings() -> None:
    """If red: `python -m veracitypro_pipeline.settings > .env.example`."""
    assert (REPOSITORY_DIR / ".env.example").read_text() == env_example()
    for name in known_variables():
        assert f"# {name}=" in env_example()


def test_only_the_settings_module_reads_the_environment() -> None:
    """Besides it, `cli/` sets VP_HOME and DAGSTER_HOME."""
    package = REPOSITORY_DIR / "veracitypro_pipeline"
    readers = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if any(word in file.read_text() for word in ("os.environ", "os.getenv", "EnvVar"))
    }
    assert readers == {"settings.py", "cli/instance.py", "cli/main.py"}


@pytest.mark.parametrize("field", Settings.model_fields)
def test_each_variable_reaches_its_field(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    special = {
        "environment": "prod",
        "as_of_date": "2026-02-03",
        "first_as_of_date": "2025-02-03",
        "snowflake_url": "https://private.example/",
        "slack_mention": "U0123456",
        "deadline": "05:30",
        "duckdb_memory": "6GB",
    }
    is_whole = Settings.model_fields[field].annotation in (int, int | None)
    is_number = "float" in str(Settings.model_fields[field].annotation) or is_whole
    value = special.get(field, "12" if is_whole else "12.5" if is_number else "SOMETHING")
    monkeypatch.setenv(variable_of(field), value)

    found = getattr(Settings.load(), field)

    if field in SECRETS:
        found = found.get_secret_value()
    days = {"as_of_date": date(2026, 2, 3), "first_as_of_date": date(2025, 2, 3)}
    expected = days.get(field, float(value) if is_number else value)
    assert (str(found) if isinstance(found, Path | HttpUrl) else found) == expected


def test_a_secret_is_in_no_repr_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SECRETS
    for field in SECRETS:
        monkeypatch.setenv(variable_of(field), "open sesame")
    settings = Settings.load()
    assert "open sesame" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert "open sesame" not in settings.model_dump_json()
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - made one line above


def test_a_variable_that_is_set_but_empty_means_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VP_HOME", "")
    monkeypatch.setenv("AS_OF_DATE", " auto ")
    monkeypatch.setenv("AIRBYTE_POLL_SECONDS", " ")
    settings = Settings.load()
    assert settings.home == Path(".vp")
    assert settings.as_of_date is None
    assert settings.airbyte_poll_seconds == 10


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("VP_ENVIRONMENT", "production", "VP_ENVIRONMENT is 'production'"),
        ("AS_OF_DATE", "tomorrow", "AS_OF_DATE is 'tomorrow'"),
        ("AIRBYTE_POLL_SECONDS", "0", "AIRBYTE_POLL_SECONDS is '0'"),
        ("VP_HOME", "~no-such-user/vp", "does not know the user whose home it names"),
        ("VP_HOUSE", ".vp", "VP_HOUSE is not a setting of this project"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        Settings.load()
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


SNOWFLAKE_NAMES = [
    field
    for field in Settings.model_fields
    if field.startswith("snowflake_") and field.endswith(("role", "warehouse", "database"))
]


@pytest.mark.parametrize("field", SNOWFLAKE_NAMES)
@pytest.mark.parametrize("value", ['VP"; drop database x; --', "VP DWH", "1VP", "VP.RAW", "ß"])
def test_a_snowflake_name_cannot_be_other_sql(
    field: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable_of(field), value)
    with pytest.raises(SettingsError) as refusal:
        Settings.load()
    message = f"The setting {variable_of(field)} is {value!r}: it may have letters, digits and"
    assert str(refusal.value).startswith(message)


def test_a_snowflake_name_is_stored_in_upper_case(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(SNOWFLAKE_NAMES) == 6
    monkeypatch.setenv("SNOWFLAKE_DATABASE", "vp_dwh_2")
    assert Settings.load().snowflake_database == "VP_DWH_2"


def test_an_unknown_name_in_the_env_file_is_rejected_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VP_HOME=elsewhere\nVP_HOMES=typo\n")
    with pytest.raises(SettingsError, match="VP_HOMES is not a setting"):
        Settings.load()
    (tmp_path / ".env").write_text("VP_HOME=elsewhere\n")
    assert Settings.load().home == Path("elsewhere")


def test_an_env_file_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"VP_HOME=\xff")
    with pytest.raises(SettingsError, match=r"The file \.env cannot be read .* in UTF-8"):
        Settings.load()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# a comment\nnot an assignment\n", "Line 2 of .env is not NAME=value"),
        ("SLACK_CHANNEL: '#x'\n", "Line 1 of .env is not NAME=value"),
        ("SLACK_CHANNEL\n", "Line 1 of .env is not NAME=value"),
        ("\n\nSLACK_CHANNEL='#x\nVP_ENVIRONMENT=prod\n", "Line 3 of .env is not NAME=value"),
        ("SNOWFLAKE_PASSWORD='s3${HOME}cret'\n", "SNOWFLAKE_PASSWORD in .env holds ${"),
    ],
)
def test_a_line_of_the_env_file_that_would_be_misread_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """Its value is not shown, because it may be a secret."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SettingsError) as error:
        Settings.load()
    assert str(error.value).startswith(message)
    assert "s3" not in str(error.value)


def test_valid_lines_of_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHO", "ops")
    (tmp_path / ".env").write_text(
        "\n# comment\nexport SLACK_CHANNEL=\"#${WHO}\"\nSNOWFLAKE_PASSWORD='a#b $c'\nVP_HOME=\n"
    )
    settings = Settings.load()
    assert settings.slack_channel == "#ops"
    assert settings.snowflake_password == SecretStr("a#b $c")


def test_a_password_in_an_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_URL", "ht tp://user:hunter2@x")
    with pytest.raises(SettingsError, match=r"SNOWFLAKE_URL is 'ht tp://\*\*\*\*@x'") as refusal:
        Settings.load()
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("name", ["VP_HOME", "SLACK_BOT_TOKEN"])
def test_bytes_that_are_not_text_are_rejected_and_a_secret_is_not_shown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "open sesame\udcff")
    with pytest.raises(
        SettingsError, match=f"{name} is .* holds a NUL or bytes that are not"
    ) as refusal:
        Settings.load()
    assert ("open sesame" in str(refusal.value)) == (name == "VP_HOME")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a#b", "holds #"),
        ("50%", "holds %"),
        ("a?b=c", "holds ?"),
        ("a\\b", "holds \\"),
        ("a\nb", r"holds '\n'"),
        ("x" * 256, "a name of more than 255 bytes"),
        ("/".join(["x" * 200] * 2), "more than 400 bytes"),
        ("Zähler " * 60, "more than"),
    ],
)
@pytest.mark.parametrize("variable", ["VP_HOME", "VP_WAREHOUSE_PATH"])
def test_a_path_that_cannot_have_a_database_is_rejected(
    variable: str, name: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SQLite would create the database of `a?b` at `a`."""
    monkeypatch.setenv(variable, str(tmp_path / name))
    with pytest.raises(SettingsError, match=f"{variable} leads to .*{re.escape(reason)}"):
        Settings.load()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a b", 'it\'s "x"', "{{x}}$a;b&c=d+e,f[g]*!~@:h", "ピックル"])
def test_other_paths_are_accepted(name: str, tmp_path: Path) -> None:
    assert Settings.load(home=tmp_path / name).home_dir == (tmp_path / name).resolve()


def test_a_required_setting_is_named_by_its_variable() -> None:
    with pytest.raises(SettingsError, match="AIRBYTE_CONNECTION_ID is not set, but the local"):
        Settings.load().require("aws_region", "airbyte_connection_id")


@pytest.mark.parametrize(
    ("mention", "markup"),
    [
        ("here", "<!here>"),
        ("none", ""),
        ("U0123456", "<@U0123456>"),
        ("S0123456", "<!subteam^S0123456>"),
    ],
)
def test_the_mention_is_written_as_slack_reads_it(
    mention: str, markup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_MENTION", mention)
    assert Settings.load().slack_mention_markup == markup


def test_a_mention_of_everybody_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_MENTION", "<!channel>")
    with pytest.raises(SettingsError, match="SLACK_MENTION"):
        Settings.load()
