"""Words of SQL that look like columns and are none, on any engine; what is particular to one is in its file. Pure.

Engines are called by sqlglot's words here. Sources: each engine's reference, chapters on reserved words, and on
functions of date and time.
"""

from __future__ import annotations

from ..warehouses import DIALECTS
from ..warehouses.sql_words import STANDARD, SqlWords, word_set

# By sqlglot's word: that is what the reader knows of an engine.
_DIALECTS = {dialect.sqlglot: dialect for dialect in DIALECTS.values()}

# A whole expression of one of these, in any engine, is a value. Nobody calls a column so.
_VALUES_EVERYWHERE = word_set(
    "true false null current_date current_time current_timestamp current_user session_user localtime localtimestamp"
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

# (how few arguments make one of them a unit, where the unit stands: 0 first, -1 last) → functions.
_UNIT_FUNCTIONS = {
    (3, 0): "dateadd date_add date_sub datediff datediff_big date_diff date_bucket date_spine timeadd timediff "
    "timestampadd timestampdiff",
    (3, -1): "time_diff timestamp_diff datetime_diff next_day time_slice",
    (2, 0): "datepart date_part datename datetrunc date_trunc",
    (2, -1): "time_trunc timestamp_trunc datetime_trunc last_day trunc",
    (1, 0): "extract",
}
UNIT_FUNCTIONS = {function: place for place, functions in _UNIT_FUNCTIONS.items() for function in functions.split()}

# Function → words that one of its arguments may be: neither units nor columns.
ARGUMENT_WORDS: dict[str, frozenset[str]] = {
    "normalize": word_set("nfc nfd nfkc nfkd"),
    "normalize_and_casefold": word_set("nfc nfd nfkc nfkd"),
    "get_format": word_set("date time datetime timestamp"),
}


def sql_of(engine: str) -> SqlWords:
    dialect = _DIALECTS.get(engine)
    return STANDARD if dialect is None else dialect.sql


def is_value(word: str, engine: str, *, alone: bool) -> bool:
    """True when a word without quotes stands for a value in an engine.

    :param alone: the word is the whole expression: then ``user`` is a column that somebody called so.
    """
    word, own = word.lower(), sql_of(engine)
    return word in _VALUES_EVERYWHERE or word in own.values or (word == "user" and not alone and own.user_is_a_value)


def is_pseudo_column(name: str, engine: str) -> bool:
    """True for a column that every table of an engine has without listing it."""
    dialect = _DIALECTS.get(engine)
    return dialect is not None and dialect.is_pseudo_column(name)
