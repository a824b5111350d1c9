WITH
asked AS (
  SELECT explode(from_json(:tables, 'ARRAY<STRING>')) AS name
),
listed AS (
  SELECT table_name AS name, table_type
  FROM IDENTIFIER(:tables_view)
  WHERE table_schema = :schema
),
found AS (
  SELECT name,
         CASE table_type WHEN 'MANAGED' THEN 'table' WHEN 'BASE TABLE' THEN 'table'
                         WHEN 'EXTERNAL' THEN 'external table' WHEN 'FOREIGN' THEN 'foreign table'
                         ELSE lower(replace(table_type, '_', ' ')) END AS kind
  FROM listed
  WHERE name IN (SELECT name FROM asked)
)
SELECT :schema AS schema_name, name, kind, readable, column_name, full_data_type,
       CAST(NULL AS STRING) AS base_type, readable AS column_readable
FROM (
  SELECT CAST(NULL AS STRING) AS name, CAST(NULL AS STRING) AS kind, CAST(NULL AS BOOLEAN) AS readable,
         CAST(NULL AS STRING) AS column_name, CAST(NULL AS STRING) AS full_data_type, 0 AS ordinal
  FROM IDENTIFIER(:schemata_view)
  WHERE schema_name = :schema
  UNION ALL
  SELECT found.name, found.kind, TRUE, columns.column_name, columns.full_data_type, columns.ordinal_position
  FROM found
  LEFT JOIN (
    SELECT table_name, column_name, full_data_type, ordinal_position
    FROM IDENTIFIER(:columns_view)
    WHERE table_schema = :schema
  ) AS columns ON columns.table_name = found.name
  UNION ALL
  (
    SELECT name, CAST(NULL AS STRING), CAST(NULL AS BOOLEAN), CAST(NULL AS STRING), CAST(NULL AS STRING), 0
    FROM listed
    WHERE (SELECT count(*) FROM found) < (SELECT count(*) FROM asked) AND name NOT IN (SELECT name FROM asked)
    LIMIT 50000
  )
) AS answers
ORDER BY name NULLS FIRST, ordinal
