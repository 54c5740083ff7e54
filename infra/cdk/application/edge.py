"""The firewall before CloudFront: a stack of its own, since AWS keeps it in us-east-1 alone."""

from aws_cdk import ArnFormat, CfnOutput, Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from application.stage import Stage

REGION = "us-east-1"
# In five minutes from one address. A hospital stands behind one: all its screens ask through it.
_REQUESTS, _SIGN_INS = 30_000, 1_000
# AWS's own groups of rules, and which of each only counts.
_MANAGED = {
    "AWSManagedRulesAmazonIpReputationList": (),
    # Operators paste long reasons; what is too long is refused by Django.
    "AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",),
    "AWSManagedRulesKnownBadInputsRuleSet": (),
}


class EdgeStack(Stack):
    """The web ACL of a stage. Its ARN is handed to the application's stack as a parameter."""

    def __init__(self, scope: Construct, name: str, *, stage: Stage, **options: object) -> None:
        super().__init__(scope, name, **options)
        rules = [_managed(each, counted, order) for order, (each, counted) in
                 enumerate(_MANAGED.items())]  # fmt: skip
        rules.append(_limit("Requests", _REQUESTS, len(rules)))
        rules.append(_limit("SignIns", _SIGN_INS, len(rules), below="/accounts/"))
        acl = waf.CfnWebACL(
            self,
            "Firewall",
            name=stage.called(),
            scope="CLOUDFRONT",
            default_action={"allow": {}},
            rules=rules,
            visibility_config=_seen(stage.called()),
        )
        self._log(acl, stage)
        CfnOutput(self, "WebAclArn", value=acl.attr_arn)

    def _log(self, acl: waf.CfnWebACL, stage: Stage) -> None:
        # AWS asks for a name that begins so.
        group = logs.CfnLogGroup(
            self,
            "Log",
            log_group_name=f"aws-waf-logs-{stage.called()}",
            retention_in_days=stage["log_days"],
        )
        waf.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=acl.attr_arn,
            log_destination_configs=[
                self.format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=group.ref,
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            # A query may hold a search for a patient, a cookie is a session.
            redacted_fields=[
                {"queryString": {}},
                {"singleHeader": {"Name": "cookie"}},
                {"singleHeader": {"Name": "authorization"}},
            ],
            # Only what was stopped or counted: requests are in the API's log.
            logging_filter={
                "DefaultBehavior": "DROP",
                "Filters": [
                    {
                        "Behavior": "KEEP",
                        "Requirement": "MEETS_ANY",
                        "Conditions": [
                            {"ActionCondition": {"Action": "BLOCK"}},
                            {"ActionCondition": {"Action": "COUNT"}},
                        ],
                    }
                ],
            },
        )


def _managed(name: str, counted: tuple[str, ...], order: int) -> waf.CfnWebACL.RuleProperty:
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=order,
        override_action={"none": {}},
        statement={
            "managedRuleGroupStatement": {
                "vendorName": "AWS",
                "name": name,
                "ruleActionOverrides": [
                    {"name": rule, "actionToUse": {"count": {}}} for rule in counted
                ],
            }
        },
        visibility_config=_seen(name),
    )


def _limit(name: str, requests: int, order: int, *, below: str = "") -> waf.CfnWebACL.RuleProperty:
    limit: dict[str, object] = {"limit": requests, "aggregateKeyType": "IP"}
    if below:
        limit["scopeDownStatement"] = {
            "byteMatchStatement": {
                "fieldToMatch": {"uriPath": {}},
                "positionalConstraint": "STARTS_WITH",
                "searchString": below,
                "textTransformations": [{"priority": 0, "type": "NORMALIZE_PATH"}],
            }
        }
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=order,
        action={"block": {"customResponse": {"responseCode": 429}}},
        statement={"rateBasedStatement": limit},
        visibility_config=_seen(name),
    )


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    # No samples of requests: they would show queries.
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
