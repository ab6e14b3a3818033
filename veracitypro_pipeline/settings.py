"""The only reader of the environment: one frozen, validated `Settings` object.

Every setting is a field with its variable, description and default; `.env.example` is generated
from them (`python -m veracitypro_pipeline.settings`), and a test keeps both equal. Values come from
the process environment, then from a `.env` file in the working directory.
"""

import os
import re
from datetime import date, datetime, time
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from dotenv.parser import parse_stream
from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from veracitypro_pipeline.full_disk import learn_places
from veracitypro_pipeline.home import unusable
from veracitypro_pipeline.masking import learn, masked
from veracitypro_pipeline.service_levels import day_due
from veracitypro_pipeline.surroundings import (
    no_proxy_for_loopback,
    proxy_variable,
    remove_aws_variables,
)

ENV_FILE: Final = ".env"
PREFIX: Final = "VP_"
PACKAGE_DIR: Final = Path(__file__).resolve().parent
_BUNDLE_DIR: Final = PACKAGE_DIR / "bundle"
# The checkout; in an installed wheel, the folder with its copies of dbt_project and infra.
REPOSITORY_DIR: Final = _BUNDLE_DIR if _BUNDLE_DIR.is_dir() else PACKAGE_DIR.parent

# A value of a line of the `.env` file.
_SINGLE_QUOTED: Final = re.compile(r"=\s*'")

Environment = Literal["local", "dev", "prod"]


class SettingsError(ValueError):
    """A setting is unknown, missing or wrong. The message is one sentence with the next step."""


def _setting(name: str, default: Any, description: str, **constraints: Any) -> Any:
    return Field(
        default,
        validation_alias=AliasChoices(name),
        description=description,
        **constraints,
    )


# A name that needs no quotes in SQL, in the upper case in which Snowflake stores it.
SNOWFLAKE_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]*")


def _snowflake_name(value: str) -> str:
    name = value.strip().upper()
    # Some letters beyond ASCII become ASCII letters in upper case.
    if not value.isascii() or not SNOWFLAKE_NAME.fullmatch(name):
        raise ValueError(
            "it may have letters, digits and underscores, and must not begin with a digit"
        )
    return name


Seconds = Annotated[float, Field(gt=0)]
Credits = Annotated[float, Field(ge=1)]
SnowflakeName = Annotated[str, AfterValidator(_snowflake_name)]


