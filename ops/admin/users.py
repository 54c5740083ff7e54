"""Accounts, their roles and their second factors, as operators keep them.

Roles and resets are acts with a reason; who may carry them out is the service's. Nobody makes
himself more than he is: what opens doors is shown, and changed by superusers alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import (
    ReadOnlyPasswordHashField,
    ReadOnlyPasswordHashWidget,
    UserChangeForm,
)
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from ops import audit
from ops.acts import WhyForm
from ops.readonly import ReadOnlyAdmin
from ops.roles import Role
from ops.services import people

admin.site.unregister([User, Group])


class RoleForm(WhyForm):
    """Which role, given or taken."""

    role = forms.ChoiceField(label="What happens", widget=forms.RadioSelect)
    field_order = ("role", "why")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


class UnseenPassword(ReadOnlyPasswordHashWidget):
    """Offers a new password, and shows nothing of the hash: parts of it are of use to thieves."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Say whether there is one."""
        context = super().get_context(name, value, attrs)
        said = "Set." if is_password_usable(value) else "None: nobody signs in with a password."
        context["summary"] = [{"label": said}]
        return context


class AccountForm(UserChangeForm):  # type: ignore[type-arg]
    """An account as it is."""

    password = ReadOnlyPasswordHashField(label="Password", widget=UnseenPassword)


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]
    """Accounts. One that is not used any more is made inactive: the trail still names it."""

    change_form_template = "admin/ops/account.html"
    form = AccountForm
    list_display = ("username", "last_name", "first_name", "roles", "second_factor", "is_active")
    list_filter = ("is_active", "groups", "is_staff", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "What it opens",
            {
                "fields": ("is_active", "roles", "second_factor", "is_staff", "is_superuser"),
                "description": "Roles are given and taken with a reason, by the buttons above.",
            },
        ),
        ("When", {"fields": ("last_login", "date_joined")}),
    )
    always_shown = ("roles", "second_factor", "last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Bring what each line shows in one question each."""
        return super().get_queryset(request).prefetch_related("groups", "authenticator_set")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let only superusers open doors by hand."""
        doors = () if request.user.is_superuser else ("is_staff", "is_superuser")
        return (*self.always_shown, *doors)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep operators' hands off accounts that may more than theirs, or that watch them."""
        if obj is not None and not request.user.is_superuser and people.is_guarded(obj):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: the trail names accounts."""
        return False

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        """Name them; a superuser may everything without one."""
        held = sorted(group.name for group in user.groups.all())
        return ", ".join(["superuser", *held] if user.is_superuser else held) or "none"

    @admin.display(description="second factor")
    def second_factor(self, user: Any) -> str:
        """Say whether there is one, and nothing of it."""
        kinds = {one.type for one in user.authenticator_set.all()} - {"recovery_codes"}
        words = {"totp": "authenticator app", "webauthn": "passkey"}
        return ", ".join(sorted(words[kind] for kind in kinds)) or "none"

    def get_urls(self) -> list[URLPattern]:
        """Put the acts before what fits everything."""
        own = [
            path("<int:key>/role/", self.admin_site.admin_view(self.role), name="auth_user_role"),
            path(
                "<int:key>/factor/",
                self.admin_site.admin_view(self.factor),
                name="auth_user_factor",
            ),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show an account, and the acts that are open to whoever looks."""
        shown: Any = self.get_object(request, object_id)
        acts = {
            "may_give": shown is not None and bool(_choices(request.user, shown)),
            "may_reset": shown is not None and people.may_reset(_user(request), of=shown),
        }
        return super().change_view(request, object_id, form_url, {**acts, **(extra_context or {})})

    def role(self, request: HttpRequest, key: int) -> HttpResponse:
        """Ask which role is given or taken, and why; then do it."""
        account = get_object_or_404(User, pk=key)
        choices = _choices(request.user, account)
        if not choices:
            raise PermissionDenied
        form = RoleForm(request.POST or None, choices=choices)

        def carry_out(by: str) -> str:
            act, _, name = form.cleaned_data["role"].partition(":")
            change = people.give_role if act == "give" else people.take_role
            change(account, Role(name), by=by, why=form.cleaned_data["why"])
            now = "now" if act == "give" else "no longer"
            return f"Done: {account.get_username()} is {now} {name}."

        return self._asked(request, account, form, "Give or take a role", carry_out)

    def factor(self, request: HttpRequest, key: int) -> HttpResponse:
        """Ask why a second factor is reset; then do it."""
        account = get_object_or_404(User, pk=key)
        if not people.may_reset(_user(request), of=account):
            raise PermissionDenied

        def carry_out(by: str) -> str:
            people.reset_second_factor(account, by=by, why=form.cleaned_data["why"])
            return (
                f"Done: {account.get_username()} sets up a new second factor when signing in next."
            )

        form = WhyForm(request.POST or None)
        return self._asked(request, account, form, "Reset the second factor", carry_out)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        """Put on the trail that an account was made."""
        self._note("user.made", request, obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        """Put on the trail what was changed of an account: names of fields, never a password."""
        self._note("user.changed", request, obj, message)
        return super().log_change(request, obj, message)

    @staticmethod
    def _note(act: str, request: HttpRequest, obj: Any, message: Any) -> None:
        said = message if isinstance(message, list) else [{"changed": {"fields": ["password"]}}]
        fields = [
            str(name) for part in said for what in part.values() for name in what.get("fields", [])
        ]
        with transaction.atomic():
            audit.record(
                act,
                by=request.user.get_username(),
                kind="user",
                key=obj.pk,
                details={"fields": fields} if fields else {},
            )

    def _asked(
        self,
        request: HttpRequest,
        account: User,
        form: forms.Form,
        title: str,
        carry_out: Callable[[str], str],
    ) -> HttpResponse:
        if request.method == "POST" and form.is_valid():
            try:
                self.message_user(request, carry_out(request.user.get_username()))
            except people.NotForThisPerson as error:
                self.message_user(request, f"{error} Nothing was changed.", messages.ERROR)
            return redirect("admin:auth_user_change", account.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "account": account,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/ops/account_act.html", context)


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    """Roles and what each may do. They are written in the code (`ops/roles.py`), not here."""

    list_display = ("name",)
    fields = ("name", "permissions")
    searches_privately = False


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the site lets nobody else in
    return request.user


def _choices(giver: Any, account: User) -> list[tuple[str, str]]:
    held = people.roles_of(account)
    return [
        (f"{'take' if role in held else 'give'}:{role.value}", f"{verb}: {role.value}")
        for role in Role
        for verb in ["Take away" if role in held else "Give"]
        if people.may_give(giver, role, to=account)
    ]
