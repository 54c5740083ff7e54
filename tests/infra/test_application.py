"""The application's layer: what its templates say, and which mistakes are found in them."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.infra.templates import (
    PROJECT,
    STAGES,
    TOOLS,
    Template,
    run_in_cdk,
    statements_of,
    synthesised,
)

STAGES_FILE = json.loads((PROJECT / "infra" / "stages.json").read_text())
# What CloudFormation takes without a bucket to put a template into.
LARGEST_TEMPLATE = 51_200
DATA = ("pms", "lis", "vigil-smoke", "backups", "seals", "releases")
FUNCTIONS = ("api", "ingestion", "alerts")
BUCKETS = (*DATA, "frontend", "access-logs")


CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/0a0a0a0a-0000-4000-8000-000000000000"
NAMED = """
import sys
from app import build, empty_app
from application.stage import Stage
app = empty_app(sys.argv[1])
values = Stage.read("production").values
named = {"domain": "vigil.example", "certificate_arn": "%s", "repository": "hospital/vigil"}
build(app, Stage("production", {**values, **named}))
app.synth()
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Production as a hospital has it that named its domain and its repository."""
    out = tmp_path_factory.mktemp("named")
    done = run_in_cdk(NAMED % CERTIFICATE, out)
    assert done.returncode == 0, done.stderr[-2000:]
    return {
        name: Template((out / f"vigil-production-{name}.template.json").read_text())
        for name in ("application", "compute")
    }


def application(stage: str) -> Template:
    return synthesised(stage)["application"]


def compute(stage: str) -> Template:
    return synthesised(stage)["compute"]


def bucket(stage: str, what: str) -> dict[str, Any]:
    name = f"vigil-{stage}-{what}-111122223333-eu-central-1"
    (found,) = [
        each
        for each in application(stage).all_of("AWS::S3::Bucket").values()
        if each["BucketName"] == name
    ]
    return found


def queue(stage: str, what: str) -> dict[str, Any]:
    (found,) = [
        each
        for each in application(stage).all_of("AWS::SQS::Queue").values()
        if each["QueueName"] == f"vigil-{stage}-{what}"
    ]
    return found


# --- The templates as a whole --------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_written_by_the_same_code_and_cdk_nag_finds_nothing(stage: str) -> None:
    templates = synthesised(stage)
    assert set(templates) == {"edge", "application", "compute"}
    kinds = {
        name: sorted(each["Type"] for each in template.body["Resources"].values())
        for name, template in templates.items()
    }
    assert kinds == {
        name: sorted(each["Type"] for each in template.body["Resources"].values())
        for name, template in synthesised("dev").items()
    }


@pytest.mark.parametrize("stage", STAGES)
def test_templates_need_neither_a_bootstrap_nor_a_bucket_to_be_made(stage: str) -> None:
    for template in synthesised(stage).values():
        assert "BootstrapVersion" not in template.body.get("Parameters", {})
        assert len(template.text.encode()) < LARGEST_TEMPLATE


def test_cdk_nag_finds_a_public_bucket_and_a_right_that_nobody_meant(tmp_path: Path) -> None:
    done = run_in_cdk(
        """
