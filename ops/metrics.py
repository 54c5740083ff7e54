"""The probes' figures as metrics: for Prometheus to fetch, and as EMF documents for CloudWatch.

A figure may be one of several of its name: `feed_age_seconds:lab` is that of `lab`. Holds no
patient, since no figure does.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ops.choices import Health

NAMESPACE = "Vigil"
_UNITS = {
    "seconds": MetricUnit.Seconds,
    "bytes": MetricUnit.Bytes,
    "milliseconds": MetricUnit.Milliseconds,
    "percent": MetricUnit.Percent,
}
# CloudWatch takes a hundred in one document; at a hundred the library prints it by itself.
_IN_ONE_DOCUMENT = 99

Figures = Mapping[str, Mapping[str, float]]


def scraped(figures: Figures, *, health: Mapping[str, Health], version: str) -> bytes:
    """Write the figures of each component, and its health, as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(_Told(figures, health, version))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, figures: Figures, health: Mapping[str, Health], version: str) -> None:
        self._figures, self._health, self._version = figures, health, version

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give one family for each name, as often as the registry asks."""
        info = GaugeMetricFamily("vigil_info", "Which version answers.", labels=["version"])
        info.add_metric([self._version], 1)
        yield info
        stands = GaugeMetricFamily(
            "vigil_component_health", "1 for how the component stands.", labels=["component", "is"]
        )
        for component, health in self._health.items():
            for each in Health:
                stands.add_metric([component, each.value], float(health == each))
        yield stands
        for name, values in _by_name(self._figures).items():
            yield _family(name, values)


def _family(name: str, values: list[tuple[str, float]]) -> GaugeMetricFamily:
    labels = ["of"] if any(of for of, _ in values) else []
    family = GaugeMetricFamily(f"vigil_{name}", name.replace("_", " ").capitalize(), labels=labels)
    for of, value in values:
        family.add_metric([of] if labels else [], value)
    return family


def _by_name(figures: Figures) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for told in figures.values():
        for figure, value in told.items():
            name, _, of = figure.partition(":")
            found[name].append((of, float(value)))
    return found


def embedded(figures: Figures, *, stage: str, at: datetime) -> list[str]:
    """Write the same figures as EMF documents, each of them one line of JSON."""
    by_of: dict[str, dict[str, float]] = defaultdict(dict)
    for name, values in _by_name(figures).items():
        for of, value in values:
            by_of[of][name] = value
    return [
        _document(dict(part), of=of, stage=stage, at=at)
        for of, told in by_of.items()
        for part in _parts(list(told.items()))
    ]


def _parts(told: list[tuple[str, float]]) -> Iterable[list[tuple[str, float]]]:
    return (
        told[start : start + _IN_ONE_DOCUMENT] for start in range(0, len(told), _IN_ONE_DOCUMENT)
    )


def _document(told: Mapping[str, float], *, of: str, stage: str, at: datetime) -> str:
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension(name="stage", value=stage)
    if of:
        metrics.add_dimension(name="of", value=of)
    metrics.set_timestamp(at)
    for name, value in told.items():
        unit = _UNITS.get(name.rpartition("_")[2], MetricUnit.Count)
        metrics.add_metric(name=name, unit=unit, value=value)
    return json.dumps(metrics.serialize_metric_set(), separators=(",", ":"))
