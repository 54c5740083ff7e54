"""Runs that removed what was over, and legal holds, which nobody deletes."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0006_versions_of_secrets'),
    ]

    operations = [
        migrations.CreateModel(
            name='RetentionRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('interrupted', 'Interrupted')], max_length=16)),
                ('by', models.CharField(max_length=150)),
                ('why', models.TextField()),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('report', models.JSONField(blank=True, default=list)),
            ],
            options={
                'ordering': ['-started_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='LegalHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('patient', 'one patient'), ('kind', 'one kind of data'), ('everything', 'everything')], max_length=16)),
                ('patient', models.UUIDField(blank=True, help_text='Our own key, as in addresses.', null=True)),
                ('kind', models.CharField(blank=True, default='', max_length=64)),
                ('why', models.TextField()),
                ('placed_at', models.DateTimeField()),
                ('placed_by', models.CharField(max_length=150)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_by', models.CharField(blank=True, default='', max_length=150)),
                ('ended_why', models.TextField(blank=True, default='')),
            ],
            options={
                'ordering': ['-placed_at', '-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('kind', ''), ('patient__isnull', False), ('scope', 'patient')), models.Q(('patient__isnull', True), ('scope', 'kind'), models.Q(('kind', ''), _negated=True)), models.Q(('kind', ''), ('patient__isnull', True), ('scope', 'everything')), _connector='OR'), name='a_hold_says_what_it_holds'), models.CheckConstraint(condition=models.Q(models.Q(('placed_by', ''), _negated=True), models.Q(('why', ''), _negated=True)), name='a_hold_says_who_and_why'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_by', ''), ('ended_why', '')), models.Q(('ended_at__isnull', False), models.Q(('ended_by', ''), _negated=True), models.Q(('ended_why', ''), _negated=True)), _connector='OR'), name='an_ended_hold_says_who_and_why')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='legalhold',
            trigger=pgtrigger.compiler.Trigger(name='holds_stay_on_record', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='017ac9b2fb40cf7e3e1608deb47d9a43f3112c9a', operation='DELETE', pgid='pgtrigger_holds_stay_on_record_60a8c', table='ops_legalhold', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='retentionrun',
            index=models.Index(fields=['-started_at'], name='retention_runs_by_time'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'running')), fields=('status',), name='never_two_retention_runs_at_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='retentionrun',
            trigger=pgtrigger.compiler.Trigger(name='runs_stay_on_record', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='d9d9941688e3ccbb1bac624acdb6e022334793b2', operation='DELETE', pgid='pgtrigger_runs_stay_on_record_04acd', table='ops_retentionrun', when='BEFORE')),
        ),
    ]
