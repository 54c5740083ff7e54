"""The audit trail, as operators and security officers read it: who did what, and who saw whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ops import audit
from ops.models import AuditEvent, AuditVerification
from ops.queries.trail import came_to, lines_of, state_of, with_state
from ops.readonly import ReadOnlyAdmin
from ops.services.muting import is_muted
from ops.services.sealing import newest_seal, unsealed_window

# An export longer than this is narrowed first.
MOST_EXPORTED = 100_000
_PAGE = 100


class Period(admin.SimpleListFilter):
    """By when it was."""

    title = "time"
    parameter_name = "within"
    _periods = {
        "1h": ("The last hour", timedelta(hours=1)),
        "24h": ("The last day", timedelta(hours=24)),
        "7d": ("The last week", timedelta(days=7)),
        "30d": ("The last 30 days", timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer some spans that end now."""
        return [(value, title) for value, (title, _) in self._periods.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what was within the span."""
        asked = self._periods.get(self.value() or "")
        return queryset if asked is None else queryset.filter(at__gte=timezone.now() - asked[1])


class ActName(admin.SimpleListFilter):
    """By what was done. Names those of late: to ask a long trail for all of them takes minutes."""

    title = "act"
    parameter_name = "act"
    _of_late = 5_000

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name what was done of late."""
        late = AuditEvent.objects.order_by("-pk").values_list("act", flat=True)[: self._of_late]
        return [(act, act) for act in sorted(set(late))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep these."""
        return queryset.filter(act=self.value()) if self.value() else queryset


class IsSealed(admin.SimpleListFilter):
    """By whether something outside the database proves it."""

    title = "seal"
    parameter_name = "sealed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer both."""
        return [("yes", "Sealed"), ("no", "Not yet sealed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep those."""
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(sealed__isnull=self.value() == "no")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what, and who looked at whom. Nobody edits it, the database refuses."""

    shows_patients = False
    may_be_slightly_old = True
    # To count by each filter would read the whole trail.
    show_facets = admin.ShowFacets.NEVER
    list_display = (
        "when",
        "kind",
        "who",
        "act",
        "on_what",
        "of_patient",
        "why",
        "from_where",
        "state",
    )
    list_filter = ("kind", Period, ActName, IsSealed)
    search_fields = ("who__exact", "object_key__exact")
    search_help_text = "The whole name of who acted, or the key of what was acted on."
    ordering = ("-at", "-pk")
    readonly_fields = ("state",)
    exclude = ("once",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        """Give each event with how far it is proved."""
        return with_state(super().get_queryset(request))

    def get_urls(self) -> list[URLPattern]:
        """Put exports and a patient's log before what fits everything."""
        views = (
            ("export/", self.export, "export"),
            ("patient/<uuid:patient>/", self.patient_log, "patient"),
            ("patient/<uuid:patient>/export/", self.export_patient_log, "patient_export"),
        )
        own = [
            path(address, self.admin_site.admin_view(view), name=f"ops_auditevent_{name}")
            for address, view, name in views
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list below how far the trail is proved."""
        return super().changelist_view(request, {**_standing(), **(extra_context or {})})

    @admin.display(description="when", ordering="at")
    def when(self, event: AuditEvent) -> str:
        """Give the hospital's wall clock, with its zone: twice a year an hour comes twice."""
        return f"{timezone.localtime(event.at):%Y-%m-%d %H:%M:%S %Z}"

    @admin.display(description="on what")
    def on_what(self, event: AuditEvent) -> str:
        """Name what was acted on; a patient's key has a column of its own."""
        key = "" if event.object_key == str(event.patient) else event.object_key
        return f"{event.object_kind} {key}".strip()

    @admin.display(description="patient")
    def of_patient(self, event: AuditEvent) -> str | SafeString:
        """Lead to everybody who came to this patient; of the key, the beginning tells enough."""
        if event.patient is None:
            return "–"
        address = reverse("admin:ops_auditevent_patient", args=[event.patient])
        return format_html('<a href="{}">{}…</a>', address, str(event.patient)[:8])

    @admin.display(description="proof")
    def state(self, event: AuditEvent) -> str | SafeString:
        """Say by which seal it is proved, and whether that was verified since."""
        sealed = getattr(event, "sealed", None)
        if sealed is None:
            return "Not yet sealed"
        address = reverse("admin:ops_auditseal_change", args=[sealed.seal_id])
        verified = ", verified" if getattr(event, "verified_at", None) else ""
        return format_html('<a href="{}">Sealed in {}</a>{}', address, sealed.seal_id, verified)

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Give the list, filtered as it is shown, as CSV. An export is a look."""
        if (refused := self._refused(request, method="POST")) is not None:
            return refused
        listed: Any = self.get_changelist_instance(request)
        filters = {name: str(value) for name, value in request.GET.items()}
        return _exported(request, listed.get_queryset(request), details={"filters": filters})

    def patient_log(self, request: HttpRequest, patient: UUID) -> HttpResponseBase:
        """Show who looked at a patient or changed something of this one. That is a look too."""
        if (refused := self._refused(request, method="GET")) is not None:
            return refused
        events = came_to(patient)
        before = request.GET.get("before", "")
        if before.isdigit():
            events = events.filter(pk__lt=int(before))
        listed = list(events.order_by("-pk")[: _PAGE + 1])
        audit.look(
            "patient.access_log_opened",
            by=cast(audit.Person, request.user),
            kind="patient",
            key=patient,
            patient=patient,
        )
        context = {
            **self.admin_site.each_context(request),
            "title": "Who came to this patient",
            "patient": patient,
            "events": [(event, state_of(event)) for event in listed[:_PAGE]],
            "next": listed[_PAGE - 1].pk if len(listed) > _PAGE else None,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/ops/auditevent/patient.html", context)

    def export_patient_log(self, request: HttpRequest, patient: UUID) -> HttpResponseBase:
        """Give a patient's whole log as CSV."""
        if (refused := self._refused(request, method="POST")) is not None:
            return refused
        return _exported(request, came_to(patient), details={}, patient=patient)

    def _refused(self, request: HttpRequest, *, method: str) -> HttpResponse | None:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return None if request.method == method else HttpResponseNotAllowed([method])


def _standing() -> dict[str, object]:
    return {
        "window": unsealed_window(),
        "muted": is_muted(),
        "newest_seal": newest_seal(),
        "verification": AuditVerification.objects.order_by("-pk").first(),
        "most_exported": MOST_EXPORTED,
    }


def _exported(
    request: HttpRequest,
    events: QuerySet[AuditEvent],
    *,
    details: dict[str, Any],
    patient: UUID | None = None,
) -> HttpResponseBase:
    # The export's own line is no part of it.
    newest = AuditEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
    chosen = events.filter(pk__lte=newest)[:MOST_EXPORTED]
    rows = chosen.count()
    audit.look(
        "trail.exported",
        by=cast(audit.Person, request.user),
        kind="audit trail",
        key=patient or "",
        patient=patient,
        details={**details, "rows": rows},
    )
    lines = lines_of(chosen.iterator(chunk_size=2_000))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"trail-{timezone.localtime():%Y%m%dT%H%M%S}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer
