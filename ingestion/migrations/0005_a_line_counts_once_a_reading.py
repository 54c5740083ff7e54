"""A line is rejected once, and waits once, for each reading of its file: no longer for each file.

Rows that kept the old constraints keep the new ones, so nothing can be refused here.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0004_index_readings_and_when_known'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='rejectedrow',
            name='a_line_is_rejected_once',
        ),
        migrations.RemoveConstraint(
            model_name='waitingrow',
            name='a_line_waits_once',
        ),
        migrations.AddConstraint(
            model_name='rejectedrow',
            constraint=models.UniqueConstraint(fields=('feed_file', 'reading', 'line'), name='a_line_is_rejected_once_a_reading'),
        ),
        migrations.AddConstraint(
            model_name='waitingrow',
            constraint=models.UniqueConstraint(fields=('feed_file', 'reading', 'line'), name='a_line_waits_once_a_reading'),
        ),
    ]
