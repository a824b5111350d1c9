"""Tokens of an expression: kept within bounds, keywords that are meant as names made names, units of dates found.

Works on sqlglot's tokens before its parser sees them; the parser recurses, so how deep and how long an expression
may be is decided here. Imported only when an expression is read: sqlglot takes a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlglot import Token, TokenType

from ..warehouses.sql_words import word_set
from .template import UnreadableError
from .words import ARGUMENT_WORDS, UNIT_FUNCTIONS, UNITS, is_value, sql_of

MAX_TOKENS = 5_000
MAX_DEPTH = 30  # brackets, CASEs and prefixes inside each other: sqlglot needs some 20 frames of Python's 1 000 for one

_OPEN = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSE = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
TEXTS = {
    TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING,
    TokenType.UNICODE_STRING, TokenType.BYTE_STRING, TokenType.BIT_STRING, TokenType.HEX_STRING, TokenType.NUMBER,
}  # fmt: skip

# Words that make up an expression: where one of them could be a name, the engine takes it as itself all the same.
GRAMMAR = word_set("""
    select case when then else and or not in is like ilike between distinct from where null true false exists as on
    using over all
    """)

_LONG_UNITS = frozenset(word for word in UNITS if len(word) > 2) - {"date", "time", "datetime"}

_TYPES_OF_TYPES = {"array", "struct", "map"}

# No keywords to the tokenizer, but to the parser, which goes by their text.
_NO_PLAIN_WORDS = {"if", "map"}

# After one of these words, and after most signs, an operand follows.
_BEFORE_OPERAND = word_set("and or not when then else case like ilike between by div mod rlike regexp where having on")
# Before one of these words an operand has ended.
_AFTER_OPERAND = word_set("""
    and or is in like ilike between then else end when not asc desc rlike regexp div mod collate at nulls over
    similar glob isnull notnull
    """)
_SIGNS_BEFORE_OPERAND = word_set("( , + - * / % = < > <= >= <> != == || | & ^ // <=> && ~ [")
_SIGNS_AFTER_OPERAND = word_set(
    ") , + - * / % = < > <= >= <> != == || | & ^ // <=> && ] :: -> ->> #> #>> ~ ~~ !~ @> <@ ? ;"
)


class TooComplexError(UnreadableError):
    """An expression beyond the bounds; the text says which."""


def within_bounds(tokens: Sequence[Token]) -> None:
    """:raises TooComplexError: the parser could not read it with the stack and the time that it may take."""
    if len(tokens) > MAX_TOKENS:
        raise TooComplexError(f"it has more than {MAX_TOKENS:,} words and signs")
    depth = prefixes = 0
    for index, token in enumerate(tokens):
        word = token.text.lower()
        if token.token_type in _OPEN or token.token_type is TokenType.CASE:
            depth += 1
        elif (token.token_type in _CLOSE or token.token_type is TokenType.END) and depth:
            depth -= 1
        opens = word in _PREFIXES and (index == 0 or _expects_operand(tokens, index))
        prefixes = prefixes + 1 if opens else 0
        if depth + prefixes > MAX_DEPTH:
            raise TooComplexError(f"it is nested more than {MAX_DEPTH} levels deep")


_PREFIXES = word_set("- + ~ ! not @ interval binary prior")


def without_sequences(tokens: list[Token]) -> list[Token]:
    """``NEXT VALUE FOR dbo.label_no`` → a call without arguments: a sequence is no column, and few parsers know it."""
    words = [token.text.lower() for token in tokens]
    if "value" not in words:
        return tokens
    found: list[Token] = []
    index = 0
    while index < len(tokens):
        found.append(tokens[index])
        if words[index] in ("next", "previous") and words[index + 1 : index + 3] == ["value", "for"]:
            index += 4
            while index + 1 < len(tokens) and tokens[index].token_type is TokenType.DOT:
                index += 2
            call = (TokenType.VAR, "nextval"), (TokenType.L_PAREN, "("), (TokenType.R_PAREN, ")")
            at = found.pop()
            found += [_token_at(at, kind, text) for kind, text in call]
        else:
            index += 1
    return found


def name_keywords(tokens: Sequence[Token], engine: str) -> list[Token]:
    """Make names of keywords that stand where only an operand can: ``SUM(order)``, ``set = 1``, ``interval.x``."""
    return [
        _token_at(token, TokenType.IDENTIFIER, token.text) if _is_name(tokens, index, engine) else token
        for index, token in enumerate(tokens)
    ]


class UnitPositions(NamedTuple):
    """Where words stand that a parser may take for units of time.

    :ivar units: positions in the text of words that are no columns where they stand.
    :ivar names: words that stand where a unit is usual and are columns; the parser takes them for units.
    """

    units: set[int]
    names: set[str]


def unit_positions(tokens: Sequence[Token], engine: str) -> UnitPositions:
    """Where words stand that are arguments of functions but no columns, as ``month`` in ``DATEADD(month, …)``."""
    found = UnitPositions(set(), set())
    for index in range(len(tokens) - 2):
        if tokens[index + 1].token_type is not TokenType.L_PAREN:
            continue
        function = tokens[index].text.lower()
        if function in UNIT_FUNCTIONS or function in ARGUMENT_WORDS:
            _find_unit(function, _arguments(tokens, index + 2), engine, found)
    return found


def _find_unit(function: str, arguments: list[list[Token]], engine: str, found: UnitPositions) -> None:
    # An argument that is one word without quotes; None where it is anything else.
    words = [part[0] if len(part) == 1 and _is_word(part[0]) else None for part in arguments]
    for word in words:
        if word is not None and word.text.lower() in ARGUMENT_WORDS.get(function, ()):
            found.units.add(word.start)
    fewest, position = UNIT_FUNCTIONS.get(function, (len(words) + 1, 0))
    if len(words) < fewest:
        return
    if function in sql_of(engine).units_last:
        position = -1
    usual = arguments[position]
    if usual and (usual[0].token_type in TEXTS or usual[0].text.lower() in UNITS):
        if words[position] is not None:
            found.units.add(usual[0].start)
        return
    # Elsewhere than this engine has it: only where the word is surely a unit, because short ones are good names.
    elsewhere = next((word for word in reversed(words) if word and word.text.lower() in _LONG_UNITS), None)
    if elsewhere is not None:
        found.units.add(elsewhere.start)
    # Where units are texts a word is a column; where they are words, it is a unit that is not known here.
    taken = words[position]
    if taken is not None and (elsewhere is not None or sql_of(engine).units_are_texts) and function != "extract":
        found.names.add(taken.text)


def _arguments(tokens: Sequence[Token], start: int) -> list[list[Token]]:
    """The arguments of a call by tokens, from behind its opening bracket."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[start:]:
        if token.token_type in _OPEN:
            depth += 1
        elif token.token_type in _CLOSE:
            depth -= 1
            if depth < 0:
                break
        elif token.token_type is TokenType.COMMA and depth == 0:
            arguments.append([])
            continue
        arguments[-1].append(token)
    return arguments


