"""What can be said of infra/terraform by reading it: no program, no provider, no account needed.

What only Terraform itself can say is in test_terraform_plans.py; style and further policy are
checks of their own (`terraform fmt`, `checkov`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
INFRA = PROJECT / "infra"
TERRAFORM = INFRA / "terraform"
FILES = sorted(TERRAFORM.rglob("*.tf"))
STAGES: dict[str, Any] = json.loads((INFRA / "stages.json").read_text())
AS_DATA = hcl2.SerializationOptions(
    with_comments=False, explicit_blocks=False, strip_string_quotes=True
)


@cache
def parsed(path: Path) -> dict[str, Any]:
    with path.open() as file:
        return hcl2.load(file, serialization_options=AS_DATA)


def blocks(kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Type, name and content of each resource, data source or ephemeral value."""
    for path in FILES:
        for block in parsed(path).get(kind, []):
            for type_, named in block.items():
                yield from ((type_, name, content) for name, content in named.items())


def resources(type_: str) -> dict[str, dict[str, Any]]:
    return {name: content for found, name, content in blocks("resource") if found == type_}


def local(path: str, name: str) -> Any:
    return parsed(TERRAFORM / path)["locals"][0][name]


def handed_over_by(layer: str) -> set[str]:
    """The parameters that infra/README.md says a layer writes."""
    rows = re.findall(r"^\| (`.+?) \| (\w+) \|", (INFRA / "README.md").read_text(), re.MULTILINE)
    return {
        name for names, writer in rows if writer == layer for name in re.findall("`(.+?)`", names)
    }


def without_comments(path: Path) -> str:
    return re.sub(r"(^|\s)#.*", "", path.read_text())


def test_what_is_handed_over_is_what_the_page_on_the_layers_lists() -> None:
    assert set(local("handover.tf", "handed_over")) == handed_over_by("Terraform")
    assert (
        resources("aws_ssm_parameter")["handed_over"]["name"] == "/vigil/${var.stage}/${each.key}"
    )


def test_the_stages_that_may_be_said_are_those_of_the_one_file() -> None:
    variables = {
        name: content
        for block in parsed(TERRAFORM / "variables.tf")["variable"]
        for name, content in block.items()
    }

    condition = variables["stage"]["validation"][0]["condition"]

    assert re.findall(r'"(\w+)"', condition) == list(STAGES)
    assert "default" not in variables["stage"]
    assert "default" not in variables["account"]


def test_production_has_two_halves_and_a_reader_and_the_others_do_not() -> None:
    told = {
        stage: (told["database"]["multi_az"], told["database"]["replicas"])
        for stage, told in STAGES.items()
    }

    assert told == {"dev": (False, 0), "staging": (False, 0), "production": (True, 1)}


def test_networks_of_the_stages_do_not_overlap() -> None:
    assert [told["cidr"] for told in STAGES.values()] == [
        "10.40.0.0/16", "10.41.0.0/16", "10.42.0.0/16",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["main", "reader"])
def test_a_database_is_encrypted_under_our_key_and_not_public(name: str) -> None:
    instance = resources("aws_db_instance")[name]

    assert instance["storage_encrypted"] is True
    assert instance["kms_key_id"] == "${var.key}"
    assert instance["performance_insights_kms_key_id"] == "${var.key}"
    assert instance["publicly_accessible"] is False
    assert instance["parameter_group_name"] == "${aws_db_parameter_group.main.name}"
    assert instance["auto_minor_version_upgrade"] is True
    assert instance["copy_tags_to_snapshot"] is True


def test_the_database_takes_no_connection_without_tls() -> None:
    parameters = local("modules/database/parameters.tf", "parameters")

    assert parameters["rds.force_ssl"] == "1"
    assert parameters["ssl_min_protocol_version"] == "TLSv1.2"
    assert parameters["rds.accepted_password_auth_method"] == "scram"


