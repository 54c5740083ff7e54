"""Metrics: for whoever bears the token, and as EMF; the figures of the probes and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from ops.choices import Health
from ops.metrics import embedded
from ops.models import ProbeSample
from ops.tasks import sample_components
from tests.deliveries import NOON

pytestmark = pytest.mark.usefixtures("at_noon")
TOKEN = "a-long-random-token-of-the-tests"


@pytest.fixture
def asked_for(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def scraped(browser: Client, authorization: str = f"Bearer {TOKEN}") -> Any:
    return browser.get("/metrics", headers={"authorization": authorization})


def values(answer: Any) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("authorization", ["Bearer ", "Bearer", "", f"Bearer {TOKEN}"])
def test_without_a_token_set_there_is_no_such_address(stranger: Client, authorization: str) -> None:
    assert scraped(stranger, authorization).status_code == 404


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü", TOKEN],
)
def test_whoever_bears_another_token_is_told_that_there_is_no_such_address(
    operator: Client, asked_for: None, authorization: str
) -> None:
    answer = scraped(operator, authorization)
    assert answer.status_code == 404
    assert b"vigil_" not in answer.content


def test_the_figures_of_the_newest_samples_are_told_with_health(
    stranger: Client, asked_for: None
) -> None:
    ProbeSample.objects.create(
        component="feeds",
        at=NOON,
        health=Health.DEGRADED,
        figures={"feeds_silent": 1, "feed_age_seconds:lab · lis.lab_results": 61.5},
    )

    told = values(scraped(stranger))

    assert told["vigil_feeds_silent",] == 1
    assert told["vigil_feed_age_seconds", "lab · lis.lab_results"] == 61.5
    assert told["vigil_component_health", "feeds", "degraded"] == 1
    assert told["vigil_component_health", "feeds", "well"] == 0
    assert told["vigil_component_health", "queue", "unknown"] == 1


def test_without_a_database_it_tells_that_and_no_figure(stranger: Client, asked_for: None) -> None:
    def gone(*_query: Any) -> Any:
        raise OperationalError("could not connect")

    with connection.execute_wrapper(gone):
        told = values(scraped(stranger))

    assert told["vigil_component_health", "database", "down"] == 1
    assert ("vigil_feeds_silent",) not in told


def test_emf_documents_name_the_stage_and_the_same_figures() -> None:
    figures = {"queue": {"queue_length": 3.0}, "feeds": {"feed_age_seconds:lab": 4.5}}

    whole, lab = [json.loads(each) for each in embedded(figures, stage="staging", at=NOON)]

    told = whole["_aws"]["CloudWatchMetrics"][0]
    assert (told["Namespace"], told["Dimensions"]) == ("Vigil", [["stage"]])
    assert told["Metrics"] == [{"Name": "queue_length", "Unit": "Count"}]
    assert (whole["stage"], whole["queue_length"]) == ("staging", [3.0])
    assert whole["_aws"]["Timestamp"] == int(NOON.timestamp() * 1000)
    assert (lab["of"], lab["feed_age_seconds"]) == ("lab", [4.5])
    assert lab["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"] == "Seconds"


def test_more_figures_than_one_document_takes_make_several_and_none_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = {"a": {f"figure_{number}": float(number) for number in range(205)}}
    documents = [json.loads(each) for each in embedded(many, stage="staging", at=NOON)]
    sizes = [len(each["_aws"]["CloudWatchMetrics"][0]["Metrics"]) for each in documents]
    assert sizes == [99, 99, 7]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("metrics", "is_printed"), [("emf", True), ("", False)])
def test_the_sampling_prints_them_only_where_that_is_set(
    settings: Any, capsys: pytest.CaptureFixture[str], metrics: str, is_printed: bool
) -> None:
    settings.METRICS = metrics
    sample_components()
    printed = capsys.readouterr().out
    assert ('"disk_free_percent"' in printed) == is_printed
    assert ('"Namespace":"Vigil"' in printed) == is_printed
