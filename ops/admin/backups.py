"""Backups, restores and drills, as operators read them, and the acts beside them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from kombu.exceptions import OperationalError as QueueError

from ops import charts
from ops.acts import WhyForm
from ops.choices import DUMPS, BackupKind, RestoreKind, RestoreStatus
from ops.models import Backup, Muting, Restore
from ops.readonly import ReadOnlyAdmin
from ops.services.log_shipping import OF_THE_LOG
from ops.services.muting import is_muted, unmute
from ops.tasks import drill_backup, make_backup

_DRAWN = 30


class BackUpForm(WhyForm):
    """Which backup, and why."""

    kind = forms.ChoiceField(
        choices=[
            (BackupKind.POINT, "A dump, kept as long as a daily one"),
            (BackupKind.CONFIGURATION, "How the place is set up"),
            (BackupKind.BASE, "The base of the log, where this place keeps it"),
        ]
    )
    field_order = ("kind", "why")


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    """Which backups there are, and what each holds. They are made by the keeper."""

    list_display = ("name", "state", "started_at", "took", "weighs", "holds", "by")
    list_filter = ("kind", "status")
    search_fields = ("name",)
    search_help_text = "The name, for example daily-20261128T020000Z."
    ordering = ("-started_at", "-pk")
    fields = (
        "name", "kind", "state", "started_at", "finished_at", "by", "weighs", "sha256", "place",
        "opens_with", "tables",
    )  # fmt: skip
    change_list_template = "admin/ops/backups.html"
    change_form_template = "admin/ops/backup.html"

    @admin.display(description="state", ordering="status")
    def state(self, backup: Backup) -> str:
        """Say how it stands, and what it does or why it failed."""
        more = backup.step or backup.failure
        return f"{backup.get_status_display()}: {more}" if more else backup.get_status_display()

    @admin.display(description="took")
    def took(self, backup: Backup) -> str:
        """Say how long it took."""
        seconds = backup.manifest.get("seconds")
        return "" if seconds is None else f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds} s"

    @admin.display(description="size, encrypted", ordering="size")
    def weighs(self, backup: Backup) -> str:
        """Say how large it is."""
        return "" if backup.size is None else filesizeformat(backup.size)

    @admin.display(description="rows")
    def holds(self, backup: Backup) -> str:
        """Say how many rows it holds, where it is a dump."""
        tables = backup.manifest.get("tables")
        return f"{sum(one['rows'] for one in tables.values()):,}" if tables else ""

    @admin.display(description="kept as")
    def place(self, backup: Backup) -> str:
        """Say under which name it is kept."""
        return str(backup.manifest.get("object", {}).get("path", ""))

    @admin.display(description="opens with")
    def opens_with(self, backup: Backup) -> str:
        """Name the public parts of the keys that open it."""
        return ", ".join(backup.manifest.get("recipients", []))

    @admin.display(description="rows of each table")
    def tables(self, backup: Backup) -> str | SafeString:
        """List what it holds, table by table."""
        tables = backup.manifest.get("tables", {})
        if not tables:
            return "none: it is no dump"
        rows = format_html_join(
            "",
            "<tr><th scope=row>{}</th><td>{}</td></tr>",
            ((name, f"{one['rows']:,}") for name, one in sorted(tables.items())),
        )
        return format_html("<table>{}</table>", rows)

    def get_urls(self) -> list[URLPattern]:
        """Put the pages of the acts before what fits everything."""
        view = self.admin_site.admin_view
        return [
            path("make/", view(self.make), name="ops_backup_make"),
            path("<path:object_id>/drill/", view(self.drill), name="ops_backup_drill"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, and who may make one how to."""
        more = {
            "may_act": request.user.has_perm("ops.add_backup"),
            "backup_hour": settings.BACKUP_HOUR,
            **(extra_context or {}),
        }
        return super().changelist_view(request, more)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one backup; a dump that is kept can be drilled."""
        backup = self.get_object(request, object_id)
        may_drill = (
            backup is not None
            and backup.kind in DUMPS
            and backup.status == "made"
            and request.user.has_perm("ops.add_backup")
        )
        more = {"may_drill": may_drill, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, more)

    def make(self, request: HttpRequest) -> HttpResponse:
        """Ask why, then let the keeper make a backup."""
        _require(request, "ops.add_backup")
        form = BackUpForm(request.POST) if request.method == "POST" else BackUpForm()
        if not form.is_valid():
            return _ask(
                self, request, form, title="Make a backup", button="Make it",
                consequences=(
                    "The keeper makes it beside everything else, in one snapshot, encrypted.",
                    "Nothing stops for it. It is on the list at once, and on the audit trail.",
                ),
            )  # fmt: skip
        given = form.cleaned_data
        _send(
            self, request,
            lambda: make_backup.delay(given["kind"], request.user.get_username(), given["why"]),
            "The keeper was told to make a backup: look at this list again in a moment.",
        )  # fmt: skip
        return redirect(reverse("admin:ops_backup_changelist"))

    def drill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let the keeper prove a backup."""
        _require(request, "ops.add_backup")
        backup = self.get_object(request, object_id)
        if backup is None:
            return redirect(reverse("admin:ops_backup_changelist"))
        form = WhyForm(request.POST) if request.method == "POST" else WhyForm()
        if not form.is_valid():
            return _ask(
                self, request, form, title=f"Prove {backup}", button="Prove it",
                consequences=(
                    "It is restored into a database of its own beside the record.",
                    "There it is held against its counts and checksums, and dropped again.",
                    "That needs as much room on the database's disk as the record does.",
                ),
            )  # fmt: skip
        _send(
            self, request,
            lambda: drill_backup.delay(backup.name, request.user.get_username()),
            "The keeper was told to prove it: look at the restores in a moment.",
        )  # fmt: skip
        return redirect(reverse("admin:ops_restore_changelist"))


