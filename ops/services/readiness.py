"""Looks, before anything is changed, whether a deployment can be begun, and at what there is.

Everything here reads. What is wrong is told in one sentence, with the next step.
"""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from ops.aws.handover import STAGE_NAMES, Handover
from ops.aws.releases import Release, find_release, release_name
from ops.aws.serving import running_codes
from ops.aws.trees import Tree
from ops.choices import Stage
from ops.errors import DeployRefused, HandoverIncomplete
from ops.models import Deployment
from ops.queries.running import running_commit
from ops.queries.schema import has_tables
from ops.services.deployments import standing_deployment
from ops.services.migrating import Schema, schema_now
from ops.services.procedure import Say
from ops.services.ways import Asked, Way

_SECONDS = 10


def look(asked: Asked, say: Say) -> Way:
    """Look at the stage. Raises DeployRefused, CloudRefused."""
    handed = handover_of(asked.stage)
    say("looking at the database")
    require_database()
    say("looking at the address")
    require_certificate(handed.address)
    version, commit, is_clean = _source()
    if not is_clean and STAGE_NAMES[asked.stage] != Stage.DEVELOPMENT:
        raise DeployRefused(
            "The work tree holds changes that are in no commit: commit or put them away. Only dev"
            " takes what nobody can fetch again."
        )
    say("looking at the functions")
    way = Way(
        asked=asked,
        handed=handed,
        name=release_name(version, commit),
        version=version,
        commit=commit,
        is_clean=is_clean,
        say=say,
        codes=running_codes(handed),
        schema=schema_now() if has_tables() else Schema(frozenset(), frozenset()),
    )
    _look_at_what_stands(way)
    _require_tools(way)
    return way


def handover_of(stage: str) -> Handover:
    """Read what was handed over, and require that this process is set up for that very stage."""
    if stage not in STAGE_NAMES:
        raise DeployRefused(
            f"There is no stage {stage!r} on AWS: there are {', '.join(STAGE_NAMES)}. One machine"
            " is upgraded as docs/operating.md says under Upgrading."
        )
    if STAGE_NAMES[stage] != settings.STAGE:
        raise DeployRefused(
            f"This process is set up for {settings.STAGE}, and {stage} was named: its database"
            " would be another's. Unset HOSPITAL_STAGE and DATABASE_URL of your own."
        )
    try:
        return Handover.read(stage)
    except HandoverIncomplete as error:
        raise DeployRefused(str(error)) from error


def require_database() -> None:
    """Ask the database. Raises DeployRefused, which tells a certificate from a silence."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (OperationalError, InterfaceError) as error:
        raise DeployRefused(_of_database(str(error))) from error


def _of_database(said: str) -> str:
    where = connection.settings_dict
    address = f"{where['HOST'] or 'localhost'}:{where['PORT'] or 5432}"
    if "certificate" in said or "SSL error" in said:
        return (
            f"The certificate of the database at {address} is not to be trusted: it has expired, or"
            " is signed by an authority that is not among RDS's roots. Fetch the roots again"
            " (docs/deploying.md), or renew the instance's certificate."
        )
    if "authentication failed" in said:
        return (
            f"The database at {address} does not take the password: it may be being rotated. Try"
            " again in a minute; then see manage.py secrets."
        )
    return (
        f"The database at {address} cannot be reached: open the tunnel to the stage, or see whether"
        " the instance runs."
    )


def require_certificate(address: str) -> None:
    """Refuse an address whose certificate nobody would believe. Silence is left to the smoke tests.

    Raises DeployRefused.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname:
        return
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), _SECONDS) as raw,
            ssl.create_default_context().wrap_socket(raw, server_hostname=parts.hostname),
        ):
            return
    except ssl.SSLCertVerificationError as error:
        raise DeployRefused(
            f"The certificate of {address} is not believed: {error.verify_message}. Renew it"
            " (docs/deploying.md), then deploy: browsers refuse the place as it is."
        ) from error
    except OSError:
        return


def _source() -> tuple[str, str, bool]:
    """Give version, commit, and whether the work tree is as committed."""
    commit = running_commit()
    tree = Tree.look(settings.BASE_DIR)
    is_clean = bool(commit) and tree.is_known and not tree.changes
    if is_clean:
        return settings.VERSION, commit, True
    # So that it never takes the place of a release that can be built again.
    return f"{settings.VERSION}+changed.{timezone.now():%Y%m%dT%H%M%SZ}", commit, False


def _look_at_what_stands(way: Way) -> None:
    if not has_tables():
        return
    way.standing = standing_deployment(way.stage)
    if way.standing is not None:
        way.standing_release = release_of(way.handed, way.standing)


def release_of(handed: Handover, deployment: Deployment) -> Release | None:
    """Give the release that a deployment brought, if it is still kept."""
    return find_release(handed, release_name(deployment.version, deployment.commit))


def _require_tools(way: Way) -> None:
    if not way.asked.zappa.program.is_file():
        raise DeployRefused(
            f"There is no {way.asked.zappa.program}: `make setup` makes it, or name it with"
            " --zappa."
        )
    if not (settings.FRONTEND_DIST / "index.html").is_file():
        raise DeployRefused("The board is not built: `make setup` builds it.")
