"""Logs of several clusters in one storage: the hospital's own is taken, and never guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.errors import NothingToRecover
from ops.services.log_shipping import _base_before as base_before
from tests.ops.places import KeptPlace, kept_place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(name="place")
def _place(tmp_path: Path, transactional_db: None) -> Iterator[KeptPlace]:
    with kept_place(tmp_path) as place:
        yield place


def keep_base(place: KeptPlace, at: str, *, system: str) -> str:
    name = f"base-202503{at}Z"
    told = {
        "format": 1, "name": name, "system": system, "first_segment": "0" * 24,
        "copied_at": f"2025-03-{at[:2]}T{at[3:5]}:00:00+00:00",
        "object": {"sha256": "", "path": ""},
    }  # fmt: skip
    place.manifest_of(name).parent.mkdir(parents=True)
    place.manifest_of(name).write_text(json.dumps(told))
    return name


def test_this_servers_own_is_taken_though_a_copy_made_a_newer_one(place: KeptPlace) -> None:
    own = keep_base(place, "20T010000", system="1")
    keep_base(place, "21T010000", system="2")

    assert base_before(None, cluster="", own="1")["name"] == own


def test_the_only_one_there_is_is_taken_on_a_new_machine(place: KeptPlace) -> None:
    only = keep_base(place, "20T010000", system="1")

    assert base_before(None, cluster="", own="3")["name"] == only


def test_of_several_none_is_guessed(place: KeptPlace) -> None:
    first = keep_base(place, "20T010000", system="1")
    keep_base(place, "21T010000", system="2")

    with pytest.raises(NothingToRecover, match=r"Logs of 2 clusters are kept.*--cluster: 1 .*; 2 "):
        base_before(None, cluster="", own="3")
    assert base_before(None, cluster="1", own="3")["name"] == first
    with pytest.raises(NothingToRecover, match="No base of a cluster 9 is kept"):
        base_before(None, cluster="9", own="3")


def test_before_there_is_any_that_is_said(place: KeptPlace) -> None:
    with pytest.raises(NothingToRecover, match="No base of the log is kept yet"):
        base_before(None, cluster="", own="1")
