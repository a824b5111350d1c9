-- The product's optional tables of saved charts, dashboards and reports (contract, section 12). Schema Sync only reads
-- them, and only the columns named here; without them findings say nothing of charts.

CREATE TABLE metric_files (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name            text NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    data_source_id  uuid REFERENCES data_sources (id),
    content         jsonb NOT NULL, -- {"sql": "SELECT …", …}
    deleted_at      timestamptz
);
CREATE INDEX metric_files_organization_id ON metric_files (organization_id, data_source_id);

CREATE TABLE dashboard_files (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name            text NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    deleted_at      timestamptz
);

CREATE TABLE report_files (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name            text NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    deleted_at      timestamptz
);

CREATE TABLE metric_files_to_dashboard_files (
    metric_file_id    uuid NOT NULL REFERENCES metric_files (id),
    dashboard_file_id uuid NOT NULL REFERENCES dashboard_files (id),
    deleted_at        timestamptz,
    PRIMARY KEY (metric_file_id, dashboard_file_id)
);

CREATE TABLE metric_files_to_report_files (
    metric_file_id uuid NOT NULL REFERENCES metric_files (id),
    report_file_id uuid NOT NULL REFERENCES report_files (id),
    deleted_at     timestamptz,
    PRIMARY KEY (metric_file_id, report_file_id)
);
