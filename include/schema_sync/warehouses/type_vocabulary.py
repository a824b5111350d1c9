"""The vocabulary of types: what each word means, in general and on each engine. Tables only, no rules.

Sources: the vendors' lists of data types (PostgreSQL ch. 8 and ``format_type``; Redshift "Data types", "SVV_COLUMNS";
Snowflake "Summary of data types"; BigQuery "GoogleSQL data types"; MySQL ch. 13 and MariaDB "Data types"; SQL Server
"Data types (Transact-SQL)"; Databricks "Data types"; DuckDB "Data types"; SQLite "Datatypes in SQLite"), and what
people write into a YML: other engines' words, Python, Arrow, Spark, JDBC.

A word is looked up without space, ``_`` and ``-``: ``timestamp with time zone``, ``TIMESTAMP WITH TIMEZONE`` and
``timestamp_with_time_zone`` are one entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


def vocabulary_of(dialect: str) -> Vocabulary:
    """The vocabulary of a canonical name or alias, in any case; general words only for a name we do not know."""
    name = dialect.strip().lower()
    return _VOCABULARIES.get(DIALECT_ALIASES.get(name, name), _GENERAL)


def squeeze(word: str) -> str:
    """The key of a word: ``double precision`` → ``doubleprecision``."""
    return word.translate(_SEPARATORS).lower()


class Family(StrEnum):
    """Families of types (contract, section 7)."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    MONEY = "money"
    STRING = "string"
    TEXTUAL = "textual"
    UUID = "uuid"
    ENUM = "enum"
    BOOLEAN = "boolean"
    BIT = "bit"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    INTERVAL = "interval"
    BINARY = "binary"
    JSON = "json"
    VARIANT = "variant"
    OBJECT = "object"
    STRUCT = "struct"
    MAP = "map"
    ARRAY = "array"
    GEO = "geo"
    VECTOR = "vector"
    RANGE = "range"
    OTHER = "other"
    UNKNOWN = "unknown"


