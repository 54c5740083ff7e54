"""How the place stands, in full: every component with its figures and its last days."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.utils import timezone

from ops.admin_site import OperatorAdminSite, Page
from ops.public import DAYS, histories_of
from ops.queries.status import open_incidents
from ops.standing import standings


def _state() -> dict[str, Any]:
    at = timezone.now()
    stand = standings(at)
    histories = histories_of(stand, at=at)
    return {
        "at": at,
        "days": DAYS,
        "incidents": open_incidents(),
        "components": [
            {"stands": one, "history": histories[one.name], "figures": _in_words(one.figures)}
            for one in stand
        ],
    }


def _in_words(figures: Any) -> list[tuple[str, str]]:
    told = []
    for figure, value in sorted(figures.items()):
        name, _, of = figure.partition(":")
        title = name.replace("_", " ") + (f", {of}" if of else "")
        told.append((title, f"{value:,.1f}".removesuffix(".0")))
    return told


def add_pages(site: OperatorAdminSite) -> None:
    """Add it to the site."""
    site.add_page(
        Page(
            "ops",
            "state",
            "State of the place",
            "ops.view_probesample",
            "admin/ops/state.html",
            _state,
        )
    )


add_pages(cast(OperatorAdminSite, admin.site))
