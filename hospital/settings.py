"""Everything that can be set, in reading order, from the environment alone.

Knows: names and defaults of settings. Must not: start servers, open connections or read
files other than the demo's generated secret. A wrong value stops the start with its name.
"""

import math
import os
import re
import zoneinfo
from datetime import date
from pathlib import Path

import environ
import pghistory
from csp.constants import NONCE
from django.core.exceptions import ImproperlyConfigured

from hospital.database.passwords import Address, kept_in
from hospital.signingkey import make_key, old_keys

env = environ.Env()


def _number(name: str, default: float, *, least: float = 0) -> float:
    """Read a number that is not below `least`. Raises ImproperlyConfigured, naming the variable."""
    text = env.str(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number < math.inf:
        bound = f" of at least {least:g}" if least else ""
        raise ImproperlyConfigured(f"{name} is {text!r}: set it to a number{bound}.")
    return number


def _whole(name: str, default: int) -> int:
    """Read a whole number. Raises ImproperlyConfigured, naming the variable."""
    number = _number(name, default)
    if number != int(number):
        raise ImproperlyConfigured(f"{name} is {number}: set it to a whole number.")
    return int(number)


def _switch(name: str, *, default: bool) -> bool:
    """Read yes or no. Another word stops the start: misspelt, TLS would be off in silence."""
    text = env.str(name, "1" if default else "0").strip().lower()
    if text not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} is {text!r}: set it to 1 or 0.")
    return text in {"1", "true", "yes", "on"}


def _buckets(text: str) -> list[tuple[str, str, str]]:
    """Read sources in buckets, `source=bucket` or `source=bucket/prefix`, divided by commas.

    Gives source, bucket and prefix of each; a prefix means the folder, with all that is in it.
    Raises ImproperlyConfigured: a source that nobody watches must not look like a quiet one.
    """
    found: list[tuple[str, str, str]] = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        source, _, place = part.partition("=")
        bucket, _, prefix = place.strip().partition("/")
        found.append((source.strip(), bucket, f"{prefix.rstrip('/')}/" if prefix else ""))
        _require_bucket(part, *found[-1])
    if len({source for source, _, _ in found}) < len(found):
        raise ImproperlyConfigured("HOSPITAL_BUCKETS names a source twice: give each its own name.")
    for one, (source, bucket, prefix) in enumerate(found):
        for other, inner_bucket, inner in found[:one] + found[one + 1 :]:
            if bucket == inner_bucket and inner.startswith(prefix):
                raise ImproperlyConfigured(
                    f"HOSPITAL_BUCKETS: {other} lies inside {source}, and its files would belong"
                    " to both. Give each a prefix of its own."
                )
    return found


def _require_bucket(part: str, source: str, bucket: str, prefix: str) -> None:
    is_bucket = re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket)
    if not source or len(source) > 255 or not is_bucket or bucket in {"inbox", "local"}:
        raise ImproperlyConfigured(
            f"HOSPITAL_BUCKETS holds {part!r}: write source=bucket or source=bucket/prefix, with"
            " the bucket's name as S3 has it (neither inbox nor local)."
        )
    if any(not folder or folder.startswith(".") for folder in prefix.split("/")[:-1]):
        raise ImproperlyConfigured(
            f"HOSPITAL_BUCKETS holds {part!r}: a prefix has no empty folders and no hidden ones;"
            " what is hidden is left alone."
        )


