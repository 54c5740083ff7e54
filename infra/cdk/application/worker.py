"""The container for tasks that outlast a function, and the operator's way to the database.

The service runs nothing until an image was pushed and its tag is told (parameter `ImageTag`): a
stack that waited for an image could not be made first.
"""

from aws_cdk import Aws, CfnCondition, CfnParameter, Fn, RemovalPolicy
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from application.handover import Handover
from application.names import log_of_worker
from application.reasons import leave_aside
from application.rights import FEEDS, Rights
from application.stage import Stage

NO_IMAGE = "none"
# Where the process may write: its own folder, and what ECS Exec's agent needs beside a root that
# cannot be written.
_WRITABLE = {
    "data": "/var/lib/vigil",
    "agent": "/var/lib/amazon",
    "agent-log": "/var/log/amazon",
}
_KEPT = {
    "backups": "Every backup, whose names hold their time.",
    "seals": "Every seal, whose names hold their time.",
}


class Worker(Construct):
    """Cluster, image, task and service."""

    def __init__(
        self, scope: Construct, *, stage: Stage, handover: Handover, rights: Rights, key_arn: str
    ) -> None:
        super().__init__(scope, "Worker")
        self._stage, self._rights = stage, rights
        self._handover = handover
        tag = CfnParameter(
            self,
            "ImageTag",
            default=NO_IMAGE,
            description="Tag of the worker's image in this stack's repository; none: no worker.",
        )
        tag.override_logical_id("ImageTag")
        self.repository = self._repository(kms.Key.from_key_arn(self, "Key", key_arn))
        self.cluster = self._cluster()
        self.role = self._task_role()
        self.service = self._service(tag, self._task(tag))

    def _repository(self, key: kms.IKey) -> ecr.Repository:
        return ecr.Repository(
            self,
            "Images",
            repository_name=self._stage.called(),
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=key,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=30)],
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def _cluster(self) -> ecs.CfnCluster:
        return ecs.CfnCluster(
            self,
            "Cluster",
            cluster_name=self._stage.called(),
            cluster_settings=[{"name": "containerInsights", "value": "enabled"}],
            # A session may show patients: that there was one stands in CloudTrail, and no more.
            configuration={"executeCommandConfiguration": {"logging": "NONE"}},
        )

    def _task_role(self) -> iam.Role:
        rights = self._rights
        role = iam.Role(
            self,
            "TaskRole",
            role_name=self._stage.called("worker"),
            description="The container for long tasks",
            assumed_by=_tasks(),
            inline_policies={
                "own": iam.PolicyDocument(
                    statements=[
                        *rights.configuration(),
                        # Dumps, restores and migrations are the owner's.
                        *rights.secrets("application", "database/application", "database/owner"),
                        *rights.reads_feeds(),
                        *rights.keeps("backups"),
                        *rights.keeps("seals"),
                        *rights.gives_up_backups(),
                        *rights.receives(["long"]),
                        *rights.sends(["tasks", "long"]),
                        *rights.snapshots(self._handover.read("database/instance")),
                        _session(),
                        rights.never(),
                    ]
                )
            },
        )
        leave_aside(
            role,
            {
                **rights.reasons(log="", buckets={**FEEDS, **_KEPT}),
                "AwsSolutions-IAM5[Resource::*]": "A session of ECS Exec has no resource.",
                **rights.reasons_of_snapshots(),
            },
        )
        return role

    def _task(self, tag: CfnParameter) -> ecs.CfnTaskDefinition:
        start = iam.Role(
            self,
            "StartRole",
            role_name=self._stage.called("worker-start"),
            description="Fetches the container's image and opens its log",
            assumed_by=_tasks(),
        )
        self.repository.grant_pull(start)
        start.add_to_policy(self._rights.writes_log(log_of_worker(self._stage)))
        leave_aside(
            start,
            {
                **self._rights.reasons(log=log_of_worker(self._stage), buckets={}),
                "AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken has no resource.",
            },
        )
        task = ecs.CfnTaskDefinition(
            self,
            "Task",
            family=self._stage.called("worker"),
            cpu=str(self._stage["worker"]["cpu"]),
            memory=str(self._stage["worker"]["memory_mib"]),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
            ephemeral_storage={"sizeInGiB": self._stage["worker"]["disk_gib"]},
            task_role_arn=self.role.role_arn,
            execution_role_arn=start.role_arn,
            container_definitions=[self._container(tag)],
            volumes=[{"name": name} for name in _WRITABLE],
        )
        leave_aside(
            task,
            {
                "AwsSolutions-ECS2": "Words that are no secret: which stage it is, and where it"
                " may write. Everything else it asks for itself, of SSM and Secrets Manager."
            },
        )
        return task

    def _container(self, tag: CfnParameter) -> dict[str, object]:
        return {
            "name": "worker",
            "image": self.repository.repository_uri_for_tag(tag.value_as_string),
            "command": [
                "celery", "-A", "hospital", "worker", "--queues", "long", "--concurrency", "1",
            ],
            "environment": [
                {"name": "HOSPITAL_AWS_STAGE", "value": self._stage.name},
                {"name": "HOSPITAL_DATA_DIR", "value": _WRITABLE["data"]},
                # The image gives this folder to its user; one at /tmp would be root's alone.
                {"name": "TMPDIR", "value": _WRITABLE["data"]},
            ],
            "essential": True,
            "readonlyRootFilesystem": True,
            "linuxParameters": {"initProcessEnabled": True},
            # What is not done by then comes again.
            "stopTimeout": 120,
            "mountPoints": [
                {"sourceVolume": name, "containerPath": path, "readOnly": False}
                for name, path in _WRITABLE.items()
            ],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": log_of_worker(self._stage),
                    "awslogs-region": Aws.REGION,
                    "awslogs-stream-prefix": "worker",
                },
            },
        }  # fmt: skip

    def _service(self, tag: CfnParameter, task: ecs.CfnTaskDefinition) -> ecs.CfnService:
        has_image = CfnCondition(
            self, "HasImage", expression=Fn.condition_not(
                Fn.condition_equals(tag.value_as_string, NO_IMAGE))
        )  # fmt: skip
        count = Fn.condition_if(has_image.logical_id, self._stage["worker"]["count"], 0)
        service = ecs.CfnService(
            self,
            "Service",
            service_name=self._stage.called("worker"),
            cluster=self.cluster.ref,
            launch_type="FARGATE",
            task_definition=task.ref,
            enable_execute_command=True,
            deployment_configuration={
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
            },
            network_configuration={
                "awsvpcConfiguration": {
                    "assignPublicIp": "DISABLED",
                    "securityGroups": [self._handover.read("network/worker-security-group")],
                    "subnets": Fn.split(",", self._handover.read("network/private-subnets")),
                }
            },
        )
        leave_aside(
            service,
            {
                "CloudFormation-Validate::E1154": "The subnets' ids come from SSM when the stack is"
                " made; what is looked at here is the parameter's name."
            },
        )
        # A number that CloudFormation decides: the construct would only take one of its own.
        service.add_property_override("DesiredCount", count)
        return service


def _tasks() -> iam.ServicePrincipal:
    return iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com",
        conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
    )


def _session() -> iam.PolicyStatement:
    """A session of ECS Exec, which an operator opens with rights of his own."""
    return iam.PolicyStatement(
        sid="Session",
        actions=[
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        resources=["*"],
    )
