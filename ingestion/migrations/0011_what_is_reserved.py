"""Words for what is reserved for smoke tests. Choices alone: no table changes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingestion', '0010_removed_texts'),
    ]

    operations = [
        migrations.AlterField(
            model_name='feedfile',
            name='refusal',
            field=models.CharField(blank=True, choices=[('no_header', 'No header row'), ('unknown_encoding', 'The feed declares an encoding that is not known'), ('unknown_layout', 'No layout fits the header'), ('duplicate_column', 'The header names a column twice'), ('foreign_column', 'The header holds a column of another layout'), ('from_the_future', 'The source time is after the clock'), ('reserved', "Not a smoke test's, in the source reserved for those"), ('vanished', 'The file vanished while it was read'), ('unreadable', 'The file cannot be read')], default='', max_length=32),
        ),
        migrations.AlterField(
            model_name='flaw',
            name='reason',
            field=models.CharField(choices=[('reserved', 'What only smoke tests may say'), ('bad_date', 'Not a date'), ('bad_time', 'Not a time'), ('too_long', 'Too long'), ('implausible', 'Not a plausible time'), ('release_before_admission', 'The release is before the admission')], max_length=32),
        ),
        migrations.AlterField(
            model_name='reading',
            name='refusal',
            field=models.CharField(blank=True, choices=[('no_header', 'No header row'), ('unknown_encoding', 'The feed declares an encoding that is not known'), ('unknown_layout', 'No layout fits the header'), ('duplicate_column', 'The header names a column twice'), ('foreign_column', 'The header holds a column of another layout'), ('from_the_future', 'The source time is after the clock'), ('reserved', "Not a smoke test's, in the source reserved for those"), ('vanished', 'The file vanished while it was read'), ('unreadable', 'The file cannot be read')], default='', max_length=32),
        ),
        migrations.AlterField(
            model_name='rejectedrow',
            name='reason',
            field=models.CharField(choices=[('encoding', 'Bytes that the encoding does not allow'), ('reserved', 'What only smoke tests may say, or what they may not'), ('quote', 'A quote that is not closed as it must be'), ('columns', 'More or fewer fields than the header'), ('bad_date', 'Not a date'), ('bad_time', 'Not a time'), ('missing', 'A vital value is missing'), ('too_long', 'Too long'), ('future', "After the file's source time"), ('implausible', 'Not a plausible time')], max_length=32),
        ),
    ]