def _instance(text: str) -> str:
    """Read the identifier of an instance of RDS, which RDS keeps in small letters.

    Raises ImproperlyConfigured.
    """
    if text and not (len(text) <= 63 and re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", text)):
        raise ImproperlyConfigured(
            f"HOSPITAL_RDS_INSTANCE is {text!r}: set it to an identifier as RDS has it, at most 63"
            " letters, digits and single hyphens; neither an ARN nor an address."
        )
    return text.lower()


def _named(text: str, name: str) -> list[tuple[str, str]]:
    """Read `name=value` pairs, divided by commas. Raises ImproperlyConfigured."""
    parts = [each.strip().partition("=") for each in text.split(",") if each.strip()]
    found = [(key.strip(), value.strip()) for key, _, value in parts]
    if not all(key and value for key, value in found) or len(dict(found)) < len(found):
        raise ImproperlyConfigured(f"{name}: write name=value, divided by commas, each name once.")
    return found


def _watched_certificates(text: str) -> list[tuple[str, str]]:
    """Read files and hosts of certificates. Raises ImproperlyConfigured: one that is misspelt
    would look like one that cannot be reached."""
    found = _named(text, "HOSPITAL_WATCHED_CERTIFICATES")
    for key, place in found:
        if not place.startswith("/") and not re.fullmatch(r"[\w.:\[\]-]+:\d{1,5}", place):
            raise ImproperlyConfigured(
                f"HOSPITAL_WATCHED_CERTIFICATES: {key} is neither the whole path of a PEM file nor"
                " host:port."
            )
    return found


def _watched_days(text: str) -> list[tuple[str, date]]:
    """Read days by which something is to be changed. Raises ImproperlyConfigured."""
    try:
        found = _named(text, "HOSPITAL_WATCHED_KEYS")
        return [(key, date.fromisoformat(day)) for key, day in found]
    except ValueError as error:
        raise ImproperlyConfigured(
            "HOSPITAL_WATCHED_KEYS: write name=2027-01-31, divided by commas."
        ) from error


def _periods(text: str) -> dict[str, int | None]:
    """Read how long kinds of data are kept: `kind=days` or `kind=ever`, divided by commas.

    Raises ImproperlyConfigured. Whether there is such a kind, and whether it may be kept for so
    short a time, is held against the kinds when the applications start (ops/apps.py).
    """
    found: dict[str, int | None] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        kind, _, days = (each.strip() for each in part.partition("="))
        if not kind or kind in found or not re.fullmatch(r"ever|[1-9]\d{0,5}", days, re.ASCII):
            raise ImproperlyConfigured(
                f"HOSPITAL_RETENTION_DAYS holds {part!r}: write kind=days or kind=ever, each kind"
                " once."
            )
        found[kind] = None if days == "ever" else int(days)
    return found


def _cache(place: str) -> dict[str, object]:
    """Where processes remember together: Valkey, the database, or each for itself.

    The last is for a development stage alone: else every process, and on AWS every copy of a
    function, would let a second factor be guessed as often as all together may. Raises
    ImproperlyConfigured.
    """
    if place == "database":
        return {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "ops_cacheentry",
            # Beyond so many it throws away what has not expired: the default, 300, would forget
            # who guesses. It counts them at each write.
            "OPTIONS": {"MAX_ENTRIES": 50_000},
        }
    if re.match(r"(rediss?|unix)://", place):
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": place}
    if place:
        raise ImproperlyConfigured(
            "CACHE_URL is neither an address such as redis://:password@host:port/1 nor the word"
            " database."
        )
    return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


BASE_DIR = Path(__file__).resolve().parent.parent

# --- The stage and its folder ------------------------------------------------------------

STAGE = env.str("HOSPITAL_STAGE", "development")
if STAGE not in {"development", "staging", "production"}:
    raise ImproperlyConfigured(
        f"HOSPITAL_STAGE is {STAGE!r}: set it to development, staging or production."
    )
IS_DEVELOPMENT = STAGE == "development"
DATA_DIR = Path(env.str("HOSPITAL_DATA_DIR", str(BASE_DIR / "var"))).absolute()
DEMO = _switch("HOSPITAL_DEMO", default=False)
VERSION = "0.1.0"
# Which commit this is, where the code came without its repository.
COMMIT = env.str("HOSPITAL_COMMIT", "").strip().lower()
if not re.fullmatch(r"([0-9a-f]{7,40})?", COMMIT):
    raise ImproperlyConfigured(
        f"HOSPITAL_COMMIT is {COMMIT!r}: set it to a commit's hash, 7 to 40 hexadecimal digits."
    )
# Where this place answers, for the checks that ask it from outside.
ADDRESS = env.str(
    "HOSPITAL_ADDRESS", f"http://127.0.0.1:{env.str('PORT', '8000')}" if IS_DEVELOPMENT else ""
).rstrip("/")
if ADDRESS and not re.fullmatch(r"https?://[^/?#@\s]+", ADDRESS):
    raise ImproperlyConfigured(
        f"HOSPITAL_ADDRESS is {ADDRESS!r}: set it to scheme and host, such as https://vigil.example."
    )


def _secret_key() -> str:
    """The signing key; on a development stage made once and kept in the data folder."""
    key = env.str("HOSPITAL_SECRET_KEY", "")
    if key:
        return str(key)
    if not IS_DEVELOPMENT:
        raise ImproperlyConfigured(
            f"HOSPITAL_SECRET_KEY is not set: stage {STAGE} needs a long random one."
        )
    kept = DATA_DIR / "secret-key"
    if not kept.exists():
        DATA_DIR.mkdir(parents=True, exist_ok=True)
        # Written aside and linked into place: two processes starting at once must agree on one key.
        fresh = kept.with_name(f"secret-key.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(make_key())
        try:
            os.link(fresh, kept)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return kept.read_text()


SECRET_KEY = _secret_key()
# Keys that sign no more and are still believed, so that a new one signs nobody out.
SECRET_KEY_FALLBACKS = env.list("HOSPITAL_SECRET_KEY_FALLBACKS", default=[]) or (
    old_keys(DATA_DIR) if IS_DEVELOPMENT and not env.str("HOSPITAL_SECRET_KEY", "") else []
)
KEEP_OLD_SIGNING_KEY_DAYS = _whole("HOSPITAL_KEEP_OLD_SIGNING_KEY_DAYS", 7)
DEBUG = False
ALLOWED_HOSTS = env.list("HOSPITAL_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("HOSPITAL_TRUSTED_ORIGINS", default=[])

# --- The hospital ------------------------------------------------------------------------

# The zone in which the source systems write times without an offset. There is no default:
# a guessed zone would shift every alert by hours. The demo sets its own.
HOSPITAL_TIME_ZONE = env.str("HOSPITAL_TIME_ZONE", "")
if HOSPITAL_TIME_ZONE:
    try:
        zoneinfo.ZoneInfo(HOSPITAL_TIME_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, IsADirectoryError) as error:
        raise ImproperlyConfigured(
            f"HOSPITAL_TIME_ZONE is {HOSPITAL_TIME_ZONE!r}: set an IANA name such as Europe/Berlin."
        ) from error

# A feed that declares no interval of its own must send at least this often to count as alive.
FEED_INTERVAL_MINUTES = _whole("HOSPITAL_FEED_INTERVAL_MINUTES", 15)
# An inbox file is taken once its size and time have stood still for this long.
INBOX_STILL_SECONDS = _number("HOSPITAL_INBOX_STILL_SECONDS", 2.0)

# --- Applications and requests -----------------------------------------------------------

INSTALLED_APPS = [
    "hospital",
    "api",
    "alerts",
    "ingestion",
    "ops",
    "ops.apps.OperatorAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "csp",
    "django_structlog",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_standardized_errors",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "hospital.strangers.Strangers",
    # Before the session, which writes when the answer is made.
    "hospital.replicas.OwnWrites",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "hospital.whence.Whence",
    "hospital.idle.IdleSignOut",
    "hospital.secondfactor.SecondFactorFirst",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "hospital.urls"
WSGI_APPLICATION = "hospital.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "hospital" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "hospital.pages.place",
            ],
        },
    },
]

