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
from typing import Any


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


def words(family: Family, spellings: str, **facts: Any) -> dict[str, Word]:
    """A table of words that mean the same: ``spellings`` separated by commas, ``facts`` as in :class:`Word`."""
    return dict.fromkeys(map(squeeze, spellings.split(",")), Word(family, **facts))


def kinds(family: Family, spellings: str) -> dict[str, Word]:
    """Each spelling is a kind of its own."""
    return {squeeze(spelling): Word(family, kind=squeeze(spelling)) for spelling in spellings.split(",")}


PLACEHOLDERS = frozenset(
    map(
        squeeze,
        """
        null none nil n/a na unknown undefined user-defined tbd tba todo fixme xxx placeholder any auto automatic
        default type data_type void your_type missing empty
        sum count avg average mean min minimum max maximum median stddev count_distinct distinct_count
        approx_count_distinct sum_boolean variance count_distinct_approx sum_distinct average_distinct percentile ratio
        running_total cumulative derived measure metric dimension expression
        """.split(),  # noqa: SIM905 (a list of words reads better without 60 quotes)
    )
)
"""Words that stand where a type should be but name none, squeezed; the latter are a measure's aggregate or a field's
kind."""

WRAPPERS = frozenset({"nullable", "optional", "lowcardinality"})
"""Words around a type that change nothing about its family."""

NUMERIC = frozenset({Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.MONEY})

