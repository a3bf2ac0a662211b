"""A table for each type that a column can have, with the values that are hardest to carry, and how rows come back."""

from psycopg import sql

from bot.artifacts import metadata

NOT_FOR_COLUMNS = {
    "gtsvector", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary", "pg_dependencies", "pg_mcv_list",
    "pg_ndistinct", "pg_node_tree",
}  # fmt: skip
"""Types of the server's own books, of which nobody can write a value."""

DATES = ("2026-02-28", "infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01 BC")
TIMES = (
    "2026-02-28 23:59:60",
    "infinity",
    "-infinity",
    "4713-01-01 00:00:00 BC",
    "294276-12-31 23:59:59.999999",
    "0044-03-15 12:00:00.000001 BC",
)
WORDS = (
    "",
    " ",
    "null",
    "NULL",
    "\\",
    '"',
    "'",
    "\\N",
    "\n\r\t\b\f",
    "\x01\x02\x1f\x7f",
    "🦆é\u2028\ufeff",
    "{}",
    "a,b",
)
NUMBERS = ("0", "-1", "1")
RANGES = ("empty", "(,)", "[{0},{1})", "[{0},]", "({0},{1}]")
REALS = ("NaN", "Infinity", "-Infinity", "-0", "1e-37", "0.1", "3.4028235e38")

