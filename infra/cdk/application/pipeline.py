"""The roles that the pipeline on GitHub takes: no key is kept there (docs/pipeline.md).

Each trusts one environment of one repository, named in `infra/stages.json`; without a name there
are none. The account's provider for GitHub's tokens is made once, by hand, for all stages.
"""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from application.handover import Handover
from application.names import SMOKE, arn, aws_arn, bucket_arn, global_arn
from application.reasons import leave_aside
from application.rights import Rights, wildcard
from application.stage import Stage

_ISSUER = "token.actions.githubusercontent.com"
_LOOKS = ("SecurityAudit", "job-function/ViewOnlyAccess")
_WHOLE = "AwsSolutions-IAM5[Resource::*]"
_HERE = "<AWS::Region>:<AWS::AccountId>"


class Pipeline(Construct):
    """Who deploys, who drills, and who only looks."""

    def __init__(
        self, scope: Construct, *, stage: Stage, handover: Handover, rights: Rights
    ) -> None:
        super().__init__(scope, "Pipeline")
        self._stage, self._handover, self._rights = stage, handover, rights
        self._deployer()
        self._driller()
        self._planner()

    def _deployer(self) -> None:
        rights = self._rights
        role = self._role(
            "deployer",
            self._stage.name,
            [
                *rights.configuration(),
                # It migrates, so it is the owner, too.
                *rights.secrets("application", "database/application", "database/owner"),
                *rights.keeps("backups"),
                *self._puts("releases", "frontend", SMOKE),
                *self._functions(),
                *self._clock(),
                *rights.snapshots(self._handover.read("database/instance")),
                *self._enters(),
                _may("Invalidate", ["cloudfront:CreateInvalidation"], [self._distribution()]),
                _may("Watch", ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], ["*"]),
            ],
        )
        everything = "Objects whose names hold versions and hashes."
        leave_aside(
            role,
            {
                **rights.reasons(
                    log="",
                    buckets=dict.fromkeys(("backups", "releases", "frontend", SMOKE), everything),
                ),
                **rights.reasons_of_snapshots(),
                _WHOLE: "AWS knows no narrower resource for looking at networks, figures and"
                " mappings; making a mapping is bound to the three functions by a condition.",
                **{
                    wildcard(f"lambda:{_HERE}:function:{name}:*"): "Versions, which AWS counts."
                    for name in self._stage.functions
                },
                wildcard(f"events:{_HERE}:rule/{self._stage.called()}-*"): "Rules that Zappa names"
                " by function.",
                wildcard(f"ecs:{_HERE}:task/{self._stage.called()}/*"): "Tasks, whose names AWS"
                " makes up.",
            },
        )

    def _driller(self) -> None:
        cluster = self._stage.called()
        family = arn("ecs", f"task-definition/{self._stage.called('worker')}:*")
        tasks = arn("ecs", f"task/{cluster}/*")
        passed = _may("PassWorker", ["iam:PassRole"], [
            self._role_arn("worker"), self._role_arn("worker-start"),
        ])  # fmt: skip
        passed.add_condition("StringEquals", {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
        role = self._role(
            "driller",
            f"drill-{self._stage.name}",
            [
                _may("Run", ["ecs:RunTask"], [family]),
                _may("Follow", ["ecs:DescribeTasks", "ecs:StopTask"], [tasks]),
                _may("Service", ["ecs:DescribeServices"], [self._service()]),
                _may("Definition", ["ecs:DescribeTaskDefinition"], ["*"]),
                passed,
                self._three_parameters(),
            ],
        )
        leave_aside(
            role,
            {
                _WHOLE: "ecs:DescribeTaskDefinition has no resource.",
                wildcard(f"ecs:{_HERE}:task-definition/{self._stage.called('worker')}:*"): "The"
                " worker's definition, whose revisions AWS counts.",
                wildcard(f"ecs:{_HERE}:task/{cluster}/*"): "Tasks, whose names AWS makes up.",
            },
        )

    def _planner(self) -> None:
        role = self._role("planner", f"plan-{self._stage.name}", self._rights.looks_at_no_data())
        for name in _LOOKS:
            role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(name))
        leave_aside(
            role,
            {
                f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]": "A plan"
                " looks at whatever the layers own; these read no object and no secret, and a deny"
                " stands beside."
                for name in _LOOKS
            },
        )

    def _role(self, what: str, environment: str, statements: list[iam.PolicyStatement]) -> iam.Role:
        return iam.Role(
            self,
            what.title(),
            role_name=self._stage.called(what),
            description=f"The pipeline in its environment {environment}",
            max_session_duration=Duration.minutes(90),
            assumed_by=iam.WebIdentityPrincipal(
                global_arn("iam", f"oidc-provider/{_ISSUER}"),
                conditions={
                    "StringEquals": {
                        f"{_ISSUER}:aud": "sts.amazonaws.com",
                        f"{_ISSUER}:sub": f"repo:{self._stage['repository']}"
                        f":environment:{environment}",
                    }
                },
            ),
            inline_policies={"own": iam.PolicyDocument(statements=statements)},
        )

    def _puts(self, *buckets: str) -> list[iam.PolicyStatement]:
        return [
            _may("", ["s3:ListBucket"], [bucket_arn(self._stage, what) for what in buckets]),
            _may(
                "",
                ["s3:GetObject", "s3:PutObject"],
                [bucket_arn(self._stage, what, "/*") for what in buckets],
            ),
        ]

    def _functions(self) -> list[iam.PolicyStatement]:
        """What Zappa and `manage.py afterdeploy` do with the three functions, and with no other."""
        own = [arn("lambda", f"function:{name}") for name in self._stage.functions]
        versions = [arn("lambda", f"function:{name}:*") for name in self._stage.functions]
        mapping = _may(
            "Feed", ["lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping"], ["*"]
        )
        mapping.add_condition("ArnEquals", {"lambda:FunctionArn": own})
        passed = _may(
            "PassFunctions",
            ["iam:GetRole", "iam:PassRole"],
            [self._role_arn(name) for name in ("api", "ingestion", "alerts")],
        )
        return [
            _may("Functions", _FUNCTIONS, [*own, *versions]),
            mapping,
            _may(
                "Networks",
                [
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                    "events:ListRuleNamesByTarget",
                    "lambda:ListEventSourceMappings",
                ],
                ["*"],
            ),
            passed,
        ]

    def _clock(self) -> list[iam.PolicyStatement]:
        return [_may("Clock", _RULES, [arn("events", f"rule/{self._stage.called()}-*")])]

    def _enters(self) -> list[iam.PolicyStatement]:
        """Open the way to the database through the worker (scripts/inside.py)."""
        tasks = arn("ecs", f"task/{self._stage.called()}/*")
        forwarding = "AWS-StartPortForwardingSessionToRemoteHost"
        document = aws_arn("ssm", f"document/{forwarding}")
        return [
            _may("Enter", ["ecs:DescribeTasks", "ssm:StartSession"], [tasks]),
            _may("Forward", ["ssm:StartSession"], [document]),
            _may("FindWorker", ["ecs:DescribeServices"], [self._service()]),
            _may("ListWorkers", ["ecs:ListTasks"], ["*"]),
            _may("FindDatabase", ["ssm:GetParameters"], self._rights.parameters()),
        ]

    def _three_parameters(self) -> iam.PolicyStatement:
        names = ("application/worker-cluster", "application/worker-service", "database/host",
                 "database/port")  # fmt: skip
        places = [arn("ssm", f"parameter/vigil/{self._stage.name}/{name}") for name in names]
        return _may("Find", ["ssm:GetParameters"], places)

    def _service(self) -> str:
        return arn("ecs", f"service/{self._stage.called()}/{self._stage.called('worker')}")

    def _distribution(self) -> str:
        """Composed by CDK: a parameter's value has no place within Fn::Sub."""
        return Stack.of(self).format_arn(
            service="cloudfront",
            region="",
            resource="distribution",
            resource_name=self._handover.read("application/distribution"),
        )

    def _role_arn(self, what: str) -> str:
        return global_arn("iam", f"role/{self._stage.called(what)}")


_RULES = [
    "events:DeleteRule", "events:DescribeRule", "events:ListTargetsByRule", "events:PutRule",
    "events:PutTargets", "events:RemoveTargets",
]  # fmt: skip
_FUNCTIONS = [
    "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction",
    "lambda:DeleteFunctionConcurrency", "lambda:DeleteProvisionedConcurrencyConfig",
    "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionEventInvokeConfig", "lambda:GetPolicy",
    "lambda:GetProvisionedConcurrencyConfig", "lambda:InvokeFunction",
    "lambda:ListFunctionUrlConfigs", "lambda:ListVersionsByFunction", "lambda:PublishVersion",
    "lambda:PutFunctionConcurrency", "lambda:PutFunctionEventInvokeConfig",
    "lambda:RemovePermission", "lambda:TagResource",
    "lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
]  # fmt: skip


def _may(sid: str, actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid or None, actions=actions, resources=resources)
