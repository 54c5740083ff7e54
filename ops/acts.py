"""Acts on lists that are else read-only: asked for, confirmed with a reason, then carried out.

Knows how an operator is asked and answered; what an act does is the service's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ops.errors import OpsError
from ops.readonly import ReadOnlyAdmin

# A page that reads a night's files again would be cut off half-way: the command is for those.
MOST = 50
MOST_BYTES = 32 << 20


class WhyForm(forms.Form):
    """The reason, which stays on record."""

    why = forms.CharField(
        label="Why",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="It stays on record. Name no patient.",
    )


@dataclass(frozen=True)
class Act:
    """One act as operators are asked about it.

    `carry_out` does it, says of each part whether it went well and what came of it, and raises
    OpsError. It is given the objects, who acts, why, and what else the form holds.
    """

    name: str
    title: str
    consequences: Sequence[str]
    button: str
    carry_out: Callable[..., list[tuple[bool, str]]]
    form: type[WhyForm] = field(default=WhyForm)


class WorkedAdmin(ReadOnlyAdmin):
    """A read-only list on which those may act who may change its model."""

    change_form_template = "admin/ops/worked.html"
    # Added to the list's address when an act is asked for on an object's own page: the list must
    # not leave out that object.
    all_of_it = ""

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Tell who may act: whoever may change the model, though nobody edits it by hand."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def offers(self, one: Any, act: str) -> bool:
        """Tell whether an act is offered on this object's page."""
        return True

    @admin.display(description="number", ordering="pk")
    def number(self, one: Any) -> int:
        """Give the number by which the commands name it."""
        return int(one.pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the object, and the acts that are open to whoever looks."""
        actions: Any = self.get_actions(request)
        shown = self.get_object(request, object_id)
        offered = [
            (name, title)
            for _, name, title in actions.values()
            if shown is not None and self.offers(shown, name)
        ]
        more = {"offered": offered, "all_of_it": self.all_of_it}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})


def ask_or_act(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, chosen: QuerySet[Any], act: Act
) -> HttpResponse | None:
    """Ask for the reason; once it is given, carry the act out and say what came of it."""
    objects = list(chosen[: MOST + 1])
    if len(objects) > MOST:
        text = f"No more than {MOST} at once: for more there are commands."
        model_admin.message_user(request, text, messages.ERROR)
        return None
    form = act.form(request.POST) if "confirmed" in request.POST else act.form()
    if not form.is_valid():
        context = {
            **model_admin.admin_site.each_context(request),
            "title": act.title,
            "act": act,
            "form": form,
            "objects": objects,
            "opts": model_admin.opts,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/ops/confirm.html", context)
    try:
        done = act.carry_out(objects, by=request.user.get_username(), **form.cleaned_data)
    except OpsError as error:
        model_admin.message_user(request, f"{error} Nothing was changed.", messages.ERROR)
        return None
    for is_well, text in done:
        model_admin.message_user(request, text, messages.SUCCESS if is_well else messages.WARNING)
    return None
