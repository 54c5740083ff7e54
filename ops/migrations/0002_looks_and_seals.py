"""Looks beside acts, seals over both, and guards that no session can switch off.

The triggers of the package that guards other tables heed a setting which any role may set. These
do not, and fire whatever the session says of replication.
"""

import django.db.models.deletion
from django.db import migrations, models

GUARDED = (
    "ops_auditevent",
    "ops_auditseal",
    "ops_sealedevent",
    "ops_auditverification",
    "ops_auditreview",
    "ops_auditarchive",
)

# An empty table that is emptied loses nothing.
FUNCTION = """
CREATE FUNCTION ops_keep_the_trail() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    has_rows boolean := true;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME)
            INTO has_rows;
    END IF;
    IF has_rows THEN
        RAISE EXCEPTION 'the audit trail is append-only: % of % is refused', TG_OP, TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END;
$$;
"""


def guard(table: str) -> str:
    return f"""
    CREATE TRIGGER trail_is_append_only BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION ops_keep_the_trail();
    CREATE TRIGGER trail_is_not_truncated BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION ops_keep_the_trail();
    ALTER TABLE {table} ENABLE ALWAYS TRIGGER trail_is_append_only;
    ALTER TABLE {table} ENABLE ALWAYS TRIGGER trail_is_not_truncated;
    """


def unguard(table: str) -> str:
    return f"""
    DROP TRIGGER trail_is_not_truncated ON {table};
    DROP TRIGGER trail_is_append_only ON {table};
    """


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0001_the_trail'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditArchive',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_seal', models.BigIntegerField()),
                ('last_seal', models.BigIntegerField()),
                ('events', models.PositiveBigIntegerField()),
                ('at', models.DateTimeField()),
                ('by', models.CharField(max_length=150)),
                ('why', models.TextField()),
            ],
            options={
                'ordering': ['-last_seal'],
            },
        ),
        migrations.CreateModel(
            name='AuditReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period_from', models.DateTimeField()),
                ('period_to', models.DateTimeField()),
                ('signed_at', models.DateTimeField()),
                ('signed_by', models.CharField(max_length=150)),
                ('note', models.TextField()),
                ('events', models.PositiveBigIntegerField(help_text='How many events the period has on record.')),
                ('unsealed', models.PositiveBigIntegerField(help_text='How many of them were not yet sealed.')),
                ('state', models.TextField(help_text='How the trail stood, in words.')),
            ],
            options={
                'ordering': ['-signed_at', '-id'],
                'permissions': [('sign_auditreview', 'Can sign a review of the audit trail')],
            },
        ),
        migrations.CreateModel(
            name='AuditSeal',
            fields=[
                ('number', models.BigIntegerField(primary_key=True, serialize=False)),
                ('hash', models.CharField(max_length=64, unique=True)),
                ('previous', models.CharField(blank=True, max_length=64)),
                ('count', models.PositiveIntegerField()),
                ('at', models.DateTimeField()),
                ('place', models.CharField(help_text="The object's name in the seals' storage.", max_length=255)),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='AuditVerification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('by', models.CharField(max_length=150)),
                ('scope', models.CharField(help_text='Which part was looked at.', max_length=64)),
                ('seals', models.PositiveIntegerField()),
                ('events', models.PositiveBigIntegerField()),
                ('findings', models.PositiveIntegerField()),
                ('words', models.JSONField(blank=True, default=list, help_text='The first of the findings.')),
                ('oldest', models.BigIntegerField(blank=True, help_text='The first seal looked at.', null=True)),
                ('newest', models.BigIntegerField(blank=True, help_text='The last one.', null=True)),
                ('newest_hash', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='SealedEvent',
            fields=[
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='sealed', serialize=False, to='ops.auditevent')),
                ('position', models.PositiveIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name='auditevent',
            name='from_where',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='kind',
            field=models.CharField(choices=[('act', 'act'), ('look', 'look')], db_default='act', default='act', max_length=8),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='once',
            field=models.CharField(blank=True, db_default='', default='', max_length=128),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='patient',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='user_key',
            field=models.CharField(blank=True, db_default='', default='', help_text='The key of the user, who may be renamed; none where no user signed in.', max_length=64),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['who', '-at'], name='acts_of_a_person'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('patient__isnull', False)), fields=['patient', '-at'], name='who_came_to_a_patient'),
        ),
        migrations.AddConstraint(
            model_name='auditevent',
            constraint=models.UniqueConstraint(condition=models.Q(('once', ''), _negated=True), fields=('once',), name='a_look_counts_once_a_while'),
        ),
        migrations.AddIndex(
            model_name='auditseal',
            index=models.Index(fields=['-at'], name='seals_by_time'),
        ),
        migrations.AddIndex(
            model_name='auditverification',
            index=models.Index(fields=['-at'], name='verifications_by_time'),
        ),
        migrations.AddField(
            model_name='auditreview',
            name='verification',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='ops.auditverification'),
        ),
        migrations.AddField(
            model_name='sealedevent',
            name='seal',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='ops.auditseal'),
        ),
        migrations.AddConstraint(
            model_name='sealedevent',
            constraint=models.UniqueConstraint(fields=('seal', 'position'), name='a_place_in_a_seal_is_taken_once'),
        ),
        migrations.RunSQL(FUNCTION, "DROP FUNCTION ops_keep_the_trail()"),
        *(migrations.RunSQL(guard(table), unguard(table)) for table in GUARDED),
    ]
