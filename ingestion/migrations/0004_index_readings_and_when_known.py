"""Index what is asked for, without holding up who writes."""

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('ingestion', '0003_fill_readings_and_when_known'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='admission',
            index=django.contrib.postgres.indexes.BrinIndex(fields=['known_at'], name='admissions_by_known'),
        ),
        AddIndexConcurrently(
            model_name='feedfile',
            index=models.Index(fields=['content'], name='files_by_digest'),
        ),
        AddIndexConcurrently(
            model_name='feedfile',
            index=models.Index(fields=['finished_at'], name='files_by_end'),
        ),
        AddIndexConcurrently(
            model_name='labresult',
            index=django.contrib.postgres.indexes.BrinIndex(fields=['known_at'], name='results_by_known'),
        ),
        AddIndexConcurrently(
            model_name='labtest',
            index=django.contrib.postgres.indexes.BrinIndex(fields=['known_at'], name='tests_by_known'),
        ),
        AddIndexConcurrently(
            model_name='patient',
            index=django.contrib.postgres.indexes.BrinIndex(fields=['known_at'], name='patients_by_known'),
        ),
    ]
