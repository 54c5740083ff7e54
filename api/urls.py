"""Addresses of the API. Patients are named by random UUIDs, never by their numbers."""

from django.urls import path, re_path

from api.views.board import BoardView, DepartmentsView
from api.views.feeds import FeedFilesView, FeedsView
from api.views.nowhere import NowhereView
from api.views.patients import (
    HistoryView,
    LabTestsView,
    PatientsSearchView,
    PatientsView,
    PatientView,
)
from api.views.session import SessionView

app_name = "api"
urlpatterns = [
    path("session/", SessionView.as_view(), name="session"),
    path("board/", BoardView.as_view(), name="board"),
    path("patients/", PatientsView.as_view(), name="patients"),
    path("patients/search/", PatientsSearchView.as_view(), name="patients-search"),
    path("patients/<uuid:id>/", PatientView.as_view(), name="patient"),
    path("patients/<uuid:id>/tests/", LabTestsView.as_view(), name="lab-tests"),
    path("patients/<uuid:id>/history/", HistoryView.as_view(), name="history"),
    path("departments/", DepartmentsView.as_view(), name="departments"),
    path("feeds/", FeedsView.as_view(), name="feeds"),
    path("feed-files/", FeedFilesView.as_view(), name="feed-files"),
    re_path("", NowhereView.as_view(), name="nowhere"),
]
