"""Schema Sync: compare dataset YML with what customers' warehouses really hold.

Plain Python; never imports airflow (import-linter holds it), so that everything here can be tested and
used without a scheduler. ``dags/schema_sync.py`` shows the whole flow on one screen.
"""

__version__ = "0.1.0"
