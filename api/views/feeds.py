"""Feeds and files: what came, how fresh it is, and what became of its rows."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.queries.past import known_at
from api.pagination import cursor_to, position_at
from api.serializers import answers, record
from api.serializers.parameters import PAGE_SIZE, FeedFilesQuery, KnownAt, asked
from api.views.base import Operation
from ingestion.queries import (
    FeedBooks,
    books_of_feeds,
    feed_files,
    files_not_done,
    freshness_of_feeds,
    refused_files_without_feed,
)
from ingestion.queries.past import moment_asked, present
from ops.replica import slightly_old


class FeedsView(Operation):
    """Every feed that has delivered and is not retired."""

    @extend_schema(operation_id="feeds_list", parameters=[KnownAt], responses=answers.FeedPage)
    def get(self, request: Request) -> Response:
        """List each feed with its newest file and its books."""
        with known_at(asked(KnownAt, request.query_params).get("known_at")):
            return self._answer()

    def _answer(self) -> Response:
        at = present()
        books = books_of_feeds(self.realm)
        return Response(
            {
                "as_of": at,
                "known_at": moment_asked(),
                "results": [
                    record.feed_with_books(one, books.get(one.feed.pk, FeedBooks()))
                    for one in freshness_of_feeds(at, realm=self.realm)
                ],
                "refused_files_without_feed": refused_files_without_feed(self.realm),
                "files_not_done": files_not_done(self.realm),
            }
        )


class FeedFilesView(Operation):
    """Files with their ledgers."""

    @extend_schema(
        operation_id="feed_files_list", parameters=[FeedFilesQuery], responses=answers.FeedFilePage
    )
    def get(self, request: Request) -> Response:
        """List files, newest first."""
        wanted = asked(FeedFilesQuery, request.query_params)
        with known_at(wanted.get("known_at")):
            return Response(slightly_old(lambda: self._answer(wanted)))

    def _answer(self, wanted: dict[str, Any]) -> dict[str, Any]:
        after = position_at("files", wanted.get("cursor"))
        files = list(
            feed_files(
                realm=self.realm,
                feed=int(wanted["feed"]) if "feed" in wanted else None,
                status=wanted.get("status"),
                before=after and after[1],
            )[: PAGE_SIZE + 1]
        )
        shown = files[:PAGE_SIZE]
        last = (shown[-1].received_at, shown[-1].pk) if len(files) > PAGE_SIZE else None
        return {
            "known_at": moment_asked(),
            "next": cursor_to("files", last),
            "results": [record.feed_file(one) for one in shown],
        }
