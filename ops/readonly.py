"""Admin pages that only show: what services own the writing of, nobody edits by hand."""

from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

Shown = TypeVar("Shown", bound=Model)


class ReadOnlyAdmin(admin.ModelAdmin[Shown]):
    """Lists and shows; refuses to add, change or delete, whoever asks."""

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False
