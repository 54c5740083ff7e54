"""Where a rule of cdk-nag is not followed, and why: no rule is left aside without its reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import Construct


def leave_aside(construct: Construct, rules: dict[str, str]) -> None:
    """Leave rules aside for one construct and what is in it: each rule with the reason."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in rules.items())
    )