# --- Database, cache, queue --------------------------------------------------------------

# The application's role owns nothing; migrations run as the owner (see hospital/management/
# commands/migrate.py). Without a DATABASE_URL manage.py starts the embedded server first.
_writer = env.db_url("DATABASE_URL", default="postgres://unset@127.0.0.1:1/unset")
DATABASES = {
    "default": {
        **_writer,
        "ENGINE": "hospital.database.postgresql",
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        # What the address asks for (sslmode and its roots) first: left out, a connection without
        # TLS would be taken. A machine that does not answer must not hold up a page that tells so.
        "OPTIONS": {
            **_writer.get("OPTIONS", {}),
            "options": "-c timezone=UTC",
            "connect_timeout": 5,
        },
    }
}
# Where the passwords of these roles are kept, if not in the addresses: a folder, or
# `secretsmanager:` and a prefix. Looked up at each new connection, so that a rotated one is found.
DATABASE_PASSWORDS = env.str("DATABASE_PASSWORDS", "")
# As whom the application works, and as whom it migrates. The first is written down once more,
# since a connection that becomes the owner's for a while does so in the dictionary above.
DATABASE_APPLICATION = Address(
    {name: DATABASES["default"][name] for name in ("USER", "PASSWORD")},
    role="application",
    kept=kept_in(DATABASE_PASSWORDS),
)
DATABASE_OWNER = Address(
    env.db_url(
        "DATABASE_OWNER_URL", default=env.str("DATABASE_URL", "postgres://unset@127.0.0.1:1/unset")
    ),
    role="owner",
    kept=kept_in(DATABASE_PASSWORDS),
)
# A replica that answers what may be some seconds old (ops/replica.py). The same database, as the
# same role: of the address only host, port and what it asks of the connection (sslmode) are used.
# A session there cannot write.
if env.str("DATABASE_READER_URL", ""):
    _reader = env.db_url("DATABASE_READER_URL")
    if not _reader.get("HOST"):
        raise ImproperlyConfigured(
            "DATABASE_READER_URL has no host: set it to postgres://host:port, or not at all."
        )
    DATABASES["reader"] = {
        **DATABASES["default"],
        "HOST": _reader["HOST"],
        "PORT": _reader["PORT"],
        "OPTIONS": {
            **_reader.get("OPTIONS", {}),
            "options": "-c timezone=UTC -c default_transaction_read_only=on"
            " -c statement_timeout=5000",
            # Whoever waits for it waits in vain: the writer is there.
            "connect_timeout": 2,
        },
        "TEST": {"MIRROR": "default"},
    }
    DATABASE_ROUTERS = ["hospital.replicas.Replicas"]
