"""When the text of a rejected row was removed; the row stays."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0008_found_by_a_restore'),
    ]

    operations = [
        migrations.AddField(
            model_name='rejectedrow',
            name='raw_removed_at',
            field=models.DateTimeField(blank=True, help_text='When its text was removed, because its time was over. The row stays.', null=True),
        ),
    ]
