"""When passwords and keys were changed, as operators read it."""

from django.contrib import admin

from ops.models import SecretVersion
from ops.readonly import ReadOnlyAdmin


@admin.register(SecretVersion)
class SecretVersionAdmin(ReadOnlyAdmin):
    """By name and date alone: no page can show what was never kept here."""

    list_display = ("name", "version", "made_at", "made_by")
    list_filter = ("name",)
