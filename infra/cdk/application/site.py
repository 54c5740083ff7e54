"""CloudFront: the one door. Files of the board from their bucket, all else from the API.

Who asks is made known to the API's function by two headers. `x-vigil-address` is the visitor's own
address, without a port, set anew for each request, so that nobody invents it. `x-origin-key`
proves that the request came through this door; without it the first is worth nothing. `Host` is
the API's own, since API Gateway knows no other, and everything came by TLS.
"""

from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from application.reasons import leave_aside
from application.stage import Stage

_TELL_WHO_ASKS = """
function handler(event) {
  var request = event.request;
  request.headers['x-vigil-address'] = { value: event.viewer.ip };
  return request;
}
"""
_YEAR = Duration.days(365)


class Site(Construct):
    """The distribution of a stage."""

    def __init__(
        self,
        scope: Construct,
        *,
        stage: Stage,
        frontend: s3.IBucket,
        api_host: str,
        origin_secret: secretsmanager.ISecret,
        web_acl: str,
    ) -> None:
        super().__init__(scope, "Site")
        self._stage = stage
        domain = stage["domain"]
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=stage.called(),
            default_behavior=self._asks_the_api(api_host, origin_secret),
            additional_behaviors={"/static/*": self._reads(frontend)},
            web_acl_id=web_acl,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            **({"domain_names": [domain], "certificate": self._certificate()} if domain else {}),
        )
        leave_aside(self.distribution, _reasons(has_domain=bool(domain)))
        self.id = self.distribution.distribution_id
        self.address = f"https://{domain or self.distribution.distribution_domain_name}"

    def _asks_the_api(
        self, host: str, secret: secretsmanager.ISecret
    ) -> cloudfront.BehaviorOptions:
        who_asks = cloudfront.Function(
            self,
            "WhoAsks",
            function_name=self._stage.called("who-asks"),
            code=cloudfront.FunctionCode.from_inline(_TELL_WHO_ASKS),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        return cloudfront.BehaviorOptions(
            origin=origins.HttpOrigin(
                host,
                protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                # Resolved by CloudFormation: the template holds a reference.
                custom_headers={"X-Origin-Key": secret.secret_value.unsafe_unwrap()},
            ),
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            function_associations=[
                cloudfront.FunctionAssociation(
                    function=who_asks, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
                )
            ],
        )

    def _reads(self, frontend: s3.IBucket) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(frontend),
            allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
            cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
            response_headers_policy=self._headers_of_files(),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        )

    def _headers_of_files(self) -> cloudfront.ResponseHeadersPolicy:
        """What Django sets on its own answers, and S3 on none."""
        return cloudfront.ResponseHeadersPolicy(
            self,
            "FileHeaders",
            response_headers_policy_name=self._stage.called("files"),
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=_YEAR, override=True
                ),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.SAME_ORIGIN, override=True
                ),
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy="default-src 'none'; frame-ancestors 'none'",
                    override=True,
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(
                        header="Cross-Origin-Resource-Policy", value="same-origin", override=True
                    ),
                    # Names of the board's files carry a hash. A file that says otherwise itself,
                    # as those without one do, is believed.
                    cloudfront.ResponseCustomHeader(
                        header="Cache-Control",
                        value="public, max-age=31536000, immutable",
                        override=False,
                    ),
                ]
            ),
        )

    def _certificate(self) -> certificates.ICertificate:
        return certificates.Certificate.from_certificate_arn(
            self, "Certificate", self._stage["certificate_arn"]
        )


def _reasons(*, has_domain: bool) -> dict[str, str]:
    reasons = {
        "AwsSolutions-CFR1": "People travel and hospitals lie anywhere; who may enter is decided"
        " by sign-in, not by country.",
        "AwsSolutions-CFR3": "CloudFront's log writes query strings, which may hold a search for a"
        " patient. Requests are in the API's log, without path and query.",
    }
    if not has_domain:
        reasons["AwsSolutions-CFR4"] = (
            "Without a domain of its own (infra/stages.json) CloudFront's certificate serves it,"
            " whose TLS versions cannot be chosen."
        )
    return reasons
