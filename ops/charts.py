"""Small charts as SVG text: numbers in, markup out. Knows nothing of what they mean.

Styled by classes alone, since the pages' policy allows nothing inline. Each has a title that
screen readers read; whoever draws one also says it in words beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from ops.choices import Health

# Marks that are told apart without their colour, by height: what is down stands tallest.
_HEIGHTS = {Health.WELL: 0.55, Health.DEGRADED: 0.75, Health.DOWN: 1.0, Health.UNKNOWN: 0.25}
_WIDTH = 240
_EDGE = 3


def bars(states: Sequence[tuple[Health, str]], *, title: str, height: int = 32) -> SafeString:
    """Draw one bar for each state, the earliest first; each says its own words when pointed at."""
    step = _WIDTH / max(1, len(states))
    drawn = format_html_join(
        "",
        '<rect class="is-{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        (
            (
                health.value,
                _short(number * step),
                _short(height * (1 - _HEIGHTS[health])),
                _short(step * 0.8),
                _short(height * _HEIGHTS[health]),
                words,
            )
            for number, (health, words) in enumerate(states)
        ),
    )
    return _framed(drawn, title=title, height=height)


def line(values: Sequence[float | None], *, title: str, height: int = 32) -> SafeString:
    """Draw values at equal distances, from nought up; where there is none, the line is broken."""
    known = [value for value in values if value is not None]
    if not known:
        return _framed(_baseline(height), title=title, height=height)
    top = max(*known, 0.0) or 1.0
    step = (_WIDTH - 2 * _EDGE) / max(1, len(values) - 1)
    pieces: list[list[tuple[float, float]]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            share = max(0.0, value) / top
            pieces[-1].append(
                (_EDGE + number * step, height - _EDGE - share * (height - 2 * _EDGE))
            )
    drawn = format_html_join("", "{}", ((_piece(piece),) for piece in pieces if piece))
    return _framed(format_html("{}{}", _baseline(height), drawn), title=title, height=height)


def meter(share: float, *, title: str, health: Health, height: int = 12) -> SafeString:
    """Draw a share between 0 and 1 as a bar that is filled so far."""
    filled = _WIDTH * min(1.0, max(0.0, share))
    drawn = format_html(
        '<rect class="ground" x="0" y="0" width="{}" height="{}" rx="2"></rect>'
        '<rect class="is-{}" x="0" y="0" width="{}" height="{}" rx="2"></rect>',
        _WIDTH,
        height,
        health.value,
        _short(filled),
        height,
    )
    return _framed(drawn, title=title, height=height)


def _piece(points: list[tuple[float, float]]) -> SafeString:
    if len(points) == 1:
        ((x, y),) = points
        return format_html(
            '<circle class="dot" cx="{}" cy="{}" r="1.5"></circle>', _short(x), _short(y)
        )
    path = " ".join(f"{_short(x)},{_short(y)}" for x, y in points)
    return format_html('<polyline class="line" points="{}"></polyline>', path)


def _baseline(height: int) -> SafeString:
    y = height - 1
    return format_html('<line class="base" x1="0" x2="{}" y1="{}" y2="{}"></line>', _WIDTH, y, y)


def _framed(drawn: SafeString, *, title: str, height: int) -> SafeString:
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' focusable="false"><title>{}</title>{}</svg>',
        _WIDTH,
        height,
        title,
        drawn if drawn else mark_safe(""),
    )


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
