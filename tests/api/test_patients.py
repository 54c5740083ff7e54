"""The list of patients: who is on it, in which order, and what each item says."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.deliveries import admit, order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]


def test_an_item_says_who_where_how_long_and_how_sure(nurse: Client) -> None:
    admit("0042", "Brown, Emma", hours=81, department="Cardiology", room_number="305A")
    order("T1", "0042", "Sodium", hours=61.2)
    answer = nurse.get("/api/v1/patients/").json()
    assert answer["as_of"] == "2025-03-20T12:00:00Z"
    assert answer["next"] is None
    (item,) = answer["results"]
    del item["id"]
    del item["admission"]["id"]
    assert item == {
        "patient_id": "0042",
        "name": "Brown, Emma",
        "first_name": "Emma",
        "last_name": "Brown",
        "date_of_birth": "1990-01-31",
        "gender": None,
        "admission": {
            "case_number": "C0042",
            "department": "Cardiology",
            "room": "305A",
            "admitted_at": "2025-03-17T03:00:00Z",
            "released_at": None,
            "planned_release_at": None,
        },
        "last_test": {"name": "Sodium", "at": "2025-03-17T22:48:00Z"},
        "quiet_since": "2025-03-17T22:48:00Z",
        "hours_without_test": 61.2,
        "threshold_hours": 48,
        "second_tier_hours": 72,
        "tier": 1,
        "state": "due",
        "cannot_know_since": None,
    }
