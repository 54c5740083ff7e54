"""The secrets of the application: made here, filled by AWS and by the operator, never told."""

import json

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from application.reasons import leave_aside
from application.stage import Stage

_BY_HAND = {
    "AwsSolutions-SMG4": "Changed by procedure and not by the clock: a new signing key must be"
    " believed by every process before one signs with it, and CloudFront and the functions must"
    " learn a new origin key together (docs/deploying.md)."
}


class Confidential(Construct):
    """Both secrets of a stage."""

    def __init__(self, scope: Construct, *, stage: Stage, key: kms.IKey) -> None:
        super().__init__(scope, "Confidential")
        self.application = self._secret(
            "Application",
            f"vigil/{stage.name}/application",
            key,
            # Other fields, each the name of a setting, are put there by the operator.
            secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({}),
                generate_string_key="HOSPITAL_SECRET_KEY",
                password_length=64,
                exclude_punctuation=True,
            ),
        )
        self.origin = self._secret(
            "Origin",
            f"vigil/{stage.name}/origin",
            key,
            secretsmanager.SecretStringGenerator(password_length=48, exclude_punctuation=True),
        )

    def _secret(
        self, what: str, name: str, key: kms.IKey, made: secretsmanager.SecretStringGenerator
    ) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            what,
            secret_name=name,
            encryption_key=key,
            generate_secret_string=made,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        leave_aside(secret, _BY_HAND)
        return secret
