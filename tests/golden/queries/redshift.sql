WITH namespace AS (
  SELECT n.oid, n.nspname, has_schema_privilege(n.oid, 'USAGE') AS usable
  FROM pg_namespace n
  WHERE lower(n.nspname::text) IN (%s, %s)
  ORDER BY CASE WHEN n.nspname = %s THEN 0 ELSE 1 END, n.nspname
  LIMIT 1
),
relations AS (
  SELECT c.oid, c.relnamespace, c.relname, lower(c.relname::text) IN (%s, %s, %s) AS asked,
         CASE c.relkind WHEN 'r' THEN 'table' WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind,
         NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS bare
  FROM namespace n
  JOIN pg_class c ON c.relnamespace = n.oid
  WHERE c.relkind IN ('r', 'v', 'm')
),
tables AS (
  SELECT r.oid, r.relnamespace, r.relname, r.kind, r.bare,
         n.usable AND (
           has_table_privilege(r.oid, 'SELECT')
           OR EXISTS (SELECT 1 FROM pg_attribute_info i WHERE i.attrelid = r.oid AND i.attacl IS NOT NULL)
         ) AS readable
  FROM namespace n
  JOIN relations r ON r.relnamespace = n.oid
  WHERE r.asked
),
fields AS (
  SELECT t.oid, a.attnum AS number, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
  FROM tables t
  JOIN pg_attribute a ON a.attrelid = t.oid
  WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT t.oid, v.col_num, v.col_name, v.col_type
  FROM pg_get_late_binding_view_cols() v(
    view_schema name, view_name name, col_name name, col_type varchar, col_num int
  )
  JOIN namespace n ON n.nspname = v.view_schema
  JOIN tables t ON t.relname = v.view_name
  WHERE t.bare AND EXISTS (SELECT 1 FROM tables WHERE bare)
),
external AS (
  SELECT e.tablename, e.columnname, e.columnnum, e.external_type
  FROM svv_external_columns e
  WHERE EXISTS (SELECT 1 FROM svv_external_schemas s JOIN namespace n ON n.nspname = s.schemaname)
    AND e.schemaname IN (%s, %s)
    AND lower(e.tablename::text) IN (%s, %s, %s)
    AND coalesce(nullif(e.redshift_database_name, ''), current_database()) = current_database()
)
SELECT found.nspname, found.relname, found.kind, found.readable, found.name, found.type,
       NULL AS base_type, true AS column_readable
FROM (
  SELECT n.nspname, t.relname, t.kind, t.readable, f.number, f.name, f.type
  FROM namespace n
  JOIN tables t ON t.relnamespace = n.oid
  LEFT JOIN fields f ON f.oid = t.oid
  UNION ALL
  SELECT n.nspname, e.tablename, 'external table', n.usable, e.columnnum, e.columnname, e.external_type
  FROM namespace n
  CROSS JOIN external e
  UNION ALL
  SELECT n.nspname, r.relname, NULL, NULL, NULL, NULL, NULL
  FROM namespace n
  JOIN relations r ON r.relnamespace = n.oid
  WHERE NOT r.asked
    AND (SELECT count(*) FROM tables) + (SELECT count(DISTINCT tablename) FROM external) < 3
  UNION ALL
  SELECT n.nspname, NULL, NULL, NULL, NULL, NULL, NULL
  FROM namespace n
  WHERE NOT EXISTS (SELECT 1 FROM relations WHERE asked) AND NOT EXISTS (SELECT 1 FROM external)
) found
ORDER BY found.relname, found.number