class Settings(BaseSettings):
    """Everything that differs between deployments. Secrets never appear in a repr or dump."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=ENV_FILE)

    environment: Environment = _setting(
        "VP_ENVIRONMENT", "local", "local, dev or prod: which services and which dbt target."
    )
    home: Path = _setting(
        "VP_HOME", Path(".vp"), "Folder of all local state (warehouse, stack, Dagster runs)."
    )
    warehouse_file: Path | None = _setting(
        "VP_WAREHOUSE_PATH",
        None,
        "The DuckDB file; empty means warehouse/vp_dwh.duckdb in VP_HOME.",
    )
    duckdb_memory: str = _setting(
        "VP_DUCKDB_MEMORY",
        "4GB",
        "Memory limit (MB or GB) of a build on DuckDB; what needs more is spilled to disk, beside"
        " the file.",
        pattern=r"^[1-9]\d{0,6} ?[MG]B$",
    )
    daily_history_days: int | None = _setting(
        "VP_DAILY_HISTORY_DAYS",
        None,
        "Days that the daily tables go back from the newest as-of day; empty means to the first"
        " point. Points are kept, so a larger number restores older days.",
        ge=1,
    )
    dbt_project_dir: Path = _setting(
        "VP_DBT_PROJECT_DIR", REPOSITORY_DIR / "dbt_project", "Folder of the dbt project."
    )
    retry_delay_seconds: Seconds | None = _setting(
        "VP_RETRY_DELAY_SECONDS",
        None,
        "Seconds before a step is retried; 300 in dev and prod, 2 in local.",
    )
    keepa_tokens_per_product: int = _setting(
        "VP_KEEPA_TOKENS_PER_PRODUCT",
        4,
        "Keepa tokens for a product, as the Airbyte source is configured: 1, with the buy box 2"
        " more, with ratings 1 more. Airbyte does not report them.",
        ge=0,
    )
    keepa_samples: Path = _setting(
        "VP_KEEPA_SAMPLES",
        REPOSITORY_DIR.parent / "shared" / "keepa_samples",
        "Folder of real Keepa payloads; read by the tests only.",
    )
    first_as_of_date: date = _setting(
        "VP_FIRST_AS_OF_DATE",
        date(2025, 11, 15),
        "The first as-of day (YYYY-MM-DD) that can be run: the first partition in the Dagster UI.",
    )
    as_of_date: date | None = _setting(
        "AS_OF_DATE", None, "auto, or the UTC day (YYYY-MM-DD) that a scheduled run is for."
    )

    deadline: str = _setting(
        "VP_DEADLINE",
        "06:00",
        "Time (HH:MM, UTC, from 01:00 on) by which the batch of the day before must be done;"
        " in prod, Slack gets one message if it is not.",
        pattern=r"^(0[1-9]|1\d|2[0-3]):[0-5]\d$",
    )

    airbyte_api_url: str = _setting(
        "AIRBYTE_API_URL", "https://api.airbyte.com/v1", "Airbyte's public API."
    )
    airbyte_configuration_api_url: str = _setting(
        "AIRBYTE_CONFIGURATION_API_URL",
        "https://cloud.airbyte.com/api/v1",
        "Airbyte's configuration API.",
    )
    airbyte_workspace_id: str | None = _setting(
        "AIRBYTE_WORKSPACE_ID", None, "Airbyte workspace (UUID)."
    )
    airbyte_connection_id: str | None = _setting(
        "AIRBYTE_CONNECTION_ID", None, "Airbyte connection Keepa -> S3 (UUID)."
    )
    airbyte_client_id: str | None = _setting(
        "AIRBYTE_CLIENT_ID", None, "Airbyte application, client id."
    )
    airbyte_client_secret: SecretStr | None = _setting(
        "AIRBYTE_CLIENT_SECRET", None, "Airbyte application, secret."
    )
    airbyte_poll_seconds: Seconds = _setting(
        "AIRBYTE_POLL_SECONDS", 10.0, "Seconds between two requests for the state of a sync."
    )
    airbyte_timeout_seconds: Seconds = _setting(
        "AIRBYTE_TIMEOUT_SECONDS", 10_800.0, "Seconds after which the wait for a sync ends."
    )

    aws_region: str = _setting("AWS_REGION", "us-east-2", "Region of the S3 buckets.")
    aws_endpoint_url_s3: str | None = _setting(
        "AWS_ENDPOINT_URL_S3", None, "S3 endpoint; empty means Amazon's own."
    )
    aws_access_key_id: str | None = _setting(
        "AWS_ACCESS_KEY_ID", None, "S3 sign-in; empty means the AWS default chain."
    )
    aws_secret_access_key: SecretStr | None = _setting(
        "AWS_SECRET_ACCESS_KEY", None, "S3 sign-in; empty means the AWS default chain."
    )
    aws_session_token: SecretStr | None = _setting(
        "AWS_SESSION_TOKEN", None, "S3 sign-in with temporary credentials; empty means none."
    )

    snowflake_account: str | None = _setting(
        "SNOWFLAKE_ACCOUNT", None, "Snowflake account identifier."
    )
    snowflake_url: HttpUrl | None = _setting(
        "SNOWFLAKE_URL", None, "Snowflake's address, if not the public one (private link)."
    )
    snowflake_user: str | None = _setting("SNOWFLAKE_USER", None, "Snowflake user of the pipeline.")
    snowflake_private_key_path: Path | None = _setting(
        "SNOWFLAKE_PRIVATE_KEY_PATH", None, "File of the user's private key (PEM)."
    )
    snowflake_private_key: SecretStr | None = _setting(
        "SNOWFLAKE_PRIVATE_KEY", None, "The key itself (PEM), where secrets come as variables."
    )
    snowflake_private_key_passphrase: SecretStr | None = _setting(
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", None, "Passphrase of that key; empty means none."
    )
    snowflake_password: SecretStr | None = _setting(
        "SNOWFLAKE_PASSWORD",
        None,
        "Programmatic access token of the user (Snowflake accepts it as a password); used when"
        " there is no private key.",
    )
    snowflake_role: SnowflakeName = _setting(
        "SNOWFLAKE_ROLE", "DAGSTER_ROLE", "Role of the pipeline."
    )
    snowflake_dbt_role: SnowflakeName = _setting(
        "SNOWFLAKE_DBT_ROLE", "DBT_ROLE", "Role of dbt, also by hand."
    )
    snowflake_reader_role: SnowflakeName = _setting(
        "SNOWFLAKE_READER_ROLE",
        "OPERATOR_ROLE",
        "Role of `vp sql`, `vp status` and `vp dashboard`: one that cannot write.",
    )
    snowflake_warehouse: SnowflakeName = _setting(
        "SNOWFLAKE_WAREHOUSE", "WH_INGEST", "Warehouse of the pipeline."
    )
    snowflake_reader_warehouse: SnowflakeName = _setting(
        "SNOWFLAKE_READER_WAREHOUSE", "WH_BI", "Warehouse of that role."
    )
    snowflake_database: SnowflakeName = _setting(
        "SNOWFLAKE_DATABASE", "VP_DWH", "Database of the pipeline."
    )
    snowflake_timeout_seconds: Seconds = _setting(
        "SNOWFLAKE_TIMEOUT_SECONDS",
        3_600.0,
        "Seconds after which Snowflake ends a statement or its wait for a lock. A warehouse of"
        " infra/snowflake ends it sooner: WH_INGEST after 3,600 seconds, WH_BI after 600.",
    )

    snowflake_storage_role_arn: str | None = _setting(
        "SNOWFLAKE_STORAGE_ROLE_ARN", None, "AWS role by which Snowflake reads S3; for `vp infra`."
    )
    snowflake_credit_quota: Credits = _setting(
        "SNOWFLAKE_CREDIT_QUOTA", 20.0, "Credits a month, then warehouses stop; for `vp infra`."
    )

    powerbi_api_url: str = _setting(
        "POWERBI_API_URL", "https://api.powerbi.com/v1.0/myorg", "Power BI REST API."
    )
    powerbi_authority_url: str = _setting(
        "POWERBI_AUTHORITY_URL", "https://login.microsoftonline.com", "Microsoft sign-in."
    )
    powerbi_tenant_id: str | None = _setting("POWERBI_TENANT_ID", None, "Microsoft Entra tenant.")
    powerbi_client_id: str | None = _setting("POWERBI_CLIENT_ID", None, "Service principal, id.")
    powerbi_client_secret: SecretStr | None = _setting(
        "POWERBI_CLIENT_SECRET", None, "Service principal, secret."
    )
    powerbi_workspace_id: str | None = _setting(
        "POWERBI_WORKSPACE_ID", None, "Power BI workspace (group id)."
    )
    powerbi_dataset_id: str | None = _setting(
        "POWERBI_DATASET_ID", None, "Power BI dataset to refresh."
    )
    powerbi_daily_refreshes: int = _setting(
        "POWERBI_DAILY_REFRESHES",
        8,
        "Refreshes of the dataset within 24 hours: 8 on shared capacity (Pro), 48 on Premium.",
        gt=0,
    )
    powerbi_poll_seconds: Seconds = _setting(
        "POWERBI_POLL_SECONDS", 15.0, "Seconds between two requests for the state of a refresh."
    )
    powerbi_timeout_seconds: Seconds = _setting(
        "POWERBI_TIMEOUT_SECONDS", 3_600.0, "Seconds after which the wait for a refresh ends."
    )

    slack_api_url: str = _setting("SLACK_API_URL", "https://slack.com/api/", "Slack Web API.")
    slack_bot_token: SecretStr | None = _setting(
        "SLACK_BOT_TOKEN", None, "Slack bot token; or use SLACK_WEBHOOK_URL."
    )
    slack_channel: str = _setting("SLACK_CHANNEL", "#data-alerts", "Channel for run messages.")
    slack_webhook_url: SecretStr | None = _setting(
        "SLACK_WEBHOOK_URL", None, "Slack incoming webhook; used when there is no bot token."
    )

    slack_mention: str = _setting(
        "SLACK_MENTION",
        "here",
        "Whom a blocking failure mentions: here, none, or the id of a user (U...) or group (S...).",
        pattern=r"^(here|none|[UWS][A-Z0-9]{5,})$",
    )
    runbooks_url: str | None = _setting(
        "VP_RUNBOOKS_URL",
        None,
        "Address of the folder infra/runbooks, for links in messages and in the Dagster UI; empty"
        " means that of VP_CODE_URL in the UI, and none in messages.",
    )

    code_url: str | None = _setting(
        "VP_CODE_URL",
        None,
        "Address of the repository's files as deployed (https://github.com/<owner>/<name>/blob/main),"
        " for links from the Dagster UI; empty means none.",
    )

    dagster_url: str | None = _setting(
        "VP_DAGSTER_URL",
        None,
        "Address of Dagster's UI (https://<organization>.dagster.cloud/vp-prod), for links in"
        " messages and for vp doctor; empty means none.",
    )
    dagster_cloud_deployment: str | None = _setting(
        "DAGSTER_CLOUD_DEPLOYMENT_NAME",
        None,
        "Set by Dagster Cloud where it runs the code: there, and in prod, the schedule and the"
        " deadline are on from the start. Leave it empty elsewhere.",
    )
    dagster_api_token: SecretStr | None = _setting(
        "DAGSTER_CLOUD_API_TOKEN", None, "Dagster Cloud, user token, for vp doctor."
    )

    @field_validator("as_of_date", mode="before")
    @classmethod
    def _auto_is_no_date(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() in ("", "auto") else value

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any, info: Any) -> Any:
        """A variable that is set but empty means the default, as in most shells and CI systems."""
        if isinstance(value, str):
            if not value.strip():
                return cls.model_fields[info.field_name].default
            if _is_not_text(value):
                raise ValueError("it holds a NUL or bytes that are not UTF-8")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _tilde_can_be_expanded(cls, value: Any) -> Any:
        if isinstance(value, Path):
            try:
                value.expanduser()
            except RuntimeError:
                raise ValueError(
                    "this machine does not know the user whose home it names"
                ) from None
        return value

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment and the `.env` file; `overrides` are fields by their name.

        In this process and its children, loopback is exempt from proxies, and in `local` the AWS
        variables and files of the user are ignored.

        Raises:
            SettingsError: a `VP_*` name is unknown, a value is invalid, or a path cannot have a
                database.
        """
        _reject_unknown_names()
        try:
            settings = cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            value = masked(repr(first.get("input")))
            shown = "a secret that is not shown" if _is_secret(name) else value
            reason = first["msg"].removeprefix("Value error, ")
            raise SettingsError(
                f"The setting {name} is {shown}: {reason}. {_description(name)} Correct it in"
                f" the environment or in {ENV_FILE}."
            ) from None
        learn(settings.secrets)
        learn_places([settings.home_dir, settings.warehouse_path.parent])
        settings = settings.model_copy(update=overrides) if overrides else settings
        settings._reject_unusable_paths()
        no_proxy_for_loopback(os.environ)
        if settings.environment == "local":
            remove_aws_variables(os.environ, frozenset(known_variables()))
        return settings

    def _reject_unusable_paths(self) -> None:
        """Raises SettingsError if no database can be stored in the home or at the warehouse
        file."""
        for field, path in (("home", self.home_dir), ("warehouse_file", self.warehouse_path)):
            if reason := unusable(path):
                raise SettingsError(
                    f"{variable_of(field)} leads to {str(path)!r}, which {reason}: name another."
                )

    @property
    def secrets(self) -> list[str]:
        """The values of all secret settings."""
        values = (getattr(self, field) for field in type(self).model_fields)
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]

    def require(self, *fields: str) -> None:
        """Check that these fields are set.

        Raises:
            SettingsError: one is empty; the message has its variable and description.
        """
        for field in fields:
            if getattr(self, field) is None:
                raise SettingsError(
                    f"{variable_of(field)} is not set, but the {self.environment} environment"
                    f" needs it ({type(self).model_fields[field].description}) Set it in the"
                    f" environment or in {ENV_FILE}; `.env.example` lists every setting."
                )

    @property
    def snowflake_private_key_base64(self) -> SecretStr | None:
        """SNOWFLAKE_PRIVATE_KEY without its header and footer, as clients expect it in a variable;
        None if the key is in a file. Line breaks may be written as `\\n`."""
        if self.snowflake_private_key is None or self.snowflake_private_key_path is not None:
            return None
        text = self.snowflake_private_key.get_secret_value().replace("\\n", "\n")
        return SecretStr("".join(re.sub(r"-----[A-Z ]+-----", "", text).split()))

    @property
    def retry_delay(self) -> float:
        """Seconds before a step is retried."""
        if self.retry_delay_seconds is not None:
            return self.retry_delay_seconds
        return 2.0 if self.environment == "local" else 300.0

    @property
    def deadline_time(self) -> time:
        return time.fromisoformat(self.deadline)

    @property
    def runs_by_itself(self) -> bool:
        """Whether the schedule and the deadline sensor start switched on: only in `prod` in Dagster
        Cloud. A local server with production settings would otherwise schedule a second batch."""
        return self.environment == "prod" and self.dagster_cloud_deployment is not None

    def day_due(self, now: datetime) -> date | None:
        """The newest day whose batch must be done by `now`; None if no schedule runs it."""
        if self.environment != "prod" or self.as_of_date is not None:
            return None
        return day_due(now, self.deadline_time)

    @property
    def slack_mention_markup(self) -> str:
        """The mention in Slack's mrkdwn; empty for none."""
        if self.slack_mention == "none":
            return ""
        if self.slack_mention == "here":
            return "<!here>"
        is_group = self.slack_mention.startswith("S")
        return f"<!subteam^{self.slack_mention}>" if is_group else f"<@{self.slack_mention}>"

    @property
    def raw_bucket(self) -> str:
        return f"vp-raw-{self.environment}-us-east-2"

    @property
    def monitoring_bucket(self) -> str:
        return f"vp-monitoring-{self.environment}-us-east-2"

    @property
    def home_dir(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file of the local environment."""
        if self.warehouse_file is not None:
            return self.warehouse_file.expanduser().resolve()
        return self.home_dir / "warehouse" / "vp_dwh.duckdb"

    @property
    def dagster_home(self) -> Path:
        """Dagster's runs and events, one folder per environment, because all runs of an instance
        are recorded in the warehouse of its environment."""
        is_local = self.environment == "local"
        return self.home_dir / ("dagster" if is_local else f"dagster-{self.environment}")

    @property
    def is_dbt_parsed_here(self) -> bool:
        """Whether the dbt manifest is built on this machine: in `local` and in a git checkout. A
        wheel contains it (`.ci/build`), because a code location must not run dbt when it loads."""
        return self.environment == "local" or (REPOSITORY_DIR / ".git").exists()

    @property
    def dbt_target_dir(self) -> Path:
        """The folder of the dbt manifest."""
        if self.is_dbt_parsed_here:
            return self.home_dir / "dbt" / self.environment / "parse"
        return self.dbt_project_dir / "target"


def variable_of(field: str) -> str:
    """The environment variable of a settings field."""
    alias = Settings.model_fields[field].validation_alias
    assert isinstance(alias, AliasChoices)
    return str(alias.choices[0])


def known_variables() -> tuple[str, ...]:
    """Every environment variable that the project reads."""
    return tuple(variable_of(field) for field in Settings.model_fields)


def inherited_environment(*, without: str | tuple[str, ...] = ()) -> dict[str, str]:
    """The process environment for a child process, without our own settings and secrets.

    `without` are prefixes of further names to leave out.
    """
    ours = set(known_variables())
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(without)
    }


def proxy_hint(url: str) -> str:
    """A sentence for an error without an answer; empty if the request goes through no proxy."""
    name = proxy_variable(os.environ, url)
    if name is None:
        return ""
    return f" The request went through the proxy of {name}; NO_PROXY lists hosts that need none."


def env_example() -> str:
    """The text of `.env.example`: every setting, commented out, with its default."""
    lines = [
        "# Every setting of the pipeline, generated by `python -m veracitypro_pipeline.settings`.",
        "# Nothing is needed for VP_ENVIRONMENT=local. Copy to .env and uncomment what you set.",
    ]
    for field, info in Settings.model_fields.items():
        default = info.default
        if default is None or isinstance(default, Path):
            default = ".vp" if field == "home" else ""
        lines += ["", f"# {info.description}", f"# {variable_of(field)}={default}"]
    return "\n".join(lines) + "\n"


def _description(variable: str) -> str:
    info = _field(variable)
    return str(info.description) if info else ""


def _is_secret(variable: str) -> bool:
    info = _field(variable)
    return info is not None and "SecretStr" in str(info.annotation)


def _field(variable: str) -> FieldInfo | None:
    for field, info in Settings.model_fields.items():
        if variable in (field, variable_of(field)):
            return info
    return None


def _is_not_text(value: str) -> bool:
    """Whether it has a NUL, or bytes that are not UTF-8, which Python keeps as lone surrogates."""
    return any(character == "\0" or "\udc80" <= character <= "\udcff" for character in value)


def _names_in_file() -> set[str]:
    """The variables of the `.env` file.

    Raises:
        SettingsError: it cannot be read, or python-dotenv would not read a line as written: it
        skips
            a line that is not an assignment, and expands `${...}` even in single quotes.
    """
    path = Path(ENV_FILE)
    if not path.is_file():
        return set()
    try:
        lines = list(parse_stream(StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The file {ENV_FILE} cannot be read ({error}): save it as text in UTF-8, or remove it."
        ) from error
    for line in lines:
        written = line.original.string
        if line.error or (line.key is not None and line.value is None):
            number = line.original.line + len(written) - len(written.lstrip("\n"))
            raise SettingsError(
                f"Line {number} of {ENV_FILE} is not NAME=value: correct it, close its quotes, or"
                " begin it with # if it is a comment."
            )
        if "${" in (line.value or "") and _SINGLE_QUOTED.search(written):
            raise SettingsError(
                f"{line.key} in {ENV_FILE} holds ${{, which is expanded even in single quotes:"
                " set the variable in the environment, or use double quotes if it is meant."
            )
    return {line.key for line in lines if line.key is not None}


def _reject_unknown_names() -> None:
    known = set(known_variables())
    for name in sorted({*os.environ, *_names_in_file()}):
        if name.startswith(PREFIX) and name not in known:
            # A quoted name in the file may have any characters.
            shown = name if name.isprintable() else repr(name)
            raise SettingsError(
                f"{shown} is not a setting of this project: remove it, or use one of"
                f" {', '.join(sorted(k for k in known if k.startswith(PREFIX)))}."
            )


if __name__ == "__main__":
    print(env_example(), end="")  # noqa: T201 - this module run as a script prints the file
