"""How a command ends when it cannot do its work: with a sentence and an exit code, no traceback.

Knows the terminal, and what the database's errors mean to whoever typed the command.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError, connection

from ops.errors import NotDone, OpsError

log = logging.getLogger(__name__)

WRONG_ARGUMENTS = 2
NOT_CARRIED_OUT = 3
INTERRUPTED = 130
_NO_SUCH_TABLE = "42P01"


class MannerlyCommand(BaseCommand):
    """A command that never shows its user a traceback, unless asked with `--traceback`."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run. Raises CommandError for whatever stops it."""
        _let_any_text_be_written()
        try:
            return super().execute(*args, **options)
        except (CommandError, SystemExit):
            raise
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. What was not finished has left nothing behind.", returncode=INTERRUPTED
            ) from None
        except BrokenPipeError:
            _write_no_more()
            raise SystemExit(NOT_CARRIED_OUT) from None
        except NotDone as error:
            words = f"{error} Nothing was changed."
            raise CommandError(words, returncode=WRONG_ARGUMENTS) from error
        except OpsError as error:
            raise CommandError(str(error), returncode=NOT_CARRIED_OUT) from error
        except Exception as error:
            if options.get("traceback"):
                raise
            raise CommandError(_sentence(error), returncode=NOT_CARRIED_OUT) from error


def _sentence(error: Exception) -> str:
    """Say what to do about it. A database's own message quotes rows: it is left out."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return (
            f"The database at {_address()} cannot be reached, or failed. Start it or set"
            " DATABASE_URL, then run this again: nothing was left half-done."
        )
    cause = error.__cause__
    if isinstance(error, ProgrammingError) and getattr(cause, "pgcode", None) == _NO_SUCH_TABLE:
        return "The database lacks tables. Run `manage.py migrate`, then this again."
    return (
        f"This stopped at an error that nobody foresaw ({type(error).__name__}). Nothing was left"
        " half-done. Please report it, with what --traceback shows."
    )


def _address() -> str:
    settings = connection.settings_dict
    return f"{settings['HOST'] or 'localhost'}:{settings['PORT'] or 5432}"


def _let_any_text_be_written() -> None:
    """A name that the terminal's encoding lacks must not stop the list that it stands in."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write_no_more() -> None:
    """Whoever read our answer has left: what is still buffered goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