def test_the_database_logs_who_connects_and_no_statement() -> None:
    parameters = local("modules/database/parameters.tf", "parameters")

    assert {name: value for name, value in parameters.items() if name.startswith("log_")} == {
        "log_connections": "1",
        "log_disconnections": "1",
        "log_statement": "none",
        "log_min_duration_statement": "-1",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    assert parameters["pg_stat_statements.track_utility"] == "0"


def test_nothing_leads_to_the_internet_or_from_it() -> None:
    types = {type_ for type_, _, _ in blocks("resource")}

    assert not types & {
        "aws_internet_gateway", "aws_egress_only_internet_gateway", "aws_nat_gateway", "aws_eip",
        "aws_route", "aws_security_group_rule", "aws_vpc_peering_connection",
    }  # fmt: skip
    text = "".join(without_comments(path) for path in FILES)
    assert re.findall(r"0\.0\.0\.0/0|::/0|cidr_ipv[46]|cidr_blocks", text) == []


def test_a_security_group_names_whom_it_lets_in_and_on_which_port() -> None:
    ingress = resources("aws_vpc_security_group_ingress_rule")
    egress = resources("aws_vpc_security_group_egress_rule")

    assert {(name, rule["from_port"], rule["to_port"]) for name, rule in ingress.items()} == {
        ("database", 5432, 5432),
        ("endpoints", 443, 443),
    }
    assert {(name, rule["from_port"], rule["to_port"]) for name, rule in egress.items()} == {
        ("database", 5432, 5432),
        ("endpoints", 443, 443),
        ("s3", 443, 443),
    }
    for rule in ingress.values():
        assert rule["referenced_security_group_id"] == "${each.value}"
    for group in resources("aws_security_group").values():
        assert not group.keys() & {"ingress", "egress"}
    assert resources("aws_default_security_group")["nothing"].keys() == {"vpc_id"}


def test_only_what_reads_files_reaches_s3_and_only_clients_the_database() -> None:
    who = {name: set(local("modules/network/security.tf", name)) for name in (
        "clients", "readers_of_s3",
    )}  # fmt: skip

    assert who == {
        "clients": {"functions", "worker", "rotation"},
        "readers_of_s3": {"functions", "worker"},
    }


def test_no_password_is_kept_in_the_state() -> None:
    assert not resources("random_password")
    assert not resources("aws_secretsmanager_secret_version")
    for instance in resources("aws_db_instance").values():
        assert "password" not in instance
    assert resources("aws_db_instance")["main"]["password_wo"] == "${local.master_password}"
    (read,) = blocks("ephemeral")
    assert read[:2] == ("aws_secretsmanager_secret_version", "master")
    assert read[2]["count"] == "${var.first_time ? 1 : 0}"


def test_a_first_password_is_random_and_never_made_again() -> None:
    made = local("modules/database/secrets.tf", "secrets_template")["Resources"]

    for part in (
        'Type = "AWS::SecretsManager::Secret"',
        'KmsKeyId = {Ref = "Key"}',
        'GenerateStringKey = "password"',
        "PasswordLength = 40",
    ):
        assert part in made
    assert not re.search(r"\bSecretString\b", made)
    assert local("modules/database/secrets.tf", "secrets_policy")["Statement"] == [
        {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    ]


def test_the_masters_secret_lies_where_a_right_to_the_roles_secrets_does_not_reach() -> None:
    secrets = local("modules/database/secrets.tf", "secrets")

    assert {secret["name"] for secret in secrets.values()} == {
        "vigil/${var.stage}/database/application",
        "vigil/${var.stage}/database/owner",
        "vigil/${var.stage}/database/reports",
        "vigil/${var.stage}/database-master",
    }


def test_the_masters_password_is_rotated_every_month() -> None:
    made = local("modules/database/rotation.tf", "rotation_template")["Resources"]

    rotation = made["Rotation"]["Properties"]
    assert rotation["RotationRules"]["ScheduleExpression"] == "rate(30 days)"
    assert rotation["HostedRotationLambda"]["RotationType"] == "PostgreSQLSingleUser"
    assert rotation["SecretId"] == {"Ref": "Secret"}


def test_no_password_is_left_to_rds_which_would_then_make_no_replica() -> None:
    for instance in resources("aws_db_instance").values():
        assert "manage_master_user_password" not in instance


def test_every_endpoint_and_every_log_is_kept_to_this_account_and_key() -> None:
    for endpoint in resources("aws_vpc_endpoint").values():
        assert endpoint["policy"].startswith("${data.aws_iam_policy_document.")
    for group in resources("aws_cloudwatch_log_group").values():
        assert group["kms_key_id"] == "${var.key}"
        assert group["retention_in_days"] == 365


def test_a_plan_asks_aws_nothing() -> None:
    assert {type_ for type_, _, _ in blocks("data")} == {"aws_iam_policy_document"}


def test_whoever_has_credentials_of_another_account_builds_nothing() -> None:
    provider = parsed(TERRAFORM / "provider.tf")["provider"][0]["aws"]

    assert provider["allowed_account_ids"] == ["${var.account}"]
    assert not [name for name in provider if name.startswith("skip_") or name.endswith("_key")]


def test_state_is_locked_and_encrypted_and_named_by_nobody_here() -> None:
    terraform = parsed(TERRAFORM / "versions.tf")["terraform"][0]

    assert terraform["backend"][0]["s3"] == {"encrypt": True, "use_lockfile": True}
    assert terraform["required_version"] == ">= 1.11.0, < 2.0.0"
    assert terraform["required_providers"][0]["aws"] == {
        "source": "hashicorp/aws",
        "version": "~> 5.100",
    }


def test_the_locked_provider_is_one_and_comes_from_nowhere_special() -> None:
    lock = parsed(TERRAFORM / ".terraform.lock.hcl")["provider"]

    assert [list(block) for block in lock] == [["registry.terraform.io/hashicorp/aws"]]
    assert lock[0]["registry.terraform.io/hashicorp/aws"]["version"] == "5.100.0"


def test_each_exception_from_a_policy_says_why() -> None:
    skips = [
        (path.name, skip)
        for path in FILES
        for skip in re.findall(r"checkov:skip=(.*)", path.read_text())
    ]

    assert skips
    assert [skip for skip in skips if not re.match(r"CKV2?_AWS_\d+:\S+ \S+ \S+", skip[1])] == []
