"""Every hospital starts with the contract's rule: due beyond 48 hours, more severe beyond 72."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make_default_rule(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Make the rule for every department that has none of its own."""
    apps.get_model("alerts", "AlertRule").objects.get_or_create(
        kind="no_new_test",
        department=None,
        defaults={"threshold_hours": 48, "second_tier_hours": 72},
    )


class Migration(migrations.Migration):
    """Reverses to nothing: the table goes with the migration before."""

    dependencies = [("alerts", "0001_rules_and_alerts")]
    operations = [migrations.RunPython(make_default_rule, migrations.RunPython.noop)]
