"""How AWS is asked, and what its refusals mean: a sentence with the next step, no traceback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ops.errors import CloudRefused, CloudUnreachable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_TOLD_CHARACTERS = 300
_DENIED = frozenset(
    ("AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation")
)
_NOT_KNOWN = frozenset(
    (
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
_PASSING = frozenset(
    (
        "InternalFailure",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    )
)


@contextmanager
def asking(
    service: str,
    *,
    region: str = "",
    meanings: Mapping[str, str] | None = None,
    rights: str = "docs/deploying.md lists",
    seconds: int = 30,
    endpoint: str = "",
) -> Iterator[Any]:
    """Give a client for one service; what it refuses becomes a sentence.

    `meanings` tells more of a service's own codes, `rights` where the rights that it needs are
    listed, `seconds` how long an answer may take, `endpoint` where an emulator answers.
    Raises CloudRefused and CloudUnreachable.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
    )

    patience = Config(
        connect_timeout=5,
        read_timeout=seconds,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )
    name = service.upper() if len(service) <= 3 else service
    try:
        yield boto3.client(  # type: ignore[call-overload]
            service,
            config=patience,
            region_name=region or None,
            endpoint_url=endpoint or None,
        )
    except ClientError as error:
        raise _translated(error, service, name, meanings or {}, rights) from error
    except NoRegionError as error:
        raise CloudRefused("No region is set: set AWS_DEFAULT_REGION.") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise CloudRefused(
            "There are no credentials for AWS: give this machine a role, or set AWS_ACCESS_KEY_ID"
            " and AWS_SECRET_ACCESS_KEY."
        ) from error
    except BotoCoreError as error:
        raise CloudUnreachable(
            f"{name} does not answer ({type(error).__name__}): look after the network,"
            " AWS_DEFAULT_REGION and AWS_ENDPOINT_URL, then try again."
        ) from error


def _translated(
    error: ClientError, service: str, name: str, meanings: Mapping[str, str], rights: str
) -> Exception:
    told = error.response.get("Error", {})
    code = str(told.get("Code", "")).removesuffix("Fault")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500:
        return CloudUnreachable(f"{name} cannot answer just now ({code}): try again in a minute.")
    words = _words(code, f"{service}:{error.operation_name}", str(told.get("Message", "")))
    if code in _DENIED:
        words += f" {rights}."
    if code in meanings:
        words = f"AWS refused {error.operation_name}: {meanings[code]}"
    return CloudRefused(words, code)


def _words(code: str, operation: str, said: str) -> str:
    if code in _DENIED:
        return f"AWS does not allow {operation}: give the role that Vigil runs as the rights that"
    if code in _NOT_KNOWN:
        return (
            f"AWS does not accept the credentials ({code}): they are wrong or have run out. Set"
            " valid ones, and look whether this machine's clock is right."
        )
    return f"AWS refused {operation.partition(':')[2]} ({code}): {said[:_TOLD_CHARACTERS]}"
