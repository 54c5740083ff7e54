"""The buckets: what systems of the hospital put in, what is kept, what is delivered.

Nothing here is open to the public or to plain HTTP, nothing is overwritten for good, and data
outlives the stack.
"""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from application.names import SOURCES, bucket_name
from application.reasons import leave_aside
from application.stage import Stage

_QUARTER = Duration.days(90)


class Storage(Construct):
    """All buckets of a stage."""

    def __init__(self, scope: Construct, *, stage: Stage, key: kms.IKey) -> None:
        super().__init__(scope, "Storage")
        self._stage, self._key = stage, key
        self._logs = self._log_bucket()
        self.feeds = {source: self._feed(source) for source in SOURCES}
        self.backups = self._kept("backups", [_gone_when_its_lock_ends()])
        # The seals are the only copy of what was archived: no rule may remove one.
        self.seals = self._kept("seals", [])
        self.releases = self._bucket("releases", [_older_versions_go()])
        self.frontend = self._bucket("frontend", [_older_versions_go()], is_public_code=True)

    @property
    def settings_of_feeds(self) -> str:
        """Write the sources as HOSPITAL_BUCKETS has them."""
        return ",".join(f"{source}={bucket_name(self._stage, source)}" for source in SOURCES)

    def _log_bucket(self) -> s3.Bucket:
        # S3 delivers its access logs into buckets under its own key alone.
        bucket = s3.Bucket(
            self,
            "Logs",
            bucket_name=bucket_name(self._stage, "access-logs"),
            encryption=s3.BucketEncryption.S3_MANAGED,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(self._stage["log_days"]),
                    noncurrent_version_expiration=Duration.days(1),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
            **_ALWAYS,
        )
        leave_aside(
            bucket,
            {"AwsSolutions-S1": "It holds the access logs: logging it into itself would not end."},
        )
        return bucket

    def _feed(self, source: str) -> s3.Bucket:
        # After a restore the record catches up from these files. They do not stay for ever: each
        # holds patients, and the sweep lists them all.
        rule = s3.LifecycleRule(
            expiration=Duration.days(self._stage["feed_days"]),
            noncurrent_version_expiration=Duration.days(30),
            abort_incomplete_multipart_upload_after=Duration.days(7),
        )
        return self._bucket(source, [rule])

    def _kept(self, what: str, rules: list[s3.LifecycleRule]) -> s3.Bucket:
        """A bucket whose objects are locked. The application locks each for as long as its kind is
        kept; what it does not lock itself is locked for the days of the stage."""
        days = Duration.days(self._stage["locked_days"][what])
        return self._bucket(
            what,
            [*rules, s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))],
            lock=(
                s3.ObjectLockRetention.compliance(days)
                if self._stage["object_lock"] == "COMPLIANCE"
                else s3.ObjectLockRetention.governance(days)
            ),
        )

    def _bucket(
        self,
        what: str,
        rules: list[s3.LifecycleRule],
        *,
        is_public_code: bool = False,
        lock: s3.ObjectLockRetention | None = None,
    ) -> s3.Bucket:
        # What every visitor's browser gets needs no key of ours, and CloudFront no right to it.
        encryption = (
            {"encryption": s3.BucketEncryption.S3_MANAGED}
            if is_public_code
            else {
                "encryption": s3.BucketEncryption.KMS,
                "encryption_key": self._key,
                "bucket_key_enabled": True,
            }
        )
        locked = {"object_lock_enabled": True, "object_lock_default_retention": lock}
        return s3.Bucket(
            self,
            what.title(),
            bucket_name=bucket_name(self._stage, what),
            lifecycle_rules=rules,
            server_access_logs_bucket=self._logs,
            server_access_logs_prefix=f"{what}/",
            **encryption,
            **(locked if lock else {}),
            **_ALWAYS,
        )


_ALWAYS = {
    "versioned": True,
    "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
    "object_ownership": s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    "enforce_ssl": True,
    # Kept when the stack goes; but a stack that could not be made leaves nothing in its own way.
    "removal_policy": RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
}


def _older_versions_go() -> s3.LifecycleRule:
    return s3.LifecycleRule(
        noncurrent_version_expiration=_QUARTER,
        abort_incomplete_multipart_upload_after=Duration.days(7),
    )


def _gone_when_its_lock_ends() -> s3.LifecycleRule:
    # What Vigil gives up leaves a delete marker. S3 removes no version before its lock ends.
    return s3.LifecycleRule(
        noncurrent_version_expiration=Duration.days(1), expired_object_delete_marker=True
    )
