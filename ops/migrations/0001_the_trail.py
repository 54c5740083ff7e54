"""The audit trail, which the database lets nobody change or take away."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('who', models.CharField(max_length=150)),
                ('act', models.CharField(help_text='For example rejected_row.dismissed.', max_length=64)),
                ('object_kind', models.CharField(max_length=64)),
                ('object_key', models.CharField(max_length=64)),
                ('why', models.TextField(blank=True, default='')),
                ('details', models.JSONField(blank=True, default=dict)),
                ('request_id', models.CharField(blank=True, default='', max_length=64)),
            ],
            options={
                'ordering': ['-at', '-id'],
                'indexes': [models.Index(fields=['object_kind', 'object_key', '-at'], name='acts_on_an_object'), models.Index(fields=['-at'], name='acts_by_time')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('who', ''), _negated=True), models.Q(('act', ''), _negated=True)), name='an_act_names_who_and_what')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='3a5941905639628943203785df17a68f8040a1ee', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_b3943', table='ops_auditevent', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditevent',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(func="IF EXISTS (SELECT FROM ops_auditevent) THEN RAISE EXCEPTION 'the audit trail is not truncated'; END IF; RETURN NULL;", hash='eb4caab08616e4b5f64b21f8da46fd4cf5e70ce5', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_e15a7', table='ops_auditevent', when='BEFORE')),
        ),
    ]
