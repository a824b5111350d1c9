"""Every type of every catalogue is known and equal to itself; any text is judged in bounded time, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.schema_sync.types.compare import Family, Verdict, compare_types, type_family
from include.schema_sync.types.text import MAX_DEPTH, MAX_LENGTH, read_type_text
from include.schema_sync.warehouses import DIALECTS as DIALECTS_OF_WAREHOUSES
from include.schema_sync.warehouses import vocabulary_of
from tests.examples import examples

DIALECTS = ("postgres", "redshift", "snowflake", "bigquery", "mysql", "sqlserver", "databricks", "duckdb", "sqlite")
ALIASES = {
    "postgresql": "postgres",
    "supabase": "postgres",
    "mariadb": "mysql",
    "mssql": "sqlserver",
    "motherduck": "duckdb",
}


# One spelling of each type as the engine's catalogue returns it, with its family.
CATALOGUES = {
    "postgres": """
        smallint:integer integer:integer bigint:integer oid:integer numeric(10,2):decimal real:float money:money
        text:string "char":string name:string citext:string bpchar:string inet:textual macaddr8:textual uuid:uuid
        boolean:boolean bit(3):bit date:date interval:interval bytea:binary json:json jsonb:json hstore:object
        text[]:array _int4:array point:geo box:geo public.geometry(Point,4326):geo vector(3):vector halfvec(3):vector
        sparsevec(3):vector int4range:range nummultirange:range xml:other tsvector:other jsonpath:other pg_lsn:other
        enum:enum enum[]:array composite:struct range:range multirange:range regclass:textual ltree:textual""",
    "redshift": """
        bigint:integer numeric(18,0):decimal super:variant hllsketch:other varbyte(64):binary geometry:geo
        timestamptz:timestamp intervald2s:interval struct<a:int,b:string>:struct array<int>:array
        map<string,int>:map""",
    "snowflake": """
        NUMBER(38,0):decimal FLOAT:float DECFLOAT:float TEXT:string BINARY:binary BOOLEAN:boolean DATE:date TIME(9):time
        TIMESTAMP_LTZ(9):timestamp VARIANT:variant OBJECT:object ARRAY:array ARRAY(NUMBER):array GEOGRAPHY:geo
        FILE:other GEOMETRY:geo VECTOR(FLOAT,256):vector MAP(VARCHAR,NUMBER):map UUID:uuid""",
    "bigquery": """
        INT64:integer NUMERIC:decimal BIGNUMERIC(50,10):decimal FLOAT64:float BOOL:boolean STRING(10):string
        BYTES(16):binary DATE:date TIME:time DATETIME:timestamp TIMESTAMP:timestamp INTERVAL:interval JSON:json
        GEOGRAPHY:geo RANGE<DATE>:range ARRAY<INT64>:array STRUCT<INT64,STRING>:struct RECORD:struct""",
    "mysql": """
        tinyint(1):integer mediumint(9):integer bigint(20):integer decimal(10,2):decimal double:float float(7,4):float
        bit(1):bit year(4):date datetime(6):timestamp time(3):time longtext:string enum('a','b'):enum
        set('a','b'):textual longblob:binary json:json point:geo geomcollection:geo inet6:textual uuid:uuid
        vector(3):vector""",
    "sqlserver": """
        tinyint:integer money:money float(53):float bit:boolean nvarchar(max):string sysname:string ntext:string
        uniqueidentifier:uuid datetimeoffset(7):timestamp smalldatetime:timestamp timestamp:binary rowversion:binary
        image:binary xml:other hierarchyid:other sql_variant:other geography:geo json:json vector(3):vector""",
    "databricks": """
        bigint:integer decimal(10,2):decimal double:float string:string binary:binary timestamp_ntz:timestamp
        variant:variant object:object map<string,int>:map array<int>:array struct<a:int>:struct void:unknown
        geography(4326):geo""",
    "duckdb": """
        HUGEINT:integer UTINYINT:integer BIGNUM:integer DECIMAL(18,3):decimal DOUBLE:float VARCHAR:string UUID:uuid
        ENUM('a','b'):enum BIT:bit BLOB:binary TIMESTAMP_S:timestamp TIME_NS:time INTEGER[]:array INTEGER[3]:array
        MAP(VARCHAR,INTEGER):map JSON:json GEOMETRY:geo VARIANT:variant""",
    "sqlite": """
        INTEGER:integer REAL:float NUMERIC:decimal TEXT:string CLOB:string BLOB:binary BOOLEAN:boolean
        DATETIME:timestamp VARCHAR2(10):string INT_UNSIGNED:integer BIGTEXT:string DOUBLEISH:float JSON:json""",
}  # fmt: skip
CATALOGUE_TYPES = [
    (dialect, *entry.rsplit(":", 1)) for dialect, entries in CATALOGUES.items() for entry in entries.split()
]
KNOWN_TYPES = [(dialect, text) for dialect, text, family in CATALOGUE_TYPES if family != "unknown"]


def test_every_catalogue_type_has_its_family() -> None:
    wrong = [(d, t, f, type_family(d, t).value) for d, t, f in CATALOGUE_TYPES if type_family(d, t).value != f]
    assert wrong == []
    assert {dialect for dialect, _, _ in CATALOGUE_TYPES} == set(DIALECTS)


def test_a_known_type_is_equal_to_itself_but_for_the_word_that_lies() -> None:
    # SQL Server's `timestamp` on both sides is no drift, but the YML's author probably thinks of a time.
    unequal = [(d, t) for d, t in KNOWN_TYPES if compare_types(d, t, t) is not Verdict.MATCH]
    assert unequal == [("sqlserver", "timestamp")]


@given(st.sampled_from(KNOWN_TYPES), st.sampled_from(KNOWN_TYPES), st.data())
def test_case_space_and_comments_change_nothing(
    actual: tuple[str, str], declared: tuple[str, str], data: st.DataObject
) -> None:
    dialect, found = actual
    stated = declared[1]
    noise = data.draw(st.sampled_from(["  {}\t", "/* was text */{}", "{} -- note", "{}\n", "{} NOT NULL"]))
    disguised = noise.format(stated.swapcase().replace(",", " , ").replace("(", " ( ").replace("<", "< "))
    assert compare_types(dialect, found, disguised) is compare_types(dialect, found, stated)
    assert compare_types(dialect, noise.format(found.swapcase()), stated) is compare_types(dialect, found, stated)


@given(st.sampled_from(KNOWN_TYPES), st.sampled_from(KNOWN_TYPES), st.sampled_from(sorted(ALIASES)))
def test_an_alias_speaks_its_dialect(actual: tuple[str, str], declared: tuple[str, str], alias: str) -> None:
    expected = compare_types(ALIASES[alias], actual[1], declared[1])
    assert compare_types(alias, actual[1], declared[1]) is expected
    assert compare_types(f" {alias.upper()} ", actual[1], declared[1]) is expected


def test_every_warehouse_and_alias_has_a_vocabulary_of_its_own() -> None:
    # The words of a warehouse are told by its name: a name or alias that is missing here would silently fall back to
    # general words.
    for dialect in DIALECTS_OF_WAREHOUSES.values():
        assert vocabulary_of(dialect.name) is not vocabulary_of("some other engine"), dialect.name
        for alias in dialect.aliases:
            assert vocabulary_of(alias) is vocabulary_of(dialect.name), alias


@given(st.sampled_from(KNOWN_TYPES), st.sampled_from(["{{TODO}}", "{{ t }}", "${T}", "{type}", "%s", "{% if x %}int"]))
def test_templates_are_never_judged(actual: tuple[str, str], template: str) -> None:
    assert compare_types(actual[0], actual[1], template) is Verdict.UNKNOWN
    assert compare_types(actual[0], template, template) is Verdict.UNKNOWN


_PIECES = st.sampled_from(
    ["array", "struct", "map", "int", "varchar", "enum", "_", "<", ">", "(", ")", "[", "]", ",", ":", ".", "'", '"',
     "`", "\\", "/*", "*/", "--", " ", "10", "max", "not null", "default", "interval", "with", "time zone", "²"]
)  # fmt: skip
_TEXTS = st.one_of(st.text(), st.lists(_PIECES, max_size=40).map("".join), st.text(alphabet=st.characters()))


@settings(max_examples=examples(400))
@given(st.one_of(st.sampled_from(DIALECTS), st.text()), _TEXTS, _TEXTS)
def test_no_text_raises(dialect: str, actual: str, declared: str) -> None:
    assert isinstance(compare_types(dialect, actual, declared), Verdict)
    assert isinstance(type_family(dialect, actual), Family)
    assert compare_types(dialect, actual, actual) in (Verdict.MATCH, Verdict.UNKNOWN, Verdict.COMPATIBLE)


@pytest.mark.parametrize("value", [None, 12, True, ["text"], {"type": "text"}])
def test_what_is_not_text_cannot_be_judged(value: object) -> None:
    assert compare_types("postgres", "integer", value) is Verdict.UNKNOWN  # type: ignore[arg-type]
    assert compare_types("postgres", value, "integer") is Verdict.UNKNOWN  # type: ignore[arg-type]
    assert compare_types(value, "integer", "integer") is Verdict.UNKNOWN  # type: ignore[arg-type]


def test_an_unknown_dialect_still_knows_the_general_words() -> None:
    assert compare_types("oracle", "NUMBER(10,2)", "number") is Verdict.MATCH
    assert compare_types("", "character varying(20)", "string") is Verdict.MATCH
    assert compare_types("clickhouse", "LowCardinality(Nullable(String))", "string") is Verdict.MATCH


def test_nesting_is_read_up_to_its_bound_and_unknown_beyond() -> None:
    def nested(levels: int) -> str:
        return "array<" * levels + "int" + ">" * levels

    assert compare_types("databricks", nested(MAX_DEPTH), nested(MAX_DEPTH).upper()) is Verdict.MATCH
    assert compare_types("databricks", nested(MAX_DEPTH + 1), nested(MAX_DEPTH + 1)) is Verdict.UNKNOWN
    assert compare_types("duckdb", "INTEGER" + "[]" * 5_000, "array") is Verdict.UNKNOWN
    assert compare_types("databricks", "array<" * 5_000, "array") is Verdict.UNKNOWN


def test_length_is_read_up_to_its_bound_and_unknown_beyond() -> None:
    members = ",".join(f"'value {number}'" for number in range(1_000))
    assert compare_types("mysql", f"enum({members})", "enum") is Verdict.MATCH
    too_long = "x" * (MAX_LENGTH + 1)
    assert compare_types("mysql", too_long, too_long) is Verdict.UNKNOWN


@pytest.mark.parametrize("mark", ["'", "'\\", '"', "`", "/*", "(", "[", "<", "a ", "a.", "a-", "_", "int not null ("])
def test_a_text_full_of_one_mark_is_read_in_one_pass(mark: str) -> None:
    # Would take minutes if every opening mark were scanned to the end of the text.
    text = mark * (MAX_LENGTH // len(mark))
    assert compare_types("sqlite", text, "string") in (Verdict.UNKNOWN, Verdict.MISMATCH)


def test_quoted_members_may_hold_brackets_commas_and_quotes() -> None:
    read = read_type_text("enum('it''s', 'x,y', '(z)', '{a}')")
    assert read is not None
    assert read.parameters == ("'it''s'", "'x,y'", "'(z)'", "'{a}'")
