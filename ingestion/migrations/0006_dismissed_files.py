"""A refused file may be dismissed: then it is no work any more, and says who decided that.

No row can break the constraint: the columns are new, and empty.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0005_a_line_counts_once_a_reading'),
    ]

    operations = [
        migrations.AddField(
            model_name='feedfile',
            name='dismissed_at',
            field=models.DateTimeField(blank=True, help_text='Refused, and an operator said that it is no work.', null=True),
        ),
        migrations.AddField(
            model_name='feedfile',
            name='dismissed_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=150),
        ),
        migrations.AddField(
            model_name='feedfile',
            name='dismissed_why',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
        migrations.AddConstraint(
            model_name='feedfile',
            constraint=models.CheckConstraint(condition=models.Q(('dismissed_at__isnull', True), models.Q(models.Q(('dismissed_by', ''), _negated=True), models.Q(('dismissed_why', ''), _negated=True)), _connector='OR'), name='a_dismissed_file_says_who_and_why'),
        ),
    ]
