"""manage.py run: the whole hospital in one terminal. `make run` calls it."""

import hashlib
import http.client
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from hospital import localdb
from hospital.demo import make_demo_rule, make_demo_users
from hospital.localdb.commandline import bring_tables
from hospital.rotation import drop_old_signing_keys
from hospital.stage import MANAGE, CannotRun, Stage
from hospital.supervisor import Supervisor
from ingestion.models import FeedFile
from ops.services.deployments import observe_place
from ops.services.stages import tell_stages


class Interrupted(Exception):
    """Ctrl-C while it was still starting."""


class Command(BaseCommand):
    help = "Start everything that a hospital needs, and stop it cleanly on Ctrl-C."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False
    _told = ""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            stage = Stage.from_environment(
                data_dir=Path(settings.DATA_DIR), inbox=Path(settings.INBOX_DIR)
            )
            stage.prepare_folders()
            with stage.alone():
                self._run(stage)
        except (CannotRun, localdb.LocalServicesFailed) as refusal:
            raise CommandError(str(refusal)) from refusal
        except OSError as error:
            raise CommandError(
                f"{error.filename or settings.DATA_DIR}: {error.strerror}; make the data folder "
                "writable, or name another one in HOSPITAL_DATA_DIR."
            ) from error

    def _run(self, stage: Stage) -> None:
        stage.require_free_port()
        # manage.py put the local addresses into the environment unless somebody had set others.
        has_local = os.environ["DATABASE_URL"] == localdb.reserve(stage.data_dir).database_url
        children = stage.children(has_local=has_local)
        supervisor = Supervisor(children, stage.data_dir, stage.environment(), self._say)
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, supervisor.interrupt)
        try:
            if has_local:
                self._start_services(stage)
            sign_ins = self._prepare(stage, supervisor, has_local=has_local)
            self._say("Web server, workers, beat, watcher …")
            supervisor.start()
            self._wait_for_web(stage, supervisor)
            self._welcome(stage, sign_ins)
            self._watch_over(stage, supervisor, has_local=has_local)
        except Interrupted:
            pass
        finally:
            self._say("Stopping …")
            supervisor.stop()
            if has_local:
                localdb.stop(stage.data_dir)
            supervisor.dismiss_guard()
            self._say("Stopped.")

    def _start_services(self, stage: Stage) -> None:
        self._say("Database and broker …")
        expected = localdb.reserve(stage.data_dir)
        found = localdb.ensure(stage.data_dir)
        if found != expected:
            # Somebody else took a port that was ours, and the settings have read the old one.
            for name in found.environment():
                os.environ.pop(name, None)
            os.execv(sys.executable, [sys.executable, str(MANAGE), "run"])

    def _prepare(self, stage: Stage, supervisor: Supervisor, *, has_local: bool) -> dict[str, str]:
        """Tables, pages, users; returns the demo's sign-ins."""
        self._say("Tables …")
        if has_local:
            bring_tables(stage.data_dir)
        else:
            call_command("migrate", interactive=False, verbosity=0)
        stage.require_own_kind(has_files=FeedFile.objects.exists())
        self._note_what_runs()
        drop_old_signing_keys(stage.data_dir, now=timezone.now())
        self._heed(supervisor)
        self._collect_static()
        self._heed(supervisor)
        if stage.is_demo:
            make_demo_rule()
            return make_demo_users(stage.data_dir)
        self._ask_for_first_user(supervisor)
        return {}

    def _note_what_runs(self) -> None:
        """Nobody records a deployment on one machine: the place notices that it has changed."""
        found = observe_place()
        if found is not None:
            self._say(f"Version {found.version}. {found.outcome}")
            tell_stages()

    def _heed(self, supervisor: Supervisor) -> None:
        if supervisor.stopping:
            raise Interrupted

    def _collect_static(self) -> None:
        """Copying and compressing takes seconds, so only what changed makes it necessary."""
        found = [
            (path, Path(storage.path(path)).stat().st_mtime_ns)
            for finder in get_finders()
            for path, storage in finder.list([])
        ]
        stamp = hashlib.sha256(repr(sorted(found)).encode()).hexdigest()
        kept = Path(settings.STATIC_ROOT) / ".collected"
        if kept.exists() and kept.read_text() == stamp:
            return
        self._say("Pages …")
        call_command("collectstatic", interactive=False, verbosity=0)
        kept.write_text(stamp)

    def _ask_for_first_user(self, supervisor: Supervisor) -> None:
        if User.objects.exists():
            return
        if not sys.stdin.isatty():
            self._say(
                "Nobody can sign in yet. This makes the first user: "
                f"HOSPITAL_DATA_DIR={shlex.quote(str(settings.DATA_DIR))} "
                ".venv/bin/python manage.py createsuperuser"
            )
            return
        self._say("The first user:")
        command = [sys.executable, str(MANAGE), "createsuperuser"]
        subprocess.run(command, env=supervisor.environment, check=False)
        self._heed(supervisor)

    def _wait_for_web(self, stage: Stage, supervisor: Supervisor) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            supervisor.look()
            self._heed(supervisor)
            if _answers(stage):
                return
            time.sleep(0.2)
        raise CannotRun(f"The web server does not answer: see {stage.logs / 'web.log'}.")

    def _welcome(self, stage: Stage, sign_ins: dict[str, str]) -> None:
        self._say(f"\nVigil runs at {stage.address}")
        if stage.is_demo:
            self._say("Its hospital is simulated, its people are invented. Sign in as one of:\n")
            for name, password in sign_ins.items():
                self._say(f"  {name:<10} {password}")
        elif not os.environ.get("HOSPITAL_TIME_ZONE"):
            self._say(
                "HOSPITAL_TIME_ZONE is not set: files with times that have no offset wait until "
                "it names your zone, for example Europe/Berlin."
            )
        self._say(f"\nInbox: {stage.inbox}   Logs: {stage.logs}   Ctrl-C stops it.")

    def _watch_over(self, stage: Stage, supervisor: Supervisor, *, has_local: bool) -> None:
        rounds = 0
        while not supervisor.stopping:
            supervisor.look()
            rounds += 1
            if has_local and rounds % 10 == 0 and not all(localdb.status(stage.data_dir).values()):
                self._start_again(stage)
            time.sleep(0.5)

    def _start_again(self, stage: Stage) -> None:
        """What cannot be started again is said, and ends nothing: the pages must be able to say
        that the database is gone, while it is brought back."""
        try:
            localdb.ensure(stage.data_dir)
        except localdb.LocalServicesFailed as error:
            if str(error) != self._told:
                self._told = str(error)
                self._say(f"Database or broker ended. {error}")
            return
        self._told = ""
        self._say("Database or broker ended, and was started again.")

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


def _answers(stage: Stage) -> bool:
    """Whatever it answers: with TLS set it sends us to https, where only its proxy listens."""
    host = urlsplit(stage.address).hostname or "127.0.0.1"
    connection = http.client.HTTPConnection(host, stage.port, timeout=2)
    try:
        connection.request("GET", "/livez")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