# What is further behind is not asked.
DATABASE_READER_MAX_LAG_SECONDS = _number("DATABASE_READER_MAX_LAG_SECONDS", 5)
# What the role of those who read reports is called.
DATABASE_REPORTS_ROLE = env.str("DATABASE_REPORTS_ROLE", "vigil_reports")
# The same database as a superuser of the server: for `dbroles --apply` and `rotatepassword` alone.
DATABASE_ADMIN_URL = env.str("DATABASE_ADMIN_URL", "")

# The instance of RDS that DATABASE_URL leads to; region and credentials as boto3 reads them.
RDS_INSTANCE = _instance(env.str("HOSPITAL_RDS_INSTANCE", ""))

# Folder of another PostgreSQL's programs; without it those of the wheel, or of the path.
PG_BIN_DIR = env.str("PG_BIN_DIR", "")

CACHES = {
    "default": _cache(env.str("CACHE_URL", "") or ("" if IS_DEVELOPMENT else "database")),
}

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "memory://")
CELERY_TASK_IGNORE_RESULT = True
# What runs the place has workers of its own: files must not delay it, nor it them. What may last
# longer than a function on AWS lives has a queue of its own, too.
_LONG = ("drill_backup", "keep_backups", "make_backup", "remove_what_is_over", "verify_last_week")
CELERY_TASK_ROUTES = {
    # By those who ingest and evaluate: a sample says that they are alive.
    "ops.tasks.sample_components": {"queue": "celery"},
    **{f"ops.tasks.{name}": {"queue": "long"} for name in _LONG},
    "ops.tasks.*": {"queue": "keeping"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
# The visibility time-out must exceed the longest task, or a healthy worker's task is started
# again beside it; every task is safe to repeat all the same.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}
# On AWS the queues of tasks are made before anything runs, and no other is ever asked for.
TASK_QUEUES = dict(_named(env.str("HOSPITAL_TASK_QUEUES", ""), "HOSPITAL_TASK_QUEUES"))
# What failed in a function comes again after so long, each time later.
RETRY_SECONDS = _number("HOSPITAL_RETRY_SECONDS", 30, least=1)
if CELERY_BROKER_URL.startswith("sqs:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "region": env.str("AWS_DEFAULT_REGION", ""),
        "predefined_queues": {name: {"url": url} for name, url in TASK_QUEUES.items()},
    }

# --- Objects: the inbox, buckets, static files -------------------------------------------

INBOX_DIR = Path(env.str("HOSPITAL_INBOX_DIR", str(DATA_DIR / "inbox"))).absolute()
# Sources in buckets, beside those in the inbox. Address, region and credentials: AWS_*, as boto3
# reads them. The queue is the one that these buckets notify.
BUCKETS = _buckets(env.str("HOSPITAL_BUCKETS", ""))
NOTICE_QUEUE_URL = env.str("HOSPITAL_NOTICE_QUEUE_URL", "")
# How often the buckets are listed for what no notice told of.
RECONCILE_SECONDS = _number("HOSPITAL_RECONCILE_SECONDS", 300, least=10)


def _kept(what: str, bucket: str, folder: str) -> dict[str, object]:
    """Where backups or seals are kept: a bucket where one is named, else a folder.

    Raises ImproperlyConfigured off the development stage where neither is named: a copy beside the
    original is lost with it.
    """
    if bucket:
        bucket, _, prefix = bucket.partition("/")
        return {
            "BACKEND": "ops.storage.KeptBucket",
            "OPTIONS": {"bucket_name": bucket, "location": prefix.strip("/")},
        }
    if not folder and not IS_DEVELOPMENT:
        raise ImproperlyConfigured(
            f"HOSPITAL_{what}_BUCKET or HOSPITAL_{what}_DIR is not set: stage {STAGE} needs one of"
            " them, in another place than the database."
        )
    return {
        "BACKEND": "ops.storage.KeptFolder",
        "OPTIONS": {"location": str(Path(folder or DATA_DIR / f"{what.lower()}s").absolute())},
    }


FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("HOSPITAL_STATIC_ROOT", str(DATA_DIR / "static"))).absolute()
STATICFILES_DIRS = [BASE_DIR / "hospital" / "static"] + (
    [("app", FRONTEND_DIST)] if FRONTEND_DIST.is_dir() else []
)
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(DATA_DIR / "files")},
    },
    # One sub-folder per source.
    "inbox": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(INBOX_DIR)},
    },
    "backups": _kept(
        "BACKUP", env.str("HOSPITAL_BACKUP_BUCKET", ""), env.str("HOSPITAL_BACKUP_DIR", "")
    ),
    # The audit trail's: whoever can write the database must not be able to write here.
    "seals": _kept("SEAL", env.str("HOSPITAL_SEAL_BUCKET", ""), env.str("HOSPITAL_SEAL_DIR", "")),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# How many days each kind of what is kept is locked where it is S3, and kept at least anywhere.
