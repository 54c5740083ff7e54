"""Names by convention (infra/README.md), for what another stack makes, or nobody yet."""

from aws_cdk import Fn

from application.stage import Stage

# Reserved for smoke tests: what it holds is nobody's (ingestion/synthetic.py).
SMOKE = "vigil-smoke"
SOURCES = ("pms", "lis", SMOKE)
BUCKETS = (*SOURCES, "backups", "seals", "releases", "frontend", "access-logs")


def bucket_name(stage: Stage, what: str) -> str:
    """Name a bucket: such names are taken all over the world, so account and region are in it."""
    return Fn.sub(_bucket(stage, what))


def bucket_arn(stage: Stage, what: str, below: str = "") -> str:
    """Give the ARN of a bucket, or of what lies below it."""
    return Fn.sub(f"arn:${{AWS::Partition}}:s3:::{_bucket(stage, what)}{below}")


def arn(service: str, resource: str) -> str:
    """Write an ARN of this account and region."""
    return Fn.sub(
        f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"
    )


def global_arn(service: str, resource: str) -> str:
    """Write an ARN of this account, of a service that knows no regions."""
    return Fn.sub(f"arn:${{AWS::Partition}}:{service}::${{AWS::AccountId}}:{resource}")


def aws_arn(service: str, resource: str) -> str:
    """Write an ARN of something that AWS itself owns in this region."""
    return Fn.sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}::{resource}")


def log_of_worker(stage: Stage) -> str:
    """Name the container's group of logs."""
    return f"/vigil/{stage.name}/worker"


def _bucket(stage: Stage, what: str) -> str:
    return f"{stage.called(what)}-${{AWS::AccountId}}-${{AWS::Region}}"
