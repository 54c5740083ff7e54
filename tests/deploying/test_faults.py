"""Bad input and faults: each has a clear message, leaves a known state, and is on record."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection

from hospital.localdb.places import free_port
from ops.databases import at_address, held_lock
from ops.errors import (
    AlreadyDeploying,
    CloudRefused,
    CloudUnreachable,
    DeployFailed,
    DeployRefused,
)
from ops.models import AuditEvent, Deployment, Incident
from ops.queries.schema import schema_as_it_is
from ops.services.deploying import LOCK, deploy
from ops.services.deployments import begin_deployment, note_step, plan_deployment
from ops.services.procedure import Came
from ops.services.readiness import _of_database
from tests.deploying.acts import deployed, quiet, refusal
from tests.deploying.places import FRONTEND, Place
from tests.deploying.planted import (
    DROPPED_COLUMN,
    FAILS,
    NEW_COLUMN,
    NEW_INDEX,
    NEW_TABLE,
    planted,
)

FITS = 'fits_the_version_before = "It was read."'


def test_a_stage_that_this_process_is_not_set_up_for_is_refused(place: Place) -> None:
    words = refusal(place, DeployRefused, stage="staging")

    assert words.startswith("This process is set up for development, and staging was named")
    assert Deployment.objects.count() == 0


def test_a_stage_that_there_is_not_is_refused(place: Place) -> None:
    words = refusal(place, DeployRefused, stage="laboratory")

    assert words.startswith("There is no stage 'laboratory' on AWS: there are dev, staging,")
    assert Deployment.objects.count() == 0


def test_without_credentials_nothing_is_begun(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    boto3.DEFAULT_SESSION = None

    words = refusal(place, CloudRefused)

    assert words.startswith("There are no credentials for AWS")
    assert Deployment.objects.count() == 0


def test_a_database_that_is_silent_stops_it_before_anything_is_begun(place: Place) -> None:
    port = free_port()
    with at_address("127.0.0.1", port):
        words = refusal(place, DeployRefused)

    assert words.startswith(f"The database at 127.0.0.1:{port} cannot be reached")
    assert place.keys(FRONTEND) == set()
    assert Deployment.objects.count() == 0


@pytest.mark.parametrize(
    "said",
    [
        "SSL error: certificate verify failed",
        'connection failed: root certificate file "rds.pem" does not exist',
        'server certificate for "other" does not match host name',
    ],
)
def test_an_untrusted_certificate_of_the_database_is_told_from_its_silence(said: str) -> None:
    assert "is not to be trusted" in _of_database(said)
    assert "cannot be reached" in _of_database("connection refused")


def certificate(folder: Path) -> Path:
    """A certificate of localhost that has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def shown(path: Path) -> Iterator[int]:
    """Show a certificate to whoever comes; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    raw, _ = server.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(raw, server_side=True).close()
                except OSError:
                    raw.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_an_expired_certificate_of_the_address_stops_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with shown(path) as port:
        boto3.client("ssm").put_parameter(
            Name="/vigil/dev/application/address", Value=f"https://localhost:{port}",
            Type="String", Overwrite=True,
        )  # fmt: skip
        words = refusal(place, DeployRefused)

    assert "is not believed: certificate has expired" in words
    assert Deployment.objects.count() == 0


def test_a_migration_that_fails_half_way_leaves_the_schema_as_it_was(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")
    before = schema_as_it_is()

    with planted(tmp_path, (NEW_TABLE, ""), (FAILS, FITS)):
        words = refusal(place, DeployFailed)

    assert words.startswith(
        "It failed at migrate: The database refused it: DataError (code 22012)."
        " The schema is as it was before."
    )
    assert schema_as_it_is() == before
    assert place.codes() == {"one"}
    back, failed, _ = Deployment.objects.all()
    assert (back.status, failed.status) == ("succeeded", "rolled_back")
    assert failed.steps.get(name="migrate").outcome == "failed"


def test_what_a_migration_that_is_not_atomic_left_is_found_and_named(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")

    with planted(tmp_path, (f"{NEW_INDEX}, {FAILS}", f"{FITS}\n    atomic = False")):
        words = refusal(place, DeployFailed)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX idea_index")

    assert "The schema is not as it was before: index idea_index true." in words
    assert "It could not go back wholly." in words
    assert "manage.py rollback dev --why" in words
    assert place.codes() == {"one"}
    back, failed, _ = Deployment.objects.all()
    assert (back.status, failed.status) == ("failed", "failed")
    assert Incident.objects.filter(component="deployment", status="open").count() == 2


def test_a_migration_beside_which_the_version_before_cannot_go_on_is_refused(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")

    with planted(tmp_path, (DROPPED_COLUMN, "")):
        words = refusal(place, DeployFailed)

    assert words.startswith("It failed at migration-plan: To be applied: alerts.9001_planted.")
    assert "the version before reads it" in words
    assert words.endswith("Nothing of the stage was changed.")
    failed = Deployment.objects.first()
    assert failed is not None
    assert (failed.status, failed.backup_point) == ("failed", "")


def test_a_reason_lets_such_a_migration_pass_and_stays_on_the_trail(
    place: Place, tmp_path: Path
) -> None:
    deployed(place)
    place.write("two")

    with planted(tmp_path, (FAILS.replace("1/0", "1"), "")):
        deployed(place, despite_lint="Read with pia.")

    event = AuditEvent.objects.get(act="deployment.despite_lint")
    assert (event.who, event.why) == ("olga", "Read with pia.")
    assert place.codes() == {"two"}


@contextmanager
def cut_after(puts: int) -> Iterator[None]:
    """Let the network break after so many objects were put into the frontend bucket."""
    session = boto3.Session()
    left = [puts]

    def cut(params: dict[str, object], **_: object) -> None:
        if FRONTEND in str(params.get("url")):
            left[0] -= 1
            if left[0] < 0:
                raise ConnectionResetError("cut")

    session.events.register("before-call.s3.PutObject", cut)
    boto3.DEFAULT_SESSION = session
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = None


def test_a_sync_that_is_cut_changes_nothing_that_is_served_and_is_made_up_for(
    place: Place,
) -> None:
    deployed(place)
    place.write("two")

    with cut_after(1):
        words = refusal(place, DeployFailed)
    listed = f"releases/{place.release}.json" in place.keys(FRONTEND)
    code, icon = place.codes(), place.served("app/vigil.svg")
    deployed(place)

    assert words.startswith("It failed at static-files: ")
    assert words.endswith("Nothing of the stage was changed.")
    assert (listed, code, icon) == (False, {"one"}, b"<svg>one</svg>")
    assert place.outcome("static-files") == ("passed", "3 added, 4 there and whole.")
    assert place.served("app/assets/index-two.js") == b"board('two')"
    assert place.codes() == {"two"}


def test_two_at_once_are_refused_and_the_second_leaves_no_trace(place: Place) -> None:
    deployed(place)
    place.write("two")

    with held_lock(LOCK) as is_ours:
        assert is_ours
        words = refusal(place, AlreadyDeploying)

    assert words.startswith("A deployment to development is running already")
    assert Deployment.objects.count() == 1
    assert place.codes() == {"one"}


def a_dead_one() -> Deployment:
    """A deployment whose process died."""
    deployment = plan_deployment(stage="development", version="0.1.1", by="omar", commit="b" * 40)
    begin_deployment(deployment, by="omar")
    note_step(deployment, "migrate", outcome="passed", seconds=1)
    return deployment


def test_one_whose_process_died_is_got_past_with_a_reason_alone(place: Place) -> None:
    deployed(place)
    dead = a_dead_one()
    place.write("two")

    words = refusal(place, DeployRefused)
    deployed(place, take_over="The runner was lost.")

    dead.refresh_from_db()
    assert f"Deployment {dead.pk} to development is on record as running" in words
    assert "its process is gone after the step migrate" in words
    assert (dead.status, dead.outcome) == (
        "failed",
        "Its process ended after the step migrate. Taken over by olga: The runner was lost.",
    )
    event = AuditEvent.objects.get(act="deployment.taken_over")
    assert (event.object_key, event.why) == (str(dead.pk), "The runner was lost.")
    assert place.codes() == {"two"}


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("nothing", "Zappa ended with 0, and vigil-dev, vigil-dev-ingestion, vigil-dev-alerts do"),
        ("half", "Zappa ended with 0, and vigil-dev-ingestion, vigil-dev-alerts do not run"),
        ("fail", "zappa update dev ended with 255. It said: Oh no! An error occurred! :("),
        ("fail-late", "zappa update dev ended with 1."),
    ],
)
def test_whatever_zappa_says_what_runs_decides(place: Place, does: str, told: str) -> None:
    deployed(place)
    place.write("two")
    # The package is built all right.
    real = place.tell

    def tell(came: Came) -> None:
        real(came)
        if came.name == "migrate":
            place.zappa_does(does)

    with pytest.raises(DeployFailed) as failed:
        deploy(place.ask(), say=quiet, tell=tell)

    assert str(failed.value).startswith(f"It failed at functions: {told}")
    assert "It went back to 0.1.0." in str(failed.value)
    assert place.codes() == {"one"}
    back, over, _ = Deployment.objects.all()
    assert (back.status, over.status) == ("succeeded", "rolled_back")
    assert over.steps.get(name="functions").outcome == "failed"


def test_what_went_back_is_started_as_it_was(place: Place) -> None:
    deployed(place)
    place.start_otherwise("hospital.functions.moved.handler")
    place.write("two")
    place.is_broken = {"two"}

    refusal(place, DeployFailed)

    assert place.handlers() == {"hospital.functions.handler"}
    assert place.codes() == {"one"}


def test_ctrl_c_in_the_middle_goes_back(place: Place, tmp_path: Path) -> None:
    deployed(place)
    place.write("two")

    def say(what: str) -> None:
        if what == "functions":
            raise KeyboardInterrupt

    with planted(tmp_path, (NEW_COLUMN, "")), pytest.raises(DeployFailed) as failed:
        deploy(place.ask(), say=say, tell=place.tell)

    assert "It was stopped by hand." in str(failed.value)
    assert "The schema is as it was before." in str(failed.value)
    assert place.codes() == {"one"}
    assert Deployment.objects.all()[1].status == "rolled_back"


def test_a_way_back_that_fails_is_an_incident_with_the_next_step(place: Place) -> None:
    deployed(place)
    first = place.handed
    place.write("two")
    place.is_broken = {"two"}

    def tell(came: Came) -> None:
        place.tell(came)
        if came.name == "functions":
            for key in place.keys(first.release_bucket):
                if key.startswith("packages/"):
                    place.s3.delete_object(Bucket=first.release_bucket, Key=key)
            place.packages.update({"gone": ""})

    with pytest.raises(DeployFailed) as failed:
        deploy(place.ask(), say=quiet, tell=tell)

    words = str(failed.value)
    assert "It could not go back wholly. functions-back: vigil-dev, vigil-dev-ingestion," in words
    assert "Next: manage.py rollback dev --why" in words
    back, over, _ = Deployment.objects.all()
    assert (back.status, over.status) == ("failed", "failed")
    assert Incident.objects.filter(component="deployment", status="open").count() == 2


def test_a_cloud_that_falls_silent_before_it_is_begun_leaves_no_trace(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")

    words = refusal(place, CloudUnreachable)

    assert words.startswith("SSM does not answer")
    assert Deployment.objects.count() == 0