@admin.register(Restore)
class RestoreAdmin(ReadOnlyAdmin):
    """What was restored and proven, how long it took, and what would have been lost."""

    list_display = ("source", "kind", "state", "started_at", "took", "lost", "by")
    list_filter = ("kind", "status")
    ordering = ("-started_at", "-pk")
    fields = (
        "source", "kind", "state", "target", "by", "why", "started_at", "finished_at", "steps",
        "stands_as_of", "lost", "proven", "caught_up",
    )  # fmt: skip
    change_list_template = "admin/ops/restores.html"

    @admin.display(description="state", ordering="status")
    def state(self, one: Restore) -> str:
        """Say how it ended, and why if it failed."""
        shown = one.get_status_display()
        return f"{shown}: {one.failure}" if one.failure else shown

    @admin.display(description="took")
    def took(self, one: Restore) -> str:
        """Say how long all of it took."""
        seconds = one.seconds.get("in all", sum(one.seconds.values()))
        return f"{seconds:,.1f} s" if one.seconds else ""

    @admin.display(description="stands as of")
    def stands_as_of(self, one: Restore) -> str:
        """Say as of when the record that came out stood."""
        return str(one.report.get("reaches") or one.report.get("stands_as_of") or "")

    @admin.display(description="would be lost")
    def lost(self, one: Restore) -> str:
        """Say how much lay between what came out and the moment of the drill."""
        seconds = one.report.get("lost_seconds", one.report.get("seconds_behind"))
        if seconds is None:
            return ""
        return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, below how the last drills went."""
        return super().changelist_view(request, {"drills": _drills(), **(extra_context or {})})

    @admin.display(description="how long each step took")
    def steps(self, one: Restore) -> str:
        """List the steps."""
        return ", ".join(f"{step}: {seconds} s" for step, seconds in one.seconds.items())

    @admin.display(description="proven")
    def proven(self, one: Restore) -> str:
        """Say what was counted and compared."""
        if "rows" not in one.report:
            return "nothing"
        return (
            f"{one.report['tables']} tables, {one.report['rows']:,} rows, each as it was backed up"
        )

    @admin.display(description="caught up")
    def caught_up(self, one: Restore) -> str | SafeString:
        """List what was brought up to date after a restore."""
        said = one.report.get("caught_up", {})
        failed = one.report.get("not_caught_up", {})
        lines = [*said.items(), *((name, f"FAILED: {why}") for name, why in failed.items())]
        listed = format_html_join("", "<li>{}: {}</li>", lines)
        return format_html("<ul>{}</ul>", listed) if lines else "a drill catches up with nothing"


def _drills() -> list[tuple[str, str, SafeString]]:
    """Draw how long the last drills took, of dumps and of the log, and say it."""
    proven = Restore.objects.filter(kind=RestoreKind.DRILL, status=RestoreStatus.PROVEN)
    shown = []
    for title, found in (
        ("Of dumps", proven.exclude(source__startswith=OF_THE_LOG)),
        ("Of the log", proven.filter(source__startswith=OF_THE_LOG)),
    ):
        last = list(found[:_DRAWN])
        if not last:
            continue
        seconds = [one.seconds.get("in all", 0.0) for one in reversed(last)]
        lost = last[0].report.get("lost_seconds", 0.0)
        words = (
            f"The last took {seconds[-1]:,.1f} s; {lost:,.0f} s of what was done would have been"
            " lost, but for the kept files, which are taken in again."
        )
        chart = charts.line(seconds, title=f"Seconds of the last {len(seconds)} drills")
        shown.append((title, words, chart))
    return shown


@admin.register(Muting)
class MutingAdmin(ReadOnlyAdmin):
    """When this place was muted, and who let it act again."""

    list_display = ("muted_at", "why", "muted_by", "ended_at", "ended_by")
    ordering = ("-muted_at", "-pk")
    change_list_template = "admin/ops/mutings.html"

    def get_urls(self) -> list[URLPattern]:
        """Put the page of the act before what fits everything."""
        view = self.admin_site.admin_view
        return [path("end/", view(self.end), name="ops_muting_end"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, and while it is muted how that is ended."""
        more = {
            "is_muted": is_muted(),
            "may_act": request.user.has_perm("ops.change_muting"),
            **(extra_context or {}),
        }
        return super().changelist_view(request, more)

    def end(self, request: HttpRequest) -> HttpResponse:
        """Ask why, then let the place act again."""
        _require(request, "ops.change_muting")
        form = WhyForm(request.POST) if request.method == "POST" else WhyForm()
        if not form.is_valid():
            return _ask(
                self, request, form, title="Let this place act again", button="Let it act",
                consequences=(
                    "It takes files in and evaluates everybody at once, and tells people.",
                    "Be sure that no other copy of this hospital acts at the same time.",
                    "People would be told twice, and acknowledge one of two alerts.",
                ),
            )  # fmt: skip
        if unmute(by=request.user.get_username(), why=form.cleaned_data["why"]):
            self.message_user(request, "It acts again.", messages.SUCCESS)
        else:
            self.message_user(request, "It was not muted.", messages.WARNING)
        return redirect(reverse("admin:ops_muting_changelist"))


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _ask(page: ReadOnlyAdmin, request: HttpRequest, form: forms.Form, **told: Any) -> HttpResponse:
    """Ask for confirmation and a reason."""
    context = {**page.admin_site.each_context(request), "opts": page.opts, "form": form, **told}
    return TemplateResponse(request, "admin/ops/ask.html", context)


def _send(page: ReadOnlyAdmin, request: HttpRequest, send: Any, done: str) -> None:
    try:
        send()
    except QueueError:
        text = "The queue does not answer, and nothing was done: manage.py backup does it at once."
        page.message_user(request, text, messages.ERROR)
    else:
        page.message_user(request, done, messages.SUCCESS)
