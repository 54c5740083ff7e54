"""What Terraform itself plans for each stage, with its real provider and made-up credentials.

Runs where terraform and a mirror of its provider are at hand; whether they were is also a line of
its own in the summary of `make test`: "terraform validate, plan".
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import terraform
from scripts.terraform import NOBODYS_ACCOUNT, Folder, NotAtHand, TerraformFailed
from tests.infra.test_terraform import STAGES, handed_over_by

CFN_LINT = terraform.PROJECT / ".cache" / "tools" / "infra" / "bin" / "cfn-lint"

try:
    terraform.must_be_at_hand()
    MISSING = ""
except NotAtHand as missing:
    MISSING = str(missing)

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(scope="module")
def folder() -> Iterator[Folder]:
    with terraform.without_an_account() as made:
        made.init()
        yield made


@pytest.fixture(scope="module")
def plans(folder: Folder) -> dict[str, list[dict[str, Any]]]:
    """What each stage would consist of: address, type and planned values of each resource."""
    found = {}
    for stage in STAGES:
        kept = folder.root / f"{stage}.tfplan"
        folder.plan(stage, account=NOBODYS_ACCOUNT, to=kept, first_time=True)
        found[stage] = folder.shown(kept)["resource_changes"]
    return found


@pytest.fixture
def stages_file(folder: Folder) -> Iterator[Path]:
    """The copy's own stages.json, put back afterwards."""
    path = folder.root.parent / "stages.json"
    before = path.read_text()
    yield path
    path.write_text(before)


