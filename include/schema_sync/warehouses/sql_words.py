"""What the reader of expressions must know of an engine's SQL. Facts only; each engine's own are in its file.

Sources: each engine's reference, chapters on reserved words, on functions of date and time, and on lambda functions.
"""

from __future__ import annotations

from dataclasses import dataclass


def word_set(text: str) -> frozenset[str]:
    """The words of a text with spaces between them."""
    return frozenset(text.split())


# A stored name that some engine reserves is quoted in what is written for people; quotes do no harm elsewhere.
RESERVED_SOMEWHERE = word_set("""
    accessible account add all alter analyse analyze and anti any array as asc asensitive asof asymmetric at
    authorization autoincrement backup before begin between bigint binary blob both break browse bulk by call cascade
    case cast change char character check checkpoint close clustered coalesce collate collation column commit compute
    concurrently condition connect connection constraint contains containstable continue convert create cross cube
    cume_dist current cursor database databases day_hour day_microsecond day_minute day_second dbcc deallocate dec
    decimal declare default deferrable define delayed delete delete_domain_id dense_rank deny desc describe
    deterministic disk distinct distinctrow distributed div do do_domain_ids double drop dual dump each else elseif
    empty enclosed end enum errlvl escape escaped except exclude exec execute exists exit explain external extract false
    fetch file fillfactor first_value float float4 float8 following for force foreign freetext freetexttable freeze from
    full fulltext function generated get glob goto grant group grouping groups gscluster having high_priority holdlock
    hour_microsecond hour_minute hour_second identity if ignore ignore_domain_ids ilike in increment index infile
    initially inner inout insensitive insert int int1 int2 int3 int4 int8 integer intersect interval into io_after_gtids
    io_before_gtids is isnull issue iterate join json_table key keys kill lag lambda language last_value lateral lead
    leading leave left like limit linear lineno lines load localtime localtimestamp lock long longblob longtext lookup
    loop low_priority manual master_bind master_demote_to_replica master_demote_to_slave master_ssl_verify_server_cert
    match maxvalue mediumblob mediumint mediumtext merge middleint minus minute_microsecond minute_second mod modifies
    national natural new no no_write_to_binlog nocheck nonclustered not nothing notnull nth_value ntile null nullif
    nulls numeric of off offset offsets oid old on only open optimize optimizer_costs option optionally or order
    organization out outer outfile over overlaps page_checksum parallel parse_vcol_expr partition percent percent_rank
    permissions pivot pivot_longer pivot_wider placing plan portion positional preceding precision primary print proc
    procedure proto public purge qualify query raise raiserror range rank raw read read_write reads real reconfigure
    recover recursive ref_system_id references regexp release rename repeat replace replication require resignal resort
    respect restore restrict return returning revert revoke right rlike rollback rollup row row_number rowcount
    rowguidcol rows rule sample save schema schemas second_microsecond select semi sensitive separator session_user set
    setuser show shutdown signal similar smallint snapshot some spatial specific sql sql_big_result sql_buffer_result
    sql_cache sql_calc_found_rows sql_no_cache sql_small_result sqlexception sqlstate sqlwarning ssl starting statistics
    stats_auto_recalc stats_persistent stats_sample_pages stored straight_join struct summarize symmetric system
    system_user table tablesample tag terminated textsize then timestamp tinyblob tinyint tinytext to top trailing tran
    transaction treat trigger true truncate try_cast try_convert tsequal unbounded undo union unique unlock unnest
    unpack unpivot unsigned update usage use user using values varbinary varchar varcharacter variadic varying verbose
    view virtual waitfor wallet when whenever where while window with within without write xor year_month zerofill
    """)


@dataclass(frozen=True, slots=True)
class SqlWords:
    """Words and signs of one engine's SQL, in lower case.

    :ivar values: functions that are called without parentheses, beside those that every engine has.
    :ivar user_is_a_value: ``user`` is the current user; as a whole expression it is what somebody called a column.
    :ivar quotes: which of ``" ` [`` open a quoted name; where ``"`` is not among them, it opens a text.
    :ivar dotted_quotes: one pair of quotes may hold a whole path (`` `project.dataset.table` ``).
    :ivar lambdas: ``x -> …`` is a function without a name; elsewhere the arrow reaches into JSON.
    :ivar json_arrows: the arrow reaches into JSON where a literal follows it, though the engine has lambdas.
    :ivar column_methods: functions written behind a column and a dot.
    :ivar rows_are_values: a table's name is a value: its row (``to_jsonb(orders)``, ``count(orders)``).
    :ivar sequence_functions: functions whose first argument is a sequence, written like a column.
    :ivar sequences: what stands before ``.nextval`` and ``.currval`` is a sequence.
    :ivar units_last: functions that take the unit of time last, where other engines take it first.
    :ivar units_are_texts: a unit of time is a text (``'month'``), so a word in its place is a column.
    :ivar typed_constructors: words that ``<`` follows as the constructor of a type, beside array, struct and map.
    """

    values: frozenset[str] = frozenset()
    user_is_a_value: bool = False
    quotes: str = '"'
    dotted_quotes: bool = False
    lambdas: bool = False
    json_arrows: bool = False
    column_methods: frozenset[str] = frozenset()
    rows_are_values: bool = False
    sequence_functions: frozenset[str] = frozenset()
    sequences: bool = False
    units_last: frozenset[str] = frozenset()
    units_are_texts: bool = False
    typed_constructors: frozenset[str] = frozenset()


STANDARD = SqlWords(lambdas=True)
"""For an engine that nobody knows: a name in an arrow's parameter is not called a column."""
