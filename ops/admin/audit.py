"""The audit trail, as operators read it."""

from django.contrib import admin

from ops.models import AuditEvent
from ops.readonly import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what, and why. Nobody edits it, the database refuses."""

    list_display = ("at", "who", "act", "object_kind", "object_key", "why")
    list_filter = ("act", "object_kind")
    search_fields = ("who", "object_key")
    search_help_text = "Who acted, or the key of what was acted on."
    ordering = ("-at", "-pk")