ATTRIBUTES = (
    (frozenset({"unsigned", "signed", "zerofill"}), NUMERIC),
    (frozenset({"national", "native", "binary", "ascii", "unicode", "byte"}), frozenset({Family.STRING})),
)
"""Words that say nothing about the family, and the families they stand by: ``int unsigned``, ``national varchar``."""

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
    **words(Family.INTEGER, "tinyint, int1, byte, byteint, utinyint, uint8", kind="tinyint", bits=8),
    **words(Family.INTEGER, "smallint, int2, int16, short, short int, usmallint, uint16", bits=16),
    **words(Family.INTEGER, "smallserial, serial2", bits=16),
    **words(Family.INTEGER, "mediumint, middleint, int3, int24", bits=24),
    **words(Family.INTEGER, "int, integer, int4, int32, uint, uinteger, uint32, signed, unsigned", bits=32),
    **words(Family.INTEGER, "serial, serial4", bits=32),
    **words(Family.INTEGER, "bigint, big int, int8, int64, long, long int, long long, ubigint, uint64", bits=64),
    **words(Family.INTEGER, "bigserial, serial8", bits=64),
    **words(Family.INTEGER, "hugeint, uhugeint, int128, uint128", bits=128),
    **words(Family.INTEGER, "int256, uint256", bits=256),
    **words(Family.INTEGER, "bignum, varint", bits=0),  # DuckDB: as wide as the value
    **words(Family.INTEGER, "oid, whole, whole number"),
    # Exact and approximate numbers.
    **words(Family.DECIMAL, "decimal, numeric, dec, fixed, num, decimal128, decimal256"),
    **words(Family.DECIMAL, "number", kind="number"),
    **words(Family.DECIMAL, "bignumeric, bigdecimal", bits=256),
    **words(Family.MONEY, "money, currency", bits=64, scale=4),
    **words(Family.MONEY, "smallmoney", bits=32, scale=4),
    **words(Family.FLOAT, "float", kind="float"),
    **words(Family.FLOAT, "decfloat"),
    **words(Family.FLOAT, "float16, half", bits=16),
    **words(Family.FLOAT, "real, float4, float32, single, binary_float", bits=32),
    **words(Family.FLOAT, "double, double precision, float8, float64, binary_double", bits=64),
    # Text.
    **words(Family.STRING, "text, string, str, char, character, bpchar, nchar, ntext, tinytext, mediumtext"),
    **words(Family.STRING, "clob, nclob, dbclob, character large object, char large object, citext"),
    **words(Family.STRING, "sysname, nchar large object, long char, utf8, large_utf8, utf8_view, fixedstring"),
    **words(Family.STRING, "longtext", kind="longtext"),
    **words(Family.STRING, "varchar, character varying, char varying, varying character", kind="varchar"),
    **words(Family.STRING, "varcharacter, varchar2, long varchar, long character varying", kind="varchar"),
    **words(Family.STRING, "nvarchar, nchar varying, nvarchar2, ncharacter varying", kind="nvarchar"),
    **words(Family.STRING, "long nvarchar", kind="nvarchar"),
    **kinds(Family.TEXTUAL, "inet, cidr, macaddr, macaddr8, inet4, inet6, ltree, set"),
    **words(Family.TEXTUAL, "ipaddress, ip, ipv4, ipv6", kind="inet"),
    **words(Family.UUID, "uuid, guid, uniqueidentifier"),
    **words(Family.ENUM, "enum, enum8, enum16"),
    **words(Family.ENUM, "categorical, category", kind="categorical"),
    **words(Family.BOOLEAN, "boolean, bool, logical, yesno"),
    **words(Family.BIT, "bit, varbit, bit varying, bitstring"),
    # Dates and times.
    **words(Family.DATE, "date, date32"),
    **words(Family.DATE, "year", kind="year"),
    **words(Family.TIME, "time", kind="time", zone=Zone.NAIVE),
    **words(Family.TIME, "time without time zone, time_ntz", zone=Zone.NAIVE),
    **words(Family.TIME, "time_ns", precision=9, zone=Zone.NAIVE),
    **words(Family.TIME, "timetz, time_tz, time with time zone", zone=Zone.OFFSET),
    **words(Family.TIMESTAMP, "timestamp", kind="timestamp", zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "datetime, date time", kind="datetime", zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "timestamp without time zone, timestamp_ntz, datetime2", zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "smalldatetime, datetime64, datetime without time zone", zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "timestamp without tz, datetime_ntz", zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "timestamp_s", precision=0, zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "timestamp_ms, timestamp_millis", precision=3, zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "timestamp_us, timestamp_micros", precision=6, zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "timestamp_ns, timestamp_nanos", precision=9, zone=Zone.NAIVE),
    **words(Family.TIMESTAMP, "timestamptz, timestamp with time zone, datetimeoffset", zone=Zone.OFFSET),
    **words(Family.TIMESTAMP, "datetimetz, datetime with time zone, timestamp with tz", zone=Zone.OFFSET),
    **words(Family.TIMESTAMP, "timestamp_ltz, timestamp with local time zone, datetime_ltz", zone=Zone.LOCAL),
    **words(Family.INTERVAL, "interval, duration, timedelta, timedelta64"),
    **words(Family.INTERVAL, "intervaly2m, interval_year_month", kind="months"),
    **words(Family.INTERVAL, "intervald2s, interval_day_time", kind="seconds"),
    # Bytes.
    **words(Family.BINARY, "binary, varbinary, binary varying, binary large object, blob, tinyblob, mediumblob"),
    **words(Family.BINARY, "longblob, bytea, bytes, bytearray, varbyte, raw, long raw, long varbinary, image"),
    **words(Family.BINARY, "large_binary, wkb_blob, bfile, long binary, long blob"),
    **words(Family.BINARY, "rowversion", kind="rowversion"),
    # Values with an inside.
    **words(Family.JSON, "json, jsonb"),
    **words(Family.VARIANT, "variant, super, dynamic"),
    **kinds(Family.OBJECT, "object, hstore"),
    **words(Family.STRUCT, "struct, record, row, tuple, composite, nested"),
    **words(Family.MAP, "map, dict, dictionary"),
    **words(Family.ARRAY, "array, list, repeated"),
    **kinds(Family.GEO, _GEO_KINDS),
    **words(Family.GEO, "geometry collection, geomcollection", kind="geometrycollection"),
    **words(Family.GEO, "geo, spatial"),
    **words(Family.VECTOR, "vector"),
    **kinds(Family.VECTOR, "halfvec, sparsevec"),
    **words(Family.RANGE, "range"),
    **words(Family.RANGE, "multirange", kind="multirange"),
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
    **words(Family.OTHER, "xml, xmltype", kind="xml"),
}  # fmt: skip

# In a YML these three say which numbers are meant, not how wide they are.
_GENERIC_NUMBERS: dict[str, Word] = {
    **words(Family.INTEGER, "integer"),
    **words(Family.FLOAT, "float", kind="float"),
    **words(Family.DECIMAL, "number", kind="number"),
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
BIT_IS_BOOLEAN = words(Family.BOOLEAN, "bit")
FLOAT_32 = words(Family.FLOAT, "float", kind="float", bits=32)
FLOAT_64 = words(Family.FLOAT, "float", kind="float", bits=64)
UUID_AND_ENUM_IN_OTHERS = (
    Carrier(Family.UUID, Family.STRING),
    Carrier(Family.UUID, Family.BINARY, lengths=frozenset({16, None})),
    Carrier(Family.ENUM, Family.STRING),
)
JSON_IN_TEXT = Carrier(Family.JSON, Family.STRING)
ENUM_IN_TEXT = Carrier(Family.ENUM, Family.STRING)
VECTOR_IN_ARRAY = Carrier(Family.VECTOR, Family.ARRAY)
