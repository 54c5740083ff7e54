"""Seals, verifications and archives: how far the trail is proved, and who looked."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ops.models import AuditArchive, AuditSeal, AuditVerification
from ops.readonly import ReadOnlyAdmin


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    """The chain, its end first."""

    shows_patients = False
    list_display = ("number", "at", "count", "short_hash", "place")
    search_fields = ("number__exact",)
    search_help_text = "The seal's number."
    ordering = ("-number",)

    @admin.display(description="hash")
    def short_hash(self, seal: AuditSeal) -> str:
        """Show enough to know it again."""
        return f"{seal.hash[:12]}…"


@admin.register(AuditVerification)
class AuditVerificationAdmin(ReadOnlyAdmin):
    """When the trail was held against its seals, and what was found."""

    shows_patients = False
    list_display = ("at", "by", "scope", "seals", "events", "outcome", "oldest", "newest")
    ordering = ("-at", "-pk")
    fields = (
        "at",
        "by",
        "scope",
        "seals",
        "events",
        "outcome",
        "told",
        "oldest",
        "newest",
        "newest_hash",
    )
    readonly_fields = ("outcome", "told")

    @admin.display(description="outcome", ordering="findings")
    def outcome(self, verification: AuditVerification) -> str:
        """Say it in words."""
        if not verification.findings:
            return "As it was sealed"
        return f"Not as it was sealed: {verification.findings} findings"

    @admin.display(description="findings")
    def told(self, verification: AuditVerification) -> SafeString | str:
        """List the first of them."""
        lines = format_html_join("", "<div>{}</div>", ((each,) for each in verification.words))
        return lines or "None."


@admin.register(AuditArchive)
class AuditArchiveAdmin(ReadOnlyAdmin):
    """What has left the table; its seals keep it."""

    shows_patients = False
    list_display = ("at", "by", "first_seal", "last_seal", "events", "why")
    ordering = ("-last_seal",)
