"""When the text of a rejected row was removed; the row stays."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0009_which_test_is_the_last'),
    ]

    operations = [
        migrations.AddField(
            model_name='rejectedrow',
            name='raw_removed_at',
            field=models.DateTimeField(blank=True, help_text='When its text was removed, because its time was over. The row stays.', null=True),
        ),
    ]
