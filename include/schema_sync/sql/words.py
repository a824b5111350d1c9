"""Words of SQL that look like columns and are none, by engine. Facts only. Pure.

Engines are called by sqlglot's words (``tsql``, not ``sqlserver``). Sources: each engine's reference, chapters on
reserved words, on functions of date and time, and on system or pseudo columns.
"""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """The words of a text with spaces between them."""
    return frozenset(text.split())


# A whole expression of one of these, in any engine, is a value. Nobody calls a column so.
_VALUES_EVERYWHERE = word_set(
    "true false null current_date current_time current_timestamp current_user session_user localtime localtimestamp"
)

# Functions that an engine calls without parentheses.
_VALUES: dict[str, frozenset[str]] = {
    "postgres": word_set("current_catalog current_role current_schema system_user"),
    "redshift": word_set("sysdate current_catalog current_role current_schema current_user_id"),
    "snowflake": frozenset({"sysdate"}),
    "bigquery": frozenset({"current_datetime"}),
    "mysql": word_set("utc_date utc_time utc_timestamp current_role"),
    "tsql": frozenset({"system_user"}),
    "databricks": word_set("current_catalog current_database current_schema current_timezone"),
    "duckdb": word_set("current_catalog current_role current_schema current_database"),
}

# ``user`` is the current user there, but as a whole expression it is what somebody called a column.
_USER_IS_A_VALUE = frozenset({"postgres", "redshift", "tsql", "duckdb", "databricks"})

# Columns that every table has and no catalogue lists.
_PSEUDO_COLUMNS: dict[str, frozenset[str]] = {
    "postgres": word_set("ctid xmin xmax cmin cmax tableoid"),
    "bigquery": word_set("_partitiontime _partitiondate _table_suffix _file_name"),
    "sqlite": word_set("rowid _rowid_"),
    "duckdb": frozenset({"rowid"}),
    "databricks": frozenset({"_metadata"}),
}

QUOTES: dict[str, str] = {
    # Which of " ` [ open a quoted name; in the others a double quote opens a text.
    "bigquery": "`",
    "mysql": "`",
    "databricks": "`",
    "spark": "`",
    "sqlite": '"`[',
    "tsql": '"[',
}

# Engines in which ``x -> …`` is a function without a name; elsewhere the arrow reaches into JSON.
HAVE_LAMBDAS = frozenset({"snowflake", "databricks", "duckdb", "spark", "trino", "presto", "clickhouse", ""})

# SQL Server's methods of xml, geometry, geography and hierarchyid: what stands before the dot is a column.
COLUMN_METHODS = word_set(
    "value query exist nodes modify stastext starea stdistance stlength stintersects stcontains stwithin stbuffer "
    "stcentroid stenvelope stequals tostring getancestor getdescendant getlevel isdescendantof"
)

# What stands before the dot is a sequence.
SEQUENCE_WORDS = frozenset({"nextval", "currval"})

UNITS = word_set("""
    nanosecond nanoseconds nanosecs nanosec nsec nsecs nsecond nseconds ns
    microsecond microseconds usec usecs us microsec microsecs mcs
    millisecond milliseconds msec msecs ms millisec millisecs millis
    second seconds sec secs s ss minute minutes min mins m mi n hour hours hr hrs h hh
    day days d dd dayofmonth dayofweek dayofweekiso dayofweek_iso weekday weekday_iso dow isodow dw dw_iso
    dayofyear yearday doy dy y
    week weeks w wk ww weekofyear weekofyeariso week_iso weekiso weekofyear_iso isoweek isowk isoww wy woy
    month months mon mons mm quarter quarters qtr qtrs q qq
    year years yr yrs yy yyyy yyy isoyear yearofweek yearofweekiso iso_year
    decade decades century centuries millennium millennia mil mils decs cent cents
    epoch epoch_second epoch_seconds epoch_millisecond epoch_milliseconds epoch_microsecond epoch_microseconds
    epoch_nanosecond epoch_nanoseconds julian era
    timezone timezone_hour timezone_minute tzh tzm tz tzoffset tzo
    day_hour day_minute day_second day_microsecond hour_minute hour_second hour_microsecond minute_second
    minute_microsecond second_microsecond year_month
    sql_tsi_second sql_tsi_minute sql_tsi_hour sql_tsi_day sql_tsi_week sql_tsi_month sql_tsi_quarter sql_tsi_year
    date time datetime
    """)

# Function → (how few arguments make one of them a unit, where the unit stands: 0 first, -1 last).
UNIT_FUNCTIONS: dict[str, tuple[int, int]] = {
    "dateadd": (3, 0),
    "date_add": (3, 0),
    "date_sub": (3, 0),
    "datediff": (3, 0),
    "datediff_big": (3, 0),
    "date_diff": (3, 0),
    "datepart": (2, 0),
    "date_part": (2, 0),
    "datename": (2, 0),
    "datetrunc": (2, 0),
    "date_trunc": (2, 0),
    "date_bucket": (3, 0),
    "timeadd": (3, 0),
    "timediff": (3, 0),
    "time_diff": (3, -1),
    "time_trunc": (2, -1),
    "timestampadd": (3, 0),
    "timestampdiff": (3, 0),
    "timestamp_diff": (3, -1),
    "timestamp_trunc": (2, -1),
    "datetime_diff": (3, -1),
    "datetime_trunc": (2, -1),
    "last_day": (2, -1),
    "next_day": (3, -1),
    "trunc": (2, -1),
    "time_slice": (3, -1),
    "extract": (1, 0),
    "date_spine": (3, 0),
}

# Where BigQuery writes the unit; the others write it first.
UNIT_LAST = word_set("date_trunc date_diff")

UNITS_ARE_TEXTS = frozenset({"postgres", "duckdb", "sqlite"})

# Function → words that one of its arguments may be: neither units nor columns.
ARGUMENT_WORDS: dict[str, frozenset[str]] = {
    "normalize": word_set("nfc nfd nfkc nfkd"),
    "normalize_and_casefold": word_set("nfc nfd nfkc nfkd"),
    "get_format": word_set("date time datetime timestamp"),
}


def is_value(word: str, engine: str, *, alone: bool) -> bool:
    """True when a word without quotes stands for a value in an engine.

    :param alone: the word is the whole expression: then ``user`` is a column that somebody called so.
    """
    word = word.lower()
    if word in _VALUES_EVERYWHERE or word in _VALUES.get(engine, ()):
        return True
    return word == "user" and not alone and engine in _USER_IS_A_VALUE


def is_pseudo_column(name: str, engine: str) -> bool:
    """True for a column that every table of an engine has without listing it."""
    name = name.lower()
    return name in _PSEUDO_COLUMNS.get(engine, ()) or (engine == "snowflake" and name.startswith("metadata$"))


def quotes_of(engine: str) -> str:
    """The characters that open a quoted name in an engine."""
    return QUOTES.get(engine, '"')
