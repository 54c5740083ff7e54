"""Incidents with what was said of them, and what probes found minute by minute."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0003_backups_and_restores'),
    ]

    operations = [
        migrations.CreateModel(
            name='LastRun',
            fields=[
                ('name', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('health', models.CharField(choices=[('well', 'Well'), ('degraded', 'Degraded'), ('down', 'Down'), ('unknown', 'Unknown')], max_length=16)),
                ('words', models.TextField(blank=True, default='')),
                ('figures', models.JSONField(blank=True, default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('component', models.CharField(max_length=64)),
                ('title', models.CharField(max_length=200)),
                ('status', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=16)),
                ('opened_at', models.DateTimeField()),
                ('opened_by', models.CharField(max_length=150)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-opened_at', '-id'],
                'indexes': [models.Index(fields=['-opened_at'], name='incidents_by_time')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'open')), fields=('component', 'title'), name='one_open_incident_of_a_kind'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('status', 'closed')), models.Q(('closed_at__isnull', True), ('status', 'open')), _connector='OR'), name='a_closed_incident_says_when')],
            },
        ),
        migrations.CreateModel(
            name='IncidentUpdate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('by', models.CharField(max_length=150)),
                ('words', models.TextField()),
                ('is_public', models.BooleanField(default=False)),
                ('incident', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='updates', to='ops.incident')),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='ProbeDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('component', models.CharField(max_length=64)),
                ('day', models.DateField()),
                ('well', models.PositiveIntegerField()),
                ('degraded', models.PositiveIntegerField()),
                ('down', models.PositiveIntegerField()),
                ('unknown', models.PositiveIntegerField()),
            ],
            options={
                'ordering': ['-day', 'component'],
                'constraints': [models.UniqueConstraint(fields=('component', 'day'), name='one_count_of_a_day')],
            },
        ),
        migrations.CreateModel(
            name='ProbeSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('component', models.CharField(max_length=64)),
                ('at', models.DateTimeField(help_text='The minute, without its seconds.')),
                ('health', models.CharField(choices=[('well', 'Well'), ('degraded', 'Degraded'), ('down', 'Down'), ('unknown', 'Unknown')], max_length=16)),
                ('words', models.TextField(blank=True, default='')),
                ('figures', models.JSONField(blank=True, default=dict)),
            ],
            options={
                'ordering': ['-at', 'component'],
                'indexes': [models.Index(fields=['at'], name='samples_by_time')],
                'constraints': [models.UniqueConstraint(fields=('component', 'at'), name='one_sample_of_a_component_a_minute')],
            },
        ),
    ]
