"""What a vocabulary of types is, and what each word means in general; engines' own words are in their files. No rules.

Sources: the vendors' lists of data types (PostgreSQL ch. 8 and ``format_type``; Redshift "Data types", "SVV_COLUMNS";
Snowflake "Summary of data types"; BigQuery "GoogleSQL data types"; MySQL ch. 13 and MariaDB "Data types"; SQL Server
"Data types (Transact-SQL)"; Databricks "Data types"; DuckDB "Data types"; SQLite "Datatypes in SQLite"), and what
people write into a YML: other engines' words, Python, Arrow, Spark, JDBC.

A word is looked up without space, ``_`` and ``-``: ``timestamp with time zone``, ``TIMESTAMP WITH TIMEZONE`` and
``timestamp_with_time_zone`` are one entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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
    affinity: tuple[tuple[str, Word], ...] = ()
    integer_precision: int | None = None
    money_is_decimal: bool = False
    boolean_is_number: bool = False
    has_local_zone: bool = False
    flat_arrays: bool = False
    sized_numbers: bool = True


_SEPARATORS = str.maketrans("", "", " _-")


def words(meaning: Word, spellings: str) -> dict[str, Word]:
    """A table of words that mean the same; ``spellings`` separated by commas."""
    return {squeeze(spelling): meaning for spelling in spellings.split(",")}


def kinds(family: Family, spellings: str) -> dict[str, Word]:
    """Each spelling is a kind of its own."""
    return {squeeze(spelling): Word(family, kind=squeeze(spelling)) for spelling in spellings.split(",")}


PLACEHOLDERS = frozenset(
    {
        # no type at all
        **words(Word(Family.UNKNOWN), "null, none, nil, n/a, na, unknown, undefined, user-defined, tbd, tba, todo"),
        **words(Word(Family.UNKNOWN), "fixme, xxx, placeholder, any, auto, automatic, default, type, data_type, void"),
        **words(Word(Family.UNKNOWN), "your_type, missing, empty"),
        # a measure's aggregate, or the kind of a field, written where its type belongs
        **words(Word(Family.UNKNOWN), "sum, count, avg, average, mean, min, minimum, max, maximum, median, stddev"),
        **words(Word(Family.UNKNOWN), "count_distinct, distinct_count, approx_count_distinct, sum_boolean, variance"),
        **words(Word(Family.UNKNOWN), "count_distinct_approx, sum_distinct, average_distinct, percentile, ratio"),
        **words(Word(Family.UNKNOWN), "running_total, cumulative, derived, measure, metric, dimension, expression"),
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
    **words(Word(Family.INTEGER, kind="tinyint", bits=8), "tinyint, int1, byte, byteint, utinyint, uint8"),
    **words(Word(Family.INTEGER, bits=16), "smallint, int2, int16, short, short int, usmallint, uint16"),
    **words(Word(Family.INTEGER, bits=16), "smallserial, serial2"),
    **words(Word(Family.INTEGER, bits=24), "mediumint, middleint, int3, int24"),
    **words(Word(Family.INTEGER, bits=32), "int, integer, int4, int32, uint, uinteger, uint32, signed, unsigned"),
    **words(Word(Family.INTEGER, bits=32), "serial, serial4"),
    **words(Word(Family.INTEGER, bits=64), "bigint, big int, int8, int64, long, long int, long long, ubigint, uint64"),
    **words(Word(Family.INTEGER, bits=64), "bigserial, serial8"),
    **words(Word(Family.INTEGER, bits=128), "hugeint, uhugeint, int128, uint128"),
    **words(Word(Family.INTEGER, bits=256), "int256, uint256"),
    **words(Word(Family.INTEGER, bits=0), "bignum, varint"),  # DuckDB: as wide as the value
    **words(Word(Family.INTEGER), "oid, whole, whole number"),
    # Exact and approximate numbers.
    **words(Word(Family.DECIMAL), "decimal, numeric, dec, fixed, num, decimal128, decimal256"),
    **words(Word(Family.DECIMAL, kind="number"), "number"),
    **words(Word(Family.DECIMAL, bits=256), "bignumeric, bigdecimal"),
    **words(Word(Family.MONEY, bits=64, scale=4), "money, currency"),
    **words(Word(Family.MONEY, bits=32, scale=4), "smallmoney"),
    **words(Word(Family.FLOAT, kind="float"), "float"),
    **words(Word(Family.FLOAT), "decfloat"),
    **words(Word(Family.FLOAT, bits=16), "float16, half"),
    **words(Word(Family.FLOAT, bits=32), "real, float4, float32, single, binary_float"),
    **words(Word(Family.FLOAT, bits=64), "double, double precision, float8, float64, binary_double"),
    # Text.
    **words(Word(Family.STRING), "text, string, str, char, character, bpchar, nchar, ntext, tinytext, mediumtext"),
    **words(Word(Family.STRING), "clob, nclob, dbclob, character large object, char large object, citext"),
    **words(Word(Family.STRING), "sysname, nchar large object, long char, utf8, large_utf8, utf8_view, fixedstring"),
    **words(Word(Family.STRING, kind="longtext"), "longtext"),
    **words(Word(Family.STRING, kind="varchar"), "varchar, character varying, char varying, varying character"),
    **words(Word(Family.STRING, kind="varchar"), "varcharacter, varchar2, long varchar, long character varying"),
    **words(Word(Family.STRING, kind="nvarchar"), "nvarchar, nchar varying, nvarchar2, ncharacter varying"),
    **words(Word(Family.STRING, kind="nvarchar"), "long nvarchar"),
    **kinds(Family.TEXTUAL, "inet, cidr, macaddr, macaddr8, inet4, inet6, ltree, set"),
    **words(Word(Family.TEXTUAL, kind="inet"), "ipaddress, ip, ipv4, ipv6"),
    **words(Word(Family.UUID), "uuid, guid, uniqueidentifier"),
    **words(Word(Family.ENUM), "enum, enum8, enum16"),
    **words(Word(Family.ENUM, kind="categorical"), "categorical, category"),
    **words(Word(Family.BOOLEAN), "boolean, bool, logical, yesno"),
    **words(Word(Family.BIT), "bit, varbit, bit varying, bitstring"),
    # Dates and times.
    **words(Word(Family.DATE), "date, date32"),
    **words(Word(Family.DATE, kind="year"), "year"),
    **words(Word(Family.TIME, kind="time", zone=Zone.NAIVE), "time"),
    **words(Word(Family.TIME, zone=Zone.NAIVE), "time without time zone, time_ntz"),
    **words(Word(Family.TIME, precision=9, zone=Zone.NAIVE), "time_ns"),
    **words(Word(Family.TIME, zone=Zone.OFFSET), "timetz, time_tz, time with time zone"),
    **words(Word(Family.TIMESTAMP, kind="timestamp", zone=Zone.NAIVE), "timestamp"),
    **words(Word(Family.TIMESTAMP, kind="datetime", zone=Zone.NAIVE), "datetime, date time"),
    **words(Word(Family.TIMESTAMP, zone=Zone.NAIVE), "timestamp without time zone, timestamp_ntz, datetime2"),
    **words(Word(Family.TIMESTAMP, zone=Zone.NAIVE), "smalldatetime, datetime64, datetime without time zone"),
    **words(Word(Family.TIMESTAMP, zone=Zone.NAIVE), "timestamp without tz, datetime_ntz"),
    **words(Word(Family.TIMESTAMP, precision=0, zone=Zone.NAIVE), "timestamp_s"),
    **words(Word(Family.TIMESTAMP, precision=3, zone=Zone.NAIVE), "timestamp_ms, timestamp_millis"),
    **words(Word(Family.TIMESTAMP, precision=6, zone=Zone.NAIVE), "timestamp_us, timestamp_micros"),
    **words(Word(Family.TIMESTAMP, precision=9, zone=Zone.NAIVE), "timestamp_ns, timestamp_nanos"),
    **words(Word(Family.TIMESTAMP, zone=Zone.OFFSET), "timestamptz, timestamp with time zone, datetimeoffset"),
    **words(Word(Family.TIMESTAMP, zone=Zone.OFFSET), "datetimetz, datetime with time zone, timestamp with tz"),
    **words(Word(Family.TIMESTAMP, zone=Zone.LOCAL), "timestamp_ltz, timestamp with local time zone, datetime_ltz"),
    **words(Word(Family.INTERVAL), "interval, duration, timedelta, timedelta64"),
    **words(Word(Family.INTERVAL, kind="months"), "intervaly2m, interval_year_month"),
    **words(Word(Family.INTERVAL, kind="seconds"), "intervald2s, interval_day_time"),
    # Bytes.
    **words(Word(Family.BINARY), "binary, varbinary, binary varying, binary large object, blob, tinyblob, mediumblob"),
    **words(Word(Family.BINARY), "longblob, bytea, bytes, bytearray, varbyte, raw, long raw, long varbinary, image"),
    **words(Word(Family.BINARY), "large_binary, wkb_blob, bfile, long binary, long blob"),
    **words(Word(Family.BINARY, kind="rowversion"), "rowversion"),
    # Values with an inside.
    **words(Word(Family.JSON), "json, jsonb"),
    **words(Word(Family.VARIANT), "variant, super, dynamic"),
    **kinds(Family.OBJECT, "object, hstore"),
    **words(Word(Family.STRUCT), "struct, record, row, tuple, composite, nested"),
    **words(Word(Family.MAP), "map, dict, dictionary"),
    **words(Word(Family.ARRAY), "array, list, repeated"),
    **kinds(Family.GEO, _GEO_KINDS),
    **words(Word(Family.GEO, kind="geometrycollection"), "geometry collection, geomcollection"),
    **words(Word(Family.GEO), "geo, spatial"),
    **words(Word(Family.VECTOR), "vector"),
    **kinds(Family.VECTOR, "halfvec, sparsevec"),
    **words(Word(Family.RANGE), "range"),
    **words(Word(Family.RANGE, kind="multirange"), "multirange"),
    **{
        f"{name}{suffix}": Word(Family.RANGE, kind=kind, of=squeeze(member))
        for name, member in (
            ("int4", "int4"), ("int8", "int8"), ("num", "numeric"), ("ts", "timestamp without time zone"),
            ("tstz", "timestamptz"), ("date", "date"),
        )
        for suffix, kind in (("range", ""), ("multirange", "multirange"))
    },
    # Everything that is like nothing but itself.
    **kinds(Family.OTHER, "tsvector, tsquery, jsonpath, pg_lsn, hllsketch, hierarchyid, sql_variant, union, file"),
    **kinds(Family.OTHER, "xid, xid8, cid, tid, refcursor, aclitem, cube, seg, lquery, ltxtquery, txid_snapshot"),
    **kinds(Family.OTHER, "pg_snapshot, cursor, hll, roaringbitmap, h3index, period"),
    **words(Word(Family.OTHER, kind="xml"), "xml, xmltype"),
}  # fmt: skip

# In a YML these three say which numbers are meant, not how wide they are.
_GENERIC_NUMBERS: dict[str, Word] = {
    **words(Word(Family.INTEGER), "integer"),
    **words(Word(Family.FLOAT, kind="float"), "float"),
    **words(Word(Family.DECIMAL, kind="number"), "number"),
}


def sides(
    words: Mapping[str, Word], catalogue: Mapping[str, Word] | None = None
) -> tuple[Mapping[str, Word], Mapping[str, Word]]:
    """The first two fields of a :class:`Vocabulary`: the general words and an engine's own.

    :param words: hold in the catalogue and in a YML.
    :param catalogue: hold only for what the engine says.
    """
    both = {**_COMMON, **words}
    return {**both, **(catalogue or {})}, {**both, **_GENERIC_NUMBERS}


GENERAL = Vocabulary(*sides({}))
"""For a dialect that nobody knows."""

# What several engines have in common.
BIT_IS_BOOLEAN = words(Word(Family.BOOLEAN), "bit")
FLOAT_32 = words(Word(Family.FLOAT, kind="float", bits=32), "float")
FLOAT_64 = words(Word(Family.FLOAT, kind="float", bits=64), "float")
UUID_IN_TEXT = Carrier(Family.UUID, Family.STRING)
UUID_IN_16_BYTES = Carrier(Family.UUID, Family.BINARY, lengths=frozenset({16, None}))
JSON_IN_TEXT = Carrier(Family.JSON, Family.STRING)
ENUM_IN_TEXT = Carrier(Family.ENUM, Family.STRING)
VECTOR_IN_ARRAY = Carrier(Family.VECTOR, Family.ARRAY)