class Zone(StrEnum):
    """What a time or timestamp knows of time zones."""

    NAIVE = "naive"
    OFFSET = "offset"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Word:
    """What one word says by itself.

    :ivar kind: which member of the family, where that matters (``point``, ``xml``, ``longtext``).
    :ivar bits: width of a number; None where the word does not tell.
    :ivar precision: digits of a second that the word tells (``timestamp_ms``: 3).
    :ivar scale: digits after the point when no parameters are written.
    :ivar of: the word of a range's members.
    """

    family: Family
    kind: str = ""
    bits: int | None = None
    precision: int | None = None
    scale: int | None = None
    zone: Zone | None = None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Carrier:
    """Where an engine keeps values of a family that it has no type for.

    :ivar kinds, lengths: the only ones that carry it; empty means any.
    """

    declared: Family
    actual: Family
    kinds: frozenset[str] = frozenset()
    lengths: frozenset[int | None] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Facts about the types of one engine; one value per engine, equal only to itself.

    :ivar catalogue: words as the engine's catalogue means them.
    :ivar declared: words as a YML over this engine means them.
    :ivar affinity: (fragment, meaning) for catalogue words that are in no list, first hit wins.
    :ivar integer_precision: the precision of the decimal that every integer word stands for, or None.
    :ivar money_is_decimal: money is a plain decimal of scale 4.
    :ivar boolean_is_number: booleans are the numbers 0 and 1.
    :ivar has_local_zone: "local" and "offset" time zones are two different types.
    :ivar flat_arrays: the catalogue does not tell dimensions or bounds of arrays.
    :ivar sized_numbers: False where all widths of a number are one storage class.
    """

    catalogue: Mapping[str, Word]
    declared: Mapping[str, Word]
    carriers: tuple[Carrier, ...] = ()
    affinity: tuple[tuple[str, Word], ...] = field(default=())
    integer_precision: int | None = None
    money_is_decimal: bool = False
    boolean_is_number: bool = False
    has_local_zone: bool = False
    flat_arrays: bool = False
    sized_numbers: bool = True


DIALECT_ALIASES: Mapping[str, str] = {
    "postgresql": "postgres",
    "supabase": "postgres",
    "mariadb": "mysql",
    "mssql": "sqlserver",
    "motherduck": "duckdb",
    "sqlite3": "sqlite",
}

_SEPARATORS = str.maketrans("", "", " _-")


def _words(meaning: Word, spellings: str) -> dict[str, Word]:
    """``spellings`` separated by commas."""
    return {squeeze(spelling): meaning for spelling in spellings.split(",")}


def _kinds(family: Family, spellings: str) -> dict[str, Word]:
    """Each spelling is a kind of its own."""
    return {squeeze(spelling): Word(family, kind=squeeze(spelling)) for spelling in spellings.split(",")}


PLACEHOLDERS = frozenset(
    {
        # no type at all
        **_words(Word(Family.UNKNOWN), "null, none, nil, n/a, na, unknown, undefined, user-defined, tbd, tba, todo"),
        **_words(Word(Family.UNKNOWN), "fixme, xxx, placeholder, any, auto, automatic, default, type, data_type, void"),
        **_words(Word(Family.UNKNOWN), "your_type, missing, empty"),
        # a measure's aggregate, or the kind of a field, written where its type belongs
        **_words(Word(Family.UNKNOWN), "sum, count, avg, average, mean, min, minimum, max, maximum, median, stddev"),
        **_words(Word(Family.UNKNOWN), "count_distinct, distinct_count, approx_count_distinct, sum_boolean, variance"),
        **_words(Word(Family.UNKNOWN), "count_distinct_approx, sum_distinct, average_distinct, percentile, ratio"),
        **_words(Word(Family.UNKNOWN), "running_total, cumulative, derived, measure, metric, dimension, expression"),
    }
)
"""Words that stand where a type should be but name none, squeezed."""

WRAPPERS = frozenset({"nullable", "optional", "lowcardinality"})
"""Words around a type that change nothing about its family."""

SIGN_WORDS = frozenset({"unsigned", "signed", "zerofill"})
"""Say nothing about the family: ``int unsigned`` and ``int`` are one type."""

CHARACTER_WORDS = frozenset({"national", "native", "binary", "ascii", "unicode", "byte"})
"""Attributes of a string type in MySQL and SQLite: ``national varchar(10)``, ``char(10) binary``."""

INTERVAL_UNITS: Mapping[str, str] = {
    **dict.fromkeys(("year", "years", "quarter", "month", "months"), "months"),
    **dict.fromkeys(("day", "days", "hour", "hours", "minute", "minutes", "second", "seconds", "to"), "seconds"),
}
"""Unit of an interval → its kind; months have no fixed number of seconds, so the two do not mix."""

_GEO_KINDS = (
    "geometry, geography, point, linestring, polygon, multipoint, multilinestring, multipolygon, geometrycollection,"
    "geomcollection, curve, multicurve, surface, multisurface, circularstring, compoundcurve, curvepolygon,"
    "polyhedralsurface, tin, triangle"
)

_COMMON: dict[str, Word] = {
    # Whole numbers. int2, int4 and int8 count bytes (SQL); int16, int32, int64 and every uint count bits.
    **_words(Word(Family.INTEGER, kind="tinyint", bits=8), "tinyint, int1, byte, byteint, utinyint, uint8"),
    **_words(Word(Family.INTEGER, bits=16), "smallint, int2, int16, short, short int, usmallint, uint16"),
    **_words(Word(Family.INTEGER, bits=16), "smallserial, serial2"),
    **_words(Word(Family.INTEGER, bits=24), "mediumint, middleint, int3, int24"),
    **_words(Word(Family.INTEGER, bits=32), "int, integer, int4, int32, uint, uinteger, uint32, signed, unsigned"),
    **_words(Word(Family.INTEGER, bits=32), "serial, serial4"),
    **_words(Word(Family.INTEGER, bits=64), "bigint, big int, int8, int64, long, long int, long long, ubigint, uint64"),
    **_words(Word(Family.INTEGER, bits=64), "bigserial, serial8"),
    **_words(Word(Family.INTEGER, bits=128), "hugeint, uhugeint, int128, uint128"),
    **_words(Word(Family.INTEGER, bits=256), "int256, uint256"),
    **_words(Word(Family.INTEGER, bits=0), "bignum, varint"),  # DuckDB: as wide as the value
    **_words(Word(Family.INTEGER), "oid, whole, whole number"),
    # Exact and approximate numbers.
    **_words(Word(Family.DECIMAL), "decimal, numeric, dec, fixed, num, decimal128, decimal256"),
    **_words(Word(Family.DECIMAL, kind="number"), "number"),
    **_words(Word(Family.DECIMAL, bits=256), "bignumeric, bigdecimal"),
    **_words(Word(Family.MONEY, bits=64, scale=4), "money, currency"),
    **_words(Word(Family.MONEY, bits=32, scale=4), "smallmoney"),
    **_words(Word(Family.FLOAT, kind="float"), "float"),
    **_words(Word(Family.FLOAT), "decfloat"),
    **_words(Word(Family.FLOAT, bits=16), "float16, half"),
    **_words(Word(Family.FLOAT, bits=32), "real, float4, float32, single, binary_float"),
    **_words(Word(Family.FLOAT, bits=64), "double, double precision, float8, float64, binary_double"),
    # Text.
    **_words(Word(Family.STRING), "text, string, str, char, character, bpchar, nchar, ntext, tinytext, mediumtext"),
    **_words(Word(Family.STRING), "clob, nclob, dbclob, character large object, char large object, citext"),
    **_words(Word(Family.STRING), "sysname, nchar large object, long char, utf8, large_utf8, utf8_view, fixedstring"),
    **_words(Word(Family.STRING, kind="longtext"), "longtext"),
    **_words(Word(Family.STRING, kind="varchar"), "varchar, character varying, char varying, varying character"),
    **_words(Word(Family.STRING, kind="varchar"), "varcharacter, varchar2, long varchar, long character varying"),
    **_words(Word(Family.STRING, kind="nvarchar"), "nvarchar, nchar varying, nvarchar2, ncharacter varying"),
    **_words(Word(Family.STRING, kind="nvarchar"), "long nvarchar"),
    **_kinds(Family.TEXTUAL, "inet, cidr, macaddr, macaddr8, inet4, inet6, ltree, set"),
    **_words(Word(Family.TEXTUAL, kind="inet"), "ipaddress, ip, ipv4, ipv6"),
    **_words(Word(Family.UUID), "uuid, guid, uniqueidentifier"),
    **_words(Word(Family.ENUM), "enum, enum8, enum16"),
    **_words(Word(Family.ENUM, kind="categorical"), "categorical, category"),
    **_words(Word(Family.BOOLEAN), "boolean, bool, logical, yesno"),
    **_words(Word(Family.BIT), "bit, varbit, bit varying, bitstring"),
    # Dates and times.
    **_words(Word(Family.DATE), "date, date32"),
    **_words(Word(Family.DATE, kind="year"), "year"),
    **_words(Word(Family.TIME, kind="time", zone=Zone.NAIVE), "time"),
    **_words(Word(Family.TIME, zone=Zone.NAIVE), "time without time zone, time_ntz"),
    **_words(Word(Family.TIME, precision=9, zone=Zone.NAIVE), "time_ns"),
    **_words(Word(Family.TIME, zone=Zone.OFFSET), "timetz, time_tz, time with time zone"),
    **_words(Word(Family.TIMESTAMP, kind="timestamp", zone=Zone.NAIVE), "timestamp"),
    **_words(Word(Family.TIMESTAMP, kind="datetime", zone=Zone.NAIVE), "datetime, date time"),
    **_words(Word(Family.TIMESTAMP, zone=Zone.NAIVE), "timestamp without time zone, timestamp_ntz, datetime2"),
    **_words(Word(Family.TIMESTAMP, zone=Zone.NAIVE), "smalldatetime, datetime64, datetime without time zone"),
    **_words(Word(Family.TIMESTAMP, zone=Zone.NAIVE), "timestamp without tz, datetime_ntz"),
    **_words(Word(Family.TIMESTAMP, precision=0, zone=Zone.NAIVE), "timestamp_s"),
    **_words(Word(Family.TIMESTAMP, precision=3, zone=Zone.NAIVE), "timestamp_ms, timestamp_millis"),
    **_words(Word(Family.TIMESTAMP, precision=6, zone=Zone.NAIVE), "timestamp_us, timestamp_micros"),
    **_words(Word(Family.TIMESTAMP, precision=9, zone=Zone.NAIVE), "timestamp_ns, timestamp_nanos"),
    **_words(Word(Family.TIMESTAMP, zone=Zone.OFFSET), "timestamptz, timestamp with time zone, datetimeoffset"),
    **_words(Word(Family.TIMESTAMP, zone=Zone.OFFSET), "datetimetz, datetime with time zone, timestamp with tz"),
    **_words(Word(Family.TIMESTAMP, zone=Zone.LOCAL), "timestamp_ltz, timestamp with local time zone, datetime_ltz"),
    **_words(Word(Family.INTERVAL), "interval, duration, timedelta, timedelta64"),
    **_words(Word(Family.INTERVAL, kind="months"), "intervaly2m, interval_year_month"),
    **_words(Word(Family.INTERVAL, kind="seconds"), "intervald2s, interval_day_time"),
    # Bytes.
    **_words(Word(Family.BINARY), "binary, varbinary, binary varying, binary large object, blob, tinyblob, mediumblob"),
    **_words(Word(Family.BINARY), "longblob, bytea, bytes, bytearray, varbyte, raw, long raw, long varbinary, image"),
    **_words(Word(Family.BINARY), "large_binary, wkb_blob, bfile, long binary, long blob"),
    **_words(Word(Family.BINARY, kind="rowversion"), "rowversion"),
    # Values with an inside.
    **_words(Word(Family.JSON), "json, jsonb"),
    **_words(Word(Family.VARIANT), "variant, super, dynamic"),
    **_kinds(Family.OBJECT, "object, hstore"),
    **_words(Word(Family.STRUCT), "struct, record, row, tuple, composite, nested"),
    **_words(Word(Family.MAP), "map, dict, dictionary"),
    **_words(Word(Family.ARRAY), "array, list, repeated"),
    **_kinds(Family.GEO, _GEO_KINDS),
    **_words(Word(Family.GEO, kind="geometrycollection"), "geometry collection, geomcollection"),
    **_words(Word(Family.GEO), "geo, spatial"),
    **_words(Word(Family.VECTOR), "vector"),
    **_kinds(Family.VECTOR, "halfvec, sparsevec"),
    **_words(Word(Family.RANGE), "range"),
    **_words(Word(Family.RANGE, kind="multirange"), "multirange"),
    **{
        f"{name}{suffix}": Word(Family.RANGE, kind=kind, of=squeeze(member))
        for name, member in (
            ("int4", "int4"), ("int8", "int8"), ("num", "numeric"), ("ts", "timestamp without time zone"),
            ("tstz", "timestamptz"), ("date", "date"),
        )
        for suffix, kind in (("range", ""), ("multirange", "multirange"))
    },
    # Everything that is like nothing but itself.
    **_kinds(Family.OTHER, "tsvector, tsquery, jsonpath, pg_lsn, hllsketch, hierarchyid, sql_variant, union, file"),
    **_kinds(Family.OTHER, "xid, xid8, cid, tid, refcursor, aclitem, cube, seg, lquery, ltxtquery, txid_snapshot"),
    **_kinds(Family.OTHER, "pg_snapshot, cursor, hll, roaringbitmap, h3index, period"),
    **_words(Word(Family.OTHER, kind="xml"), "xml, xmltype"),
}  # fmt: skip

# In a YML these three say which numbers are meant, not how wide they are.
_GENERIC_NUMBERS: dict[str, Word] = {
    **_words(Word(Family.INTEGER), "integer"),
    **_words(Word(Family.FLOAT, kind="float"), "float"),
    **_words(Word(Family.DECIMAL, kind="number"), "number"),
}


def _sides(
    words: Mapping[str, Word], catalogue: Mapping[str, Word] | None = None
) -> tuple[Mapping[str, Word], Mapping[str, Word]]:
    """``words`` hold in the catalogue and in a YML, ``catalogue`` only for what the engine says."""
    both = {**_COMMON, **words}
    return {**both, **(catalogue or {})}, {**both, **_GENERIC_NUMBERS}


_GENERAL = Vocabulary(*_sides({}))

_BIT_IS_BOOLEAN = _words(Word(Family.BOOLEAN), "bit")
_FLOAT_32 = _words(Word(Family.FLOAT, kind="float", bits=32), "float")
_FLOAT_64 = _words(Word(Family.FLOAT, kind="float", bits=64), "float")
_REAL_64 = _words(Word(Family.FLOAT, bits=64), "real")

# https://www.postgresql.org/docs/current/datatype.html; "char", name and reg* are in "Object identifier types".
_POSTGRES = {
    **_kinds(Family.GEO, "line, lseg, box, path, circle, box2d, box3d, raster, topogeometry"),
    **_kinds(Family.TEXTUAL, "regclass, regtype, regproc, regprocedure, regoper, regoperator, regrole, regnamespace"),
    **_kinds(
        Family.TEXTUAL, "regconfig, regdictionary, regcollation, isbn, isbn13, issn, issn13, ismn, ismn13, ean13, upc"
    ),
    **_words(Word(Family.FLOAT, kind="float", bits=64), "float"),
    **_words(Word(Family.STRING), "name, sql_identifier, character_data, cstring"),
}

_UUID_IN_TEXT = Carrier(Family.UUID, Family.STRING)
_UUID_IN_16_BYTES = Carrier(Family.UUID, Family.BINARY, lengths=frozenset({16, None}))
_JSON_IN_TEXT = Carrier(Family.JSON, Family.STRING)
_ENUM_IN_TEXT = Carrier(Family.ENUM, Family.STRING)
_VECTOR_IN_ARRAY = Carrier(Family.VECTOR, Family.ARRAY)

_VOCABULARIES: Mapping[str, Vocabulary] = {
    "postgres": Vocabulary(*_sides(_POSTGRES), flat_arrays=True),
    # https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html; no bit strings. FLOAT is 64 bits wide
    # in a local table and 32 in a Spectrum (Hive) one: no width.
    "redshift": Vocabulary(
        *_sides({**_POSTGRES, **_BIT_IS_BOOLEAN}, _words(Word(Family.FLOAT, kind="float"), "float")),
        carriers=(_UUID_IN_TEXT, _UUID_IN_16_BYTES, _JSON_IN_TEXT, _ENUM_IN_TEXT),
    ),
    # https://docs.snowflake.com/en/sql-reference/intro-summary-data-types: all integers are NUMBER(38,0), all floats
    # are 64 bits wide.
    "snowflake": Vocabulary(
        *_sides(
            {
                **_BIT_IS_BOOLEAN,
                **_words(Word(Family.FLOAT, bits=64), "real, float4, float8, double, double precision"),
            },
            _FLOAT_64,
        ),
        carriers=(_UUID_IN_TEXT, _UUID_IN_16_BYTES, _ENUM_IN_TEXT),
        integer_precision=38,
        has_local_zone=True,
    ),
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types; schema files still say INTEGER, FLOAT,
    # RECORD. TIMESTAMP is a point in time, DATETIME is not.
    "bigquery": Vocabulary(
        *_sides(
            {
                **_BIT_IS_BOOLEAN,
                **_words(Word(Family.INTEGER, bits=64), "int64, int, integer, smallint, bigint, tinyint, byteint"),
                **_words(Word(Family.DECIMAL, bits=128, scale=9), "numeric, decimal"),
                **_words(Word(Family.DECIMAL, bits=256, scale=38), "bignumeric, bigdecimal"),
                **_words(Word(Family.TIMESTAMP, kind="timestamp", zone=Zone.OFFSET), "timestamp"),
            },
            _FLOAT_64,
        ),
        carriers=(_UUID_IN_TEXT, _UUID_IN_16_BYTES, _ENUM_IN_TEXT, _VECTOR_IN_ARRAY),
    ),
    # https://dev.mysql.com/doc/refman/8.4/en/data-types.html, https://mariadb.com/kb/en/data-types/: JSON is LONGTEXT
    # on MariaDB, REAL is DOUBLE, TIMESTAMP is stored in UTC, booleans are TINYINT(1) or BIT(1).
    "mysql": Vocabulary(
        *_sides(
            {
                **_REAL_64,
                **_words(Word(Family.INTEGER, bits=64), "serial"),
                **_words(Word(Family.TIMESTAMP, kind="timestamp", zone=Zone.LOCAL), "timestamp"),
            },
            _FLOAT_32,
        ),
        carriers=(
            Carrier(Family.BOOLEAN, Family.INTEGER, kinds=frozenset({"tinyint"}), lengths=frozenset({1})),
            Carrier(Family.BOOLEAN, Family.BIT, lengths=frozenset({1, None})),
            Carrier(Family.JSON, Family.STRING, kinds=frozenset({"longtext"})),
            Carrier(Family.UUID, Family.STRING, lengths=frozenset({32, 36})),
            Carrier(Family.UUID, Family.BINARY, lengths=frozenset({16})),
        ),
    ),
    # https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql: `timestamp` is rowversion.
    "sqlserver": Vocabulary(
        *_sides(
            {**_BIT_IS_BOOLEAN, **_words(Word(Family.OTHER, kind="sqlvariant"), "sql_variant, variant")},
            {**_FLOAT_64, **_words(Word(Family.BINARY, kind="rowversion"), "timestamp")},
        ),
        carriers=(
            Carrier(Family.JSON, Family.STRING, kinds=frozenset({"varchar", "nvarchar"})),
            _ENUM_IN_TEXT,
        ),
        money_is_decimal=True,
        boolean_is_number=True,
    ),
    # https://docs.databricks.com/sql/language-manual/sql-ref-datatypes: TIMESTAMP is TIMESTAMP_LTZ.
    "databricks": Vocabulary(
        *_sides(
            {
                **_BIT_IS_BOOLEAN,
                **_words(Word(Family.TIMESTAMP, kind="timestamp", zone=Zone.LOCAL), "timestamp"),
            },
            _FLOAT_32,
        ),
        carriers=(_UUID_IN_TEXT, _UUID_IN_16_BYTES, _JSON_IN_TEXT, _ENUM_IN_TEXT, _VECTOR_IN_ARRAY),
    ),
    # https://duckdb.org/docs/stable/sql/data_types/overview: JSON is an alias of VARCHAR.
    "duckdb": Vocabulary(
        *_sides(
            _kinds(Family.GEO, "point_2d, point_3d, point_4d, linestring_2d, polygon_2d, box_2d, box_2df"), _FLOAT_32
        ),
        carriers=(_JSON_IN_TEXT, _VECTOR_IN_ARRAY),
    ),
    # https://www.sqlite.org/datatype3.html: five storage classes; dates are text, Julian days or Unix time (2.2);
    # a declared type is any text, read by affinity (3.1).
    "sqlite": Vocabulary(
        *_sides(_BIT_IS_BOOLEAN),
        carriers=(
            *(
                Carrier(declared, actual)
                for declared in (Family.DATE, Family.TIME, Family.TIMESTAMP)
                for actual in (Family.STRING, Family.INTEGER, Family.FLOAT)
            ),
            *(
                Carrier(declared, Family.DECIMAL, lengths=frozenset({None}))
                for declared in (Family.DATE, Family.TIME, Family.TIMESTAMP, Family.BOOLEAN)
            ),
            Carrier(Family.BOOLEAN, Family.INTEGER),
            _UUID_IN_TEXT,
            _UUID_IN_16_BYTES,
            _JSON_IN_TEXT,
            Carrier(Family.JSON, Family.BINARY),
            _ENUM_IN_TEXT,
        ),
        affinity=(
            ("int", Word(Family.INTEGER)),
            ("char", Word(Family.STRING)),
            ("clob", Word(Family.STRING)),
            ("text", Word(Family.STRING)),
            ("blob", Word(Family.BINARY)),
            ("real", Word(Family.FLOAT)),
            ("floa", Word(Family.FLOAT)),
            ("doub", Word(Family.FLOAT)),
        ),
        boolean_is_number=True,
        sized_numbers=False,
    ),
}