VALUES: dict[str, tuple[str, ...]] = {
    "aclitem": ("=r/supabase_admin", "supabase_admin=arwdDxtm/supabase_admin"),
    "bit": ("0", "1"),
    "bool": ("t", "f"),
    "box": ("(1,1),(0,0)", "(Infinity,1e300),(-Infinity,-0)"),
    "bpchar": ("", "a  ", *WORDS[1:5]),
    "bytea": ("", "\\x00", "\\x5c78", "\\x" + bytes(range(256)).hex()),
    "char": ("", "a", "\\377", "\\001", '"', "\\134"),
    "cid": ("0", "4294967295"),
    "cidr": ("0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32"),
    "circle": ("<(0,0),0>", "<(-1e-300,Infinity),1e300>"),
    "date": DATES,
    "datemultirange": ("{}", "{[2026-01-01,2026-02-01),[2027-01-01,)}"),
    "daterange": tuple(form.format("2026-01-01", "infinity") for form in RANGES),
    "float4": (*REALS, "1.1754944e-38", "16777217"),
    "float8": (*REALS, "5e-324", "1.7976931348623157e308", "0.30000000000000004", "9007199254740993"),
    "inet": ("0.0.0.0", "10.1.2.3/8", "::1", "::ffff:1.2.3.4/96"),
    "int2": ("-32768", "32767", *NUMBERS),
    "int2vector": ("", "1", "-1 0 32767"),
    "int4": ("-2147483648", "2147483647", *NUMBERS),
    "int4multirange": ("{}", "{(,1),[5,7)}"),
    "int4range": tuple(form.format("-5", "2147483646") for form in RANGES),
    "int8": ("-9223372036854775808", "9223372036854775807", "9007199254740993", *NUMBERS),
    "int8multirange": ("{}", "{(,-9223372036854775808),[5,9223372036854775807)}"),
    "int8range": tuple(form.format("-5", "9223372036854775806") for form in RANGES),
    "interval": (
        "1 mon -1 day 00:00:00.000001", "-178000000 years", "00:00:00", "P1Y2M3DT4H5M6.7S", "infinity", "-infinity",
    ),
    "json": ("null", '{"a": 1,  "a": 2}', '{\n "u": "\\u0000 \\ud83e\\udd86"}', "1.0", "-0", "1E400", "[ ]"),
    "jsonb": ("null", "{}", '{"a": [null, 1.50, "\\\\u0000"]}', '"null"', "1e400", "-0", "0.10", "[[], {}]"),
    "jsonpath": ("$", '$."a b"[*] ? (@.x > 1)', "strict $.a"),
    "line": ("{1,-1,0}", "{1e300,-1e-300,0.1}"),
    "lseg": ("[(0,0),(1,1)]", "[(1e300,-0),(Infinity,NaN)]"),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "money": ("$0.00", "-$92,233,720,368,547,758.08", "$1,234.50"),
    "name": ("a", "x" * 63, "Ж" * 31, '"\\'),
    "numeric": ("NaN", "Infinity", "-Infinity", "0.000", "-1.10", "1" + "0" * 200, "1e-200", "123456789.987654321000"),
    "nummultirange": ("{}", "{(,0.00],[1.10,Infinity]}"),
    "numrange": tuple(form.format("-0.10", "1e20") for form in RANGES),
    "oid": ("0", "4294967295"),
    "oidvector": ("", "1", "0 4294967295"),
    "path": ("[(0,0),(1,1)]", "((0,0),(1,1),(2,-1e300))"),
    "pg_lsn": ("0/0", "FFFFFFFF/FFFFFFFF"),
    "pg_snapshot": ("1:1:", "10:20:10,14,15"),
    "point": ("(0,-0)", "(NaN,Infinity)", "(0.1,1e-300)"),
    "polygon": ("((0,0),(1,1),(1,0))",),
    "refcursor": ("", '<unnamed portal 1>"'),
    "regclass": ("pg_class", "-", "4000000000"),
    "regcollation": ('"C"', '"POSIX"'),
    "regconfig": ("english", "simple"),
    "regdatabase": ("postgres", "template1"),
    "regdictionary": ("simple",),
    "regnamespace": ("pg_catalog", "public"),
    "regoper": ("0", "4000000000"),
    "regoperator": ("+(integer,integer)", "-(NONE,integer)"),
    "regproc": ("now", "-"),
    "regprocedure": ("lower(text)", "-"),
    "regrole": ("supabase_admin", "-"),
    "regtype": ("integer", "timestamp with time zone", "text[]"),
    "text": WORDS,
    "tid": ("(0,0)", "(4294967295,65535)"),
    "time": ("00:00:00", "24:00:00", "23:59:59.999999"),
    "timestamp": TIMES,
    "timestamptz": (*TIMES, "2026-03-29 02:30:00+13:45", "1900-01-01 00:00:00 Europe/Amsterdam"),
    "timetz": ("00:00:00+15:59", "24:00:00-15:59", "12:34:56.789+05:45"),
    "tsmultirange": ("{}", "{[2026-01-01,infinity),[infinity,infinity]}"),
    "tsquery": ("", "'a b':*AB & !( 'c''d' | e ) <3> f"),
    "tsrange": tuple(form.format('"2026-01-01 00:00:00"', "infinity") for form in RANGES),
    "tstzmultirange": ("{}", '{["2026-01-01 00:00:00+02","2026-02-01 00:00:00-11")}'),
    "tstzrange": tuple(form.format('"0044-03-15 12:00:00+00 BC"', '"2026-01-01 00:00:00+02"') for form in RANGES),
    "tsvector": ("", "'a b':1A,2B 'c''d' '\\\\':16383"),
    "txid_snapshot": ("1:1:", "10:20:10,14,15"),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "varbit": ("", "1", "0101010101"),
    "varchar": WORDS,
    "xid": ("0", "4294967295"),
    "xid8": ("0", "18446744073709551615"),
    "xml": ("<a>&lt;\n</a>", "no element", ""),
    # Of extensions, which are installed in a schema of their own.
    "citext": WORDS,
    "hstore": ("", '"a"=>NULL, "b"=>"NULL", "\\"\\\\"=>"1"'),
    "vector": ("[1,2.5,-0]", "[1e-38,3.4028235e38]"),
    "ltree": ("a.b_1.C", ""),
    "cube": ("(0)", "(1,2),(3,-0.1)"),
    "seg": ("1.0 .. 2.50", "<5"),
    "isbn": ("0-13-110362-8",),
}  # fmt: skip
NO_BINARY = {"aclitem", "seg", "isbn"}
EXTENSIONS = ("citext", "hstore", "vector", "ltree", "cube", "seg", "isn")


