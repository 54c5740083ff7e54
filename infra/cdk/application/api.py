"""The HTTP API: one route, to the function that Zappa makes later.

What may be asked is decided by Django. The API calls the function by a role of its own: Zappa
clears a function's own permissions with each update, and people would be refused meanwhile.
"""

import json

from aws_cdk import Aws
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from application.reasons import leave_aside
from application.stage import Stage

# Neither address, path nor query: they may hold what was searched for.
_LOGGED = {
    "request": "$context.requestId",
    "at": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "route": "$context.routeKey",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "function_status": "$context.integrationStatus",
    "function_milliseconds": "$context.integrationLatency",
    "bytes": "$context.responseLength",
}
# All screens of a large hospital at once; what is more is an attack or a mistake.
_REQUESTS_A_SECOND, _AT_ONCE = 300, 600
_SECONDS = 30


class HttpApi(Construct):
    """The API with its route and stage."""

    def __init__(self, scope: Construct, *, stage: Stage, requests: logs.CfnLogGroup) -> None:
        super().__init__(scope, "HttpApi")
        api = gateway.CfnApi(self, "Api", name=stage.called(), protocol_type="HTTP")
        function = (
            f"arn:{Aws.PARTITION}:lambda:{Aws.REGION}:{Aws.ACCOUNT_ID}:function:{stage.called()}"
        )
        caller = iam.Role(
            self,
            "Caller",
            role_name=stage.called("gateway"),
            description="The HTTP API, which calls the function that answers people",
            assumed_by=iam.ServicePrincipal(
                "apigateway.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            ),
            inline_policies={
                "own": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            sid="CallTheFunction",
                            actions=["lambda:InvokeFunction"],
                            resources=[function],
                        )
                    ]
                )
            },
        )
        integration = gateway.CfnIntegration(
            self,
            "Function",
            api_id=api.ref,
            credentials_arn=caller.role_arn,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=function,
            payload_format_version="2.0",
            timeout_in_millis=_SECONDS * 1000,
        )
        route = gateway.CfnRoute(
            self,
            "Everything",
            api_id=api.ref,
            route_key="$default",
            authorization_type="NONE",
            target=f"integrations/{integration.ref}",
        )
        leave_aside(
            route,
            {
                "AwsSolutions-APIG4": "Django knows who may do what, and refuses first; whoever"
                " passes by CloudFront lacks its key and gets a 403."
            },
        )
        gateway.CfnStage(
            self,
            "Stage",
            api_id=api.ref,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings={
                "throttlingRateLimit": _REQUESTS_A_SECOND,
                "throttlingBurstLimit": _AT_ONCE,
                "detailedMetricsEnabled": True,
            },
            access_log_settings={
                "destinationArn": f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}"
                f":log-group:{requests.ref}",
                "format": json.dumps(_LOGGED),
            },
        )
        self.id = api.ref
        self.host = f"{api.ref}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}"
