"""One file a task of the DAG, named as the task."""
