"""Everything of Schema Sync that knows Airflow: operators, connections, retries."""