def planned(changes: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [
        change["change"]["after"]
        for change in changes
        if change["type"] == type_ and change["mode"] == "managed"
    ]


def instances(changes: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [
        change["change"]["after"]
        for change in changes
        if change["address"].startswith(f"module.database.aws_db_instance.{name}")
    ]


@pytest.mark.parametrize("stage", STAGES)
def test_a_plan_only_makes_things_where_nothing_is(
    plans: dict[str, list[dict[str, Any]]], stage: str
) -> None:
    acts = {
        tuple(change["change"]["actions"]) for change in plans[stage] if change["mode"] == "managed"
    }

    assert acts == {("create",)}


@pytest.mark.parametrize("stage", STAGES)
def test_the_database_is_what_the_stages_file_says(
    plans: dict[str, list[dict[str, Any]]], stage: str
) -> None:
    told = STAGES[stage]["database"]

    (main,) = instances(plans[stage], "main")

    assert (main["engine"], main["engine_version"]) == ("postgres", "17")
    assert main["identifier"] == f"vigil-{stage}"
    assert main["instance_class"] == told["class"]
    assert main["allocated_storage"] == told["storage_gib"]
    assert main["max_allocated_storage"] == told["largest_storage_gib"]
    assert main["multi_az"] is told["multi_az"]
    assert main["backup_retention_period"] == told["backup_days"]
    assert main["deletion_protection"] is told["protected"]
    assert main["skip_final_snapshot"] is not told["protected"]
    assert main["storage_encrypted"] is True
    assert main["publicly_accessible"] is False
    assert main["enabled_cloudwatch_logs_exports"] == ["postgresql", "upgrade"]


def test_production_alone_has_a_second_half_and_a_copy_to_read_from(
    plans: dict[str, list[dict[str, Any]]],
) -> None:
    shape = {
        stage: (instances(changes, "main")[0]["multi_az"], len(instances(changes, "reader")))
        for stage, changes in plans.items()
    }

    assert shape == {"dev": (False, 0), "staging": (False, 0), "production": (True, 1)}
    (reader,) = instances(plans["production"], "reader")
    assert reader["replicate_source_db"] == "vigil-production"
    assert reader["storage_encrypted"] is True
    assert reader["publicly_accessible"] is False


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_handed_over_bears_the_names_that_the_page_lists(
    plans: dict[str, list[dict[str, Any]]], stage: str
) -> None:
    parameters = {
        found["name"]: found.get("value") for found in planned(plans[stage], "aws_ssm_parameter")
    }

    assert set(parameters) == {f"/vigil/{stage}/{name}" for name in handed_over_by("Terraform")}
    assert parameters[f"/vigil/{stage}/database/passwords"] == f"vigil/{stage}/database/"
    assert parameters[f"/vigil/{stage}/database/port"] == "5432"
    assert parameters[f"/vigil/{stage}/database/name"] == "vigil"


def test_a_stage_without_a_copy_hands_over_that_there_is_none(
    plans: dict[str, list[dict[str, Any]]],
) -> None:
    told = {
        stage: found.get("value")
        for stage, changes in plans.items()
        for found in planned(changes, "aws_ssm_parameter")
        if found["name"].endswith("/database/reader-host")
    }

    # Of production it is known only once the copy is there.
    assert told == {"dev": "none", "staging": "none", "production": None}


@pytest.mark.parametrize(
    ("stage", "zones", "of_each_endpoint"),
    [
        ("dev", ["eu-central-1a", "eu-central-1b"], 1),
        ("staging", ["eu-central-1a", "eu-central-1b"], 2),
        ("production", ["eu-central-1a", "eu-central-1b", "eu-central-1c"], 3),
    ],
)
def test_subnets_lie_in_the_zones_that_the_stage_has(
    plans: dict[str, list[dict[str, Any]]], stage: str, zones: list[str], of_each_endpoint: int
) -> None:
    subnets = planned(plans[stage], "aws_subnet")

    assert sorted(subnet["availability_zone"] for subnet in subnets) == sorted(zones * 2)
    assert len({subnet["cidr_block"] for subnet in subnets}) == 2 * len(zones)
    assert not any(subnet["map_public_ip_on_launch"] for subnet in subnets)
    assert STAGES[stage]["endpoint_zones"] == of_each_endpoint


@pytest.mark.parametrize("stage", STAGES)
def test_a_plan_holds_no_password(plans: dict[str, list[dict[str, Any]]], stage: str) -> None:
    assert planned(plans[stage], "aws_secretsmanager_secret_version") == []
    for instance in planned(plans[stage], "aws_db_instance"):
        assert instance.get("password") is None
        assert instance.get("password_wo") is None


@pytest.mark.parametrize(
    ("stage", "afterwards"), [("dev", "Delete"), ("staging", "Retain"), ("production", "Retain")]
)
def test_four_secrets_are_made_with_random_values_and_outlive_protected_stages(
    plans: dict[str, list[dict[str, Any]]], stage: str, afterwards: str
) -> None:
    (stack,) = (
        stack
        for stack in planned(plans[stage], "aws_cloudformation_stack")
        if stack["name"] == f"vigil-{stage}-database-secrets"
    )

    made = json.loads(stack["template_body"])["Resources"]

    values = {
        secret["Properties"]["Name"]: json.loads(
            secret["Properties"]["GenerateSecretString"]["SecretStringTemplate"]
        )
        for secret in made.values()
    }
    assert values == {
        f"vigil/{stage}/database/application": {"username": "vigil_app"},
        f"vigil/{stage}/database/owner": {"username": "vigil_owner"},
        f"vigil/{stage}/database/reports": {"username": "vigil_reports"},
        f"vigil/{stage}/database-master": {"username": "vigil_master"},
    }
    assert {secret["DeletionPolicy"] for secret in made.values()} == {afterwards}
    assert json.loads(stack["policy_body"])["Statement"][0]["Effect"] == "Deny"


@pytest.mark.skipif(not CFN_LINT.exists(), reason="cfn-lint is missing")
def test_stacks_of_cloudformation_are_well_formed(
    plans: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    for stack in planned(plans["production"], "aws_cloudformation_stack"):
        (tmp_path / f"{stack['name']}.json").write_text(stack["template_body"])

    done = subprocess.run(
        [str(CFN_LINT), "--region", "eu-central-1", "--", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (len(list(tmp_path.iterdir())), done.stdout, done.returncode) == (2, "", 0)


@pytest.mark.parametrize("stage", STAGES)
def test_everything_is_marked_with_its_stage(
    plans: dict[str, list[dict[str, Any]]], stage: str
) -> None:
    tags = [
        change["change"]["after"]["tags_all"]
        for change in plans[stage]
        if change["mode"] == "managed" and "tags_all" in (change["change"]["after"] or {})
    ]

    assert {(tag["application"], tag["stage"]) for tag in tags} == {("vigil", stage)}


def test_whoever_plans_a_change_needs_no_right_to_read_a_password(folder: Folder) -> None:
    text = folder.plan("dev", account=NOBODYS_ACCOUNT, to=folder.root / "later.tfplan")

    # With an account the first plan would read it, and later ones have nothing to read.
    assert "ephemeral." not in text
    first = folder.plan(
        "dev", account=NOBODYS_ACCOUNT, to=folder.root / "first.tfplan", first_time=True
    )
    assert first.count("ephemeral.aws_secretsmanager_secret_version.master") == 1


def test_a_stage_that_does_not_exist_is_refused(folder: Folder) -> None:
    kept = folder.root / "nothing.tfplan"

    with pytest.raises(TerraformFailed, match="There is no such stage: say dev, staging or produ"):
        folder.plan("prod", account=NOBODYS_ACCOUNT, to=kept)

    assert not kept.exists()


def test_what_is_no_account_is_refused(folder: Folder) -> None:
    kept = folder.root / "nothing.tfplan"

    with pytest.raises(TerraformFailed, match="An AWS account is a number of twelve digits"):
        folder.plan("dev", account="hospital", to=kept)

    assert not kept.exists()


def test_a_copy_of_a_database_without_backups_is_refused(folder: Folder, stages_file: Path) -> None:
    told = json.loads(stages_file.read_text())
    told["production"]["database"]["backup_days"] = 0
    stages_file.write_text(json.dumps(told))
    kept = folder.root / "nothing.tfplan"

    with pytest.raises(TerraformFailed, match="RDS makes replicas only of an instance with backup"):
        folder.plan("production", account=NOBODYS_ACCOUNT, to=kept)


def test_an_argument_that_does_not_exist_is_noticed(folder: Folder) -> None:
    planted = folder.root / "planted.tf"
    planted.write_text('resource "aws_sqs_queue" "planted" {\n  patience_in_days = 3\n}\n')
    try:
        with pytest.raises(TerraformFailed, match='argument named "patience_in_days" is not expec'):
            folder.run("validate", "-no-color")
    finally:
        planted.unlink()


def test_nothing_is_left_beside_the_configuration(folder: Folder) -> None:
    assert not list((terraform.INFRA / "terraform").rglob(".terraform"))
    assert not list(terraform.INFRA.rglob("*.tfplan"))
