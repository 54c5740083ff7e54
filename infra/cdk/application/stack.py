"""The application's two stacks: their parts, and what each hands over.

Two, because CloudFormation takes no larger template without a bucket to put it into. They refer to
each other by the names of the convention alone, never by exports.
"""

from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from application.api import HttpApi
from application.confidential import Confidential
from application.handover import Handover
from application.logs import Logs
from application.pipeline import Pipeline
from application.queues import Queues
from application.rights import Rights
from application.roles import Roles
from application.site import Site
from application.stage import Stage
from application.storage import Storage
from application.worker import Worker


class ApplicationStack(Stack):
    """What holds and leads: buckets, queues, secrets, logs, API and site."""

    def __init__(self, scope: Construct, name: str, *, stage: Stage, **options: object) -> None:
        super().__init__(scope, name, **options)
        web_acl = CfnParameter(
            self, "WebAclArn", description="The output of the same name of the stage's edge stack."
        )
        handover = Handover(self, stage=stage)
        key = kms.Key.from_key_arn(self, "Key", handover.read("keys/data"))
        storage = Storage(self, stage=stage, key=key)
        queues = Queues(self, stage=stage)
        confidential = Confidential(self, stage=stage, key=key)
        logs = Logs(self, stage=stage, key_arn=key.key_arn)
        api = HttpApi(self, stage=stage, requests=logs.requests)
        site = Site(
            self,
            stage=stage,
            frontend=storage.frontend,
            api_host=api.host,
            origin_secret=confidential.origin,
            web_acl=web_acl.value_as_string,
        )
        queues.let_buckets_tell(storage)
        told = {
            "buckets": storage.settings_of_feeds,
            "notice-queue": queues.notices.queue_url,
            "notice-queue-arn": queues.notices.queue_arn,
            "task-queues": queues.urls_of_tasks,
            "task-queue-arns": queues.arns_of_tasks,
            "backup-bucket": storage.backups.bucket_name,
            "seal-bucket": storage.seals.bucket_name,
            "release-bucket": storage.releases.bucket_name,
            "frontend-bucket": storage.frontend.bucket_name,
            "distribution": site.id,
            "api": api.id,
            "address": site.address,
            "secret": f"vigil/{stage.name}/application",
            "origin-secret": f"vigil/{stage.name}/origin",
            **{f"settings/{name}": value for name, value in stage.settings.items()},
        }
        for what, value in told.items():
            handover.write(f"application/{what}", value)


class ComputeStack(Stack):
    """What acts: the functions' roles, and the container."""

    def __init__(self, scope: Construct, name: str, *, stage: Stage, **options: object) -> None:
        super().__init__(scope, name, **options)
        handover = Handover(self, stage=stage)
        key_arn = handover.read("keys/data")
        rights = Rights(stage, key_arn)
        Roles(self, stage=stage, rights=rights)
        worker = Worker(self, stage=stage, handover=handover, rights=rights, key_arn=key_arn)
        if stage["repository"]:
            Pipeline(self, stage=stage, handover=handover, rights=rights)
        handover.write("application/worker-cluster", worker.cluster.ref)
        handover.write("application/worker-service", worker.service.attr_name)
