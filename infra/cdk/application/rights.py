"""What a role may be given, right by right, each as narrow as AWS knows it.

No action holds a `*`. A resource holds one where objects of a bucket, streams of a log or
parameters below a path are meant, and where AWS knows no resource at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Fn
from aws_cdk import aws_iam as iam

from application.names import BUCKETS, SOURCES, arn, bucket_arn
from application.stage import Stage

FEEDS = dict.fromkeys(SOURCES, "Every file that a system of the hospital puts in.")
Statements = list[iam.PolicyStatement]


@dataclass(frozen=True)
class Rights:
    """The rights that there are within a stage."""

    stage: Stage
    key_arn: str

    def reasons(self, *, log: str, buckets: Mapping[str, str]) -> dict[str, str]:
        """Say why resources hold a `*`, as cdk-nag names each: `buckets` with what is meant there.

        Said for each role by itself, so that a bucket that nobody meant is found.
        """
        here = "<AWS::Region>:<AWS::AccountId>"
        found = {
            f"ssm:{here}:parameter/vigil/{self.stage.name}/*": "All that is handed over to this"
            " stage is what the application reads at its start; nothing secret is among it.",
            f"logs:{here}:log-group:{log}:log-stream:*": "Streams of its own group of logs, whose"
            " names AWS makes up.",
        }
        for place, meant in buckets.items():
            bucket, _, below = place.partition("/")
            name = f"{self.stage.called(bucket)}-<AWS::AccountId>-<AWS::Region>"
            found[f"s3:::{name}/{below}*"] = meant
        return {wildcard(resource): reason for resource, reason in found.items()}

    def configuration(self) -> Statements:
        """Read what the layers handed over."""
        return [
            _may("Configuration", ["ssm:GetParametersByPath"], self.parameters()),
            self._key(["kms:Decrypt"], "s3", "secretsmanager"),
        ]

    def secrets(self, *names: str) -> Statements:
        """Read secrets. AWS adds six characters to the name of each."""
        arns = [arn("secretsmanager", f"secret:{self._secret(name)}") for name in names]
        return [_may("", ["secretsmanager:GetSecretValue"], arns)]

    def reads_feeds(self) -> Statements:
        """List and read what the hospital's systems put in."""
        buckets = [bucket_arn(self.stage, source) for source in SOURCES]
        objects = [bucket_arn(self.stage, source, "/*") for source in SOURCES]
        return [
            _may("ListFeeds", ["s3:ListBucket", "s3:ListBucketVersions"], buckets),
            _may("ReadFeeds", ["s3:GetObject", "s3:GetObjectVersion"], objects),
        ]

    def reads_words_of_stages(self) -> Statements:
        """Read what stages say of themselves, and no backup."""
        listing = _may("ListWordsOfStages", ["s3:ListBucket"], [bucket_arn(self.stage, "backups")])
        listing.add_condition("StringLike", {"s3:prefix": "deployments/*"})
        words = bucket_arn(self.stage, "backups", "/deployments/*")
        return [listing, _may("ReadWordsOfStages", ["s3:GetObject"], [words])]

    def keeps(self, what: str) -> Statements:
        """Put objects that nobody overwrites, locked; read them. Not: remove them."""
        actions = ["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"]
        return [
            _may(f"List{what.title()}", ["s3:ListBucket"], [bucket_arn(self.stage, what)]),
            _may(f"Keep{what.title()}", actions, [bucket_arn(self.stage, what, "/*")]),
            self._key(["kms:GenerateDataKey"], "s3"),
        ]

    def gives_up_backups(self) -> Statements:
        """Leave a delete marker: the version stays until its lock ends."""
        return [
            _may("GiveUpBackups", ["s3:DeleteObject"], [bucket_arn(self.stage, "backups", "/*")])
        ]

    def sends(self, queues: Sequence[str]) -> Statements:
        """Put tasks into queues, and count what waits in them."""
        actions = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
        return [_may("Send", actions, self._queues(queues))]

    def receives(self, queues: Sequence[str]) -> Statements:
        """Take messages from queues, as event source mappings and Celery do."""
        actions = [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ]
        return [_may("Receive", actions, self._queues(queues))]

    def snapshots(self, instance: str) -> Statements:
        """Take snapshots of one instance, and delete those that bear our tag."""
        # A parameter's value has no place within Fn::Sub.
        database = Fn.join(":", [arn("rds", "db"), instance])
        return [
            _may(
                "LookAtInstance",
                ["rds:DescribeDBInstances", "rds:DescribeDBSnapshots"],
                [database, arn("rds", "snapshot:*")],
            ),
            _may(
                "TakeSnapshots",
                ["rds:AddTagsToResource", "rds:CreateDBSnapshot"],
                [database, arn("rds", self._snapshots())],
            ),
            iam.PolicyStatement(
                sid="GiveUpSnapshots",
                actions=["rds:DeleteDBSnapshot"],
                resources=[arn("rds", self._snapshots())],
                conditions={"StringEquals": {"aws:ResourceTag/vigil-snapshot": "1"}},
            ),
        ]

    def reasons_of_snapshots(self) -> dict[str, str]:
        """Say why their resources hold a `*`."""
        here = "rds:<AWS::Region>:<AWS::AccountId>"
        return {
            wildcard(f"{here}:snapshot:*"): "It looks for the snapshots of its own instance; AWS"
            " asks for the right to look at all.",
            wildcard(f"{here}:{self._snapshots()}"): "Snapshots that it makes, whose names hold"
            " their time.",
        }

    def looks_at_no_data(self) -> Statements:
        """What nobody may read who only looks at how things are made: no object of this stage, no
        log, no message, no secret. (The state of Terraform lies in a bucket of its own.)"""
        objects = [bucket_arn(self.stage, what, "/*") for what in BUCKETS]
        return [
            iam.PolicyStatement(
                sid="NoObjects",
                effect=iam.Effect.DENY,
                actions=["s3:GetObject", "s3:GetObjectVersion"],
                resources=objects,
            ),
            iam.PolicyStatement(
                sid="NoData",
                effect=iam.Effect.DENY,
                actions=[
                    # It holds the origin's key.
                    "cloudfront:GetDistribution",
                    "cloudfront:GetDistributionConfig",
                    "cloudfront:ListDistributions",
                    "logs:FilterLogEvents",
                    "logs:GetLogEvents",
                    "logs:StartQuery",
                    "secretsmanager:GetSecretValue",
                    "sqs:ReceiveMessage",
                ],
                resources=["*"],
            ),
        ]

    def parameters(self) -> list[str]:
        """All that is handed over to this stage."""
        below = f"parameter/vigil/{self.stage.name}"
        return [arn("ssm", below), arn("ssm", f"{below}/*")]

    def runs_as(self, function: str) -> Statements:
        """Run as a function within the network: logs of its own, interfaces, traces.

        AWS itself makes the interfaces with this role; the function's code must not.
        """
        own = arn("lambda", f"function:{function}")
        interfaces = [
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ]
        return [
            self.writes_log(f"/aws/lambda/{function}"),
            _may("Network", interfaces, ["*"]),
            iam.PolicyStatement(
                sid="NotByItsOwnCode",
                effect=iam.Effect.DENY,
                actions=[*interfaces, "ec2:DetachNetworkInterface"],
                resources=["*"],
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": own}},
            ),
            _may("Traces", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"]),
            self.never(),
        ]

    def writes_log(self, group: str) -> iam.PolicyStatement:
        """Write streams of one group of logs, which is there already."""
        return _may(
            "Log",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [arn("logs", f"log-group:{group}:log-stream:*")],
        )

    def never(self) -> iam.PolicyStatement:
        """What no later policy may allow: to end a lock, to remove a version, to call a function
        with an event of one's own making."""
        return iam.PolicyStatement(
            sid="Never",
            effect=iam.Effect.DENY,
            actions=[
                "lambda:InvokeFunction",
                "s3:BypassGovernanceRetention",
                "s3:DeleteObjectVersion",
                "s3:PutBucketObjectLockConfiguration",
                "s3:PutBucketPolicy",
                "s3:PutBucketVersioning",
                "s3:PutLifecycleConfiguration",
                "sns:Subscribe",
            ],
            resources=["*"],
        )

    def _queues(self, names: Sequence[str]) -> list[str]:
        return [arn("sqs", self.stage.called(name)) for name in names]

    def _snapshots(self) -> str:
        return f"snapshot:vigil-{self.stage['stage']}-*"

    def _secret(self, name: str) -> str:
        return f"vigil/{self.stage.name}/{name}-??????"

    def _key(self, actions: list[str], *services: str) -> iam.PolicyStatement:
        """Use the key of data at rest, through these services alone."""
        through = [Fn.sub(f"{service}.${{AWS::Region}}.amazonaws.com") for service in services]
        statement = _may("", actions, [self.key_arn])
        statement.add_condition("StringEquals", {"kms:ViaService": through})
        return statement


def wildcard(resource: str) -> str:
    """Name cdk-nag's finding about a resource with a `*`."""
    return f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:{resource}]"


def _may(sid: str, actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid or None, actions=actions, resources=resources)
