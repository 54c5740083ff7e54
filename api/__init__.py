"""HTTP and JSON: the only room that knows Django REST framework."""
