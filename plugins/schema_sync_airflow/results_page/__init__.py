"""The results page inside Airflow's UI: what the last runs found, organization by organization.

One way through: ``stored`` reads Airflow's database, ``reading`` turns what it finds there into nouns, ``overview``
and ``organization`` arrange them (both pure), ``app`` answers requests with the templates. Nothing here is imported by
a task.
"""