KEPT_DAYS = {
    "daily": _whole("HOSPITAL_KEEP_DAILY_DAYS", 35),
    "weekly": _whole("HOSPITAL_KEEP_WEEKLY_DAYS", 180),
    "monthly": _whole("HOSPITAL_KEEP_MONTHLY_DAYS", 2192),
    "point": _whole("HOSPITAL_KEEP_DAILY_DAYS", 35),
    "configuration": _whole("HOSPITAL_KEEP_WEEKLY_DAYS", 180),
    "base": _whole("HOSPITAL_KEEP_LOG_DAYS", 8),
    "wal": _whole("HOSPITAL_KEEP_LOG_DAYS", 8),
    "seals": _whole("HOSPITAL_KEEP_SEALS_DAYS", 2192),
}
# How long other kinds of data are kept, where that is not the default (docs/operating.md).
RETENTION_DAYS = _periods(env.str("HOSPITAL_RETENTION_DAYS", ""))
# From this hour of the hospital's clock on, what is over is removed.
RETENTION_HOUR = _whole("HOSPITAL_RETENTION_HOUR", 4)
# Their key: backups are made for public keys, and read with private ones, which never lie beside
# them. On a development stage one is made at the first backup.
BACKUP_RECIPIENTS = env.list("HOSPITAL_BACKUP_RECIPIENTS", default=[])
BACKUP_KEY = env.str("HOSPITAL_BACKUP_KEY", "")
BACKUP_KEY_FILE = env.str("HOSPITAL_BACKUP_KEY_FILE", str(DATA_DIR / "secrets" / "backup-key"))
# From this hour of the hospital's clock on, the day's backup is due.
BACKUP_HOUR = _whole("HOSPITAL_BACKUP_HOUR", 2)
# No event leaves the trail's table before; its seal proves it and keeps it from then on.
AUDIT_KEEP_DAYS = _whole("HOSPITAL_KEEP_AUDIT_DAYS", 2192)
# GOVERNANCE lets an administrator remove what is locked; for trying things out alone.
OBJECT_LOCK_MODE = env.str("HOSPITAL_OBJECT_LOCK_MODE", "COMPLIANCE")
# The bundle's names are already hashed by its build; hashing twice would break its imports.
WHITENOISE_MAX_AGE = 3600