def _is_name(tokens: Sequence[Token], index: int, engine: str) -> bool:
    token = tokens[index]
    word = token.text.lower()
    if not _is_word(token) or (token.token_type is TokenType.VAR and word not in _NO_PLAIN_WORDS):
        return False
    if index and tokens[index - 1].token_type is TokenType.DOT:
        return True
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    if word in GRAMMAR or not (index == 0 or _expects_operand(tokens, index)):
        return False
    if following is not None and following.token_type is TokenType.DOT:
        return index + 2 < len(tokens) and _is_word(tokens[index + 2])
    if is_value(word, engine, alone=False):
        return False
    if following is None:
        return True
    if following.token_type is TokenType.LT and word in _TYPES_OF_TYPES | sql_of(engine).typed_constructors:
        return False  # ARRAY<INT64>[1, 2]
    if word == "interval" and following.text in ("-", "+"):
        is_signed = index + 3 < len(tokens) and _is_text(tokens[index + 2]) and _is_word(tokens[index + 3])
        return not is_signed  # INTERVAL -1 DAY
    sign = following.text.lower()
    return sign in _AFTER_OPERAND if _is_word(following) else sign in _SIGNS_AFTER_OPERAND and not _is_text(following)


def _expects_operand(tokens: Sequence[Token], index: int) -> bool:
    before = tokens[index - 1]
    if _is_text(before):
        return False
    text = before.text.lower()
    earlier = tokens[index - 2].text.lower() if index > 1 else ""
    if text in _SIGNS_BEFORE_OPERAND:
        # OVER (ROWS …), CONVERT(date, …), ARRAY<date>: what follows is no operand.
        return not (
            (text == "(" and earlier in ("over", "convert", "try_convert"))
            or (text == "<" and earlier in ("array", "struct", "map", "range"))
        )
    if text == "not":
        return earlier != "is"
    return text in _BEFORE_OPERAND or text.endswith(" by")


def _is_word(token: Token) -> bool:
    if token.token_type is TokenType.IDENTIFIER or token.token_type in TEXTS:
        return False
    text = token.text
    return bool(text) and (text[0].isalpha() or text[0] == "_")


def _is_text(token: Token) -> bool:
    return token.token_type in TEXTS or token.token_type is TokenType.IDENTIFIER


def _token_at(token: Token, kind: TokenType, text: str) -> Token:
    place = {"line": token.line, "col": token.col, "start": token.start, "end": token.end}
    return Token(kind, text, comments=token.comments, **place)
