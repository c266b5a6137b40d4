"""Tokens → tree: recursive descent, with precedence climbing for expressions (ADQL 2.1 Appendix A, and the extensions the docs list)."""

import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

from vo_server.adql import tree
from vo_server.adql.functions import BY_NAME, CONSTRUCTORS, PREDICATES
from vo_server.adql.lexer import DECIMAL, END, HEX, INTEGER, NAME, QUOTED, TEXT, Token, tokenize
from vo_server.adql.messages import did_you_mean, meaning_error, nearest, syntax_error
from vo_server.adql.words import AGGREGATES, CALLABLE, CAST_MISTAKES, CAST_TYPES, COMPARISONS, RESERVED, SET_OPERATORS
from vo_server.errors import QuerySyntaxError

MAX_DEPTH = 60
"""Parentheses, subqueries and functions inside each other; far below what Python's stack holds."""

MAX_PARTS = {"tables": 100, "set operations": 100, "common tables": 100, "regions": 150}
"""How many of these a query may have: a bound for the time that translating takes."""
_REGIONS = {"CIRCLE": 1, "DISTANCE": 1, "BOX": 4, "POLYGON": 4, "REGION": 4, "MOC": 4}
"""By how much each counts: polygons take more time than circles, those of many vertices more still."""
_VERTICES = 12
"""Numbers among the arguments of a region by which it counts for one more."""

_WHERE, _ON, _GROUP, _HAVING, _SET_FUNCTION, _WINDOW = "WHERE", "ON", "GROUP BY", "HAVING", "a set function", "a window function"
_NO_SET_FUNCTIONS = {
    _WHERE: "Conditions on groups stand in HAVING.",
    _ON: "Conditions on groups stand in HAVING.",
    _GROUP: "Groups are made of what each row says.",
}
"""Where there are no groups yet, and what to do instead."""

_OR, _AND, _NOT, _PREDICATE, _CONCAT, _SUM, _PRODUCT, _SIGN = range(1, 9)
_CHAINS = {"||": _CONCAT, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT}
_LEVELS = {
    "OR": _OR,
    "AND": _AND,
    **dict.fromkeys(COMPARISONS | {"BETWEEN", "IN", "LIKE", "ILIKE", "IS", "NOT"}, _PREDICATE),
    **_CHAINS,
}
_NUMBERS: dict[str, Callable[[str], int | float]] = {INTEGER: int, DECIMAL: float, HEX: lambda text: int(text, 16)}
_LARGEST = sys.float_info.max
_CONSTANTS = frozenset((*_NUMBERS, TEXT))
_JOINS = {"INNER": "INNER", "LEFT": "LEFT", "RIGHT": "RIGHT", "FULL": "FULL", "CROSS": "CROSS"}
_ENDS_OF_QUERY = ("WHERE", "GROUP BY", "HAVING", "ORDER BY", "OFFSET", END)

T = TypeVar("T")


def parse(text: str) -> tree.Query:
    """The tree of an ADQL text. Raises QuerySyntaxError with line, column, the offending word and what was expected."""
    return _Parser(text).statement()


