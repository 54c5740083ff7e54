"""Keep since when a rule holds, and what a deleted one said: an earlier moment is judged by it."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('alerts', '0003_rules_of_before'),
        ('ingestion', '0005_a_line_counts_once_a_reading'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='alertrule',
            name='alert_rule_before_update',
        ),
        # First without a default: rules that are there were not made just now.
        migrations.AddField(
            model_name='alertrule',
            name='made_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='alertrule',
            name='made_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text="By the database's clock, as its changes are. Empty: from before this was kept.", null=True),
        ),
        migrations.AddField(
            model_name='alertrulebefore',
            name='department',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, help_text='Empty: every department without a rule of its own.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', related_query_name='+', to='ingestion.department'),
        ),
        migrations.AddField(
            model_name='alertrulebefore',
            name='kind',
            field=models.CharField(choices=[('no_new_test', 'No new lab test')], default='no_new_test', max_length=32),
        ),
        # First without a default: rules that are there were not made just now.
        migrations.AddField(
            model_name='alertrulebefore',
            name='made_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='alertrulebefore',
            name='made_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text="By the database's clock, as its changes are. Empty: from before this was kept.", null=True),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='alertrule',
            trigger=pgtrigger.compiler.Trigger(name='alert_rule_before_update', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "alerts_alertrulebefore" ("department_id", "kind", "made_at", "pgh_created_at", "pgh_label", "pgh_obj_id", "second_tier_hours", "threshold_hours") SELECT old_values."department_id", old_values."kind", old_values."made_at", NOW(), \'alert_rule_before\', old_values."id", old_values."second_tier_hours", old_values."threshold_hours" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='25b7175fc4d5ac78137ee59be1e32f34044ffe01', level='STATEMENT', operation='UPDATE', pgid='pgtrigger_alert_rule_before_update_6b2e6', referencing='REFERENCING OLD TABLE AS old_values  NEW TABLE AS new_values ', table='alerts_alertrule', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='alertrule',
            trigger=pgtrigger.compiler.Trigger(name='alert_rule_before_deletion_delete', sql=pgtrigger.compiler.UpsertTriggerSql(func='WITH _pgh_attached_context AS ( SELECT _pgh_attach_context() AS value ) INSERT INTO "alerts_alertrulebefore" ("department_id", "kind", "made_at", "pgh_created_at", "pgh_label", "pgh_obj_id", "second_tier_hours", "threshold_hours") SELECT old_values."department_id", old_values."kind", old_values."made_at", NOW(), \'alert_rule_before_deletion\', old_values."id", old_values."second_tier_hours", old_values."threshold_hours" FROM ( SELECT old_values.* FROM old_values  ) AS old_values, _pgh_attached_context; RETURN NULL;', hash='5c65cf0352cfa65c5c853b1f7fae573e16712711', level='STATEMENT', operation='DELETE', pgid='pgtrigger_alert_rule_before_deletion_delete_f9bd9', referencing='REFERENCING OLD TABLE AS old_values ', table='alerts_alertrule', when='AFTER')),
        ),
    ]
