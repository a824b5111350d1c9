"""The type rules of the contract's section 7, by rule; then what holds for every text."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from include.schema_sync.types.compare import compare_types

# Per rule: dialect | type in the warehouse | type in the YML | verdict.
RULES = {
    "a type that stands for another one, or holds it, is compatible": """
        postgres  | vector(3)                    | array                   | compatible
        postgres  | halfvec(3)                   | float[]                 | compatible
        duckdb    | JSON                         | string                  | compatible
        duckdb    | TINYINT                      | boolean                 | compatible
        duckdb    | SMALLINT                     | boolean                 | mismatch
        mysql     | tinyint(1)                   | boolean                 | compatible
        mysql     | tinyint(4)                   | boolean                 | mismatch
        mysql     | varchar(10)                  | enum                    | compatible
        mysql     | text                         | enum('a','b')           | compatible
        sqlserver | sql_variant                  | integer                 | compatible
        sqlserver | sql_variant                  | json                    | compatible
    """,
    "fields by name are no values by key": """
        duckdb    | STRUCT(a INTEGER)            | map(varchar, integer)   | mismatch
        databricks| map<string,int>              | struct<a:int>           | mismatch
        duckdb    | STRUCT(a INTEGER)            | object                  | match
        duckdb    | MAP(VARCHAR, INTEGER)        | json                    | compatible
    """,
    "nothing that names a type cannot be judged": """
        postgres  | integer                      |                         | unknown
        postgres  |                              | integer                 | unknown
        postgres  | USER-DEFINED                 | user-defined            | unknown
        mysql     | int                          | {{ column_type }}       | unknown
        mysql     | int                          | ${TYPE}                 | unknown
        mysql     | int                          | <type>                  | unknown
        snowflake | NUMBER(38,0)                 | sum                     | unknown
        snowflake | NUMBER(38,0)                 | count_distinct          | unknown
        snowflake | sum                          | sum                     | unknown
        bigquery  | STRING                       | TBD                     | unknown
        bigquery  | STRING                       | n/a                     | unknown
        databricks| void                         | string                  | unknown
        duckdb    | "NULL"                       | integer                 | unknown
        sqlite    | TEXT                         | 42                      | unknown
        sqlite    | TEXT                         | ???                     | unknown
    """,
    "a name that is no type's is equal to itself and unknown to all others": """
        postgres  | order_status                 | order_status            | match
        postgres  | public."OrderStatus"         | orderstatus             | match
        postgres  | sales.status                 | hr.status               | unknown
        postgres  | integer                      | phone                   | unknown
        postgres  | phone                        | integer                 | unknown
        postgres  | order_status[]               | array<string>           | unknown
        sqlserver | [dbo].[Name]                 | string                  | unknown
        sqlserver | [dbo].[Phone]                | phone                   | match
        bigquery  | ARRAY<phone>                 | array<phone>            | match
    """,
    "comments, defaults, nullability, collations and character sets are no part of a type": """
        postgres  | integer                      | int4 not null           | match
        postgres  | integer                      | INT PRIMARY KEY         | match
        postgres  | text                         | text DEFAULT 'a)b'::text| match
        postgres  | character varying(10)        | varchar(10) collate "C" | match
        postgres  | numeric(12,2)                | numeric(12,2) check (price > 0) | match
        mysql     | varchar(9) character set utf8mb4 collate utf8mb4_bin | varchar(9) | match
        mysql     | char(3) binary               | char(3)                 | match
        mysql     | text /* free */ collate x    | text                    | match
        bigquery  | STRING                       | STRING OPTIONS(description='a, b') | match
        redshift  | character varying(20)        | varchar(20) encode lzo distkey | match
        snowflake | NUMBER(38,0)                 | NUMBER(38,0) NOT NULL -- key | match
    """,
    "aliases of one type are equal": """
        postgres  | timestamp with time zone     | timestamptz             | match
        postgres  | timestamp(3) with time zone  | TIMESTAMP_TZ(3)         | match
        postgres  | time with time zone          | timetz                  | match
        postgres  | time without time zone       | time                    | match
        postgres  | double precision             | float8                  | match
        postgres  | bigint                       | long                    | match
        postgres  | boolean                      | logical                 | match
        postgres  | uuid                         | uniqueidentifier        | match
        postgres  | bit varying(5)               | varbit(5)               | match
        postgres  | pg_catalog.int4              | int                     | match
        postgres  | json                         | jsonb                   | match
        redshift  | binary varying(64)           | varbyte(64)             | match
        redshift  | double precision             | double                  | match
        snowflake | FLOAT                        | real                    | match
        snowflake | TEXT                         | varchar2                | match
        snowflake | BINARY(8388608)              | varbinary               | match
        snowflake | BOOLEAN                      | bit                     | match
        bigquery  | INT64                        | smallint                | match
        bigquery  | FLOAT64                      | double                  | match
        bigquery  | BIGNUMERIC                   | bigdecimal              | match
        bigquery  | TIMESTAMP                    | timestamptz             | match
        bigquery  | RECORD                       | struct                  | match
        mysql     | double                       | real                    | match
        mysql     | bigint(20) unsigned          | serial                  | match
        mysql     | geomcollection               | geometrycollection      | match
        mysql     | mediumtext                   | text                    | match
        sqlserver | bit                          | boolean                 | match
        sqlserver | float                        | float(53)               | match
        sqlserver | real                         | float(24)               | match
        sqlserver | image                        | varbinary               | match
        sqlserver | uniqueidentifier             | guid                    | match
        sqlserver | rowversion                   | binary(8)               | match
        sqlserver | timestamp                    | rowversion              | match
        sqlserver | money                        | numeric(19,4)           | match
        sqlserver | sys.geography                | geography               | match
        sqlserver | xml(CONTENT dbo.Orders)      | xml                     | match
        sqlserver | sql_variant                  | variant                 | match
        databricks| smallint                     | short                   | match
        databricks| tinyint                      | byte                    | match
        databricks| timestamp                    | timestamp_ltz           | match
        duckdb    | BLOB                         | bytea                   | match
        duckdb    | TIMESTAMP_NS                 | timestamp_ns            | match
        duckdb    | VARINT                       | bignum                  | match
        sqlite    | NATIVE CHARACTER(70)         | text                    | match
        sqlite    | FLOATING POINT               | integer                 | match
    """,
    "parameters count only where both sides state them": """
        postgres  | character varying(255)       | text                    | match
        postgres  | character varying(255)       | varchar(100)            | compatible
        postgres  | numeric(10,2)                | decimal                 | match
        postgres  | numeric(10,2)                | decimal(12,4)           | compatible
        postgres  | timestamp(3) without time zone | timestamp(6)          | compatible
        postgres  | smallint                     | int                     | compatible
        postgres  | integer                      | bigint                  | compatible
        postgres  | real                         | double precision        | compatible
        postgres  | interval year to month       | interval day to second  | compatible
        postgres  | inet                         | cidr                    | compatible
        postgres  | geometry(Point,4326)         | geometry(Polygon,4326)  | compatible
        postgres  | geometry(Point,4326)         | geometry(point)         | match
        redshift  | intervaly2m                  | interval day to second  | compatible
        snowflake | NUMBER(38,0)                 | NUMBER(10,0)            | compatible
        bigquery  | BYTES(16)                    | bytes(8)                | compatible
        bigquery  | NUMERIC(10,2)                | numeric                 | match
        mysql     | enum('a','b')                | enum('a','c')           | compatible
        mysql     | enum('a','b')                | ENUM('A', 'B')          | match
        mysql     | set('a','b')                 | set                     | match
        mysql     | int(11)                      | int(10)                 | match
        mysql     | int unsigned                 | int                     | match
        sqlserver | nvarchar(max)                | nvarchar(4000)          | compatible
        sqlserver | datetime2(7)                 | datetime2(3)            | compatible
        duckdb    | INTEGER[3]                   | integer[]               | match
        duckdb    | INTEGER[3]                   | integer[4]              | compatible
        duckdb    | BIGNUM                       | bigint                  | compatible
        sqlite    | INTEGER                      | bigint                  | match
        sqlite    | FLOAT                        | double                  | match
    """,
    "generic words cover their members": """
        postgres  | bigint                       | integer                 | match
        postgres  | real                         | float                   | match
        postgres  | money                        | number                  | match
        postgres  | numeric                      | number                  | match
        postgres  | timestamp without time zone  | datetime                | match
        postgres  | uuid                         | categorical             | compatible
        postgres  | enum                         | categorical             | compatible
        postgres  | jsonb                        | categorical             | mismatch
        postgres  | text[]                       | categorical             | mismatch
        postgres  | ARRAY                        | array                   | match
        snowflake | OBJECT(a NUMBER)             | object                  | match
        bigquery  | STRUCT<a INT64>              | object                  | match
        bigquery  | ARRAY<INT64>                 | list                    | match
        databricks| map<string,int>              | object                  | match
        duckdb    | UBIGINT                      | integer                 | match
        sqlserver | datetime2(7)                 | datetime                | match
    """,
    "numbers widen": """
        postgres  | bigint                       | numeric(20,2)           | compatible
        postgres  | integer                      | double                  | compatible
        postgres  | numeric(10,2)                | float                   | compatible
        postgres  | double precision             | decimal                 | compatible
        postgres  | money                        | decimal                 | compatible
        snowflake | NUMBER(38,0)                 | float                   | compatible
        sqlserver | bit                          | number                  | compatible
        mysql     | year(4)                      | smallint                | compatible
        sqlite    | BOOLEAN                      | integer                 | compatible
    """,
    "a decimal without fraction is nearly an integer, on Snowflake it is one": """
        postgres  | numeric                      | integer                 | compatible
        postgres  | numeric(5)                   | smallint                | compatible
        bigquery  | NUMERIC(10)                  | integer                 | compatible
        duckdb    | DECIMAL(18,0)                | bigint                  | compatible
        snowflake | NUMBER(38,0)                 | smallint                | match
        snowflake | NUMBER(38,0)                 | numeric                 | match
        snowflake | NUMBER(9,0)                  | integer                 | compatible
        snowflake | BYTEINT                      | NUMBER(38,0)            | match
        snowflake | INTEGER                      | bigint                  | match
    """,
    "a fraction is no whole number": """
        postgres  | numeric(10,2)                | integer                 | mismatch
        postgres  | numeric(10,2)                | numeric(10,0)           | mismatch
        postgres  | numeric(10,0)                | numeric(10,2)           | mismatch
        postgres  | real                         | bigint                  | mismatch
        postgres  | money                        | integer                 | mismatch
        snowflake | INTEGER                      | NUMBER(18,2)            | mismatch
        snowflake | FLOAT                        | NUMBER(38,0)            | mismatch
        bigquery  | BIGNUMERIC                   | int64                   | mismatch
        sqlserver | smallmoney                   | int                     | mismatch
    """,
    "text may be declared over what reads as text": """
        postgres  | macaddr8                     | varchar(30)             | compatible
        postgres  | regclass                     | string                  | compatible
        postgres  | ltree                        | text                    | compatible
        postgres  | enum                         | string                  | compatible
        mysql     | set('a','b')                 | varchar(20)             | compatible
        mysql     | uuid                         | char(36)                | compatible
        sqlserver | uniqueidentifier             | nvarchar(36)            | compatible
        duckdb    | ENUM('a', 'b')               | string                  | compatible
        postgres  | text                         | inet                    | mismatch
        postgres  | text                         | enum                    | mismatch
    """,
    "time zones differ": """
        postgres  | timestamp with time zone     | timestamp               | compatible
        postgres  | timestamp with time zone     | datetime                | compatible
        postgres  | time without time zone       | timetz                  | compatible
        snowflake | TIMESTAMP_LTZ(9)             | timestamp_tz            | compatible
        snowflake | TIMESTAMP_LTZ(9)             | timestamp_ltz           | match
        bigquery  | TIMESTAMP                    | datetime                | compatible
        mysql     | timestamp                    | datetime                | compatible
        sqlserver | datetimeoffset(7)            | timestamp               | compatible
        databricks| timestamp_ntz                | timestamp               | compatible
    """,
    "calendar kinds are different things, but for two generic words": """
        postgres  | date                         | datetime                | compatible
        postgres  | date                         | time                    | compatible
        postgres  | timestamp with time zone     | time                    | compatible
        postgres  | date                         | timestamptz             | mismatch
        postgres  | timestamp with time zone     | date                    | mismatch
        postgres  | timestamp without time zone  | time(6)                 | mismatch
        postgres  | time without time zone       | datetime                | mismatch
        mysql     | year                         | year(4)                 | match
        mysql     | year                         | datetime                | mismatch
        mysql     | date                         | year                    | mismatch
    """,
    "where an engine has no type, its carrier will do": """
        mysql     | bit(1)                       | boolean                 | compatible
        mysql     | tinyint                      | boolean                 | mismatch
        mysql     | binary(16)                   | uuid                    | compatible
        mysql     | varchar(255)                 | uuid                    | mismatch
        mysql     | varchar(255)                 | json                    | mismatch
        sqlserver | nvarchar(max)                | json                    | compatible
        sqlserver | int                          | bit                     | mismatch
        sqlite    | INTEGER                      | boolean                 | compatible
        sqlite    | INTEGER                      | datetime                | compatible
        sqlite    | BLOB                         | uuid                    | compatible
        redshift  | character varying(36)        | uuid                    | compatible
        bigquery  | STRING                       | uuid                    | compatible
        bigquery  | STRING                       | json                    | mismatch
        bigquery  | ARRAY<FLOAT64>               | vector                  | compatible
        bigquery  | ARRAY<STRING>                | vector                  | mismatch
        databricks| string                       | uuid                    | compatible
        postgres  | character(36)                | uuid                    | mismatch
        postgres  | bit(1)                       | boolean                 | mismatch
        snowflake | NUMBER(1,0)                  | bool                    | mismatch
    """,
    "semi-structured values stand for each other": """
        snowflake | VARIANT                      | json                    | compatible
        snowflake | OBJECT                       | json                    | compatible
        snowflake | OBJECT                       | map<string,string>      | compatible
        snowflake | ARRAY                        | variant                 | compatible
        snowflake | ARRAY                        | object                  | mismatch
        redshift  | super                        | array<int>              | compatible
        redshift  | super                        | variant                 | match
        postgres  | jsonb                        | dict                    | compatible
        postgres  | composite                    | json                    | compatible
        postgres  | hstore                       | object                  | compatible
        databricks| variant                      | struct<a:int>           | compatible
        databricks| array<int>                   | struct<a:int>           | mismatch
    """,
    "what is inside is compared": """
        postgres  | integer[]                    | array<string>           | mismatch
        postgres  | integer[]                    | _int8                   | compatible
        postgres  | integer[]                    | integer array[4]        | match
        postgres  | integer[]                    | int[][]                 | match
        postgres  | enum[]                       | list[str]               | compatible
        postgres  | timestamp(3) with time zone[] | timestamptz[]          | match
        postgres  | composite                    | record                  | match
        postgres  | range                        | int4range               | match
        postgres  | int4range                    | int8range               | compatible
        postgres  | tsrange                      | daterange               | mismatch
        postgres  | tsmultirange                 | multirange              | match
        postgres  | vector(3)                    | halfvec(3)              | compatible
        snowflake | VECTOR(FLOAT, 256)           | vector(256)             | match
        snowflake | VECTOR(FLOAT, 256)           | vector(float, 3)        | mismatch
        snowflake | VECTOR(FLOAT, 256)           | VECTOR(INT, 256)        | mismatch
        snowflake | ARRAY                        | array<string>           | match
        snowflake | MAP(VARCHAR, NUMBER(38,0))   | map<string, int>        | match
        snowflake | OBJECT(a NUMBER, b VARCHAR NOT NULL) | object(b string, a number) | compatible
        bigquery  | STRUCT<a INT64, b ARRAY<STRUCT<c STRING(9)>>> | struct<a:int64,b:array<struct<c:string>>> | match
        bigquery  | STRUCT<a INT64, b STRING>    | struct<a:int64>         | compatible
        bigquery  | STRUCT<a INT64>              | struct<a:int64,b:string>| mismatch
        bigquery  | STRUCT<a INT64>              | struct<a:string>        | mismatch
        bigquery  | STRUCT<INT64, STRING>        | struct<int64, string>   | match
        bigquery  | RANGE<DATE>                  | range<timestamp>        | mismatch
        databricks| map<string,int>              | map<string,string>      | mismatch
        databricks| struct<my col:int>           | struct<`my col`:int>    | match
        duckdb    | INTEGER[][]                  | array<array<int>>       | match
        duckdb    | INTEGER[][]                  | array<int>              | mismatch
        duckdb    | UNION(n INTEGER, s VARCHAR)  | union(n integer, s text)| match
    """,
    "SQL Server's timestamp is a rowversion": """
        sqlserver | timestamp                    | timestamp               | compatible
        sqlserver | timestamp                    | datetime                | mismatch
        sqlserver | timestamp                    | timestamp(3)            | mismatch
        sqlserver | datetime2                    | rowversion              | mismatch
    """,
    "everything else across families is drift": """
        postgres  | jsonb                        | text                    | mismatch
        postgres  | tsvector                     | tsquery                 | mismatch
        postgres  | bytea                        | text                    | mismatch
        postgres  | interval                     | time                    | mismatch
        postgres  | date                         | string                  | mismatch
        postgres  | boolean                      | number                  | mismatch
        postgres  | uuid                         | binary                  | mismatch
        redshift  | hllsketch                    | super                   | mismatch
        snowflake | FILE                         | string                  | mismatch
        snowflake | GEOGRAPHY                    | string                  | mismatch
        mysql     | bit(8)                       | integer                 | mismatch
        mysql     | year                         | string                  | mismatch
        sqlserver | xml                          | json                    | mismatch
        duckdb    | UNION(n INTEGER, s VARCHAR)  | varchar                 | mismatch
    """,
}


def _rows(table: str) -> list[tuple[str, str, str, str]]:
    rows = []
    for line in table.strip().splitlines():
        dialect, actual, declared, verdict = (cell.strip() for cell in line.split("|"))
        rows.append((dialect, actual, declared, verdict))
    return rows


@pytest.mark.parametrize("rule", RULES)
def test_verdicts_follow_the_rule(rule: str) -> None:
    wrong = [
        (*row, compare_types(row[0], row[1], row[2]).value)
        for row in _rows(RULES[rule])
        if compare_types(row[0], row[1], row[2]).value != row[3]
    ]
    assert wrong == []


def test_shared_vectors_all_pass() -> None:
    path = Path(__file__).resolve().parents[2] / "samples" / "type_vectors.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    failing = [
        f"{row['dialect']}: {row['db_type']!r} declared {row['yml_type']!r}: {verdict}, expected {row['expected']}"
        f" ({row['rule']})"
        for row in rows
        if (verdict := compare_types(row["dialect"], row["db_type"], row["yml_type"]).value) != row["expected"]
    ]
    assert len(rows) > 200
    assert failing == [], "\n".join(failing)
