"""The templates of infra/aws: valid for AWS, with no more rights than infra/README.md lists."""

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import yaml

from veracitypro_pipeline.doctor.checklist import checklist
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW

AWS: Final = REPOSITORY_DIR / "infra" / "aws"
ENVIRONMENTS: Final = ("dev", "prod")
KEY: Final = "the key of the buckets"
ACCOUNT: Final = "111122223333"


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub x` is {"Fn::Sub": x}."""


def _short_form(loader: _Template, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)
    return {name: loader.construct_scalar(node)}


_Template.add_multi_constructor("!", _short_form)


def template(name: str, environment: str) -> Any:
    """A template's resources, with the environment substituted and references by name."""
    text = (AWS / f"{name}.yaml").read_text()
    return _resolved(yaml.load(text, _Template)["Resources"], environment)  # noqa: S506 - a SafeLoader


def _resolved(value: Any, environment: str) -> Any:
    if isinstance(value, list):
        return [_resolved(one, environment) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::Sub"}:
        known = {"Environment": environment, "AWS::AccountId": ACCOUNT, "AWS::Region": "us-east-2"}
        text = value["Fn::Sub"]
        for name, known_value in known.items():
            text = text.replace("${" + name + "}", known_value)
        return text
    if set(value) == {"Fn::ImportValue"}:
        assert _resolved(value["Fn::ImportValue"], environment) == f"vp-{environment}-key-arn"
        return KEY
    return {name: _resolved(one, environment) for name, one in value.items()}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def policies(environment: str) -> dict[str, list[Mapping[str, Any]]]:
    """Policy statements by principal: airbyte, snowflake, dagster."""
    resources = template("access", environment)
    of = {
        name.removesuffix("Role").lower(): resource["Properties"]["Policies"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
    }
    found = {
        who: [
            statement for policy in attached for statement in policy["PolicyDocument"]["Statement"]
        ]
        for who, attached in of.items()
    }
    dagster = resources["DagsterPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    return {**found, "dagster": dagster}


def may(who: str, action: str, resource: str, environment: str = "prod", **context: str) -> bool:
    """IAM's decision, for the few features that these policies use."""
    return any(
        action in listed(statement["Action"])
        and any(fnmatch.fnmatchcase(resource, one) for one in listed(statement["Resource"]))
        and all(
            fnmatch.fnmatchcase(context.get(key.split(":")[1], ""), pattern)
            for key, pattern in statement.get("Condition", {}).get("StringLike", {}).items()
        )
        for statement in policies(environment)[who]
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_policy_has_a_wildcard_or_reaches_another_bucket(environment: str) -> None:
    settings = Settings.load(environment=environment)
    raw, monitoring = (
        f"arn:aws:s3:::{name}" for name in (settings.raw_bucket, settings.monitoring_bucket)
    )
    allowed = {
        raw,
        f"{raw}/env={environment}/*",
        monitoring,
        f"{monitoring}/env={environment}/handover/*",
        KEY,
    }
    found = policies(environment)
    assert set(found) == {"airbyte", "snowflake", "dagster"}
    for statements in found.values():
        for statement in statements:
            assert statement["Effect"] == "Allow"
            assert not any("*" in action for action in listed(statement["Action"]))
            assert set(listed(statement["Resource"])) <= allowed


LANDED: Final = "arn:aws:s3:::vp-raw-prod-us-east-2/env=prod/source=keepa/stream=product_raw/a.gz"
OTHER_ENV: Final = "arn:aws:s3:::vp-raw-dev-us-east-2/env=dev/source=keepa/stream=product_raw/a.gz"
OTHER_SOURCE: Final = "arn:aws:s3:::vp-raw-prod-us-east-2/env=prod/source=sp_api/stream=x/a.gz"
OUTSIDE: Final = "arn:aws:s3:::vp-raw-prod-us-east-2/env=production/source=keepa/a.gz"
HANDOVER: Final = "arn:aws:s3:::vp-monitoring-prod-us-east-2/env=prod/handover/doctor/probe.json"


@pytest.mark.parametrize(
    ("who", "landed", "handover"),
    [
        ("airbyte", {"Get", "Put", "Delete"}, set()),
        ("snowflake", {"Get"}, set()),
        ("dagster", {"Get"}, {"Get", "Put"}),
    ],
)
def test_each_may_do_what_the_readme_says_and_no_more(
    who: str, landed: set[str], handover: set[str]
) -> None:
    for resource, verbs in (
        (LANDED, landed),
        (OTHER_SOURCE, landed),
        (HANDOVER, handover),
        (OTHER_ENV, set()),
        (OUTSIDE, set()),
    ):
        can = {verb for verb in ("Get", "Put", "Delete") if may(who, f"s3:{verb}Object", resource)}
        assert can == verbs, resource
    bucket = "arn:aws:s3:::vp-raw-prod-us-east-2"
    settings = Settings.load(environment="prod")
    assert may(who, "s3:ListBucket", bucket, prefix=PRODUCT_RAW.prefix(settings.environment))
    assert not may(who, "s3:ListBucket", bucket, prefix="")
    assert may(who, "s3:ListBucket", bucket, prefix="env=prod/source=sp_api/stream=x/")
    assert not may(who, "s3:ListBucket", bucket, prefix="env=dev/source=keepa/")
    assert may(who, "kms:Decrypt", KEY)
    assert may(who, "kms:GenerateDataKey", KEY) == ("Put" in landed | handover)


def test_others_take_on_a_role_by_their_external_id_only() -> None:
    for name, resource in template("access", "prod").items():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        (statement,) = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRole"
        assert set(statement["Principal"]) == {"AWS"}
        assert "Ref" in statement["Principal"]["AWS"], name
        assert "Ref" in statement["Condition"]["StringEquals"]["sts:ExternalId"], name


def buckets(environment: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, resource in template("storage", environment).items():
        if resource["Type"] == "AWS::S3::Bucket":
            yield name, resource


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_buckets_are_those_of_the_settings_private_encrypted_and_lasting(environment: str) -> None:
    settings = Settings.load(environment=environment)
    names = {resource["Properties"]["BucketName"] for _, resource in buckets(environment)}
    assert names == {
        settings.raw_bucket,
        settings.monitoring_bucket,
        f"vp-curated-{environment}-us-east-2",
    }
    for name, resource in buckets(environment):
        of_bucket = resource["Properties"]
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain", name
        assert set(of_bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(of_bucket["PublicAccessBlockConfiguration"]) == 4
        (rule,) = of_bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == {"Fn::GetAtt": "Key.Arn"}
        assert of_bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        # Landed files and state never expire; only their replaced versions do.
        rules = of_bucket["LifecycleConfiguration"]["Rules"]
        assert not any("ExpirationInDays" in rule or "Expiration" in rule for rule in rules)
        assert any("NoncurrentVersionExpiration" in rule for rule in rules)


def test_every_bucket_refuses_what_does_not_come_over_tls() -> None:
    resources = template("storage", "prod")
    guarded = {}
    for resource in resources.values():
        if resource["Type"] == "AWS::S3::BucketPolicy":
            (statement,) = resource["Properties"]["PolicyDocument"]["Statement"]
            assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
            assert statement["Action"] == "s3:*"
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}
            bucket = resource["Properties"]["Bucket"]["Ref"]
            assert {"Fn::GetAtt": f"{bucket}.Arn"} in statement["Resource"]
            assert "${" + bucket + ".Arn}/*" in statement["Resource"]
            guarded[bucket] = statement
    assert set(guarded) == {name for name, _ in buckets("prod")}


def test_the_key_is_used_through_s3_only_and_rotates() -> None:
    key = template("storage", "prod")["Key"]
    assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"
    assert key["Properties"]["EnableKeyRotation"] is True
    administered, used = key["Properties"]["KeyPolicy"]["Statement"]
    for statement in (administered, used):
        assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        assert not any("*" in action for action in statement["Action"])
    assert not {"kms:Decrypt", "kms:GenerateDataKey"} & set(administered["Action"])
    assert used["Condition"] == {"StringEquals": {"kms:ViaService": "s3.us-east-2.amazonaws.com"}}


def test_the_first_deployment_turns_every_line_of_the_doctor_green_once() -> None:
    table = [
        line
        for line in (REPOSITORY_DIR / "infra/README.md").read_text().splitlines()
        if line[:1] == "|"
    ]
    lines = [cell for row in table if len(cells := row.split(" | ")) == 3 for cell in [cells[2]]]
    named = [part for cell in lines for part in cell.strip(" |").split(", ")]
    checks = [part.strip("`") for part in named if part.startswith("`") and part != "`vp doctor`"]
    assert sorted(checks) == sorted(check.name for check in checklist("prod"))
