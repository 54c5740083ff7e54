"""The operators' admin: stock Django admin under its own name and look."""

from django.contrib.admin import AdminSite


class OperatorAdminSite(AdminSite):
    """Open to staff alone; signing in is the application's own page, lock-out included."""

    site_header = "Vigil · operators"
    site_title = "Vigil"
    index_title = "The state of the feeds"
    site_url = "/"
    enable_nav_sidebar = True