import sys
from aws_cdk import aws_iam as iam, aws_s3 as s3
from app import build, empty_app
from application.names import bucket_arn
from application.stage import Stage
app = empty_app(sys.argv[1])
stage = Stage.read("dev")
build(app, stage)
s3.Bucket(
    app.node.find_child("vigil-dev-application"), "Planted", public_read_access=True,
    block_public_access=s3.BlockPublicAccess(block_public_policy=False),
)
role = app.node.find_child("vigil-dev-compute").node.find_child("Roles").api
seals = bucket_arn(stage, "seals", "/*")
role.add_to_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=[seals]))
app.synth()
""",
        tmp_path,
    )
    assert done.returncode == 1
    report = (tmp_path / "validation-report.json").read_text()
    assert re.search(r"Planted.*AwsSolutions-S2|AwsSolutions-S2.*Planted", report, re.DOTALL)
    assert "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::vigil-dev-seals" in report


def test_cfn_lint_finds_nothing(tmp_path: Path) -> None:
    templates = {
        f"{stage}-{name}": template
        for stage in STAGES
        for name, template in synthesised(stage).items()
    }
    assert linted(templates, tmp_path) == (0, "")


def test_cfn_lint_finds_a_misspelt_property(tmp_path: Path) -> None:
    wrong = application("dev").text.replace('"VersioningConfiguration"', '"VersionsConfiguration"')
    code, words = linted({"application": Template(wrong)}, tmp_path)
    assert code == 2
    assert "'VersionsConfiguration' was unexpected" in words


def linted(templates: dict[str, Template], folder: Path) -> tuple[int, str]:
    for name, template in templates.items():
        (folder / f"{name}.template.json").write_text(template.text)
    done = subprocess.run(
        [str(TOOLS / "infra/bin/cfn-lint"), *map(str, folder.glob("*.template.json"))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


# --- Buckets -------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_no_bucket_is_public_or_forgets_what_was_overwritten(stage: str) -> None:
    buckets = application(stage).all_of("AWS::S3::Bucket")
    assert sorted(each["BucketName"] for each in buckets.values()) == sorted(
        f"vigil-{stage}-{what}-111122223333-eu-central-1" for what in BUCKETS
    )
    for each in buckets.values():
        assert each["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        assert each["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize("stage", STAGES)
def test_every_bucket_refuses_plain_http(stage: str) -> None:
    template = application(stage)
    refusing = {
        policy["Bucket"]
        for policy in template.all_of("AWS::S3::BucketPolicy").values()
        for each in policy["PolicyDocument"]["Statement"]
        if each["Effect"] == "Deny"
        and each["Principal"] == {"AWS": "*"}
        and each["Action"] == "s3:*"
        and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert refusing == {each["BucketName"] for each in template.all_of("AWS::S3::Bucket").values()}


@pytest.mark.parametrize("what", DATA)
def test_data_is_encrypted_with_the_key_that_terraform_hands_over(what: str) -> None:
    (rule,) = bucket("production", what)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {
            "KMSMasterKeyID": "</vigil/production/keys/data>",
            "SSEAlgorithm": "aws:kms",
        },
    }


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("what", ["backups", "seals"])
def test_what_is_kept_is_locked_by_mode_and_days_of_the_stage(stage: str, what: str) -> None:
    found = bucket(stage, what)
    assert found["ObjectLockEnabled"] is True
    assert found["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled",
        "Rule": {
            "DefaultRetention": {
                "Days": STAGES_FILE[stage]["locked_days"][what],
                "Mode": {"production": "COMPLIANCE"}.get(stage, "GOVERNANCE"),
            }
        },
    }


def test_the_application_locks_in_the_mode_of_the_buckets() -> None:
    setting = "HOSPITAL_OBJECT_LOCK_MODE"
    for stage in STAGES:
        handed = parameters(application(stage))
        assert handed[f"application/settings/{setting}"] == STAGES_FILE[stage]["object_lock"]


def test_no_rule_ever_removes_a_seal() -> None:
    rules = bucket("production", "seals")["LifecycleConfiguration"]["Rules"]
    assert rules == [
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Status": "Enabled"}
    ]


@pytest.mark.parametrize("stage", STAGES)
def test_data_outlives_its_stack(stage: str) -> None:
    for kind in ("AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"):
        for each in application(stage).body["Resources"].values():
            if each["Type"] == kind:
                assert each["DeletionPolicy"] == "RetainExceptOnCreate"
                assert each["UpdateReplacePolicy"] == "Retain"


# --- Queues --------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("what", ["notices", "tasks", "keeping", "long"])
def test_what_fails_five_times_is_put_aside_for_two_weeks(stage: str, what: str) -> None:
    found, dead = queue(stage, what), queue(stage, f"{what}-dead")
    assert found["RedrivePolicy"] == {
        "deadLetterTargetArn": dead["QueueName"],
        "maxReceiveCount": 5,
    }
    assert dead["MessageRetentionPeriod"] == 14 * 86_400
    assert dead["RedriveAllowPolicy"] == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [f"arn:aws:sqs:eu-central-1:111122223333:vigil-{stage}-{what}"],
    }
    assert found["SqsManagedSseEnabled"] is True
    assert dead["SqsManagedSseEnabled"] is True


def test_no_message_comes_again_while_a_function_may_still_be_at_it() -> None:
    entries = json.loads((PROJECT / "zappa_settings.json").read_text())
    fed = {"notices": "ingestion", "tasks": "alerts", "keeping": "alerts"}
    for stage in STAGES:
        for what, function in fed.items():
            time_out = entries[f"{stage}-{function}"]["timeout_seconds"]
            assert queue(stage, what)["VisibilityTimeout"] >= 6 * time_out
        assert queue(stage, "long")["VisibilityTimeout"] == 21_600


@pytest.mark.parametrize("stage", STAGES)
def test_only_the_buckets_of_the_feeds_may_put_notices(stage: str) -> None:
    template = application(stage)
    (policy,) = [
        each
        for each in template.all_of("AWS::SQS::QueuePolicy").values()
        if each["Queues"] == [f"vigil-{stage}-notices"]
    ]
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert allowed == [
        {
            "Sid": "BucketsTell",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": f"vigil-{stage}-notices",
            "Condition": {
                "ArnEquals": {
                    "aws:SourceArn": [
                        f"arn:aws:s3:::vigil-{stage}-pms-111122223333-eu-central-1",
                        f"arn:aws:s3:::vigil-{stage}-lis-111122223333-eu-central-1",
                        f"arn:aws:s3:::vigil-{stage}-vigil-smoke-111122223333-eu-central-1",
                    ]
                },
                "StringEquals": {"aws:SourceAccount": "111122223333"},
            },
        }
    ]
    for what in ("pms", "lis", "vigil-smoke"):
        assert bucket(stage, what)["NotificationConfiguration"] == {
            "QueueConfigurations": [
                {"Event": "s3:ObjectCreated:*", "Queue": f"vigil-{stage}-notices"}
            ]
        }


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_in_the_stacks_is_a_function_or_lets_one_be_called(stage: str) -> None:
    kinds = {
        each["Type"]
        for template in synthesised(stage).values()
        for each in template.body["Resources"].values()
    }
    assert not {kind for kind in kinds if kind.startswith("AWS::Lambda::")}
    assert "AWS::SNS::Subscription" not in kinds


# --- API and site --------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_every_request_goes_to_the_function_by_the_second_form_of_payload(stage: str) -> None:
    template = application(stage)
    integration = template.one_of("AWS::ApiGatewayV2::Integration")
    assert integration["IntegrationUri"] == (
        f"arn:aws:lambda:eu-central-1:111122223333:function:vigil-{stage}"
    )
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert template.one_of("AWS::ApiGatewayV2::Route")["RouteKey"] == "$default"
    assert template.one_of("AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"] == {
        "DetailedMetricsEnabled": True,
        "ThrottlingBurstLimit": 600,
        "ThrottlingRateLimit": 300,
    }


def test_the_log_of_requests_holds_no_address_path_or_query() -> None:
    stage = application("production").one_of("AWS::ApiGatewayV2::Stage")
    logged = re.findall(r"\$context\.[\w.]+", stage["AccessLogSettings"]["Format"])
    assert sorted(logged) == [
        "$context.httpMethod",
        "$context.integrationLatency",
        "$context.integrationStatus",
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.responseLatency",
        "$context.responseLength",
        "$context.routeKey",
        "$context.status",
    ]


def test_the_site_proves_itself_to_the_api_by_a_reference_to_the_secret() -> None:
    site = application("production").one_of("AWS::CloudFront::Distribution")["DistributionConfig"]
    api = next(each for each in site["Origins"] if "CustomOriginConfig" in each)
    (header,) = api["OriginCustomHeaders"]
    assert header["HeaderName"] == "X-Origin-Key"
    assert re.fullmatch(
        r"\{\{resolve:secretsmanager:vigil/production/origin:SecretString:::\}\}",
        header["HeaderValue"],
    )
    assert api["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert api["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


def test_only_files_are_cached_and_the_bucket_is_read_by_this_distribution_alone() -> None:
    template = application("production")
    site = template.one_of("AWS::CloudFront::Distribution")["DistributionConfig"]
    (files,) = site["CacheBehaviors"]
    caching_disabled, caching_optimized = (
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        "658327ea-f89d-4fab-a63d-7e88639e58f6",
    )
    assert site["DefaultCacheBehavior"]["CachePolicyId"] == caching_disabled
    assert files["PathPattern"] == "/static/*"
    assert files["CachePolicyId"] == caching_optimized
    assert files["AllowedMethods"] == ["GET", "HEAD"]
    assert {each["ViewerProtocolPolicy"] for each in (site["DefaultCacheBehavior"], files)} == {
        "redirect-to-https"
    }
    policies = [
        statement
        for each in template.all_of("AWS::S3::BucketPolicy").values()
        if "frontend" in each["Bucket"]
        for statement in each["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    (allowed,) = policies
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    assert list(allowed["Condition"]["StringEquals"]) == ["AWS:SourceArn"]


def test_who_asks_is_written_by_the_door_whatever_the_visitor_says(tmp_path: Path) -> None:
    code = application("dev").one_of("AWS::CloudFront::Function")["FunctionCode"]
    event = {
        "viewer": {"ip": "2001:db8::7"},
        "request": {
            "headers": {
                "host": {"value": "vigil.example"},
                "x-vigil-address": {"value": "10.0.0.1"},
            }
        },
    }
    script = tmp_path / "door.js"
    script.write_text(f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})));")
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["headers"] == {
        "host": {"value": "vigil.example"},
        "x-vigil-address": {"value": "2001:db8::7"},
    }


def test_a_stage_with_a_domain_has_its_certificate_and_modern_tls(
    named: dict[str, Template],
) -> None:
    template = named["application"]
    site = template.one_of("AWS::CloudFront::Distribution")["DistributionConfig"]
    assert site["Aliases"] == ["vigil.example"]
    assert site["ViewerCertificate"] == {
        "AcmCertificateArn": CERTIFICATE,
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }
    assert parameters(template)["application/address"] == "https://vigil.example"


@pytest.mark.parametrize("stage", STAGES)
def test_the_firewall_stands_before_the_site_and_shows_nobody_what_was_searched(
    stage: str,
) -> None:
    edge = synthesised(stage)["edge"]
    acl = edge.one_of("AWS::WAFv2::WebACL")
    assert acl["Scope"] == "CLOUDFRONT"
    assert [each["Name"] for each in acl["Rules"]] == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "Requests",
        "SignIns",
    ]
    assert not any(each["VisibilityConfig"]["SampledRequestsEnabled"] for each in acl["Rules"])
    assert edge.one_of("AWS::WAFv2::LoggingConfiguration")["RedactedFields"] == [
        {"QueryString": {}},
        {"SingleHeader": {"Name": "cookie"}},
        {"SingleHeader": {"Name": "authorization"}},
    ]
    site = application(stage).one_of("AWS::CloudFront::Distribution")["DistributionConfig"]
    assert site["WebACLId"] == "WebAclArn"
    assert application(stage).body["Parameters"]["WebAclArn"] == {
        "Type": "String",
        "Description": "The output of the same name of the stage's edge stack.",
    }


# --- Roles ---------------------------------------------------------------------------------

CONFIGURATION = {"ssm:GetParametersByPath", "kms:Decrypt", "secretsmanager:GetSecretValue"}
RUNS = {
    "logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords",
    "xray:PutTraceSegments", "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}  # fmt: skip
SENDS = {"sqs:GetQueueAttributes", "sqs:SendMessage"}
RECEIVES = {
    "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
}  # fmt: skip
READS = {"s3:ListBucket", "s3:ListBucketVersions", "s3:GetObject", "s3:GetObjectVersion"}
KEEPS = {
    "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:PutObjectRetention", "kms:GenerateDataKey",
}  # fmt: skip
MAY = {
    "api": CONFIGURATION | RUNS | SENDS | {"s3:ListBucket", "s3:GetObject"},
    "ingestion": CONFIGURATION | RUNS | SENDS | RECEIVES | READS,
    "alerts": CONFIGURATION | RUNS | SENDS | RECEIVES | READS | KEEPS,
    "worker": CONFIGURATION
    | SENDS
    | RECEIVES
    | READS
    | KEEPS
    | {
        "s3:DeleteObject", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots",
        "rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DeleteDBSnapshot",
        "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    },
    "worker-start": {
        "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken", "logs:CreateLogStream", "logs:PutLogEvents",
    },
}  # fmt: skip
# AWS knows no narrower resource for these.
WITHOUT_RESOURCE = {action for action in RUNS if action.startswith(("ec2:", "xray:"))} | {
    "ecr:GetAuthorizationToken",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
# Of which buckets each role may read or write objects.
OBJECTS = {
    "api": {"s3:GetObject": {"backups/deployments/*"}},
    "ingestion": {
        "s3:GetObject": {"pms/*", "lis/*", "vigil-smoke/*"},
        "s3:GetObjectVersion": {"pms/*", "lis/*", "vigil-smoke/*"},
    },
    "alerts": {
        "s3:GetObject": {"pms/*", "lis/*", "vigil-smoke/*", "seals/*"},
        "s3:GetObjectVersion": {"pms/*", "lis/*", "vigil-smoke/*"},
        "s3:PutObject": {"seals/*"},
        "s3:PutObjectRetention": {"seals/*"},
    },
    "worker": {
        "s3:GetObject": {"pms/*", "lis/*", "vigil-smoke/*", "backups/*", "seals/*"},
        "s3:GetObjectVersion": {"pms/*", "lis/*", "vigil-smoke/*"},
        "s3:PutObject": {"backups/*", "seals/*"},
        "s3:PutObjectRetention": {"backups/*", "seals/*"},
        "s3:DeleteObject": {"backups/*"},
    },
}
SECRETS = {
    "api": {"application", "origin", "database/application"},
    "ingestion": {"application", "database/application"},
    "alerts": {"application", "database/application"},
    "worker": {"application", "database/application", "database/owner"},
}
QUEUES = {
    "api": {"sqs:SendMessage": {"tasks", "keeping", "long"}},
    "ingestion": {"sqs:SendMessage": {"tasks"}, "sqs:ReceiveMessage": {"notices"}},
    "alerts": {
        "sqs:SendMessage": {"tasks", "keeping", "long", "tasks-dead"},
        "sqs:ReceiveMessage": {"tasks", "keeping"},
    },
    "worker": {"sqs:SendMessage": {"tasks", "long"}, "sqs:ReceiveMessage": {"long"}},
}


def allowed(stage: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for role, statement in statements_of(compute(stage)):
        if statement["Effect"] == "Allow":
            found[role.removeprefix(f"vigil-{stage}-")].append(statement)
    return dict(found)


def resources_of(statements: list[dict[str, Any]], action: str) -> set[str]:
    return {
        resource for each in statements if action in each["Action"] for resource in each["Resource"]
    }


@pytest.mark.parametrize("stage", STAGES)
def test_each_role_may_do_what_its_own_work_needs_and_no_more(stage: str) -> None:
    assert {
        role: {action for each in statements for action in each["Action"]}
        for role, statements in allowed(stage).items()
    } == MAY


@pytest.mark.parametrize("stage", STAGES)
def test_no_action_and_no_resource_is_everything_where_aws_knows_a_narrower_one(
    stage: str,
) -> None:
    for statements in allowed(stage).values():
        for each in statements:
            assert not [action for action in each["Action"] if "*" in action]
            if "*" in each["Resource"]:
                assert set(each["Action"]) <= WITHOUT_RESOURCE


@pytest.mark.parametrize("stage", STAGES)
def test_each_role_reaches_its_own_buckets_queues_and_secrets_alone(stage: str) -> None:
    for role, statements in allowed(stage).items():
        if role == "worker-start":
            continue
        for action, below in OBJECTS[role].items():
            assert resources_of(statements, action) == {
                f"arn:aws:s3:::vigil-{stage}-{what.partition('/')[0]}-111122223333-eu-central-1/"
                f"{what.partition('/')[2]}"
                for what in below
            }
        for action, names in QUEUES[role].items():
            assert resources_of(statements, action) == {
                f"arn:aws:sqs:eu-central-1:111122223333:vigil-{stage}-{name}" for name in names
            }
        assert resources_of(statements, "secretsmanager:GetSecretValue") == {
            f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:vigil/{stage}/{name}-??????"
            for name in SECRETS[role]
        }
        assert resources_of(statements, "ssm:GetParametersByPath") == {
            f"arn:aws:ssm:eu-central-1:111122223333:parameter/vigil/{stage}",
            f"arn:aws:ssm:eu-central-1:111122223333:parameter/vigil/{stage}/*",
        }


@pytest.mark.parametrize("stage", STAGES)
def test_every_role_is_refused_what_would_end_a_lock_or_call_a_function(stage: str) -> None:
    refused = {
        role.removeprefix(f"vigil-{stage}-"): set(statement["Action"])
        for role, statement in statements_of(compute(stage))
        if statement.get("Sid") == "Never"
        and statement["Effect"] == "Deny"
        and statement["Resource"] == ["*"]
    }
    assert set(refused) == {"api", "ingestion", "alerts", "worker"}
    for actions in refused.values():
        assert {
            "lambda:InvokeFunction",
            "s3:BypassGovernanceRetention",
            "s3:DeleteObjectVersion",
            "s3:PutBucketObjectLockConfiguration",
            "sns:Subscribe",
        } <= actions


def test_zappa_finds_each_role_by_its_name() -> None:
    entries = json.loads((PROJECT / "zappa_settings.json").read_text())
    for stage in STAGES:
        roles = {
            each["RoleName"]: each["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
            for each in compute(stage).all_of("AWS::IAM::Role").values()
        }
        for entry in (stage, f"{stage}-ingestion", f"{stage}-alerts"):
            assert roles[entries[entry]["role_name"]] == {"Service": "lambda.amazonaws.com"}


# --- The container -------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_the_container_works_on_long_tasks_and_cannot_change_itself(stage: str) -> None:
    task = compute(stage).one_of("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert container["Command"] == [
        "celery", "-A", "hospital", "worker", "--queues", "long", "--concurrency", "1",
    ]  # fmt: skip
    assert container["ReadonlyRootFilesystem"] is True
    assert container["Environment"] == [
        {"Name": "HOSPITAL_AWS_STAGE", "Value": stage},
        {"Name": "HOSPITAL_DATA_DIR", "Value": "/var/lib/vigil"},
        {"Name": "TMPDIR", "Value": "/var/lib/vigil"},
    ]
    assert (task["Cpu"], task["Memory"]) == (
        str(STAGES_FILE[stage]["worker"]["cpu"]),
        str(STAGES_FILE[stage]["worker"]["memory_mib"]),
    )


@pytest.mark.parametrize("stage", STAGES)
def test_the_container_has_no_public_address_and_waits_for_an_image(stage: str) -> None:
    template = compute(stage)
    service = template.one_of("AWS::ECS::Service")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert network["SecurityGroups"] == [f"</vigil/{stage}/network/worker-security-group>"]
    assert service["EnableExecuteCommand"] is True
    (condition,) = template.body["Conditions"]
    assert service["DesiredCount"] == {
        "Fn::If": [condition, STAGES_FILE[stage]["worker"]["count"], 0]
    }
    assert template.body["Parameters"]["ImageTag"]["Default"] == "none"


# --- Handed over ---------------------------------------------------------------------------


def parameters(template: Template) -> dict[str, str]:
    return {
        each["Name"].split("/", 3)[3]: each["Value"]
        for each in template.all_of("AWS::SSM::Parameter").values()
    }


def agreed(layer: str) -> set[str]:
    """What infra/README.md says that a layer writes."""
    rows = re.findall(
        r"^\| (`.+?) \| (\w+) \|", (PROJECT / "infra/README.md").read_text(), re.MULTILINE
    )
    return {
        name
        for names, writer in rows
        if writer == layer
        for name in re.findall(r"`([^`]+)`", names)
    }


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_handed_over_is_what_was_agreed(stage: str) -> None:
    written = {
        name
        for template in (application(stage), compute(stage))
        for name in parameters(template)
        if not name.startswith("application/settings/")
    }
    assert written == agreed("CDK") - {"application/settings/NAME"}
    settings = {
        name.removeprefix("application/settings/"): value
        for name, value in parameters(application(stage)).items()
        if name.startswith("application/settings/")
    }
    assert settings == {
        **STAGES_FILE[stage]["settings"],
        "HOSPITAL_OBJECT_LOCK_MODE": STAGES_FILE[stage]["object_lock"],
    }


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_read_was_agreed_to_be_written_by_terraform(stage: str) -> None:
    read = {
        each["Default"].removeprefix(f"/vigil/{stage}/")
        for template in synthesised(stage).values()
        for each in template.body.get("Parameters", {}).values()
        if each["Type"].startswith("AWS::SSM::Parameter::Value")
    }
    assert read == {
        "keys/data",
        "database/instance",
        "network/private-subnets",
        "network/worker-security-group",
    }
    assert read <= agreed("Terraform")


def test_sources_are_handed_over_as_the_settings_read_them() -> None:
    assert parameters(application("production"))["application/buckets"] == (
        "pms=vigil-production-pms-111122223333-eu-central-1,"
        "lis=vigil-production-lis-111122223333-eu-central-1,"
        "vigil-smoke=vigil-production-vigil-smoke-111122223333-eu-central-1"
    )


# --- The pipeline --------------------------------------------------------------------------


def test_nobody_from_github_is_let_in_where_no_repository_is_named() -> None:
    for stage in STAGES:
        assert STAGES_FILE[stage]["repository"] == ""
        principals = [
            statement["Principal"]
            for role in compute(stage).all_of("AWS::IAM::Role").values()
            for statement in role["AssumeRolePolicyDocument"]["Statement"]
        ]
        assert all(list(each) == ["Service"] for each in principals)


@pytest.mark.parametrize(
    ("role", "environment"),
    [
        ("deployer", "production"),
        ("driller", "drill-production"),
        ("planner", "plan-production"),
    ],
)
def test_each_role_of_the_pipeline_trusts_one_environment_of_one_repository(
    named: dict[str, Template], role: str, environment: str
) -> None:
    (found,) = [
        each
        for each in named["compute"].all_of("AWS::IAM::Role").values()
        if each["RoleName"] == f"vigil-production-{role}"
    ]
    issuer = "token.actions.githubusercontent.com"
    assert found["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{issuer}"},
            "Condition": {
                "StringEquals": {
                    f"{issuer}:aud": "sts.amazonaws.com",
                    f"{issuer}:sub": f"repo:hospital/vigil:environment:{environment}",
                }
            },
        }
    ]
    assert found["MaxSessionDuration"] == 5400


def test_who_deploys_touches_the_three_functions_and_no_lock(named: dict[str, Template]) -> None:
    statements = [
        each
        for role, each in statements_of(named["compute"])
        if role == "vigil-production-deployer" and each["Effect"] == "Allow"
    ]
    assert not [action for each in statements for action in each["Action"] if "*" in action]
    functions = "arn:aws:lambda:eu-central-1:111122223333:function:vigil-production"
    assert resources_of(statements, "lambda:UpdateFunctionCode") == {
        f"{functions}{what}{version}"
        for what in ("", "-ingestion", "-alerts")
        for version in ("", ":*")
    }
    passed = {f"arn:aws:iam::111122223333:role/vigil-production-{name}" for name in FUNCTIONS}
    assert resources_of(statements, "iam:PassRole") == passed
    actions = {action for each in statements for action in each["Action"]}
    assert not {each for each in actions if each.startswith(("s3:Delete", "s3:Bypass", "iam:Put"))}
    # The roll call after a deployment; of its own three functions alone.
    assert resources_of(statements, "lambda:InvokeFunction") == resources_of(
        statements, "lambda:UpdateFunctionCode"
    )


def test_who_only_looks_sees_no_object_log_message_or_secret(named: dict[str, Template]) -> None:
    statements = [
        each for role, each in statements_of(named["compute"]) if role == "vigil-production-planner"
    ]
    assert {each["Effect"] for each in statements} == {"Deny"}
    assert {action for each in statements for action in each["Action"]} == {
        "cloudfront:GetDistribution", "cloudfront:GetDistributionConfig",
        "cloudfront:ListDistributions",
        "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery", "s3:GetObject",
        "s3:GetObjectVersion", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage",
    }  # fmt: skip
    assert resources_of(statements, "s3:GetObject") == {
        f"arn:aws:s3:::vigil-production-{what}-111122223333-eu-central-1/*" for what in BUCKETS
    }


# --- Checkov -------------------------------------------------------------------------------

# What it finds and we leave as it is, with the reason.
LEFT_ASIDE = {
    "CKV_AWS_18": "the bucket of the access logs does not log into itself",
    "CKV_AWS_27": "queues lie under SQS's own key: S3 needs no right to ours, no message a patient",
    "CKV_AWS_86": "CloudFront's log writes query strings, which may hold a search",
    "CKV_AWS_111": "AWS knows no narrower resource for interfaces and traces; a deny stands beside",
    "CKV_AWS_158": "the firewall's log lies in us-east-1, where the key of data is not",
    "CKV_AWS_174": "without a domain of its own CloudFront's certificate decides",
}


def test_checkov_finds_what_we_know_of_and_nothing_else(tmp_path: Path) -> None:
    for name, template in synthesised("production").items():
        (tmp_path / f"{name}.template.json").write_text(template.text)
    monitoring = PROJECT / "infra" / "cloudformation" / "monitoring.yaml"
    (tmp_path / monitoring.name).write_text(monitoring.read_text())
    done = subprocess.run(
        [
            str(TOOLS / "checkov/bin/checkov"), "--framework", "cloudformation", "--quiet",
            "--compact", "--skip-download", "--output", "json", "--directory", str(tmp_path),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["summary"]["passed"] > 100
    kinds = {
        (each["check_id"], each["resource"].rpartition(".")[0])
        for each in found["results"]["failed_checks"]
    }
    assert kinds == {
        ("CKV_AWS_18", "AWS::S3::Bucket"),
        ("CKV_AWS_27", "AWS::SQS::Queue"),
        ("CKV_AWS_86", "AWS::CloudFront::Distribution"),
        ("CKV_AWS_111", "AWS::IAM::Role"),
        ("CKV_AWS_158", "AWS::Logs::LogGroup"),
        ("CKV_AWS_174", "AWS::CloudFront::Distribution"),
    }
    assert {check for check, _ in kinds} == set(LEFT_ASIDE)
    (without_key,) = {
        each["file_path"] for each in found["results"]["failed_checks"]
        if each["check_id"] == "CKV_AWS_158"
    }  # fmt: skip
    assert without_key == "/edge.template.json"


@pytest.mark.parametrize("stage", STAGES)
def test_the_api_calls_its_function_by_a_role_of_its_own(stage: str) -> None:
    """Zappa clears a function's own permissions at each update: people would be refused."""
    template = application(stage)
    (integration,) = template.all_of("AWS::ApiGatewayV2::Integration").values()
    (caller,) = [
        each
        for each in template.all_of("AWS::IAM::Role").values()
        if each["RoleName"] == f"vigil-{stage}-gateway"
    ]
    assert integration["CredentialsArn"]
    (statement,) = caller["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"].endswith(f":function:vigil-{stage}")
