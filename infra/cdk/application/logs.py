"""The groups of logs, and for how long they are kept.

Made here, so that no function may make one that keeps for ever.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from application.names import log_of_worker
from application.stage import Stage

# By the convention of the functions' names.
FUNCTIONS = {"api": "", "ingestion": "ingestion", "alerts": "alerts"}


class Logs(Construct):
    """All groups of a stage."""

    def __init__(self, scope: Construct, *, stage: Stage, key_arn: str) -> None:
        super().__init__(scope, "LogGroups")
        self._stage, self._key_arn = stage, key_arn
        self.functions = {
            role: self._group(role, f"/aws/lambda/{stage.called(function)}")
            for role, function in FUNCTIONS.items()
        }
        self.worker = self._group("worker", log_of_worker(stage))
        # Where API Gateway writes: names that begin so need no policy that grows with each of them.
        self.requests = self._group("requests", f"/aws/vendedlogs/vigil/{stage.name}/requests")

    def _group(self, what: str, name: str) -> logs.CfnLogGroup:
        group = logs.CfnLogGroup(
            self,
            what.title(),
            log_group_name=name,
            kms_key_id=self._key_arn,
            retention_in_days=self._stage["log_days"],
        )
        group.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        return group
