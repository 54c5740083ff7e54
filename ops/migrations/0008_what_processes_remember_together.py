"""A table for what processes remember together. Unlogged: it is in no log, no replica, no backup's
figures, and is empty after a crash.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0007_retention_and_holds'),
    ]

    operations = [
        migrations.CreateModel(
            name='CacheEntry',
            fields=[
                ('cache_key', models.CharField(max_length=255, primary_key=True, serialize=False)),
                ('value', models.TextField()),
                ('expires', models.DateTimeField(db_index=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.RunSQL(
            'ALTER TABLE ops_cacheentry SET UNLOGGED', 'ALTER TABLE ops_cacheentry SET LOGGED'
        ),
    ]
