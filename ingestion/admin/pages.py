"""The work lists that are no list of one table."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin

from ingestion import queries
from ingestion.services.conflicts import conflicts_at_hand
from ops.admin_site import OperatorAdminSite, Page

# A work list longer than this is not read to its end.
_LISTED = 500


def _waiting_page() -> dict[str, Any]:
    return {
        "counts": queries.waiting_counts(),
        "listed": _LISTED,
        "records": queries.waiting_records(limit=_LISTED),
    }


def _conflicts_page() -> dict[str, Any]:
    conflicts = conflicts_at_hand(limit=_LISTED)
    return {
        "open": [one for one in conflicts if one.decision is None],
        "decided": [one for one in conflicts if one.decision is not None],
        "listed": _LISTED,
    }


def add_pages(site: OperatorAdminSite) -> None:
    """Add them to the site."""
    site.add_page(
        Page(
            "ingestion",
            "waiting",
            "Waiting records",
            "ingestion.view_waitingrow",
            "admin/ingestion/waiting.html",
            _waiting_page,
            shows_patients=True,
        )
    )
    site.add_page(
        Page(
            "ingestion",
            "conflicts",
            "Identity conflicts",
            "ingestion.view_labtest",
            "admin/ingestion/conflicts.html",
            _conflicts_page,
            shows_patients=True,
        )
    )


add_pages(cast(OperatorAdminSite, admin.site))
