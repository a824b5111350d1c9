"""Schema Sync: compare dataset YML with what customers' warehouses really hold. Never imports airflow."""

__version__ = "0.1.0"