# --- Signing in --------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_ADAPTER = "hospital.accounts.ClosedDoor"
ACCOUNT_FORMS = {
    "login": "hospital.accounts.SignIn",
    "change_password": "hospital.accounts.ChangePassword",  # pragma: allowlist secret
    "reauthenticate": "hospital.accounts.ConfirmPassword",
}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_PREVENT_ENUMERATION = True
# Passwords are counted by django-axes, for a name and an address; codes here, for a person.
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip", "second_factor": "5/5m/key"}
ACCOUNT_SESSION_REMEMBER = False

# Whoever may open the admin needs a second factor; on the development stage if it is said.
SECOND_FACTOR_REQUIRED = _switch("HOSPITAL_SECOND_FACTOR", default=not IS_DEVELOPMENT)
MFA_ADAPTER = "hospital.factorsecrets.EncryptedSecrets"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "hospital.accounts.GiveCode",
    "reauthenticate": "hospital.accounts.GiveCodeAgain",
    "activate_totp": "hospital.accounts.ProveApp",
}
MFA_TOTP_ISSUER = "Vigil" if STAGE == "production" else f"Vigil {STAGE}"
# A telephone's clock is seldom right to the half minute.
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODES_SHOW_ONCE = True
# Browsers take `localhost` for safe without TLS.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = IS_DEVELOPMENT

AXES_FAILURE_LIMIT = _whole("HOSPITAL_SIGN_IN_FAILURES", 5)
AXES_COOLOFF_TIME = _number("HOSPITAL_SIGN_IN_LOCK_HOURS", 0.25)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Signed out after this much idleness. Polling by an open board does not count as use: see
# hospital/idle.py.
IDLE_SIGN_OUT_SECONDS = _whole("HOSPITAL_IDLE_SIGN_OUT_SECONDS", 8 * 3600)
SESSION_COOKIE_AGE = _whole("HOSPITAL_SESSION_SECONDS", 14 * 3600)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "vigil_session"
CSRF_COOKIE_NAME = "vigil_csrf"

# --- Security headers --------------------------------------------------------------------

