"""The results page inside Airflow's UI: what the last runs found, organization by organization. No task imports it.

One way through: ``stored`` reads Airflow's database, ``reading`` turns what it finds there into nouns, ``overview``,
``findings``, ``organization`` and ``history`` arrange them, ``app`` answers requests with the templates.
"""
