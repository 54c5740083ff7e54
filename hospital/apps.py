"""The project as an application: commands and the pages around the app, no models."""

from django.apps import AppConfig


class HospitalConfig(AppConfig):
    """Makes the queue's application known before any task is declared."""

    name = "hospital"

    def ready(self) -> None:
        # Without this import `shared_task` would send to a nameless default application.
        from hospital import celery as _celery  # noqa: F401
        from hospital import receivers as _receivers  # noqa: F401
        from hospital.journey import journey
        from ops.smoke import add_check

        add_check("journey", journey)
        _keep_the_log()


def _keep_the_log() -> None:
    """The embedded database's log is ours to keep; that of any other is its owner's."""
    from django.conf import settings

    own_port = settings.DATA_DIR / "ports" / "postgres"
    used = settings.DATABASES["default"]
    is_ours = own_port.exists() and own_port.read_text() == str(used["PORT"])
    if is_ours and used["HOST"] == "127.0.0.1":
        from hospital.localdb.keeper import EmbeddedLog
        from ops.registry import set_log

        set_log(EmbeddedLog(settings.DATA_DIR))
