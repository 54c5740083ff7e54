"""Parameters of SSM by which the layers hand over to each other (infra/README.md)."""

from aws_cdk import aws_ssm as ssm
from constructs import Construct

from application.stage import Stage


class Handover(Construct):
    """What is read from below the stage's path, and written there."""

    def __init__(self, scope: Construct, *, stage: Stage) -> None:
        super().__init__(scope, "Handover")
        self._stage = stage

    def read(self, name: str) -> str:
        """Give a parameter that another layer writes: it is read when the stack is made."""
        return ssm.StringParameter.value_for_string_parameter(self, self.path(name))

    def write(self, name: str, value: str) -> None:
        """Write a parameter that other layers read."""
        ssm.CfnParameter(
            self,
            "".join(part.title() for part in name.replace("/", "-").replace("_", "-").split("-")),
            name=self.path(name),
            type="String",
            value=value,
        )

    def path(self, name: str = "") -> str:
        """Give the whole name of a parameter."""
        return f"/vigil/{self._stage.name}/{name}".rstrip("/")
