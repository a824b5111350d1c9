-- A DuckDB file. Yesterday `sessions.country` was `sessions.region`, and `pages` was a table, not a view.
CREATE SCHEMA web;
CREATE TABLE web.sessions (
    session_id UUID,
    country    VARCHAR,
    device     STRUCT(name VARCHAR, width INTEGER),
    tags       VARCHAR[],
    started_at TIMESTAMPTZ
);
CREATE TABLE web.page_views (session_id UUID, url VARCHAR, seconds DECIMAL(8, 2));
CREATE VIEW web.pages AS SELECT url, count(*) AS views, sum(seconds) AS seconds FROM web.page_views GROUP BY url;
