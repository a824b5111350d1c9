WITH
asked AS (
  SELECT DISTINCT name, LOWER(name) AS key FROM UNNEST(%(tables)s) AS name
),
listed AS (
  SELECT table_name, LOWER(table_name) AS key, table_type, creation_time FROM `shop-prod`.`sales`.INFORMATION_SCHEMA.TABLES
),
found AS (
  SELECT table_name AS name, table_name AS source,
         CASE table_type WHEN 'BASE TABLE' THEN 'table' WHEN 'EXTERNAL' THEN 'external table'
                         ELSE LOWER(REPLACE(table_type, '_', ' ')) END AS kind
  FROM listed
  WHERE key IN (SELECT key FROM asked)
  UNION ALL
  SELECT asked.name, MAX_BY(listed.table_name, listed.creation_time), 'wildcard table'
  FROM asked
  JOIN listed ON STARTS_WITH(listed.table_name, SUBSTR(asked.name, 1, LENGTH(asked.name) - 1))
  WHERE ENDS_WITH(asked.name, '*') AND listed.table_type = 'BASE TABLE'
  GROUP BY asked.name
),
absent AS (
  SELECT key FROM asked WHERE key NOT IN (SELECT LOWER(name) FROM found)
)
SELECT %(schema)s AS schema_name, name, kind, readable, field_path, data_type,
       CAST(NULL AS STRING) AS base_type, readable AS column_readable
FROM (
  SELECT CAST(NULL AS STRING) AS name, CAST(NULL AS STRING) AS kind, CAST(NULL AS BOOL) AS readable,
         CAST(NULL AS STRING) AS field_path, CAST(NULL AS STRING) AS data_type, 0 AS ordinal
  UNION ALL
  SELECT found.name, found.kind, TRUE, COALESCE(paths.field_path, columns.column_name),
         COALESCE(paths.data_type, columns.data_type), columns.ordinal_position
  FROM found
  LEFT JOIN (
    SELECT table_name, column_name, data_type, ordinal_position
    FROM `shop-prod`.`sales`.INFORMATION_SCHEMA.COLUMNS
    WHERE ordinal_position IS NOT NULL
  ) AS columns ON columns.table_name = found.source
  LEFT JOIN `shop-prod`.`sales`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS AS paths
    ON paths.table_name = columns.table_name AND paths.column_name = columns.column_name
  UNION ALL
  (
    SELECT table_name, CAST(NULL AS STRING), CAST(NULL AS BOOL), CAST(NULL AS STRING), CAST(NULL AS STRING), 0
    FROM listed
    WHERE EXISTS (SELECT 1 FROM absent) AND key NOT IN (SELECT key FROM asked)
    LIMIT 50000
  )
)
ORDER BY name, ordinal, field_path
