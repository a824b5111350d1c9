WITH
candidates AS (
  SELECT s.schema_id, s.name,
         CASE WHEN s.name COLLATE Latin1_General_100_BIN2 = %(schema)s THEN 0 ELSE 1 END AS choice,
         COUNT(*) OVER () AS rivals
  FROM [shop].sys.schemas AS s
  WHERE s.name COLLATE Latin1_General_100_CI_AS = %(schema)s
),
namespace AS (
  SELECT schema_id, name FROM candidates WHERE choice = 0 OR rivals = 1
),
asked AS (
  SELECT DISTINCT item.node.value('.', 'nvarchar(4000)') COLLATE Latin1_General_100_CI_AS AS name
  FROM (SELECT CAST(%(tables)s AS xml) AS list) AS names
  CROSS APPLY names.list.nodes('/t') AS item(node)
),
listed AS (
  SELECT o.object_id, o.name, o.type, a.name AS asked
  FROM namespace AS n
  JOIN [shop].sys.objects AS o ON o.schema_id = n.schema_id AND o.type IN ('U', 'V', 'ET', 'SN')
  LEFT JOIN asked AS a ON a.name = o.name COLLATE Latin1_General_100_CI_AS
),
found AS (
  SELECT l.object_id, l.name, l.object_id AS source,
         CASE WHEN l.type = 'V' THEN 'view' WHEN l.type = 'ET' OR t.is_external = 1 THEN 'external table'
              ELSE 'table' END AS kind
  FROM listed AS l
  LEFT JOIN [shop].sys.tables AS t ON t.object_id = l.object_id
  WHERE l.asked IS NOT NULL AND l.type <> 'SN'
  UNION ALL
  SELECT l.object_id, l.name, target.object_id, 'synonym'
  FROM listed AS l
  JOIN [shop].sys.synonyms AS y ON y.object_id = l.object_id
  JOIN [shop].sys.schemas AS s
    ON s.name = COALESCE(PARSENAME(y.base_object_name, 2), 'dbo') COLLATE Latin1_General_100_CI_AS
  JOIN [shop].sys.objects AS target
    ON target.schema_id = s.schema_id AND target.type IN ('U', 'V', 'ET')
   AND target.name = PARSENAME(y.base_object_name, 1) COLLATE Latin1_General_100_CI_AS
  WHERE l.asked IS NOT NULL AND PARSENAME(y.base_object_name, 4) IS NULL
    AND COALESCE(PARSENAME(y.base_object_name, 3), COALESCE(%(database)s, DB_NAME()))
        = COALESCE(%(database)s, DB_NAME()) COLLATE Latin1_General_100_CI_AS
),
rights AS (
  SELECT f.object_id, f.name, f.source, f.kind, securable.name AS securable,
         MAX(HAS_PERMS_BY_NAME(securable.name, 'OBJECT', 'SELECT')) AS whole,
         MAX(CASE WHEN p.major_id IS NULL THEN 0 ELSE 1 END) AS by_column
  FROM found AS f
  CROSS JOIN namespace AS n
  LEFT JOIN [shop].sys.database_permissions AS p ON p.class = 1 AND p.major_id = f.source AND p.minor_id > 0
  CROSS APPLY (
    SELECT COALESCE(QUOTENAME(%(database)s) + '.', '') + QUOTENAME(n.name) + '.' + QUOTENAME(f.name) AS name
  ) AS securable
  GROUP BY f.object_id, f.name, f.source, f.kind, securable.name
),
columns AS (
  SELECT r.object_id, r.name AS table_name, r.kind, c.column_id, c.name,
         CASE WHEN t.is_user_defined = 1 THEN ts.name + '.' + t.name
              ELSE t.name + CASE WHEN t.name = 'sysname' THEN '' ELSE form.parameters END END AS type,
         CASE WHEN t.is_user_defined = 1 OR t.name = 'sysname' THEN b.name + form.parameters END AS base_type,
         CASE WHEN r.whole = 0 OR r.by_column = 1
              THEN COALESCE(HAS_PERMS_BY_NAME(r.securable, 'OBJECT', 'SELECT', c.name, 'COLUMN'), 1)
              ELSE 1 END AS readable,
         r.whole
  FROM rights AS r
  LEFT JOIN [shop].sys.columns AS c ON c.object_id = r.source
  LEFT JOIN [shop].sys.types AS t ON t.user_type_id = c.user_type_id
  LEFT JOIN [shop].sys.schemas AS ts ON ts.schema_id = t.schema_id
  LEFT JOIN [shop].sys.types AS b ON b.user_type_id = c.system_type_id
  CROSS APPLY (
    SELECT CASE
      WHEN b.name IN ('char', 'varchar', 'binary', 'varbinary', 'nchar', 'nvarchar') AND c.max_length = -1 THEN '(max)'
      WHEN b.name IN ('nchar', 'nvarchar') THEN '(' + CAST(c.max_length / 2 AS varchar(10)) + ')'
      WHEN b.name IN ('char', 'varchar', 'binary', 'varbinary') THEN '(' + CAST(c.max_length AS varchar(10)) + ')'
      WHEN b.name IN ('decimal', 'numeric')
        THEN '(' + CAST(c.precision AS varchar(10)) + ',' + CAST(c.scale AS varchar(10)) + ')'
      WHEN b.name IN ('time', 'datetime2', 'datetimeoffset') THEN '(' + CAST(c.scale AS varchar(10)) + ')'
      ELSE '' END AS parameters
  ) AS form
)
SELECT n.name, answer.name, answer.kind, CAST(answer.readable AS bit),
       answer.column_name, answer.type, answer.base_type, CAST(answer.column_readable AS bit),
       CASE WHEN answer.kind = 'table' AND answer.object_id > 0 THEN answer.object_id END, answer.column_id
FROM namespace AS n
CROSS JOIN (
  SELECT NULL AS object_id, NULL AS name, NULL AS kind, NULL AS readable,
         NULL AS column_id, NULL AS column_name, NULL AS type, NULL AS base_type, NULL AS column_readable
  UNION ALL
  SELECT object_id, table_name, kind,
         CASE WHEN COALESCE(whole, 1) = 1 OR MAX(readable) OVER (PARTITION BY object_id) = 1 THEN 1 ELSE 0 END,
         column_id, name, type, base_type, readable
  FROM columns
  UNION ALL
  SELECT object_id, name, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM (
    SELECT TOP (50000) l.object_id, l.name
    FROM listed AS l
    WHERE l.asked IS NULL AND (SELECT COUNT(DISTINCT asked) FROM listed) < (SELECT COUNT(*) FROM asked)
  ) AS neighbours
) AS answer
ORDER BY answer.object_id, answer.column_id
