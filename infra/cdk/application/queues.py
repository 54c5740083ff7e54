"""The queues, each with one beside it for what could not be done, and what buckets may say."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from application.names import SOURCES, arn, bucket_arn
from application.stage import Stage
from application.storage import Storage

# Six times the longest time-out of a function (300 s, zappa_settings.json), as AWS asks for.
_FUNCTIONS = Duration.seconds(1800)
# Longer than the longest task: a dump, a snapshot and both drills of a night.
_CONTAINER = Duration.hours(6)
VISIBILITY = {"notices": _FUNCTIONS, "tasks": _FUNCTIONS, "keeping": _FUNCTIONS, "long": _CONTAINER}
# With 2, good files were put aside during a cold start.
_TRIES = 5
# Celery's names of the queues.
CELERY = {"celery": "tasks", "keeping": "keeping", "long": "long"}


class Queues(Construct):
    """All queues of a stage."""

    def __init__(self, scope: Construct, *, stage: Stage) -> None:
        super().__init__(scope, "Queues")
        self._stage = stage
        self.all = {name: self._queue(name) for name in VISIBILITY}

    @property
    def notices(self) -> sqs.Queue:
        """The queue that the buckets notify."""
        return self.all["notices"]

    @property
    def urls_of_tasks(self) -> str:
        """Write Celery's queues with their URLs."""
        return ",".join(f"{name}={self.all[own].queue_url}" for name, own in CELERY.items())

    @property
    def arns_of_tasks(self) -> str:
        """Write Celery's queues with their ARNs."""
        return ",".join(f"{name}={self.all[own].queue_arn}" for name, own in CELERY.items())

    def _queue(self, name: str) -> sqs.Queue:
        dead = sqs.Queue(
            self,
            f"{name.title()}Dead",
            queue_name=f"{self._stage.called(name)}-dead",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        resource = dead.node.default_child
        assert isinstance(resource, sqs.CfnQueue)
        resource.redrive_allow_policy = {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [arn("sqs", self._stage.called(name))],
        }
        # Under SQS's own key: no message holds a patient, and S3 needs no right to a key of ours.
        return sqs.Queue(
            self,
            name.title(),
            queue_name=self._stage.called(name),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=VISIBILITY[name],
            retention_period=Duration.days(7),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=_TRIES, queue=dead),
        )

    def let_buckets_tell(self, storage: Storage) -> None:
        """By the bucket's own property: CDK's usual way would add a function of its own."""
        granted = self.notices.add_to_resource_policy(
            iam.PolicyStatement(
                sid="BucketsTell",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.notices.queue_arn],
                conditions={
                    "ArnEquals": {
                        "aws:SourceArn": [bucket_arn(self._stage, source) for source in SOURCES]
                    },
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                },
            )
        )
        for bucket in storage.feeds.values():
            resource = bucket.node.default_child
            assert isinstance(resource, s3.CfnBucket)
            resource.notification_configuration = {
                "queueConfigurations": [
                    {"event": "s3:ObjectCreated:*", "queue": self.notices.queue_arn}
                ]
            }
            # S3 tries the queue when it is told of it.
            if granted.policy_dependable is not None:
                bucket.node.add_dependency(granted.policy_dependable)
