-- Saved charts of the demo's customers: `{organization}` and `{source}` of Bluebird Coffee.
WITH charts AS (
    INSERT INTO metric_files (name, organization_id, data_source_id, content)
    SELECT name, '{organization}', '{source}', jsonb_build_object('sql', sql)
      FROM (VALUES
        ('Revenue by day', 'SELECT date_trunc(''day'', o.ordered_at), sum(o.amount) FROM sales.orders o GROUP BY 1'),
        ('Average order', 'WITH paid AS (SELECT * FROM sales.orders) SELECT avg(amount) FROM paid'),
        ('Coupons in use', 'SELECT coupon, count(*) FROM sales.orders GROUP BY coupon ORDER BY 2 DESC'),
        ('Orders by channel', 'SELECT channel, count(*) FROM sales.orders GROUP BY channel')) AS chart (name, sql)
    RETURNING id, name
),
dashboards AS (
    INSERT INTO dashboard_files (name, organization_id) VALUES ('Morning numbers', '{organization}') RETURNING id
),
reports AS (
    INSERT INTO report_files (name, organization_id) VALUES ('Board, monthly', '{organization}') RETURNING id
),
shown AS (
    INSERT INTO metric_files_to_dashboard_files (metric_file_id, dashboard_file_id)
    SELECT charts.id, dashboards.id FROM charts, dashboards WHERE charts.name <> 'Coupons in use'
)
INSERT INTO metric_files_to_report_files (metric_file_id, report_file_id)
SELECT charts.id, reports.id FROM charts, reports WHERE charts.name = 'Revenue by day';
