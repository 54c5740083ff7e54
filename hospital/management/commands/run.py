"""manage.py run: the whole hospital in one terminal. `make run` calls it."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hospital import localdb
from hospital.stage import MANAGE, CannotRun, Stage
from hospital.supervisor import Supervisor


class Interrupted(Exception):
    """Ctrl-C while it was still starting."""


class Command(BaseCommand):
    help = "Start everything that a hospital needs, and stop it cleanly on Ctrl-C."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

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
        environment = stage.environment()
        supervisor = Supervisor(stage.children(), stage.data_dir, environment, self._say)
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, supervisor.interrupt)
        has_local = self._is_local(stage)
        try:
            if has_local:
                self._say("Database and broker …")
                environment.update(localdb.ensure(stage.data_dir).environment())
            sign_ins = self._prepare(stage, supervisor)
            self._say("Web server, worker, beat, watcher …")
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

    def _is_local(self, stage: Stage) -> bool:
        """manage.py put the local addresses into the environment unless somebody had set others."""
        return os.environ["DATABASE_URL"] == localdb.reserve(stage.data_dir).database_url

    def _prepare(self, stage: Stage, supervisor: Supervisor) -> str:
        """Tables, static files, users; returns the demo's sign-ins."""
        self._say("Tables …")
        self._manage("migrate", "--no-input", stage=stage, supervisor=supervisor)
        asked = "from ingestion.models import FeedFile; print(FeedFile.objects.exists())"
        found = self._manage("shell", "-v", "0", "-c", asked, stage=stage, supervisor=supervisor)
        stage.require_own_kind(has_files=found.strip().endswith("True"))
        self._say("Pages …")
        self._manage("collectstatic", "--no-input", stage=stage, supervisor=supervisor)
        if stage.is_demo:
            return self._manage("demousers", stage=stage, supervisor=supervisor)
        self._ask_for_first_user(stage, supervisor)
        return ""

    def _manage(self, *command: str, stage: Stage, supervisor: Supervisor) -> str:
        """One of our own commands in a process of its own, with the children's environment."""
        done = subprocess.run(
            [sys.executable, str(MANAGE), *command], env=supervisor.environment, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, start_new_session=True,
        )  # fmt: skip
        if supervisor.stopping:
            raise Interrupted
        if done.returncode:
            self._say(done.stdout + done.stderr)
            raise CannotRun(f"manage.py {command[0]} failed; the lines above say why.")
        return done.stdout

    def _ask_for_first_user(self, stage: Stage, supervisor: Supervisor) -> None:
        count = "from django.contrib.auth.models import User; print(User.objects.exists())"
        found = self._manage("shell", "-v", "0", "-c", count, stage=stage, supervisor=supervisor)
        if found.strip().endswith("True"):
            return
        if not sys.stdin.isatty():
            self._say(
                "Nobody can sign in yet. This makes the first user: "
                ".venv/bin/python manage.py createsuperuser"
            )
            return
        self._say("The first user:")
        command = [sys.executable, str(MANAGE), "createsuperuser"]
        subprocess.run(command, env=supervisor.environment, check=False)
        if supervisor.stopping:
            raise Interrupted

    def _wait_for_web(self, stage: Stage, supervisor: Supervisor) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            supervisor.look()
            if supervisor.stopping:
                raise Interrupted
            try:
                urllib.request.urlopen(f"{stage.address}accounts/login/", timeout=2).close()
                return
            except urllib.error.HTTPError:
                return  # it answers; what it answers to us is not the supervisor's business
            except OSError:
                time.sleep(0.2)
        raise CannotRun(f"The web server does not answer: see {stage.logs / 'web.log'}.")

    def _welcome(self, stage: Stage, sign_ins: str) -> None:
        self._say(f"\nVigil runs at {stage.address}")
        if stage.is_demo:
            self._say("Its hospital is simulated, its people are invented. Sign in as one of:\n")
            for line in sign_ins.strip().splitlines():
                self._say(f"  {line}")
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
                self._say("Database or broker ended; starting it again.")
                localdb.ensure(stage.data_dir)
            time.sleep(0.5)

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()