class _Parser:
    """One pass over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.index = 0
        self.depth = 0
        self.clause = ""
        self.parts = dict.fromkeys(MAX_PARTS, 0)

    # tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    @property
    def kind(self) -> str:
        return self.tokens[self.index].kind

    def following(self, count: int = 1) -> str:
        """The kind of the token `count` after this one."""
        return self.tokens[min(self.index + count, len(self.tokens) - 1)].kind

    def take(self) -> Token:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def skip(self, kind: str) -> bool:
        """Whether the next token is of this kind; then it is taken."""
        if self.tokens[self.index].kind != kind:
            return False
        self.index += 1
        return True

    def expect(self, kind: str, *others: str) -> Token:
        """Takes a token of this kind. `others` might have stood here, too: they are named if nothing fits."""
        if self.tokens[self.index].kind != kind:
            self.fail(kind, *others)
        return self.take()

    def fail(self, *expected: str, hint: str | None = None) -> NoReturn:
        """Raises the error that this token is not one of `expected`."""
        token = self.token
        found = END if token.kind is END else f"{_article(token)}{token.value if token.kind is not TEXT else repr(token.value)}"
        wanted = _enumerated(expected)
        raise self.error(
            token, f"{wanted[:1].upper()}{wanted[1:]} expected, but found {found}.", expected=expected, hint=hint or self.advice()
        )

    def error(self, token: Token, message: str, *, expected: tuple[str, ...] = (), hint: str | None = None) -> QuerySyntaxError:
        return syntax_error(self.text, token.start, message, word=self.text[token.start : token.end], expected=expected, hint=hint)

    def advice(self) -> str | None:
        """What people of other dialects should write instead of this token."""
        token = self.token
        word = token.value.upper()
        if word == "LIMIT" or (self.index and self.tokens[self.index - 1].value.upper() == "LIMIT"):
            return "ADQL has no LIMIT: write SELECT TOP n …"
        if token.kind == "DISTINCT":
            return "DISTINCT stands right behind SELECT (SELECT DISTINCT TOP 5 …), or in COUNT, SUM, AVG, MIN and MAX."
        if token.kind in RESERVED and not (token.kind in CALLABLE and self.following() == "("):
            return f'{word} is a reserved word; as a name it needs double quotes: "{token.value}".'
        if token.kind is QUOTED and self.index and self.tokens[self.index - 1].kind is TEXT:
            return "Texts stand in single quotes, names in double quotes."
        return None

    def deeper(self, part: Callable[[], T]) -> T:
        """Parses something nested. Raises QuerySyntaxError if it lies too deep."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(self.token, f"The query is nested more than {MAX_DEPTH} levels deep.", hint="Use WITH to name its parts.")
        found = part()
        self.depth -= 1
        return found

    def within(self, clause: str, part: Callable[[], T]) -> T:
        """Parses what stands in a clause that does not take every function."""
        around, self.clause = self.clause, clause
        found = part()
        self.clause = around
        return found

    def refuse_set_function(self, token: Token) -> None:
        """Set functions have a value for a group, which some clauses come before."""
        hint = _NO_SET_FUNCTIONS.get(self.clause)
        if hint is not None:
            message = f"{token.value.upper()} cannot stand in {self.clause}."
            raise meaning_error(self.text, token.start, message, word=token.value, hint=hint)

    def count(self, what: str, number: int = 1) -> None:
        """Notes one more (or `number`) of what MAX_PARTS limits. Raises QuerySyntaxError if it is one too many."""
        self.parts[what] += number
        if self.parts[what] > MAX_PARTS[what]:
            raise self.error(
                self.token, f"The query has more than {MAX_PARTS[what]} {what}.", hint="Put long lists into a table and join it."
            )

    # queries

    def statement(self) -> tree.Query:
        """query_specification, with WITH in front and a semicolon behind (extension)."""
        start = self.token.start
        if self.kind is END:
            raise self.error(self.token, "The query is empty.", expected=("SELECT",))
        common = self.common_tables() if self.skip("WITH") else ()
        query = self.query()
        while self.skip(";"):
            pass
        if self.kind is not END:
            self.fail(*_ENDS_OF_QUERY)
        return tree.Query(start, query.body, query.order, query.offset, common, self.text)

    def common_tables(self) -> tuple[tree.CommonTable, ...]:
        """with_clause (§4.5)."""
        return self.separated(self.common_table)

    def common_table(self) -> tree.CommonTable:
        at = self.token.start
        self.count("common tables")
        name = self.identifier("a name for the common table")
        if self.kind == "(":
            raise self.error(
                self.token,
                "A list of columns after the name of a common table is not ADQL.",
                hint="Name the columns inside: SELECT x AS name.",
            )
        self.expect("AS")
        return tree.CommonTable(at, name, self.parenthesized_query())

    def parenthesized_query(self) -> tree.Query:
        self.expect("(")
        query = self.deeper(self.query)
        self.expect(")", *_ENDS_OF_QUERY[:-1])
        return query

    def query(self) -> tree.Query:
        """query_expression: set operations, then ORDER BY and OFFSET for the whole."""
        return self.rest_of_query(self.query_operand())

    def rest_of_query(self, first: tree.Body) -> tree.Query:
        """The query that begins with the operand `first`, already read."""
        body = self.set_operations(first)
        order = self.order_by() if self.kind == "ORDER" else ()
        offset = self.unsigned("OFFSET") if self.skip("OFFSET") else None
        return tree.Query(first.at, body, order, offset, text=self.text)

    def set_operations(self, first: tree.Body) -> tree.Body:
        """UNION and EXCEPT from left to right, INTERSECT binding tighter (§4.6.6)."""
        left = self.intersections(first)
        while self.kind in ("UNION", "EXCEPT"):
            token = self.take()
            everything = self.all_of_set()
            left = tree.SetOperation(token.start, token.kind, everything, left, self.intersections(self.query_operand()))
        return left

    def intersections(self, first: tree.Body) -> tree.Body:
        left = first
        while self.kind == "INTERSECT":
            token = self.take()
            everything = self.all_of_set()
            left = tree.SetOperation(token.start, token.kind, everything, left, self.query_operand())
        return left

    def all_of_set(self) -> bool:
        """``ALL`` behind a set operator; DISTINCT (extension) says what holds anyway."""
        self.count("set operations")
        return not self.skip("DISTINCT") and self.skip("ALL")

    def query_operand(self) -> tree.Body:
        if self.kind == "(":
            return self.parenthesized_query()
        if self.kind == "WITH":
            raise self.error(self.token, "WITH may only stand at the beginning of the whole query.", hint="Move it to the front.")
        return self.select()

    def select(self) -> tree.Select:
        """select_query, whose clauses know nothing of those around it."""
        return self.within("", self.select_clauses)

    def select_clauses(self) -> tree.Select:
        if self.index == 0 and self.kind != "SELECT":
            self.fail("SELECT", "WITH", hint="A query only reads, and begins so.")
        at = self.expect("SELECT").start
        distinct = self.kind == "DISTINCT"
        if self.kind in ("ALL", "DISTINCT"):
            self.take()
        top = self.unsigned("TOP") if self.skip("TOP") else None
        items = self.separated(self.select_item)
        if self.kind != "FROM":
            self.fail("a comma", "FROM")
        self.take()
        tables = self.separated(self.table_reference)
        where = self.within(_WHERE, self.condition) if self.skip("WHERE") else None
        group = self.within(_GROUP, self.group_by) if self.kind == "GROUP" else ()
        having = self.within(_HAVING, self.condition) if self.skip("HAVING") else None
        return tree.Select(at, items, tables, where, group, having, distinct, top)

    def unsigned(self, word: str) -> int:
        """The number after TOP or OFFSET: an unsigned integer, nothing else."""
        if self.kind != INTEGER:
            self.fail(f"an unsigned integer after {word}")
        token = self.take()
        if len(token.value) > 18:
            raise self.error(token, f"{token.value} after {word} is too large.")
        return int(token.value)

    def separated(self, part: Callable[[], T]) -> tuple[T, ...]:
        """One or more parts with commas between them."""
        parts = [part()]
        while self.skip(","):
            parts.append(part())
        return tuple(parts)

    def select_item(self) -> tree.Item | tree.Star:
        """select_sublist; ``*`` may stand among others (extension)."""
        token = self.token
        if token.kind == "*":
            self.take()
            return tree.Star(token.start)
        if token.kind in (NAME, QUOTED):
            star = self.qualified_star()
            if star is not None:
                return star
        if token.kind == "FROM":
            self.fail("a column, an expression or *")
        return tree.Item(token.start, self.value(), self.optional_alias())

    def qualified_star(self) -> tree.Star | None:
        """``table.*``, ``schema.table.*``; None (and nothing taken) if it is something else."""
        last = self.index
        while self.tokens[last].kind not in (END, "(") and self.tokens[last + 1].kind == ".":
            last += 2
        if last == self.index or self.tokens[last].kind != "*":
            return None
        at = self.token.start
        parts = []
        while self.kind != "*":
            parts.append(self.name_part())
            self.expect(".")
        self.take()
        return tree.Star(at, tuple(parts))

    def group_by(self) -> tuple[tree.Value, ...]:
        self.take()
        self.expect("BY")
        return self.separated(self.value)

    def order_by(self) -> tuple[tree.OrderKey, ...]:
        self.take()
        self.expect("BY")
        return self.separated(self.order_key)

    def order_key(self) -> tree.OrderKey:
        at = self.token.start
        value = self.value()
        descending = self.kind == "DESC"
        if self.kind in ("ASC", "DESC"):
            self.take()
        return tree.OrderKey(at, value, descending)

    # names

    def identifier(self, what: str) -> tree.Identifier:
        """A new name: regular and not reserved, or in double quotes (§2.1.5, §2.1.6)."""
        token = self.token
        if token.kind is NAME or token.kind is QUOTED:
            self.index += 1
            return tree.Identifier(token.start, token.value, token.kind is QUOTED)
        return self.fail(what)

    def name_part(self) -> tree.Identifier:
        """Part of a qualified name. Beside a dot a reserved word is no danger, and users' schemas are called ``public`` (extension)."""
        token = self.token
        beside_dot = self.following() == "." or (self.index > 0 and self.tokens[self.index - 1].kind == ".")
        if token.kind in RESERVED and beside_dot:
            self.index += 1
            return tree.Identifier(token.start, token.value)
        return self.identifier("a name")

    def qualified_name(self, most: int) -> tuple[tree.Identifier, ...]:
        """Names joined by dots, `most` at the most."""
        parts = [self.name_part()]
        while self.kind == ".":
            if len(parts) == most:
                raise self.error(self.token, f"A name has at most {most} parts here.")
            self.take()
            parts.append(self.name_part())
        return tuple(parts)

    def optional_alias(self) -> tree.Identifier | None:
        """``[AS] name``."""
        if self.skip("AS"):
            return self.identifier("a name after AS")
        token = self.token
        if token.kind is NAME or token.kind is QUOTED:
            self.refuse_limit()
            self.index += 1
            return tree.Identifier(token.start, token.value, token.kind is QUOTED)
        return None

    def refuse_limit(self) -> None:
        """``LIMIT n`` after a table would read as an alias: say what ADQL has instead."""
        token = self.token
        if token.kind is NAME and token.value.upper() == "LIMIT" and self.following() is INTEGER:
            count = self.tokens[self.index + 1].value
            raise self.error(
                token, "ADQL has no LIMIT.", expected=_ENDS_OF_QUERY, hint=f"Write SELECT TOP {count} … instead of … LIMIT {count}."
            )

    # tables

    def table_reference(self) -> tree.TableReference:
        """A table, or several joined (§2.2.2)."""
        found = self.parenthesized_tables() if self.kind == "(" else self.table_name()
        return self.joins(found)

    def joins(self, left: tree.TableReference) -> tree.TableReference:
        while self.kind in ("JOIN", "NATURAL") or self.kind in _JOINS:
            left = self.join(left)
        return left

    def join(self, left: tree.TableReference) -> tree.Join:
        at = self.token.start
        natural = self.skip("NATURAL")
        kind = _JOINS[self.take().kind] if self.kind in _JOINS else "INNER"
        if kind in ("LEFT", "RIGHT", "FULL"):
            self.skip("OUTER")
        self.expect("JOIN")
        right = self.parenthesized_tables() if self.kind == "(" else self.table_name()
        if kind != "CROSS" and not natural and self.skip("ON"):
            return tree.Join(at, kind, left, right, on=self.within(_ON, self.condition))
        if kind != "CROSS" and not natural and self.skip("USING"):
            self.expect("(")
            names = self.separated(lambda: self.identifier("a column that both tables have"))
            self.expect(")")
            return tree.Join(at, kind, left, right, using=names)
        return tree.Join(at, kind, left, right, natural)

    def table_name(self) -> tree.TableName:
        at = self.token.start
        self.count("tables")
        if self.kind not in (NAME, QUOTED) and self.following() != ".":
            self.fail("a table")
        parts = self.qualified_name(3)
        if self.kind == "(":
            raise self.error(self.token, "A function cannot stand among the tables.", hint="Tables are named as in TAP_SCHEMA.tables.")
        return tree.TableName(at, parts, self.optional_alias())

    def parenthesized_tables(self) -> tree.TableReference:
        """``(query) AS alias`` or ``(table JOIN table …)``."""
        inner = self.deeper(self.in_parentheses)
        if isinstance(inner, tree.Query):
            return self.derived(inner)
        return inner

    def in_parentheses(self) -> tree.Query | tree.TableReference:
        """What stands in parentheses among the tables. Two open parentheses may begin a query or a join: the inside tells."""
        self.expect("(")
        inner: tree.Query | tree.TableReference
        if self.kind in ("SELECT", "WITH"):
            inner = self.query()
        elif self.kind == "(":
            inner = self.after_parentheses(self.deeper(self.in_parentheses))
        else:
            inner = self.table_reference()
        self.expect(")")
        return inner

    def after_parentheses(self, inner: tree.Query | tree.TableReference) -> tree.Query | tree.TableReference:
        if not isinstance(inner, tree.Query):
            return self.joins(inner)
        if self.kind in SET_OPERATORS or self.kind in ("ORDER", "OFFSET", ")"):
            return self.rest_of_query(inner)
        return self.joins(self.derived(inner))

    def derived(self, query: tree.Query) -> tree.Derived:
        alias = self.optional_alias()
        if alias is None:
            self.fail("a name for the subquery", hint="Write (SELECT …) AS name.")
        return tree.Derived(query.at, query, alias)

    # expressions

    def value(self) -> tree.Value:
        """An expression that must be a value."""
        return self.as_value(self.expression(0))

    def condition(self) -> tree.Condition:
        """An expression that must be a condition."""
        return self.as_condition(self.expression(0))

    def as_value(self, found: tree.Value | tree.Condition) -> tree.Value:
        if isinstance(found, tree.Value):
            return found
        token = self.token_at(found.at)
        raise self.error(
            token, "A condition stands here, where a value is expected.", hint="CASE WHEN … THEN 1 ELSE 0 END makes a value of a condition."
        )

    def as_condition(self, found: tree.Value | tree.Condition) -> tree.Condition:
        if isinstance(found, tree.Condition):
            return found
        if isinstance(found, tree.Call) and found.name in PREDICATES:
            return tree.Holds(found.at, found)
        if self.index == 0 or self.token.kind is END or self.token.kind in RESERVED or self.token.kind == ")":
            token = self.token_at(found.at)
            message = "A value stands alone here, where a condition is expected."
            raise self.error(token, message, expected=("a comparison",), hint="Compare it with something, for instance = 1.")
        return self.fail("a comparison")

    def token_at(self, at: int) -> Token:
        return next((token for token in self.tokens if token.start == at), self.token)

    def expression(self, level: int) -> tree.Value | tree.Condition:
        """Precedence climbing: everything that binds tighter than `level`."""
        left = self.prefix()
        while True:
            binding = _LEVELS.get(self.tokens[self.index].kind, 0)
            if binding <= level:
                return left
            if binding == _PREDICATE:
                left = self.predicate(self.as_value(left))
                if _LEVELS.get(self.kind) == _PREDICATE:
                    self.fail("AND", "OR", *_ENDS_OF_QUERY, hint="Comparisons cannot be chained: write a < b AND b < c.")
            elif binding > _PREDICATE:
                left = self.chain(self.as_value(left), binding)
            else:
                left = self.logical(self.as_condition(left), binding)

    def chain(self, first: tree.Value, binding: int) -> tree.Chain:
        rest = []
        self.refuse_geometry(first)
        while _CHAINS.get(self.kind) == binding:
            token = self.take()
            operand = self.as_value(self.expression(binding))
            self.refuse_geometry(operand)
            rest.append(tree.Operation(token.kind, token.start, operand))
        return tree.Chain(first.at, first, tuple(rest))

    def refuse_geometry(self, operand: tree.Value) -> None:
        if isinstance(operand, tree.Call) and operand.name in CONSTRUCTORS:
            raise self.error(self.token_at(operand.at), f"{operand.name} makes a geometry, with which one cannot calculate.")

    def logical(self, first: tree.Condition, binding: int) -> tree.Logical:
        word = self.kind
        operands = [first]
        while self.skip(word):
            operands.append(self.as_condition(self.expression(binding)))
        return tree.Logical(first.at, word, tuple(operands))

    def prefix(self) -> tree.Value | tree.Condition:
        """NOT, a sign, or a primary."""
        token = self.tokens[self.index]
        if token.kind == "NOT":
            self.index += 1
            return tree.Not(token.start, self.as_condition(self.deeper(lambda: self.expression(_NOT))))
        if token.kind in ("-", "+"):
            self.index += 1
            operand = self.as_value(self.deeper(lambda: self.expression(_SIGN)))
            self.refuse_geometry(operand)
            return tree.Sign(token.start, token.kind, operand)
        return self.primary()

    def predicate(self, left: tree.Value) -> tree.Condition:
        """The rest of a predicate that begins with the value `left` (§2.2.3)."""
        token = self.token
        if token.kind in COMPARISONS:
            self.take()
            if self.kind in ("ANY", "ALL", "SOME"):
                raise self.error(self.token, f"{self.kind} after a comparison is not ADQL.", hint="Use IN or EXISTS.")
            return tree.Comparison(left.at, token.kind, left, self.operand())
        if token.kind == "IS":
            return self.is_null(left)
        negated = self.skip("NOT")
        word = self.token
        if word.kind not in ("BETWEEN", "IN", "LIKE", "ILIKE"):
            self.fail("BETWEEN", "IN", "LIKE", "ILIKE")
        self.take()
        if word.kind == "BETWEEN":
            low = self.operand()
            self.expect("AND")
            return tree.Between(left.at, left, low, self.operand(), negated)
        if word.kind == "IN":
            return self.membership(left, negated)
        return self.like(left, negated, fold=word.kind == "ILIKE")

    def operand(self) -> tree.Value:
        """A value on the right of a comparison."""
        return self.as_value(self.expression(_PREDICATE))

    def like(self, left: tree.Value, negated: bool, *, fold: bool) -> tree.Like:
        pattern = self.operand()
        if self.kind == "ESCAPE":
            raise self.error(self.token, "LIKE has no ESCAPE in ADQL.", hint="Compare with = where % and _ are meant literally.")
        return tree.Like(left.at, left, pattern, negated, fold)

    def is_null(self, left: tree.Value) -> tree.IsNull:
        self.take()
        negated = self.skip("NOT")
        self.expect("NULL", *(() if negated else ("NOT",)))
        return tree.IsNull(left.at, left, negated)

    def membership(self, left: tree.Value, negated: bool) -> tree.Condition:
        """``IN (query)`` or ``IN (values)``."""
        if self.kind != "(":
            self.fail("( after IN", hint="Write IN (1, 2, 3) or IN (SELECT …).")
        if self.following() == "SELECT":
            return tree.InQuery(left.at, left, self.parenthesized_query(), negated)
        self.take()
        values = self.deeper(lambda: self.separated(self.list_value))
        if len(values) == 1 and isinstance(values[0], tree.ScalarQuery):
            query = (
                self.rest_of_query(values[0].query) if self.kind in SET_OPERATORS or self.kind in ("ORDER", "OFFSET") else values[0].query
            )
            self.expect(")")
            return tree.InQuery(left.at, left, query, negated)
        self.expect(")", "a comma")
        return tree.InValues(left.at, left, values, negated)

    def list_value(self) -> tree.Value:
        """A value in a list; constants, of which there may be thousands, without a way through all the precedences."""
        if self.kind in _CONSTANTS and self.following() in (",", ")"):
            return self.as_value(self.primary())
        return self.value()

    def primary(self) -> tree.Value | tree.Condition:
        token = self.tokens[self.index]
        kind = token.kind
        if kind is NAME:
            return self.name_or_call()
        if kind in _NUMBERS:
            self.index += 1
            return tree.Number(token.start, self.number(token))
        if kind is TEXT:
            self.index += 1
            return tree.Text(token.start, token.value)
        if kind == "(":
            return self.deeper(self.parenthesized)
        if kind is QUOTED:
            return self.column_name()
        if kind in CALLABLE and self.following() == "(":
            return self.aggregate() if kind in AGGREGATES else self.call()
        special = _SPECIAL.get(kind)
        if special is not None:
            return special(self)
        if kind in RESERVED and self.following() == ".":
            return self.column_name()
        if kind in CALLABLE:
            raise self.error(
                token,
                f"{kind} is a function and needs its arguments in parentheses.",
                expected=("(",),
                hint=f'A column of that name is written "{token.value}".',
            )
        return self.fail("a column", "a value")

    def parenthesized(self) -> tree.Value | tree.Condition:
        """An expression or a query in parentheses."""
        if self.following() == "SELECT":
            at = self.token.start
            return tree.ScalarQuery(at, self.parenthesized_query())
        self.take()
        inner = self.expression(0)
        if isinstance(inner, tree.ScalarQuery) and (self.kind in SET_OPERATORS or self.kind in ("ORDER", "OFFSET")):
            inner = tree.ScalarQuery(inner.at, self.rest_of_query(inner.query))
        if self.kind == ",":
            raise self.error(
                self.token, "Several values in parentheses are not a value in ADQL.", hint="Compare each of them: a = 1 AND b = 2."
            )
        self.expect(")")
        return inner

    def column_name(self) -> tree.ColumnName:
        at = self.token.start
        return tree.ColumnName(at, self.qualified_name(4))

    def name_or_call(self) -> tree.Value:
        """A column, or a function that is not reserved."""
        if self.following() == "(":
            return self.call()
        return self.column_name()

    def number(self, token: Token) -> int | float:
        """The value of a number, which must be one that double precision can hold."""
        value = _NUMBERS[token.kind](token.value)
        if value > _LARGEST:
            raise self.error(token, "No number is larger than 1.8e308.")
        return value

    def call(self) -> tree.Value:
        """``NAME(arguments)``: how many there may be is checked here for what the table knows."""
        token = self.take()
        self.take()
        name = token.value.upper()
        function = BY_NAME.get(name)
        if function is not None and function.aggregate:
            self.refuse_set_function(token)
            arguments = self.within(_SET_FUNCTION, self.arguments)
        else:
            arguments = () if self.kind == ")" else self.deeper(self.arguments)
        self.expect(")", "a comma")
        if name in _REGIONS:
            self.count("regions", _REGIONS[name] + len(arguments) // _VERTICES)
        found = tree.Call(token.start, name, arguments)
        self.check_arguments(token, found)
        return self.window(found)

    def arguments(self) -> tuple[tree.Value, ...]:
        return self.separated(self.value)

    def check_arguments(self, token: Token, call: tree.Call) -> None:
        function = BY_NAME.get(call.name)
        if function is None:
            return
        count = len(call.arguments)
        has_system = function.coosys and count > 0 and isinstance(call.arguments[0], tree.Text | tree.Null) and function.accepts(count - 1)
        if not has_system and not function.accepts(count):
            message = f"{call.name} has {function.arity} argument{'' if function.arity == '1' else 's'}, not {count}."
            if function.coosys and function.accepts(count - 1):
                message += " Only a text in quotes may name the coordinate system in front of them."
            raise self.error(token, message)
        check = _CHECKS.get(call.name)
        fault = check(call.arguments[1:] if has_system else call.arguments) if check else None
        if fault:
            raise self.error(token, f"{call.name}{fault}")

    def aggregate(self) -> tree.Value:
        """set_function_specification."""
        token = self.take()
        self.refuse_set_function(token)
        self.take()
        if token.kind == "COUNT" and self.skip("*"):
            self.expect(")")
            return self.window(tree.Aggregate(token.start, "COUNT", None))
        distinct = self.kind == "DISTINCT"
        if self.kind in ("DISTINCT", "ALL"):
            self.take()
        argument = self.within(_SET_FUNCTION, lambda: self.deeper(self.value))
        if self.kind == ",":
            raise self.error(self.token, f"{token.kind} has one argument.", expected=(")",))
        self.expect(")")
        return self.window(tree.Aggregate(token.start, token.kind, argument, distinct))

    def window(self, function: tree.Call | tree.Aggregate) -> tree.Value:
        """``OVER (PARTITION BY … ORDER BY …)`` behind a function (extension)."""
        if not (self.kind is NAME and self.token.value.upper() == "OVER" and self.following() == "("):
            return function
        if self.clause:
            message = f"A window function cannot stand in {self.clause}."
            raise meaning_error(self.text, function.at, message, word=function.name, hint="A subquery in FROM can compute it first.")
        self.take()
        self.take()
        return self.within(_WINDOW, lambda: self.over(function))

    def over(self, function: tree.Call | tree.Aggregate) -> tree.Over:
        partition: tuple[tree.Value, ...] = ()
        if self.kind is NAME and self.token.value.upper() == "PARTITION":
            partition = self.group_by()
        order = self.order_by() if self.kind == "ORDER" else ()
        self.expect(")", "PARTITION BY", "ORDER BY")
        return tree.Over(function.at, function, partition, order)

    def cast(self) -> tree.Cast:
        """cast_specification (§4.7.1)."""
        at = self.take().start
        self.expect("(")
        operand = self.deeper(self.value)
        self.expect("AS")
        name = self.type_name()
        length = None
        if name in ("CHAR", "VARCHAR") and self.skip("("):
            length = self.unsigned(name)
            self.expect(")")
        self.expect(")")
        return tree.Cast(at, operand, name, length)

    def type_name(self) -> str:
        token = self.token
        word = token.value.upper()
        if word == "DOUBLE" and self.following() == "PRECISION":
            self.index += 2
            return "DOUBLE PRECISION"
        if word in CAST_TYPES and token.kind is not QUOTED:
            self.index += 1
            return word
        if word == "TEXT":
            self.index += 1
            return "VARCHAR"
        close = (CAST_MISTAKES[word],) if word in CAST_MISTAKES else nearest(word, CAST_TYPES)
        return self.fail(*CAST_TYPES, hint=did_you_mean(close))

    def case(self) -> tree.Case:
        """CASE, both forms (extension)."""
        at = self.take().start
        operand = None if self.kind == "WHEN" else self.deeper(self.value)
        branches: list[tuple[tree.Value | tree.Condition, tree.Value]] = []
        self.expect("WHEN")
        while True:
            test = self.deeper(self.branch_test if operand is None else self.value)
            self.expect("THEN")
            branches.append((test, self.deeper(self.value)))
            if not self.skip("WHEN"):
                break
        otherwise = self.deeper(self.value) if self.skip("ELSE") else None
        self.expect("END", "WHEN", *(() if otherwise else ("ELSE",)))
        return tree.Case(at, operand, tuple(branches), otherwise)

    def branch_test(self) -> tree.Value | tree.Condition:
        return self.condition()

    def exists(self) -> tree.Exists:
        at = self.take().start
        return tree.Exists(at, self.parenthesized_query())

    def null(self) -> tree.Null:
        return tree.Null(self.take().start)

    def boolean(self) -> tree.Boolean:
        token = self.take()
        return tree.Boolean(token.start, token.kind == "TRUE")

    def misplaced_query(self) -> NoReturn:
        raise self.error(self.token, "A query inside another stands in parentheses.", expected=("(",))


_SPECIAL: dict[str, Callable[[_Parser], tree.Value | tree.Condition]] = {
    "NULL": _Parser.null,
    "CAST": _Parser.cast,
    "CASE": _Parser.case,
    "EXISTS": _Parser.exists,
    "TRUE": _Parser.boolean,
    "FALSE": _Parser.boolean,
    "SELECT": _Parser.misplaced_query,
}
"""Reserved words that begin a value or a condition."""


def _polygon_fault(arguments: tuple[tree.Value, ...]) -> str | None:
    """Pairs of numbers, or points (§4.2.18). Which of the two only columns can be is decided when their types are known."""
    numeric = any(isinstance(argument, tree.Number | tree.Sign | tree.Chain) for argument in arguments)
    points = any(isinstance(argument, tree.Call) and argument.name in CONSTRUCTORS for argument in arguments)
    if numeric and points:
        return " has either numbers or points, not both."
    if numeric and len(arguments) % 2:
        return f" has pairs of numbers, not {len(arguments)} numbers."
    if numeric and len(arguments) < 6:
        return f" has at least three pairs of numbers, not {len(arguments)} numbers."
    return None


def _region_fault(arguments: tuple[tree.Value, ...]) -> str | None:
    first = arguments[0]
    parts = (first.first, *(step.operand for step in first.rest)) if isinstance(first, tree.Chain) else arguments
    return None if all(isinstance(part, tree.Text) for part in parts) else " has one text in quotes as its argument (§4.2.20)."


def _distance_fault(arguments: tuple[tree.Value, ...]) -> str | None:
    return " has two points or four numbers, not three arguments." if len(arguments) == 3 else None


def _shape_fault(arguments: tuple[tree.Value, ...]) -> str | None:
    plain = any(isinstance(argument, tree.Number | tree.Text | tree.Sign | tree.Chain) for argument in arguments)
    return " has geometries as arguments, not numbers or texts." if plain else None


_CHECKS: dict[str, Callable[[tuple[tree.Value, ...]], str | None]] = {
    "POLYGON": _polygon_fault,
    "REGION": _region_fault,
    "DISTANCE": _distance_fault,
    "CONTAINS": _shape_fault,
    "INTERSECTS": _shape_fault,
}
"""What the grammar asks of arguments besides their number."""


def _article(token: Token) -> str:
    return {INTEGER: "the number ", DECIMAL: "the number ", HEX: "the number ", TEXT: "the text "}.get(token.kind, "")


def _enumerated(words: tuple[str, ...]) -> str:
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"
