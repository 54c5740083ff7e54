"""The roles of the functions: each may do what its own work needs, and nothing of the others'.

Who needs what is read from the code: the API sends tasks and reads what stages say of themselves,
ingestion reads feeds, the alerts' function runs the clock and every short task. What the container
needs stands in `worker.py`.
"""

from aws_cdk import aws_iam as iam
from constructs import Construct

from application.logs import FUNCTIONS
from application.reasons import leave_aside
from application.rights import FEEDS, Rights
from application.stage import Stage

_WHOLE = {
    "AwsSolutions-IAM5[Resource::*]": "AWS knows no narrower resource for network interfaces and"
    " traces. The function's own code may not touch the former: a deny by"
    " lambda:SourceFunctionArn stands beside.",
}


class Roles(Construct):
    """One role for each of the three functions."""

    def __init__(self, scope: Construct, *, stage: Stage, rights: Rights) -> None:
        super().__init__(scope, "Roles")
        self._stage, self._rights = stage, rights
        tasks = ["tasks", "keeping", "long"]
        self.api = self._role(
            "api",
            rights.reads_words_of_stages(),
            rights.sends(tasks),
            buckets={"backups/deployments/": "What stages say of themselves; no backup."},
        )
        self.ingestion = self._role(
            "ingestion",
            rights.reads_feeds(),
            rights.receives(["notices"]),
            rights.sends(["tasks"]),
            buckets=FEEDS,
        )
        self.alerts = self._role(
            "alerts",
            rights.reads_feeds(),
            rights.keeps("seals"),
            rights.receives(["tasks", "keeping"]),
            # Where AWS puts ticks of the clock that fail for good.
            rights.sends([*tasks, "tasks-dead"]),
            buckets={**FEEDS, "seals": "Every seal, whose names hold their time."},
        )

    def _role(
        self, name: str, *statements: list[iam.PolicyStatement], buckets: dict[str, str]
    ) -> iam.Role:
        function = self._stage.called(FUNCTIONS[name])
        role = iam.Role(
            self,
            name.title(),
            role_name=self._stage.called(name),
            description=f"The function {function}",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "own": iam.PolicyDocument(
                    statements=[
                        *self._rights.configuration(),
                        *self._rights.secrets(
                            "application",
                            "database/application",
                            *(["origin"] if name == "api" else []),
                        ),
                        *(one for each in statements for one in each),
                        *self._rights.runs_as(function),
                    ]
                )
            },
        )
        reasons = self._rights.reasons(log=f"/aws/lambda/{function}", buckets=buckets)
        leave_aside(role, {**_WHOLE, **reasons})
        return role
