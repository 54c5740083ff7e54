"""How an instant is said on the command line."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime

from django.utils import timezone


def moment(text: str) -> datetime:
    """Read an instant. Raises ArgumentTypeError where it is none, or has no offset."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            at.astimezone(UTC)
            return at
    except (ValueError, OverflowError):
        raise ArgumentTypeError(
            f"{text!r} is not an ISO 8601 time like 2025-03-20T05:20:00Z"
        ) from None
    raise ArgumentTypeError(f"{text!r} has no offset: add Z for UTC, or one like +01:00")


def past_moment(text: str) -> datetime:
    """Read an instant that has been. Raises ArgumentTypeError for one that has not."""
    at = moment(text)
    if at > timezone.now():
        raise ArgumentTypeError(f"{text!r} lies in the future: nothing is known of it yet")
    return at


def add_known_at(parser: ArgumentParser) -> None:
    """Declare the option that asks about an earlier moment."""
    parser.add_argument(
        "--known-at",
        type=past_moment,
        metavar="ISO",
        help="answer from what was known here at this moment, and as of it",
    )
