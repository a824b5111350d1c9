-- The product's tables that Schema Sync reads and writes, for a new database (contract, section 3).
-- Production has more columns; our SQL always names the columns that it uses.

CREATE TYPE onboarding_status AS ENUM ('notStarted', 'inProgress', 'completed', 'failed');
CREATE TYPE dataset_type AS ENUM ('table', 'view', 'materializedView');
CREATE TYPE slack_integration_status AS ENUM ('pending', 'active', 'failed', 'revoked');

CREATE TABLE organizations (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text NOT NULL,
    deleted_at timestamptz
);

CREATE TABLE data_sources (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name              text NOT NULL,
    type              text NOT NULL,
    onboarding_status onboarding_status NOT NULL DEFAULT 'notStarted',
    organization_id   uuid NOT NULL REFERENCES organizations (id),
    deleted_at        timestamptz
);
CREATE INDEX data_sources_organization_id ON data_sources (organization_id);

CREATE TABLE datasets (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name                text NOT NULL,
    database_name       text NOT NULL, -- holds the table's name in production; Schema Sync never reads it
    database_identifier text,
    schema              text NOT NULL,
    type                dataset_type NOT NULL DEFAULT 'table',
    enabled             boolean NOT NULL DEFAULT true,
    data_source_id      uuid NOT NULL REFERENCES data_sources (id),
    organization_id     uuid NOT NULL REFERENCES organizations (id),
    yml_file            text,
    updated_at          timestamptz NOT NULL DEFAULT now(),
    deleted_at          timestamptz
);
CREATE INDEX datasets_organization_id ON datasets (organization_id, data_source_id);

CREATE TABLE slack_integrations (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES organizations (id),
    token_vault_key varchar(255),
    status          slack_integration_status NOT NULL DEFAULT 'pending',
    default_channel jsonb NOT NULL DEFAULT '{}',
    deleted_at      timestamptz
);
CREATE INDEX slack_integrations_organization_id ON slack_integrations (organization_id);

CREATE TABLE slack_message_tracking (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    integration_id      uuid REFERENCES slack_integrations (id), -- NULL: a message to the data team
    internal_message_id uuid NOT NULL UNIQUE,
    slack_channel_id    varchar(255) NOT NULL,
    slack_message_ts    varchar(255) NOT NULL,
    slack_thread_ts     varchar(255),
    message_type        varchar(50) NOT NULL,
    content             text,
    sender_info         jsonb,
    sent_at             timestamptz NOT NULL,
    created_at          timestamptz DEFAULT now()
);
CREATE INDEX slack_message_tracking_integration_id ON slack_message_tracking (integration_id, message_type);
