WITH
candidates AS (
  SELECT s.schema_name,
         CASE s.schema_name WHEN %(folded_schema)s THEN 0 WHEN %(schema)s THEN 1 ELSE 2 END AS choice,
         COUNT(*) OVER () AS rivals
  FROM "SHOP".INFORMATION_SCHEMA.SCHEMATA AS s
  WHERE s.schema_name IN (%(schema_0)s, %(schema_1)s, %(schema_2)s)
),
namespace AS (
  SELECT schema_name
  FROM candidates
  WHERE choice < 2 OR rivals = 1
  ORDER BY choice
  LIMIT 1
),
relations AS (
  SELECT t.table_schema, t.table_name, UPPER(t.table_name) IN (%(key_0)s, %(key_1)s) AS asked,
         CASE WHEN t.is_dynamic = 'YES' THEN 'dynamic table'
              WHEN t.is_iceberg = 'YES' THEN 'iceberg table'
              WHEN t.table_type = 'BASE TABLE' THEN 'table'
              ELSE LOWER(t.table_type) END AS kind
  FROM "SHOP".INFORMATION_SCHEMA.TABLES AS t
  WHERE t.table_schema IN (%(schema_0)s, %(schema_1)s, %(schema_2)s)
),
fields AS (
  SELECT c.table_schema, c.table_name, c.ordinal_position, c.column_name,
         COALESCE(
           CASE c.data_type
             WHEN 'NUMBER' THEN 'NUMBER(' || c.numeric_precision || ',' || c.numeric_scale || ')'
             WHEN 'TEXT' THEN 'VARCHAR(' || c.character_maximum_length || ')'
             WHEN 'BINARY' THEN 'BINARY(' || c.character_octet_length || ')'
           END,
           c.data_type
         ) AS type
  FROM "SHOP".INFORMATION_SCHEMA.COLUMNS AS c
  WHERE c.table_schema IN (%(schema_0)s, %(schema_1)s, %(schema_2)s) AND UPPER(c.table_name) IN (%(key_0)s, %(key_1)s)
),
asked AS (
  SELECT COALESCE(f.table_schema, r.table_schema) AS table_schema, COALESCE(f.table_name, r.table_name) AS table_name,
         COALESCE(r.kind, 'view') AS kind, f.ordinal_position, f.column_name, f.type
  FROM fields AS f
  FULL OUTER JOIN (SELECT table_schema, table_name, kind FROM relations WHERE asked) AS r
    ON r.table_schema = f.table_schema AND r.table_name = f.table_name
),
present AS (
  SELECT COUNT(DISTINCT UPPER(a.table_name)) AS tables
  FROM namespace AS n
  JOIN asked AS a ON a.table_schema = n.schema_name
)
SELECT found.schema_name, found.table_name, found.kind, found.readable, found.column_name, found.type,
       NULL AS base_type, TRUE AS column_readable
FROM (
  SELECT n.schema_name, a.table_name, a.kind, TRUE AS readable, a.ordinal_position, a.column_name, a.type
  FROM namespace AS n
  LEFT JOIN asked AS a ON a.table_schema = n.schema_name
  UNION ALL
  SELECT n.schema_name, r.table_name, NULL, NULL, NULL, NULL, NULL
  FROM namespace AS n
  JOIN relations AS r ON r.table_schema = n.schema_name
  CROSS JOIN present AS p
  WHERE NOT r.asked AND p.tables < %(tables_asked)s
) AS found
ORDER BY found.table_name, found.ordinal_position
