"""Deployments as operators read them: a timeline, how the stages differ, and one's whole story."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from ops.choices import DeploymentStatus, Moment
from ops.models import Deployment
from ops.queries.checklists import standings_of
from ops.queries.deployments import latest_deployments
from ops.readonly import ReadOnlyAdmin
from ops.services.stages import glance, words_of_stages
from ops.timeline import Mark, draw_timeline

_DRAWN = 60
_MARKS = {
    DeploymentStatus.PLANNED: "□",
    DeploymentStatus.RUNNING: "◉",
    DeploymentStatus.SUCCEEDED: "●",
    DeploymentStatus.FAILED: "✕",
    DeploymentStatus.ROLLED_BACK: "←",
    DeploymentStatus.OBSERVED: "◇",
}
_MOMENTS = {
    DeploymentStatus.PLANNED: [Moment.BEFORE],
    DeploymentStatus.RUNNING: [Moment.DURING, Moment.AFTER],
}


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    """What was brought where. Commands and services write it, nobody edits it."""

    change_list_template = "admin/ops/deployments.html"
    change_form_template = "admin/ops/deployment.html"
    list_display = (
        "number",
        "when",
        "stage",
        "version",
        "short_commit",
        "by",
        "state",
        "took",
        "outcome",
    )
    list_display_links = ("number", "version")
    list_filter = ("stage", "status")
    ordering = ("-id",)

    @admin.display(description="number", ordering="pk")
    def number(self, one: Deployment) -> int:
        """Give the number by which the commands name it."""
        return one.pk

    @admin.display(description="begun", ordering="id")
    def when(self, one: Deployment) -> str:
        """Say when it began, by the hospital's clock."""
        at = one.started_at
        return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}" if at else "not yet"

    @admin.display(description="commit")
    def short_commit(self, one: Deployment) -> str:
        """Give the beginning of the commit."""
        return one.short_commit or "–"

    @admin.display(description="status", ordering="status")
    def state(self, one: Deployment) -> str:
        """Say how it stands, with the mark that the timeline has for it."""
        return state_of(one)

    @admin.display(description="took")
    def took(self, one: Deployment) -> str:
        """Say how long it took."""
        return duration_of(one)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the stages beside each other and the timeline above the list."""
        words = words_of_stages()
        more = {
            "title": "Deployments",
            "words": words,
            "glance": glance(words),
            "timeline": _timeline(),
            "legend": [(_MARKS[status], status.label) for status in DeploymentStatus],
        }
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show all that is known of one."""
        found: Any = self.get_object(request, object_id)
        more = _story(found, request) if isinstance(found, Deployment) else {}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})


def state_of(one: Deployment) -> str:
    """Say how a deployment stands, with its mark."""
    return f"{_MARKS[DeploymentStatus(one.status)]} {one.get_status_display()}"


def duration_of(one: Deployment) -> str:
    """Say how long a deployment took."""
    if one.status == DeploymentStatus.OBSERVED or one.duration is None:
        return "–"
    minutes, seconds = divmod(round(one.duration.total_seconds()), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _timeline() -> str:
    marks = [
        Mark(
            stage=one.stage,
            status=DeploymentStatus(one.status),
            at=one.started_at or one.planned_at,
            words=(
                f"{one.version} to {one.stage}, {one.get_status_display().lower()}, "
                f"{timezone.localtime(one.started_at or one.planned_at):%Y-%m-%d %H:%M %Z}"
            ),
            address=reverse("admin:ops_deployment_change", args=[one.pk]),
        )
        for one in latest_deployments(most=_DRAWN)
    ]
    return draw_timeline(marks, until=timezone.now())


def _story(one: Deployment, request: HttpRequest) -> dict[str, Any]:
    runs = list(one.checklists.order_by("id"))
    stood = standings_of(runs)
    may_act = request.user.has_perm("ops.change_checklistrun")
    open_moments = _MOMENTS.get(DeploymentStatus(one.status), [])
    there = {run.moment for run in runs}
    return {
        "title": f"Deployment {one.pk}: {one}",
        "subtitle": None,
        "state": state_of(one),
        "took": duration_of(one),
        "steps": one.steps.all(),
        "runs": [(run, stood[run.pk]) for run in runs],
        "to_open": [each for each in open_moments if may_act and each.value not in there],
        "has_rolled_back": list(one.has_rolled_back.all()),
    }
