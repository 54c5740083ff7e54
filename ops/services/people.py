"""Who has which role in the operators' room, the way back in for who lost a second factor, and the
way out for an account that is misused.

Each act is on the trail with its reason. Nobody gives himself a role, and a security officer has
no other one: who acts does not watch himself.
"""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ops import audit
from ops.errors import OpsError
from ops.roles import ALONE, RIGHTS, SMOKE_ACCOUNT, Role, permissions_of


class NotForThisPerson(OpsError):
    """A role or a reset that was asked for cannot be; says why. Nothing was changed."""


def fill_roles() -> None:
    """Give each role's group exactly what the role may do. The second time nothing changes."""
    for role, rights in RIGHTS.items():
        group, _ = Group.objects.get_or_create(name=role.value)
        wanted = Q(pk__in=[])
        for application, codename in permissions_of(rights):
            wanted |= Q(content_type__app_label=application, codename=codename)
        group.permissions.set(Permission.objects.filter(wanted))


def roles_of(user: User) -> set[Role]:
    """Tell which roles somebody has."""
    names = set(user.groups.values_list("name", flat=True))
    return {role for role in Role if role.value in names}


def may_give(giver: User, role: Role, *, to: User) -> bool:
    """Tell whether one may give or take a role: operators their own and integration's, security
    officers theirs, a superuser all."""
    if giver.is_superuser:
        return True
    if giver.pk == to.pk or (is_guarded(to) and role != ALONE):
        return False
    if role == ALONE:
        return ALONE in roles_of(giver) and not to.is_superuser
    return giver.has_perm("auth.change_user")


def may_reset(giver: User, *, of: User) -> bool:
    """Tell whether one may reset somebody's second factor, which is half of an account."""
    if giver.pk == of.pk:
        return False
    if giver.is_superuser:
        return True
    if is_guarded(of):
        return ALONE in roles_of(giver) and not of.is_superuser
    return giver.has_perm("auth.change_user")


def is_guarded(user: User) -> bool:
    """Tell whether an operator must not lay hands on an account: it may more than his own, or it
    watches him."""
    return user.is_superuser or ALONE in roles_of(user)


@transaction.atomic
def give_role(user: User, role: Role, *, by: str, why: str) -> None:
    """Give somebody a role, and with it the door to the admin. Raises NotForThisPerson."""
    user = _locked(user)
    if user.get_username() == SMOKE_ACCOUNT:
        raise NotForThisPerson("The smoke account is nobody: it sees the smoke patient alone.")
    held = roles_of(user)
    if role in held:
        raise NotForThisPerson(f"{user.get_username()} is {role.value} already.")
    if held and ALONE in {role, *held}:
        raise NotForThisPerson(
            f"A security officer has no other role: take {', '.join(sorted(held))} from "
            f"{user.get_username()} first."
        )
    user.groups.add(Group.objects.get(name=role.value))
    User.objects.filter(pk=user.pk).update(is_staff=True)
    audit.record(
        "role.given", by=by, kind="user", key=user.pk, why=why, details={"role": role.value}
    )


@transaction.atomic
def take_role(user: User, role: Role, *, by: str, why: str) -> None:
    """Take a role from somebody; with the last one the door closes. Raises NotForThisPerson."""
    user = _locked(user)
    held = roles_of(user)
    if role not in held:
        raise NotForThisPerson(f"{user.get_username()} is not {role.value}.")
    user.groups.remove(Group.objects.get(name=role.value))
    if held == {role} and not user.is_superuser:
        User.objects.filter(pk=user.pk).update(is_staff=False)
    audit.record(
        "role.taken", by=by, kind="user", key=user.pk, why=why, details={"role": role.value}
    )


@transaction.atomic
def reset_second_factor(user: User, *, by: str, why: str) -> None:
    """Let somebody who lost a second factor enrol anew; sessions that it opened end.

    Raises NotForThisPerson where there is none.
    """
    user = _locked(user)
    removed, _ = Authenticator.objects.filter(user=user).delete()
    if not removed:
        raise NotForThisPerson(f"{user.get_username()} has no second factor to reset.")
    audit.record("second_factor.reset", by=by, kind="user", key=user.pk, why=why)


@transaction.atomic
def shut_out(user: User, *, by: str, why: str) -> int:
    """Let an account open nothing any more, and end its sessions. Returns how many those were.

    The account stays, since the trail names it. The second time it ends what has begun since.
    """
    user = _locked(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    ended = _end_sessions(user)
    audit.record(
        "account.shut_out", by=by, kind="user", key=user.pk, why=why, details={"sessions": ended}
    )
    return ended


@transaction.atomic
def end_all_sessions(*, by: str, why: str) -> int:
    """Let everybody sign in again: one that was used under a new key outlives the old one."""
    ended, _ = Session.objects.all().delete()
    audit.record("sessions.ended", by=by, kind="place", key="this", why=why)
    return ended


def _end_sessions(user: User) -> int:
    """Whose a session is stands inside it alone: each that has not expired is opened."""
    running = Session.objects.filter(expire_date__gt=timezone.now())
    own = [
        session.pk
        for session in running.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    Session.objects.filter(pk__in=own).delete()
    return len(own)


def _locked(user: User) -> User:
    """Two that give at once must not make a pair that nobody may have."""
    return User.objects.select_for_update().get(pk=user.pk)