def literal(elements: list[str | None], between: str = ",") -> str:
    """The text of an array of these texts."""
    quoted = ("NULL" if e is None else '"' + e.replace("\\", "\\\\").replace('"', '\\"') + '"' for e in elements)
    return "{" + between.join(quoted) + "}"


def composite(fields: list[str | None]) -> str:
    """The text of a composite of these texts."""
    quoted = ("" if f is None else '"' + f.replace("\\", "\\\\").replace('"', '""') + '"' for f in fields)
    return "(" + ",".join(quoted) + ")"


def shapes(type_: str, one: str | None, other: str | None) -> dict[str, tuple[str, str | None]]:
    """By column, its type and a value: the type itself and all that can be built of it. `boxed` and `dom` are made by
    `declare`.
    """
    between = ";" if type_ == "box" else ","
    pair = literal([one, None, other], between)
    inner = composite([one, pair])
    return {
        "plain": (type_, one),
        "listed": (f"{type_}[]", pair),
        "nested": (
            f"{type_}[]",
            "{" + between.join(literal(pair, between) for pair in ([one, other], [other, one])) + "}",
        ),
        "shifted": (f"{type_}[]", f"[-1:1]={pair}"),
        "empty": (f"{type_}[]", "{}"),
        "boxed": ("{schema}.box_{n}", inner),
        "boxes": ("{schema}.box_{n}[]", literal([inner, None, composite([None, None])])),
        "dom": ("{schema}.dom_{n}", one),
        "doms": ("{schema}.dom_{n}[]", pair),
        "domains": ("{schema}.doms_{n}", pair),
    }


def declare(schema: str, n: int, type_: str) -> str:
    """The DDL of one type's table, named after its number."""
    columns = ", ".join(
        f"{name} {of.format(schema=schema, n=n)}" for name, (of, _) in shapes(type_, None, None).items()
    )
    return (
        f"CREATE TYPE {schema}.box_{n} AS (one {type_}, more {type_}[]); CREATE DOMAIN {schema}.dom_{n} AS {type_};"
        f" CREATE DOMAIN {schema}.doms_{n} AS {type_}[]; CREATE TABLE {schema}.t_{n} ({columns});"
    )


BINARY, AS_TEXT = sql.SQL("record_send(ROW({}))"), sql.SQL("ROW({})::text")
"""How rows are compared; by their text where a type has no binary form."""


def restored(table: metadata.Table, form: sql.SQL = BINARY) -> sql.Composed:
    """The table's rows out of the lines of its file, as an importer would put them back."""
    fields = [
        sql.SQL("(j ->> {})::{}").format(sql.Literal(column.name), sql.SQL(column.type))
        if column.encoding == "text"
        else sql.Identifier("r", column.name)
        for column in table.columns
    ]
    declared = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))
        for column in table.columns
        if column.encoding == "json"
    ]
    record = sql.SQL(" CROSS JOIN LATERAL json_to_record(j) AS r ({})").format(sql.SQL(", ").join(declared))
    return sql.SQL(
        "SELECT {row} FROM (SELECT line::json AS j FROM unnest(%s::text[]) AS line) AS lines{record}"
    ).format(row=form.format(sql.SQL(", ").join(fields)), record=record if declared else sql.SQL(""))


def original(table: metadata.Table, form: sql.SQL = BINARY, *, partitioned: bool = False) -> sql.Composed:
    """The rows as they are, in the same form."""
    columns = sql.SQL(", ").join(sql.Identifier("x", column.name) for column in table.columns)
    source = sql.SQL("{}" if partitioned else "ONLY {}").format(sql.Identifier(table.schema_name, table.table))
    return sql.SQL("SELECT {row} FROM {table} AS x").format(row=form.format(columns), table=source)
