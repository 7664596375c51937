from hypothesis import given
from hypothesis import strategies as st

from opencwm.codec.vocabulary import Vocabulary
from opencwm.debugger.value_grammar import ValueGrammar, ValueState

VOCABULARY = Vocabulary.default()
GRAMMAR = ValueGrammar(VOCABULARY, len(VOCABULARY))

atoms = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=8), st.binary(max_size=5)
)
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.frozensets(st.integers(), max_size=3),
    ),
    max_leaves=6,
)


@given(values)
def test_every_true_value_is_allowed_and_complete_only_where_it_could_end(value: object) -> None:
    text = repr(value)
    state = ValueState()
    for token in VOCABULARY.encode_text(text):
        assert GRAMMAR.allowed(state)[token]
        state.feed(GRAMMAR.text_of(token))
    assert state.is_complete


@given(values, st.data())
def test_a_container_or_string_cannot_end_in_its_middle(value: object, data: st.DataObject) -> None:
    text = repr(value)
    if text[0] not in "[({'\"":
        return
    cut = data.draw(st.integers(1, len(text) - 1))
    state = ValueState()
    state.feed(text[:cut])
    assert not state.is_complete


def allows(before: str, text: str) -> bool:
    state = ValueState()
    state.feed(before)
    (token,) = VOCABULARY.encode_text(text)
    return bool(GRAMMAR.allowed(state)[token])


def test_only_what_is_open_can_be_closed() -> None:
    assert allows("[1, (2", ")")
    assert not allows("[1, (2", "]")
    assert not allows("1", "]")
    assert allows("['a", "]")
    assert allows("[", "()")
    assert allows("'it\\'s", ")")


def test_what_is_open_can_be_closed_from_within() -> None:
    state = ValueState()
    state.feed("[{'a': (\"it's")
    closed = ""
    while not state.is_complete:
        token = int(GRAMMAR.closing(state).argmax())
        closed += GRAMMAR.text_of(token)
        state.feed(GRAMMAR.text_of(token))
    assert closed == '")}]'
