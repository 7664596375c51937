"""Words that identifiers and strings are made of: plausible, varied, written for this project."""

from __future__ import annotations

import keyword
from typing import Final

from opencwm.corpus.generator.types import Type


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES_BY_KIND: Final = {
    "int": _words(
        "n k m x y a b c v p q r count total num value limit size width height depth offset start stop "
        "step index position amount number level score age year day hour rate price cost base factor "
        "target threshold capacity balance current remainder quotient digit shift weight rank points "
        "lives budget low high left right steps times result answer acc subtotal max_len min_len "
        "num_items total_count"
    ),
    "float": _words(
        "x y ratio rate average mean price weight fraction score temperature distance speed scale percent "
        "discount height width value avg"
    ),
    "bool": _words(
        "found ok flag valid done is_valid is_empty seen_any has_match changed ready active enabled "
        "strict matched reverse ignore_case all_ok"
    ),
    "str": _words(
        "s t text word name line sentence message label key token prefix suffix char sep pattern title "
        "phrase string data source code content query path first_name tag field st txt chars letter value "
        "output result buffer out res greeting password country city color username text_in raw cleaned "
        "joined"
    ),
    "list": _words(
        "nums numbers items values arr array data lst xs ys words tokens rows entries parts elements "
        "names lines scores results queue stack pieces chunks records letters prices points seq result "
        "out output letters res acc matches filtered collected history buffer temp grades sizes pairs "
        "tags keys_list"
    ),
    "dict": _words(
        "d counts mapping table lookup index cache scores inventory prices groups freq memo config data "
        "registry by_name totals stock ages result res words_by_len settings options params record info "
        "users grades book graph counter dct m"
    ),
    "set": _words(
        "seen unique visited allowed common chars vowels ids tags found remaining used known blocked "
        "members letters primes done keep"
    ),
    "tuple": _words("pair point item entry record size bounds limits interval edge pos best info row coords"),
    "vtuple": _words("values items data point dims coords seq nums parts args_list row record"),
    "none": _words("missing nothing unset default_value"),
}
"""Plausible variable names by kind of type."""

LOOP_NAMES: Final = {
    "int": _words("x n v num i j k value a d item number m val cur el p"),
    "float": _words("x v value price f val"),
    "bool": _words("flag b ok bit"),
    "str": _words("c ch char w word s name item x letter token part line key t sym"),
    "list": _words("row group sub line part chunk xs inner r lst"),
    "dict": _words("d record entry row item"),
    "set": _words("group s members"),
    "tuple": _words("pair item entry t p row"),
    "vtuple": _words("row group t item"),
    "none": _words("item x"),
}

INDEX_NAMES: Final = _words("i i i j k idx index pos n")

MODIFIERS: Final = _words(
    "new old last first next prev best worst total raw final my max min cur sub main inner outer temp "
    "user base left right extra other"
)

NOUNS: Final = _words(
    "value item text word list count name data score part index key line size code price node group label "
    "sum char digit token entry row number state level order stock"
)

FUNCTION_VERBS: Final = _words(
    "get find count make build compute process convert check parse format update merge filter select "
    "transform clean split join normalize encode decode collect group sort rank scale reduce expand "
    "extract remove replace validate apply combine compare reverse rotate calculate summarize invert pick "
    "trim pad shift mask"
)

FUNCTION_NOUNS: Final = _words(
    "text words items values numbers name names string list pairs counts scores total letters digits "
    "lines tokens parts data result record table key entries prefix range score price order message title "
    "code groups matrix row sequence path label"
)

SHORT_FUNCTIONS: Final = _words(
    "f f f g h func solve run helper process compute test fn foo calc work step go"
)

CLASS_NAMES: Final = _words(
    "Account Counter Stack Queue Point Item Node Player Cart Box Tank Robot Meter Timer Score Ledger "
    "Cursor Inventory Buffer Basket Team Light Door Lamp Book Shelf Garden Machine Printer Wallet"
)

ATTRIBUTES: Final = _words(
    "value count total items name size level score balance position history amount state limit data width "
    "entries label capacity log"
)

METHODS: Final = _words(
    "add push update apply move record increase change put step advance adjust deposit register feed insert"
)

EXCEPTION_NAMES: Final = _words("InvalidItem EmptyInput LimitError NotAllowed BadToken OutOfStock ParseError")

WORDS: Final = _words(
    "apple river stone cloud pencil garden yellow tiger window market silver planet rocket butter candle "
    "forest hammer island jacket kitten lemon magnet needle orange pepper rabbit sunset ticket violin "
    "winter basket bridge camera desert engine feather guitar harbor insect jungle ladder mirror napkin "
    "ocean pocket quartz ribbon saddle tunnel valley wagon zipper alpha beta gamma delta red blue green "
    "black white north south east west cat dog bird fish cow ant bee fox owl hen sun moon star sky sea "
    "sand snow rain wind fire one two three four five six seven ten the and of to in is on at it go up no "
    "yes ok hello world test data code run fast slow big small hot cold new old good bad left right open "
    "close start end day night home work tea milk bread rice salt sugar egg oil pie jam mango peach plum "
    "grape melon kiwi fig banana cherry tomato onion carrot potato paris london tokyo berlin madrid rome "
    "oslo cairo lima delhi anna ben carl dora emil fay gus hana ivan jane kai lena max nina otto pia "
    "quinn rosa sam tina ugo vera will xena yuri zoe mississippi racecar level noon civic committee "
    "bookkeeper success letter coffee balloon"
)

KEYWORD_LIKE: Final = _words(
    "id type status user admin error warn info debug true false none get set put post json csv xml html "
    "utf8 v1 v2 key value name title size color price qty total tax a b c x y z"
)

PUNCTUATION: Final = "!?.,;:-_/+*=#@%&()[]{}<>|~^$"
SEPARATORS: Final = (" ", ",", ", ", "-", "_", "/", ":", ";", "|", ".", " - ", "=", "+", "", "\n", "::", "->")
UNICODE: Final = "éüñßøçλπΩжд中文日本語한é—…€°½"
PREFIXES: Final = _words("pre un re sub item_ id- # $ key: x_ >> user_ tmp_ v no. @ the_")

RESERVED: Final = frozenset(keyword.kwlist) | frozenset(
    [
        "len",
        "str",
        "int",
        "float",
        "list",
        "dict",
        "set",
        "tuple",
        "bool",
        "sum",
        "min",
        "max",
        "sorted",
        "any",
        "all",
        "range",
        "enumerate",
        "zip",
        "reversed",
        "map",
        "filter",
        "abs",
        "round",
        "ord",
        "chr",
        "divmod",
        "print",
        "isinstance",
        "iter",
        "next",
        "type",
        "repr",
        "format",
        "input",
        "id",
        "hash",
        "pow",
        "main",
        "object",
    ]
)
"""Names a program never binds: keywords, builtins it may call, and the wrapper's name."""


def names_for(type_: Type) -> tuple[str, ...]:
    """Return plausible variable names for a value of the type."""
    return NAMES_BY_KIND[type_.kind]