BEHIND_TLS = _switch("HOSPITAL_TLS", default=not IS_DEVELOPMENT)
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_SSL_REDIRECT = BEHIND_TLS
# Probes come from inside, over plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
BEHIND_PROXY = _switch("HOSPITAL_BEHIND_PROXY", default=False)
# What CloudFront sends along to the API's function: who has not got it passed by the firewall.
ORIGIN_KEY = env.str("HOSPITAL_ORIGIN_KEY", "")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Whether all of a hospital's other hosts speak TLS is not ours to promise: `check --deploy` must
# not fail for it, or nobody would look when it fails for a reason.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        # The app's styles carry a nonce; a page that asks for none gets none.
        "style-src": ["'self'", NONCE],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "geolocation", "microphone", "payment", "usb")
}

# --- Language and time -------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("he", "עברית"), ("ar", "العربية")]
FORMAT_MODULE_PATH = "hospital.formats"
USE_I18N = True
USE_TZ = True
# Pages of operators show the hospital's wall clock; the database keeps UTC.
TIME_ZONE = HOSPITAL_TIME_ZONE or "UTC"

# --- History -----------------------------------------------------------------------------

# What a row was before is put aside by triggers (ops/models/history.py) and never changed. It
# points at its row alone: one more index or check would be paid for each row of a bulk load.
PGHISTORY_BASE_MODEL = "ops.models.Before"
PGHISTORY_APPEND_ONLY = True
PGHISTORY_INSTALL_CONTEXT_FUNC_ON_MIGRATE = True
PGHISTORY_OBJ_FIELD = pghistory.ObjForeignKey(related_name="earlier", db_index=True)
PGHISTORY_FOREIGN_KEY_FIELD = pghistory.ForeignKey(db_constraint=False, db_index=False)

# --- The API -----------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["api.renderers.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "api.errors.EnvelopeSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    # What an operation takes is told by the schema, to developers.
    "DEFAULT_METADATA_CLASS": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {"ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True}
SPECTACULAR_SETTINGS = {
    "TITLE": "Vigil",
    "DESCRIPTION": "Hospital inpatients and how long each has been without a new lab test.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "OAS_VERSION": "3.1.0",
    "ENUM_NAME_OVERRIDES": {
        "State": "alerts.choices.Standing",
        "AlertStatus": "alerts.choices.AlertStatus",
        "FileStatus": "ingestion.choices.FileStatus",
        "Freshness": "api.serializers.answers.FRESHNESS",
        "System": "api.serializers.answers.SYSTEMS",
        "DoubtKind": "api.serializers.answers.DOUBTS",
    },
}

# --- How the place stands ----------------------------------------------------------------

# Down for so many minutes without a break, and it is an incident.
INCIDENT_AFTER_MINUTES = int(_number("HOSPITAL_INCIDENT_AFTER_MINUTES", 5, least=1))
# Samples are kept minute by minute for so long; counts of whole days longer than a year.
KEEP_SAMPLES_DAYS = int(_number("HOSPITAL_KEEP_SAMPLES_DAYS", 14, least=2))
# Holding every row against the books is dear: done this often, and what came of it is kept.
BALANCE_HOURS = _number("HOSPITAL_BALANCE_HOURS", 6, least=0.25)
WATCHED_CERTIFICATES = _watched_certificates(env.str("HOSPITAL_WATCHED_CERTIFICATES", ""))
WATCHED_KEYS = _watched_days(env.str("HOSPITAL_WATCHED_KEYS", ""))
METRICS = env.str("HOSPITAL_METRICS", "")
if METRICS not in {"", "emf"}:
    raise ImproperlyConfigured(f"HOSPITAL_METRICS is {METRICS!r}: set it to emf, or not at all.")
# Whoever bears it may read the metrics; without one there is no such address.
METRICS_TOKEN = env.str("HOSPITAL_METRICS_TOKEN", "")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured(
        "HOSPITAL_METRICS_TOKEN is short: set at least 20 random characters."
    )

# --- Logging -----------------------------------------------------------------------------

LOG_LEVEL = env.str("HOSPITAL_LOG_LEVEL", "INFO")
LOGGING_CONFIG = "hospital.logs.configure"
LOGGING = {"level": LOG_LEVEL}
