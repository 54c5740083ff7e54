"""When each password and key was last changed, by name; never one itself."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0005_deployments_and_checklists'),
    ]

    operations = [
        migrations.CreateModel(
            name='SecretVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='For example database.application.', max_length=64)),
                ('version', models.PositiveIntegerField()),
                ('made_at', models.DateTimeField()),
                ('made_by', models.CharField(max_length=150)),
            ],
            options={
                'ordering': ['-made_at', '-pk'],
                'constraints': [models.UniqueConstraint(fields=('name', 'version'), name='a_version_of_a_secret_is_made_once')],
            },
        ),
    ]
