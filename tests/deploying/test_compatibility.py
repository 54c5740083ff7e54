"""Which migrations let the version before go on, and what going back over them would drop."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import connection, migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

from ops.compatibility import Dropped, dropped_by_reversing, judge
from ops.queries.schema import written_in

POSITIVE = models.CheckConstraint(name="positive", condition=models.Q(size__gte=0))


def decimal(digits: int, places: int, **more: Any) -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=digits, decimal_places=places, **more)


def bed() -> migrations.CreateModel:
    return migrations.CreateModel(
        "Bed",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=20)),
            ("size", models.IntegerField(null=True)),
            ("weight", models.DecimalField(max_digits=5, decimal_places=2)),
            ("places", ArrayField(models.CharField(max_length=5))),
            ("next", models.ForeignKey("wards.Bed", models.CASCADE)),
            ("rank", models.IntegerField(db_default=1)),
        ],
        {"db_table": "beds"},
    )


def state() -> ProjectState:
    made = ProjectState()
    bed().state_forwards("wards", made)
    return made


def migration(*operations: Operation, **more: Any) -> migrations.Migration:
    kind: type[migrations.Migration] = type(
        "Migration", (migrations.Migration,), {"operations": operations, **more}
    )
    return kind("0002_more", "wards")


def refusals(*operations: Operation, used: Any = None, **more: Any) -> list[str]:
    judged = judge(migration(*operations, **more), state(), new_tables=set(), used=used)
    assert judged.fits == (not judged.refusals or bool(judged.declared))
    return judged.refusals


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("bed", "floor", models.IntegerField(null=True)),
        migrations.AddField("bed", "floor", models.IntegerField(db_default=1)),
        migrations.AddIndex("bed", models.Index(fields=["size"], name="by_size")),
        migrations.AlterField("bed", "name", models.CharField(max_length=40)),
        migrations.AlterField("bed", "name", models.TextField()),
        migrations.AlterField("bed", "weight", decimal(7, 3)),
        migrations.AlterField("bed", "weight", decimal(5, 2, null=True)),
        migrations.AlterField(
            "bed", "next", models.ForeignKey("wards.Bed", models.PROTECT, related_name="+")
        ),
        migrations.AlterField("bed", "name", models.CharField(max_length=20, help_text="Words.")),
        migrations.AlterModelOptions("bed", {"ordering": ["name"]}),
        ValidateConstraint("bed", "positive"),
        migrations.CreateModel("Room", [("id", models.BigAutoField(primary_key=True))]),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("bed", "size")]
        ),
    ],
    ids=lambda one: f"{one.describe()}",
)
def test_what_adds_or_widens_lets_the_version_before_go_on(operation: Operation) -> None:
    assert refusals(operation) == []


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (migrations.RemoveField("bed", "size"), "the version before reads it"),
        (migrations.DeleteModel("Bed"), "the version before reads it"),
        (migrations.RenameField("bed", "size", "length"), "knows the old name"),
        (migrations.RenameModel("Bed", "Berth"), "knows the old name"),
        (migrations.AlterModelTable("Bed", "berths"), "knows the old name"),
        (
            migrations.AddField("bed", "floor", models.IntegerField(default=1)),
            "NOT NULL without a db_default",
        ),
        (migrations.AlterField("bed", "size", models.IntegerField()), "becomes NOT NULL"),
        (migrations.AlterField("bed", "size", models.TextField(null=True)), "its type changes"),
        (migrations.AlterField("bed", "name", models.CharField(max_length=10)), "type changes"),
        (migrations.AlterField("bed", "weight", decimal(4, 2)), "type changes"),
        (migrations.AlterField("bed", "weight", decimal(5, 1)), "type changes"),
        (migrations.AlterField("bed", "weight", decimal(5, 3)), "type changes"),
        (
            migrations.AlterField("bed", "next", models.ForeignKey("wards.Room", models.CASCADE)),
            "what it refers to",
        ),
        (
            migrations.AlterField("bed", "places", ArrayField(models.IntegerField())),
            "type changes",
        ),
        (
            migrations.AlterField("bed", "places", ArrayField(models.CharField(max_length=4))),
            "type changes",
        ),
        (migrations.AlterField("bed", "rank", models.IntegerField()), "loses its db_default"),
        (
            migrations.AlterField("bed", "name", models.CharField(max_length=20, unique=True)),
            "becomes unique",
        ),
        (migrations.AddConstraint("bed", POSITIVE), "may write what it forbids"),
        (AddConstraintNotValid("bed", POSITIVE), "may write what it forbids"),
        (migrations.AlterUniqueTogether("bed", {("name", "size")}), "nobody can judge it"),
        (migrations.RunSQL("DROP TABLE beds"), "nobody can judge it"),
        (migrations.RunPython(migrations.RunPython.noop), "nobody can judge it"),
    ],
    ids=lambda one: one.describe() if isinstance(one, Operation) else "",
)
def test_what_takes_away_or_forbids_is_refused(operation: Operation, words: str) -> None:
    (said,) = refusals(operation)
    assert words in said


def test_what_touches_a_table_of_its_own_deployment_harms_nobody() -> None:
    room = migrations.CreateModel("Room", [("id", models.BigAutoField(primary_key=True))])
    field = migrations.AddField("room", "floor", models.IntegerField(default=1))
    assert refusals(room, field) == []


def test_a_column_that_the_version_before_is_known_not_to_use_may_go() -> None:
    gone = migrations.RemoveField("bed", "size")
    assert refusals(gone, used={"beds": ["id", "name"]}) == []
    assert len(refusals(gone, used={"beds": ["id", "name", "size"]})) == 1
    assert refusals(migrations.DeleteModel("Bed"), used={"rooms": ["id"]}) == []


def test_a_migration_may_declare_why_it_fits() -> None:
    judged = judge(
        migration(migrations.RunSQL("SELECT 1"), fits_the_version_before="It reads alone."),
        state(),
        new_tables=set(),
        used=None,
    )
    assert (judged.fits, judged.declared, len(judged.refusals)) == (True, "It reads alone.", 1)


@pytest.mark.parametrize(
    ("operation", "dropped"),
    [
        (bed(), Dropped("beds")),
        (
            migrations.AddField("bed", "floor", models.IntegerField(null=True)),
            Dropped("beds", "floor"),
        ),
        (
            migrations.AddField("bed", "floor", models.IntegerField(db_default=3)),
            Dropped("beds", "floor", 3),
        ),
        (
            migrations.AddField("bed", "made_at", models.DateTimeField(db_default=Now())),
            Dropped("beds", "made_at", is_known=False),
        ),
        (
            migrations.AddField(
                "bed", "twin", models.ForeignKey("wards.Bed", models.CASCADE, null=True)
            ),
            Dropped("beds", "twin_id"),
        ),
        (
            migrations.AlterField("bed", "weight", decimal(5, 2, null=True)),
            Dropped("beds", "weight", is_empty=True),
        ),
        (
            migrations.AlterField("bed", "weight", decimal(7, 3)),
            Dropped("beds", "weight", digits=(3, 2)),
        ),
        (
            migrations.AlterField("bed", "name", models.TextField()),
            Dropped("beds", "name", longer_than=20),
        ),
        (
            migrations.AlterField("bed", "places", ArrayField(models.CharField(max_length=6))),
            Dropped(words="Alter field places on bed: its type goes back"),
        ),
    ],
    ids=[
        "table",
        "column",
        "column with a default",
        "column with a clock",
        "key",
        "NOT NULL again",
        "fewer digits",
        "shorter text",
        "parts of a list",
    ],
)
def test_going_back_drops_what_was_added(operation: Operation, dropped: Dropped) -> None:
    start = ProjectState() if isinstance(operation, migrations.CreateModel) else state()
    assert dropped_by_reversing(migration(operation), start) == [dropped]


def test_going_back_over_what_took_something_away_drops_nothing() -> None:
    gone = migration(migrations.RemoveField("bed", "size"))
    assert dropped_by_reversing(gone, state()) == []


@pytest.mark.parametrize(
    ("operation", "where"),
    [
        (migrations.RemoveField("bed", "size"), "beds.size"),
        (migrations.DeleteModel("Bed"), "beds"),
        (migrations.RemoveField("bed", "twins"), "beds_twins"),
    ],
    ids=["column", "table", "links"],
)
def test_what_comes_back_empty_is_lost_to_a_version_that_is_known_to_use_it(
    operation: Operation, where: str
) -> None:
    def there() -> ProjectState:
        made = state()
        twins = models.ManyToManyField("wards.Bed")
        migrations.AddField("bed", "twins", twins).state_forwards("wards", made)
        return made

    used = {"beds": ["id", "name", "size"], "beds_twins": ["id"]}
    (lost,) = dropped_by_reversing(migration(operation), there(), used)
    assert lost.words.startswith(f"what {where} held; it comes back empty")
    assert dropped_by_reversing(migration(operation), there(), {"rooms": ["id"]}) == []
    declared = migration(operation, fits_the_version_before="Nobody reads it.")
    judged = judge(declared, there(), new_tables=set(), used=used)
    assert (judged.fits, len(judged.missing)) == (True, 1)


def test_of_what_runs_freely_nobody_can_tell_what_its_way_back_loses() -> None:
    free = migrations.RunSQL("SELECT 1", "SELECT 1")
    (unknown,) = dropped_by_reversing(migration(free), state())
    assert "nobody can tell" in unknown.words
    assert dropped_by_reversing(migration(free, reverses_without_loss="It read."), state()) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("narrower", "lost"),
    [
        ({"column": "weight", "digits": (2, 1)}, 3),
        ({"column": "name", "longer_than": 3}, 1),
        ({"column": "name", "is_empty": True}, 1),
        ({"column": "weight", "digits": (3, 2)}, 0),
    ],
    ids=["digits", "length", "nothing", "all fit"],
)
def test_what_would_not_fit_any_more_is_counted(narrower: dict[str, Any], lost: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE beds (name text, weight numeric(5, 2))")
        cursor.execute(
            "INSERT INTO beds VALUES ('abc', 1.1), ('abcd', 1.11), (NULL, -100), ('', 99.95),"
            " ('', NULL)"
        )
    assert written_in(Dropped("beds", **narrower)) == lost
