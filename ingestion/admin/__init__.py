"""What operators see of the books and the record, the little of it that they may declare, and the
acts by which they work off what went wrong.
"""

from ingestion.admin import books, conflicts, declared, pages, record

__all__ = ["books", "conflicts", "declared", "pages", "record"]
