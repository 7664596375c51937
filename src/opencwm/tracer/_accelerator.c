/* The tracer's accelerator: what activation.py and rendering.py do, for the cases that make up nearly all runs.

   Its one rule is that nobody can tell it from them: it makes the same steps, record by record, and asks the
   Python renderer whenever it cannot make a text itself. A text is made into a buffer and becomes an object only
   when it differs from the last one of its local. Most need not be made: an atom that is the same object has the
   same text, and so has a container whose walk meets the same atoms in the same places.

   What it relies on:
   - The state of an activation is the frame's own f_trace; the stack of running frames is only a short cut to it,
     dropped whenever it does not fit, because the interpreter reuses frame objects.
   - No error is ever cleared here but the refusal of a recursion limit: whatever else comes out of a call may be
     an exception that a signal handler of the program raised, and goes on to the program.
   - Only exact built-in types are read directly, so no subclass gets past a bound or has its code run.
   - Only atoms are held on to, so no object of the program is kept alive.

   Public C API only: PyEval_SetTrace, PyFrame_*, and since 3.13 PyEval_GetFrameLocals. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <structmember.h>
#include <stdint.h>

#ifdef Py_GIL_DISABLED
#error "the accelerator needs the GIL; without it the tracer is Python"
#endif

#define SMALL_INT 1000000000000000000LL /* as in rendering.py */
#define EXACT_BITS 2048                 /* integers up to it have fewer digits than any limit of the interpreter */
#define MAX_NESTING 50                  /* as in limits.py */
#define MAX_WORDS 4096                  /* longest walk that is remembered */
#define NUM_TEXTS 1024                  /* small integers whose text is kept */
#define NO_LINE (-1)
#define DELAY_RESUMED (PY_VERSION_HEX >= 0x030D0000) /* as in activation.py */
#define FRESH_LOCALS (PY_VERSION_HEX >= 0x030D0000)

enum { YIELD = 1, RESUME = 2, UNWIND = 4, TRUNCATED = 8 };         /* StepFlags */
enum { OP_RETURNS = 1, OP_YIELDS = 2, OP_EXHAUSTS = 4 };           /* bits of the table of opcodes */
enum { FAILED = -1, DONE = 0, ASK = 1 };                           /* of making a text; ASK: the Python renderer */
enum { LIST = 1, TUPLE, DICT, SET, FROZENSET, FUNCTION, OBJECT };  /* what a walk meets */
enum { LOOP_BACK = 1, LOOP_TEST = 2, LOOP_BODY = 4, LOOP_BITS = 3 };  /* LoopPlace */
enum { KIND, CODE, LINENO, DEPTH, CHANGED, DELETED, VALUE, FLAGS, EVALUATIONS, NUM_FIELDS }; /* of a Step */

#define UNHELD ((PyObject *)1) /* a local's value that is not held: the same object may have another text by now */

/* A map from addresses; nothing is ever taken out. */

typedef struct {
    const void *key;
    void *value;
} Place;

typedef struct {
    Place *places;
    size_t num_places, num_used;
} Map;

static Place *
map_place(Place *places, size_t num_places, const void *key)
{
    size_t at = (((uintptr_t)key >> 4) * 0x9E3779B97F4A7C15ULL) >> 20;
    while (places[at &= num_places - 1].key != NULL && places[at].key != key)
        at++;
    return &places[at];
}

static void *
map_get(const Map *map, const void *key)
{
    return map->num_places ? map_place(map->places, map->num_places, key)->value : NULL;
}

static int
map_put(Map *map, const void *key, void *value)
{
    if (2 * (map->num_used + 1) > map->num_places) {
        size_t num_places = map->num_places ? 2 * map->num_places : 64;
        Place *places = PyMem_Calloc(num_places, sizeof(Place));
        if (places == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        for (size_t i = 0; i < map->num_places; i++)
            if (map->places[i].key != NULL)
                *map_place(places, num_places, map->places[i].key) = map->places[i];
        PyMem_Free(map->places);
        map->places = places;
        map->num_places = num_places;
    }
    *map_place(map->places, map->num_places, key) = (Place){key, value};
    map->num_used++;
    return 0;
}

/* What is known of a code object: RecordedCode as the trace function needs it. */

typedef struct {
    PyObject *code, *recorded, *names, *ops; /* owned */
    PyObject *index;                         /* place in Trace.codes; NULL before the first entry */
    Py_ssize_t num_names, num_ops;
    int firstlineno;
    int *rules, *late, *loops; /* by instruction, 0 for none; NULL without any */
    char *shadowed;    /* by local; NULL without any */
} Entry;

/* How instances of a class are read, as Renderer.plain_layout says. */

enum { FOREIGN = 0, ATTRIBUTES = 'a', EXCEPTION = 'e', OPAQUE = 'o' }; /* FOREIGN: only the Python renderer can */

typedef struct {
    PyObject *type;                     /* owned, so that its address stays its own */
    PyObject *name, *fields, *get_dict; /* owned, may be NULL; fields: NULL for all */
    int form;
} Shape;

/* A walk over a value: the atoms it met, and odd words for the containers around them. */

typedef struct {
    uintptr_t *words;
    Py_ssize_t num_words, capacity;
} Walk;

typedef struct {
    PyObject *held; /* the atom last seen; NULL: unbound */
    PyObject *text; /* its text; NULL: not yet reported */
    Walk walk;      /* over the value the text came from; empty: unknown. Holds the atoms. */
} Local;

/* A step before it is an object; see the fields of Step. */

typedef struct {
    Entry *entry;
    PyObject *value, *deleted; /* owned, may be NULL */
    Py_ssize_t first_change, num_changes, depth;
    int line;
    unsigned char kind, flags;
} Record;

typedef struct {
    PyObject *name; /* borrowed from the entry */
    PyObject *text; /* owned */
} Change;

typedef struct Tracer Tracer;

typedef struct {
    PyObject_VAR_HEAD
    Tracer *tracer;
    Entry *entry; /* lives as long as the tracer */
    Py_ssize_t depth, num_calls, raised_num_steps;
    int line, raw_line, raised_offset;
    int looping; /* number of the loop that jumped back to the test that is running */
    char by_line, is_held_back, is_silent;
    Local locals[1];
} Activation;

typedef struct {
    PyFrameObject *frame;   /* an address to compare with, perhaps of a frame that is gone */
    Activation *activation; /* owned; NULL: not recorded */
} Running;

struct Tracer {
    PyObject_HEAD
    PyObject *recorder, *renderer, *closes_silently, *ends_loop, *set_limit; /* owned */
    PyObject *kinds, *flags, *ops, *step_limit, *byte_limit;                 /* owned */
    PyTypeObject *step_type;
    Py_ssize_t fields[NUM_FIELDS]; /* offset of each slot of a Step */
    Map entries, shapes;
    Running *stack;
    Py_ssize_t num_running, stack_capacity;
    PyFrameObject *rejected; /* of which the call event raised */
    Record *records;
    Change *changes;
    Py_ssize_t num_records, records_capacity, num_changes, changes_capacity;
    Record held_back; /* the step of resuming a generator, while has_held_back */
    PyObject *lower_limit, *upper_limit;
    PyObject **values; /* room for the locals of one activation */
    Py_ssize_t most_names;
    Walk met;
    char *buffer;
    Py_ssize_t num_chars, buffer_capacity;
    const void *open[MAX_NESTING];
    Py_ssize_t num_open;
    Py_ssize_t depth, max_depth, max_steps, most_steps, chars_left, max_chars, max_elements, max_nesting, room;
    int interpreter_limit, yield_value, cache;
    char cut, finished, is_busy, has_held_back;
};

static PyTypeObject TracerType, ActivationType;
static PyObject *str_f_trace, *str_f_trace_opcodes, *str_render, *str_cut, *str_plain_layout, *str_index_of, *str_end;
static PyObject *no_items, *bit_length;
static PyObject *small_texts[NUM_TEXTS]; /* of small integers, when they have been needed */
static Map static_shapes;                /* of types that are not made by class statements and live for ever */

/* The buffer that a text is made in: ASCII. */

static int
enlarge(Tracer *t, Py_ssize_t size)
{
    Py_ssize_t capacity = 2 * (t->num_chars + size) + 256;
    char *buffer = PyMem_Realloc(t->buffer, capacity);
    if (buffer == NULL) {
        PyErr_NoMemory();
        return FAILED;
    }
    t->buffer = buffer;
    t->buffer_capacity = capacity;
    return DONE;
}

static inline int
put(Tracer *t, const char *chars, Py_ssize_t size)
{
    if (t->num_chars + size > t->buffer_capacity && enlarge(t, size))
        return FAILED;
    memcpy(t->buffer + t->num_chars, chars, size);
    t->num_chars += size;
    return DONE;
}

#define PUT(t, literal) put(t, literal, sizeof(literal) - 1)

static int
put_text(Tracer *t, PyObject *text)
{
    if (!PyUnicode_IS_COMPACT_ASCII(text))
        return ASK;
    return put(t, (const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
}

/* Put the text and give up the reference. */
static int
put_new_text(Tracer *t, PyObject *text)
{
    if (text == NULL)
        return FAILED;
    int result = put_text(t, text);
    Py_DECREF(text);
    return result;
}

static int
put_long_long(Tracer *t, long long number)
{
    char digits[24];
    int at = sizeof(digits);
    unsigned long long left = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;
    do {
        digits[--at] = (char)('0' + left % 10);
    } while (left /= 10);
    if (number < 0)
        digits[--at] = '-';
    return put(t, digits + at, (Py_ssize_t)sizeof(digits) - at);
}

/* Atoms. */

static int
is_atom(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyBool_Type || value == Py_None ||
           type == &PyFloat_Type || type == &PyBytes_Type || type == &PyComplex_Type || value == Py_Ellipsis ||
           value == Py_NotImplemented;
}

static int
render_int(Tracer *t, PyObject *value, Py_ssize_t budget)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow && -SMALL_INT < number && number < SMALL_INT)
        return put_long_long(t, number);
    PyObject *found = PyObject_CallOneArg(bit_length, value);
    if (found == NULL)
        return FAILED;
    long long bits = PyLong_AsLongLong(found);
    Py_DECREF(found);
    if (bits <= (long long)budget * 4) {
        if (bits > EXACT_BITS)
            return ASK;
        PyObject *text = PyLong_Type.tp_repr(value);
        if (text == NULL)
            return FAILED;
        if (PyUnicode_GET_LENGTH(text) <= budget)
            return put_new_text(t, text);
        Py_DECREF(text);
    }
    t->cut = 1;
    int result = overflow < 0 || (!overflow && number < 0) ? PUT(t, "<-int of ") : PUT(t, "<int of ");
    return result || put_long_long(t, bits) || PUT(t, " bits>...") ? FAILED : DONE;
}

static int
render_float(Tracer *t, PyObject *value)
{
    char *chars = PyOS_double_to_string(PyFloat_AS_DOUBLE(value), 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (chars == NULL)
        return FAILED;
    int result = put(t, chars, (Py_ssize_t)strlen(chars));
    PyMem_Free(chars);
    return result;
}

/* A str or bytes of which the text must be cut, or has to be looked at to know. */
static int
render_long_characters(Tracer *t, PyObject *value, Py_ssize_t budget)
{
    int is_str = PyUnicode_CheckExact(value);
    Py_ssize_t size = is_str ? PyUnicode_GET_LENGTH(value) : PyBytes_GET_SIZE(value);
    PyObject *text = NULL;
    if (size <= budget) {
        text = Py_TYPE(value)->tp_repr(value);
        if (text == NULL)
            return FAILED;
        if (PyUnicode_GET_LENGTH(text) <= budget)
            return put_new_text(t, text);
        Py_CLEAR(text);
    }
    Py_ssize_t keep = Py_MAX(budget - 2, 1);
    for (;;) {
        Py_ssize_t end = Py_MIN(keep, size);
        PyObject *head = is_str ? PyUnicode_Substring(value, 0, end)
                                : PyBytes_FromStringAndSize(PyBytes_AS_STRING(value), end);
        if (head == NULL)
            return FAILED;
        text = Py_TYPE(head)->tp_repr(head);
        Py_DECREF(head);
        if (text == NULL)
            return FAILED;
        Py_ssize_t length = PyUnicode_GET_LENGTH(text);
        if (length <= budget || keep <= 1)
            break;
        Py_DECREF(text);
        keep = Py_MAX(Py_MIN(keep * budget / length, keep - 1), 1);
    }
    t->cut = 1;
    int result = put_new_text(t, text);
    return result ? result : PUT(t, "...");
}

static int
render_str(Tracer *t, PyObject *value, Py_ssize_t budget)
{
    if (!PyUnicode_IS_COMPACT_ASCII(value))
        return ASK;
    const unsigned char *chars = PyUnicode_1BYTE_DATA(value);
    Py_ssize_t size = PyUnicode_GET_LENGTH(value);
    int has_single = 0, has_double = 0;
    if (size + 2 > budget)
        return render_long_characters(t, value, budget);
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char c = chars[i];
        if (c < ' ' || c == '\\' || c == 127)
            return render_long_characters(t, value, budget);
        has_single |= c == '\'';
        has_double |= c == '"';
    }
    if (has_single && has_double)
        return render_long_characters(t, value, budget);
    const char *quote = has_single ? "\"" : "'";
    return put(t, quote, 1) || put(t, (const char *)chars, size) || put(t, quote, 1) ? FAILED : DONE;
}

/* Containers: as Renderer._joined, _pairs, _named and _guarded. */

static int render(Tracer *t, PyObject *value, Py_ssize_t budget);

static int
close_items(Tracer *t, Py_ssize_t num_shown, Py_ssize_t size, const char *closer)
{
    if (num_shown < size) {
        t->cut = 1;
        if ((num_shown && PUT(t, ", ")) || PUT(t, "..."))
            return FAILED;
        if (closer[0] == ',')
            closer++;
    }
    return put(t, closer, (Py_ssize_t)strlen(closer));
}

static int
render_items(Tracer *t, PyObject *items, Py_ssize_t size, const char *opener, const char *closer, Py_ssize_t budget)
{
    Py_ssize_t left = budget - (Py_ssize_t)strlen(opener) - (Py_ssize_t)strlen(closer), num_shown = 0;
    int is_list = PyList_CheckExact(items);
    if (put(t, opener, (Py_ssize_t)strlen(opener)))
        return FAILED;
    for (; num_shown < t->max_elements && left > 0; num_shown++) {
        if (num_shown >= (is_list ? PyList_GET_SIZE(items) : PyTuple_GET_SIZE(items)))
            break;
        PyObject *item = is_list ? PyList_GET_ITEM(items, num_shown) : PyTuple_GET_ITEM(items, num_shown);
        if (num_shown && PUT(t, ", "))
            return FAILED;
        Py_ssize_t start = t->num_chars;
        Py_INCREF(item);
        int result = render(t, item, left);
        Py_DECREF(item);
        if (result)
            return result;
        left -= t->num_chars - start + 2;
    }
    return close_items(t, num_shown, size, closer);
}

/* Put "key: value" or "key=value". */
static int
render_pair(Tracer *t, PyObject *key, const char *between, PyObject *value, Py_ssize_t *left)
{
    Py_ssize_t start = t->num_chars;
    int is_named = between[0] == '=';
    int result = is_named ? put_text(t, key) : render(t, key, *left);
    if (result)
        return result;
    if (put(t, between, (Py_ssize_t)strlen(between)))
        return FAILED;
    result = render(t, value, Py_MAX(*left - (t->num_chars - start), 1));
    *left -= t->num_chars - start + 2;
    return result;
}

static int
render_dict(Tracer *t, PyObject *dict, Py_ssize_t budget)
{
    Py_ssize_t size = PyDict_GET_SIZE(dict), left = budget - 2, num_shown = 0, position = 0;
    PyObject *key, *value;
    if (PUT(t, "{"))
        return FAILED;
    while (num_shown < t->max_elements && left > 0 && PyDict_Next(dict, &position, &key, &value)) {
        if (num_shown++ && PUT(t, ", "))
            return FAILED;
        Py_INCREF(key);
        Py_INCREF(value);
        int result = render_pair(t, key, ": ", value, &left);
        Py_DECREF(key);
        Py_DECREF(value);
        if (result)
            return result;
    }
    return close_items(t, num_shown, size, "}");
}

/* Return the first elements of a set as a new list, in the set's own order. */
static PyObject *
first_of_set(Tracer *t, PyObject *set)
{
    PyObject *items = PyList_New(0), *item;
    PyObject *iterator = items ? PyObject_GetIter(set) : NULL;
    while (iterator && PyList_GET_SIZE(items) < t->max_elements && (item = PyIter_Next(iterator))) {
        int failed = PyList_Append(items, item);
        Py_DECREF(item);
        if (failed)
            break;
    }
    Py_XDECREF(iterator);
    if (PyErr_Occurred())
        Py_CLEAR(items);
    return items;
}

static int
has_plain_order(PyObject *items)
{
    Py_ssize_t num_numbers = 0, num_strings = 0, num_bytes = 0, size = PyList_GET_SIZE(items);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        num_numbers += PyLong_CheckExact(item) || PyBool_Check(item) ||
                       (PyFloat_CheckExact(item) && PyFloat_AS_DOUBLE(item) == PyFloat_AS_DOUBLE(item));
        num_strings += PyUnicode_CheckExact(item);
        num_bytes += PyBytes_CheckExact(item);
    }
    return num_numbers == size || num_strings == size || num_bytes == size;
}

static int
render_set(Tracer *t, PyObject *set, Py_ssize_t budget)
{
    int is_set = Py_IS_TYPE(set, &PySet_Type), result = ASK;
    Py_ssize_t size = PySet_GET_SIZE(set);
    if (!size)
        return is_set ? PUT(t, "set()") : PUT(t, "frozenset()");
    PyObject *items = first_of_set(t, set);
    if (items == NULL)
        return FAILED;
    if (has_plain_order(items))
        result = PyList_Sort(items) < 0 ? FAILED
                                        : render_items(t, items, size, is_set ? "{" : "frozenset({",
                                                       is_set ? "}" : "})", budget);
    Py_DECREF(items);
    return result;
}

static int
render_function(Tracer *t, PyObject *function)
{
    PyObject *name = ((PyFunctionObject *)function)->func_qualname;
    if (!PyUnicode_IS_COMPACT_ASCII(name) || strstr((const char *)PyUnicode_1BYTE_DATA(name), "comp>"))
        return ASK;
    return PUT(t, "<function ") || put_text(t, name) || PUT(t, ">") ? FAILED : DONE;
}

static void
free_shape(Shape *shape)
{
    if (shape == NULL)
        return;
    Py_XDECREF(shape->type);
    Py_XDECREF(shape->name);
    Py_XDECREF(shape->fields);
    Py_XDECREF(shape->get_dict);
    PyMem_Free(shape);
}

/* Return how instances of the class are read. */
static Shape *
shape_of(Tracer *t, PyTypeObject *type)
{
    int form, is_static = !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE);
    Shape *shape = is_static ? map_get(&static_shapes, type) : NULL;
    if (shape != NULL || (shape = map_get(&t->shapes, type)) != NULL)
        return shape;
    PyObject *layout = PyObject_CallMethodOneArg(t->renderer, str_plain_layout, (PyObject *)type);
    if (layout == NULL)
        return NULL;
    PyObject *name, *fields, *get_dict;
    shape = PyMem_Calloc(1, sizeof(Shape));
    if (shape == NULL) {
        PyErr_NoMemory();
    } else if (layout != Py_None && PyArg_ParseTuple(layout, "CUOO", &form, &name, &fields, &get_dict) &&
               PyUnicode_IS_COMPACT_ASCII(name)) {
        shape->form = form;
        shape->name = Py_NewRef(name);
        shape->fields = fields == Py_None ? NULL : Py_NewRef(fields);
        shape->get_dict = Py_NewRef(get_dict);
    }
    Py_DECREF(layout);
    is_static = is_static && shape && (shape->form == OPAQUE || shape->form == EXCEPTION);
    if (PyErr_Occurred() || map_put(is_static ? &static_shapes : &t->shapes, type, shape) < 0) {
        free_shape(shape);
        return NULL;
    }
    shape->type = Py_NewRef(type);
    return shape;
}

/* Return the value of an attribute in an instance's own dictionary, borrowed, or NULL; runs no code. */
static PyObject *
find_attribute(PyObject *attributes, PyObject *name)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(attributes, &position, &key, &value))
        if (key == name || (PyUnicode_CheckExact(key) && PyUnicode_Compare(key, name) == 0))
            return value;
    return NULL;
}

static int
render_attributes(Tracer *t, Shape *shape, PyObject *attributes, Py_ssize_t budget)
{
    Py_ssize_t left = budget - PyUnicode_GET_LENGTH(shape->name) - 2, num_shown = 0, size = 0, position = 0;
    PyObject *key, *value;
    for (;;) {
        if (shape->fields) {
            if (position >= PyTuple_GET_SIZE(shape->fields))
                break;
            key = PyTuple_GET_ITEM(shape->fields, position++);
            value = find_attribute(attributes, key);
            if (value == NULL)
                continue;
        } else {
            if (!PyDict_Next(attributes, &position, &key, &value))
                break;
            if (!PyUnicode_CheckExact(key))
                continue;
        }
        size++;
        if (left <= 0 || size > t->max_elements)
            break;
        if (num_shown++ && PUT(t, ", "))
            return FAILED;
        Py_INCREF(key);
        Py_INCREF(value);
        int result = render_pair(t, key, "=", value, &left);
        Py_DECREF(key);
        Py_DECREF(value);
        if (result)
            return result;
    }
    return close_items(t, num_shown, size, ")");
}

static int
render_object(Tracer *t, Shape *shape, PyObject *value, Py_ssize_t budget)
{
    PyObject *attributes = PyObject_CallOneArg(shape->get_dict, value);
    if (attributes == NULL)
        return FAILED;
    int result = ASK;
    if (PyDict_CheckExact(attributes)) {
        result = put_text(t, shape->name) || PUT(t, "(") ? FAILED : DONE;
        if (!result)
            result = render_attributes(t, shape, attributes, budget);
    }
    Py_DECREF(attributes);
    return result;
}

static PyObject *
args_of(PyObject *error)
{
    PyObject *args = ((PyBaseExceptionObject *)error)->args;
    return args != NULL && PyTuple_CheckExact(args) ? args : NULL;
}

static int
render_exception(Tracer *t, PyObject *error, Py_ssize_t budget)
{
    char opener[128];
    PyObject *args = args_of(error), *name = PyType_GetName(Py_TYPE(error));
    if (name == NULL)
        return FAILED;
    Py_ssize_t size = PyUnicode_GET_LENGTH(name);
    if (args == NULL || !PyUnicode_IS_COMPACT_ASCII(name) || size + 2 > (Py_ssize_t)sizeof(opener)) {
        Py_DECREF(name);
        return ASK;
    }
    memcpy(opener, PyUnicode_1BYTE_DATA(name), size);
    memcpy(opener + size, "(", 2);
    Py_DECREF(name);
    Py_INCREF(args);
    int result = render_items(t, args, PyTuple_GET_SIZE(args), opener, ")", budget);
    Py_DECREF(args);
    return result;
}

static int
is_open(Tracer *t, PyObject *value)
{
    for (Py_ssize_t i = 0; i < t->num_open; i++)
        if (t->open[i] == value)
            return 1;
    return 0;
}

static int
kind_of(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return type == &PyList_Type        ? LIST
           : type == &PyDict_Type      ? DICT
           : type == &PyTuple_Type     ? TUPLE
           : type == &PyFunction_Type  ? FUNCTION
           : type == &PySet_Type       ? SET
           : type == &PyFrozenSet_Type ? FROZENSET
                                       : OBJECT;
}

/* Put what stands for a container that is open already or nested too deep. */
static int
render_closed(Tracer *t, PyObject *value, int kind)
{
    switch (kind) {
    case LIST:
        return PUT(t, "[...]");
    case TUPLE:
        return PUT(t, "(...)");
    case DICT:
    case SET:
        return PUT(t, "{...}");
    default: {
        int result = put_new_text(t, PyType_GetName(Py_TYPE(value)));
        return result ? result : PUT(t, "(...)");
    }
    }
}

static int
render_container(Tracer *t, PyObject *value, Py_ssize_t budget)
{
    int kind = kind_of(value), result = ASK;
    Shape *shape = NULL;
    if (kind == FUNCTION)
        return render_function(t, value);
    if (kind == OBJECT) {
        shape = shape_of(t, Py_TYPE(value));
        if (shape == NULL || shape->form == FOREIGN)
            return shape == NULL ? FAILED : ASK;
        if (shape->form == OPAQUE)
            return PUT(t, "<") || put_text(t, shape->name) || PUT(t, " object>") ? FAILED : DONE;
    }
    int was_open = is_open(t, value);
    if (was_open || t->num_open >= t->max_nesting) {
        if (!was_open)
            t->cut = 1;
        return render_closed(t, value, kind);
    }
    t->open[t->num_open++] = value;
    switch (kind) {
    case LIST:
        result = render_items(t, value, PyList_GET_SIZE(value), "[", "]", budget);
        break;
    case TUPLE: {
        Py_ssize_t size = PyTuple_GET_SIZE(value);
        result = render_items(t, value, size, "(", size == 1 ? ",)" : ")", budget);
        break;
    }
    case DICT:
        result = render_dict(t, value, budget);
        break;
    case OBJECT:
        result = shape->form == EXCEPTION ? render_exception(t, value, budget)
                                          : render_object(t, shape, value, budget);
        break;
    default:
        result = render_set(t, value, budget);
    }
    t->num_open--;
    return result;
}

/* Put the text of a value into the buffer. */
static int
render(Tracer *t, PyObject *value, Py_ssize_t budget)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyLong_Type)
        return render_int(t, value, budget);
    if (type == &PyUnicode_Type)
        return render_str(t, value, budget);
    if (value == Py_None)
        return PUT(t, "None");
    if (type == &PyBool_Type)
        return value == Py_True ? PUT(t, "True") : PUT(t, "False");
    if (type == &PyFloat_Type)
        return render_float(t, value);
    if (type == &PyBytes_Type)
        return render_long_characters(t, value, budget);
    if (type == &PyComplex_Type)
        return put_new_text(t, PyComplex_Type.tp_repr(value));
    if (value == Py_Ellipsis)
        return PUT(t, "Ellipsis");
    if (value == Py_NotImplemented)
        return PUT(t, "NotImplemented");
    return render_container(t, value, budget);
}

/* Return the text of a value as a new reference: `last` when it is the same, which may be NULL. Sets `cut`;
   `is_own` tells whether the text was made here. */
static PyObject *
text_of(Tracer *t, PyObject *value, PyObject *last, int *is_own)
{
    t->cut = 0;
    t->num_chars = 0;
    t->num_open = 0;
    int overflow = 1, result;
    long number = PyLong_CheckExact(value) ? PyLong_AsLongAndOverflow(value, &overflow) : 0;
    int is_kept = !overflow && 0 <= number && number < NUM_TEXTS;
    *is_own = 1;
    if (is_kept && small_texts[number] != NULL)
        return Py_NewRef(small_texts[number]);
    result = render(t, value, t->max_chars);
    if (result == FAILED)
        return NULL;
    if (result == ASK) {
        *is_own = 0;
        PyObject *text = PyObject_CallMethodOneArg(t->renderer, str_render, value);
        PyObject *cut = text ? PyObject_GetAttr(t->renderer, str_cut) : NULL;
        t->cut = cut == Py_True;
        Py_XDECREF(cut);
        if (cut == NULL)
            Py_CLEAR(text);
        return text;
    }
    if (last != NULL && PyUnicode_IS_COMPACT_ASCII(last) && PyUnicode_GET_LENGTH(last) == t->num_chars &&
        memcmp(PyUnicode_1BYTE_DATA(last), t->buffer, t->num_chars) == 0)
        return Py_NewRef(last);
    PyObject *text = PyUnicode_New(t->num_chars, 127);
    if (text == NULL)
        return NULL;
    memcpy(PyUnicode_1BYTE_DATA(text), t->buffer, t->num_chars);
    if (is_kept)
        small_texts[number] = Py_NewRef(text);
    return text;
}

/* Walks: the same words mean the same text. */

#define MARK(kind, size) ((uintptr_t)(size) << 4 | (uintptr_t)(kind) << 1 | 1)
#define IS_ATOM(word) (((word)&1) == 0)

typedef struct {
    Walk *walk;
    Py_ssize_t at;   /* words compared so far */
    int is_compared; /* with the words there are, instead of adding to them */
} Course;

/* Compare or add a word; return whether the walk may go on. */
static int
meet(Course *course, uintptr_t word)
{
    Walk *walk = course->walk;
    if (course->is_compared)
        return course->at < walk->num_words && walk->words[course->at++] == word;
    if (walk->num_words == walk->capacity) {
        Py_ssize_t capacity = walk->capacity ? 2 * walk->capacity : 32;
        uintptr_t *words = capacity > MAX_WORDS ? NULL : PyMem_Realloc(walk->words, capacity * sizeof(uintptr_t));
        if (words == NULL)
            return 0;
        walk->words = words;
        walk->capacity = capacity;
    }
    walk->words[walk->num_words++] = word;
    return 1;
}

/* Step over an item if it is the atom met there before: a word that is its address can be nothing else. */
static inline int
is_next_atom(Course *course, PyObject *item)
{
    if (!course->is_compared || course->at >= course->walk->num_words ||
        course->walk->words[course->at] != (uintptr_t)item)
        return 0;
    course->at++;
    return 1;
}

static int walk_over(Tracer *t, PyObject *value, Course *course);

static int
walk_over_item(Tracer *t, PyObject *item, Course *course)
{
    if (is_next_atom(course, item))
        return 1;
    Py_INCREF(item);
    int result = walk_over(t, item, course);
    Py_DECREF(item);
    return result;
}

/* Add or compare what a container is, and of what size as far as that shows. */
static int
meet_size(Tracer *t, Course *course, int kind, Py_ssize_t size)
{
    return meet(course, MARK(kind, Py_MIN(size, t->max_elements + 1)));
}

static int
walk_over_items(Tracer *t, PyObject *items, Course *course)
{
    int is_list = PyList_CheckExact(items);
    Py_ssize_t size = is_list ? PyList_GET_SIZE(items) : PyTuple_GET_SIZE(items);
    int result = meet_size(t, course, is_list ? LIST : TUPLE, size);
    for (Py_ssize_t i = 0; result > 0 && i < t->max_elements; i++) {
        if (i >= (is_list ? PyList_GET_SIZE(items) : size))
            break;
        result = walk_over_item(t, is_list ? PyList_GET_ITEM(items, i) : PyTuple_GET_ITEM(items, i), course);
    }
    return result;
}

static int
walk_over_dict(Tracer *t, PyObject *dict, Course *course)
{
    PyObject *key, *value;
    Py_ssize_t position = 0, i = 0;
    int result = meet_size(t, course, DICT, PyDict_GET_SIZE(dict));
    while (result > 0 && i++ < t->max_elements && PyDict_Next(dict, &position, &key, &value)) {
        Py_INCREF(value);
        result = walk_over_item(t, key, course);
        if (result > 0)
            result = walk_over_item(t, value, course);
        Py_DECREF(value);
    }
    return result;
}

static int
walk_over_set(Tracer *t, PyObject *set, int kind, Course *course)
{
    PyObject *items = first_of_set(t, set);
    if (items == NULL)
        return FAILED;
    int result = meet_size(t, course, kind, PySet_GET_SIZE(set));
    for (Py_ssize_t i = 0; result > 0 && i < PyList_GET_SIZE(items); i++)
        result = walk_over_item(t, PyList_GET_ITEM(items, i), course);
    Py_DECREF(items);
    return result;
}

static int
walk_over_object(Tracer *t, Shape *shape, PyObject *value, Course *course)
{
    PyObject *key, *item;
    Py_ssize_t position = 0;
    if (!meet(course, (uintptr_t)shape | 1))
        return 0;
    if (shape->form == EXCEPTION)
        return args_of(value) ? walk_over_items(t, args_of(value), course) : 0;
    PyObject *attributes = PyObject_CallOneArg(shape->get_dict, value);
    if (attributes == NULL)
        return FAILED;
    int result = PyDict_CheckExact(attributes) && PyDict_GET_SIZE(attributes) <= t->max_elements &&
                 meet_size(t, course, OBJECT, PyDict_GET_SIZE(attributes));
    while (result > 0 && PyDict_Next(attributes, &position, &key, &item))
        result = PyUnicode_CheckExact(key) && meet(course, (uintptr_t)key) ? walk_over_item(t, item, course) : 0;
    Py_DECREF(attributes);
    return result;
}

/* Walk over a value. Return 1 when it went through, 0 when it differs or cannot be remembered, FAILED. */
static int
walk_over(Tracer *t, PyObject *value, Course *course)
{
    if (is_atom(value))
        return meet(course, (uintptr_t)value);
    int kind = kind_of(value), result;
    Shape *shape = NULL;
    if (kind == FUNCTION)
        return meet(course, MARK(FUNCTION, 0)) && meet(course, (uintptr_t)((PyFunctionObject *)value)->func_qualname);
    if (kind == OBJECT) {
        shape = shape_of(t, Py_TYPE(value));
        if (shape == NULL || shape->form == FOREIGN)
            return shape == NULL ? FAILED : 0;
        if (shape->form == OPAQUE)
            return meet(course, (uintptr_t)shape | 1);
    }
    if (t->num_open >= t->max_nesting || is_open(t, value))
        return 0;
    t->open[t->num_open++] = value;
    if (kind == LIST || kind == TUPLE)
        result = walk_over_items(t, value, course);
    else if (kind == DICT)
        result = walk_over_dict(t, value, course);
    else if (kind == OBJECT)
        result = walk_over_object(t, shape, value, course);
    else
        result = walk_over_set(t, value, kind, course);
    t->num_open--;
    return result;
}

/* Return 1 when the walk over the value is the one before, 0 when not or unknown, FAILED. */
static int
is_as_before(Tracer *t, Local *local, PyObject *value)
{
    if (!local->walk.num_words)
        return 0;
    Course course = {&local->walk, 0, 1};
    t->num_open = 0;
    int result = walk_over(t, value, &course);
    return result > 0 ? course.at == local->walk.num_words : result;
}

static void
forget_walk(Local *local)
{
    Walk *walk = &local->walk;
    Py_ssize_t num_words = walk->num_words;
    walk->num_words = 0;
    for (Py_ssize_t i = 0; i < num_words; i++)
        if (IS_ATOM(walk->words[i]))
            Py_DECREF((PyObject *)walk->words[i]);
}

/* Keep the walk over the value that the local's text came from. */
static int
remember_walk(Tracer *t, Local *local, PyObject *value)
{
    Course course = {&t->met, 0, 0};
    t->num_open = 0;
    t->met.num_words = 0;
    int result = walk_over(t, value, &course);
    if (result > 0) {
        for (Py_ssize_t i = 0; i < t->met.num_words; i++)
            if (IS_ATOM(t->met.words[i]))
                Py_INCREF((PyObject *)t->met.words[i]);
    }
    forget_walk(local);
    if (result > 0) {
        Walk spare = local->walk;
        local->walk = t->met;
        t->met = spare;
    }
    return result < 0 ? FAILED : DONE;
}

/* Locals. */

/* Let the interpreter bring the mapping of the locals up to date: it holds on to what it showed last. */
static int
refresh_locals(PyFrameObject *frame)
{
#if !FRESH_LOCALS
    PyObject *mapping = PyFrame_GetLocals(frame);
    if (mapping == NULL)
        return FAILED;
    Py_DECREF(mapping);
#else
    (void)frame;
#endif
    return DONE;
}

/* Fill t->values with the locals, new references, or NULL where unbound. */
static int
fetch_locals(Tracer *t, Entry *entry, PyFrameObject *frame)
{
    PyObject **values = t->values, *key, *value;
    Py_ssize_t position = 0, next = 0, num_found = 0, num_names = entry->num_names;
    memset(values, 0, num_names * sizeof(PyObject *));
#if FRESH_LOCALS
    (void)frame;
    PyObject *mapping = PyEval_GetFrameLocals();
#else
    PyObject *mapping = PyFrame_GetLocals(frame);
#endif
    if (mapping == NULL)
        return FAILED;
    if (!PyDict_CheckExact(mapping)) { /* of a class body: whatever its metaclass made up */
        Py_DECREF(mapping);
        return DONE;
    }
    while (PyDict_Next(mapping, &position, &key, &value)) {
        Py_ssize_t i = next;
        while (i < num_names && PyTuple_GET_ITEM(entry->names, i) != key)
            i++;
        if (i == num_names)
            for (i = 0; i < next && PyTuple_GET_ITEM(entry->names, i) != key; i++)
                ;
        if (i < num_names && values[i] == NULL && PyTuple_GET_ITEM(entry->names, i) == key) {
            values[i] = Py_NewRef(value);
            num_found++;
            next = i + 1;
        }
    }
    if (num_found < PyDict_GET_SIZE(mapping)) { /* names of comprehensions; or equal names that are other objects */
        for (Py_ssize_t i = 0; i < num_names; i++) {
            if (values[i] != NULL)
                continue;
            values[i] = Py_XNewRef(PyDict_GetItemWithError(mapping, PyTuple_GET_ITEM(entry->names, i)));
            if (values[i] == NULL && PyErr_Occurred()) {
                Py_DECREF(mapping);
                return FAILED;
            }
        }
    }
    Py_DECREF(mapping);
    return DONE;
}

static void
release(PyObject **objects, Py_ssize_t size)
{
    for (Py_ssize_t i = 0; i < size; i++)
        Py_CLEAR(objects[i]);
}

static void
hold(Local *local, PyObject *value)
{
    PyObject *before = local->held;
    local->held = value != NULL && value != UNHELD ? Py_NewRef(value) : value;
    if (before != UNHELD)
        Py_XDECREF(before);
}

/* Bring a bound local up to date. Return 1 when its text is a new one, 0 when not, FAILED. */
static int
compare_local(Tracer *t, Local *local, PyObject *value)
{
    int is_own, is_plain = is_atom(value);
    hold(local, is_plain ? value : UNHELD);
    if (!is_plain && local->text != NULL) {
        int same = is_as_before(t, local, value);
        if (same)
            return same < 0 ? FAILED : 0;
    }
    PyObject *text = text_of(t, value, local->text, &is_own);
    if (text == NULL)
        return FAILED;
    int cut = t->cut, is_new = text != local->text;
    if (is_new && local->text != NULL) {
        int differs = PyUnicode_Compare(text, local->text);
        if (differs == -1 && PyErr_Occurred()) {
            Py_DECREF(text);
            return FAILED;
        }
        is_new = differs != 0;
    }
    Py_XSETREF(local->text, text);
    if (is_plain || !is_own)
        forget_walk(local);
    else if (remember_walk(t, local, value))
        return FAILED;
    t->cut = (char)cut;
    return is_new;
}

/* Records. */

/* Make room for one more item in an array. */
static int
grow(void **items, Py_ssize_t num_items, Py_ssize_t *capacity, size_t size)
{
    if (num_items < *capacity)
        return DONE;
    Py_ssize_t larger = 2 * *capacity + 64;
    void *moved = PyMem_Realloc(*items, larger * size);
    if (moved == NULL) {
        PyErr_NoMemory();
        return FAILED;
    }
    *items = moved;
    *capacity = larger;
    return DONE;
}

static int
append_change(Tracer *t, PyObject *name, PyObject *text)
{
    if (grow((void **)&t->changes, t->num_changes, &t->changes_capacity, sizeof(Change)))
        return FAILED;
    t->changes[t->num_changes++] = (Change){name, Py_NewRef(text)};
    return DONE;
}

/* Release what a record owns that is not recorded. */
static void
drop(Tracer *t, Record *record)
{
    Py_CLEAR(record->value);
    Py_CLEAR(record->deleted);
    if (record->first_change + record->num_changes == t->num_changes)
        while (t->num_changes > record->first_change)
            Py_DECREF(t->changes[--t->num_changes].text);
}

static int
append_record(Tracer *t, Record *record)
{
    if (grow((void **)&t->records, t->num_records, &t->records_capacity, sizeof(Record))) {
        drop(t, record);
        return FAILED;
    }
    t->records[t->num_records++] = *record;
    return DONE;
}

static int
append_held_back(Tracer *t)
{
    if (!t->has_held_back)
        return DONE;
    t->has_held_back = 0;
    return append_record(t, &t->held_back);
}

static void
count(Tracer *t, Py_ssize_t num_chars)
{
    t->chars_left -= num_chars;
    if (t->chars_left < 0)
        t->most_steps = 0;
}

/* Compare the locals with what was last seen of them and fill the record; `text` is taken over.
   `hidden` are the locals that belong to a comprehension at this moment; at a RESUME all locals are reported. */
static int
fill_record(Tracer *t, Record *record, Activation *a, PyFrameObject *frame, int kind, PyObject *text, int flags,
            const char *hidden)
{
    Entry *entry = a->entry;
    Py_ssize_t num_names = entry->num_names, num_chars = 0;
    int result = FAILED;
    *record = (Record){entry, text, NULL, t->num_changes, 0, a->depth, a->line, (unsigned char)kind, 0};
    if (fetch_locals(t, entry, frame))
        goto done;
    for (Py_ssize_t i = 0; i < num_names; i++) {
        Local *local = &a->locals[i];
        PyObject *value = t->values[i], *name = PyTuple_GET_ITEM(entry->names, i);
        if (hidden && hidden[i]) {
            if (!(flags & RESUME) || local->text == NULL)
                continue;
        } else if (value == local->held) {
            continue;
        } else if (value == NULL) {
            hold(local, NULL);
            Py_CLEAR(local->text);
            forget_walk(local);
            if ((record->deleted == NULL && (record->deleted = PyList_New(0)) == NULL) ||
                PyList_Append(record->deleted, name))
                goto done;
            continue;
        } else {
            int is_new = compare_local(t, local, value);
            if (is_new < 0)
                goto done;
            if (!is_new)
                continue;
            if (t->cut)
                flags |= TRUNCATED;
            num_chars += PyUnicode_GET_LENGTH(name) + PyUnicode_GET_LENGTH(local->text);
        }
        if (append_change(t, name, local->text))
            goto done;
    }
    count(t, num_chars);
    if (t->num_records >= t->most_steps) {
        PyObject *limit = t->num_records >= t->max_steps ? t->step_limit : t->byte_limit;
        Py_XDECREF(PyObject_CallMethodOneArg(t->recorder, str_end, limit)); /* does not return without an error */
        goto done;
    }
    result = DONE;
done:
    record->flags = (unsigned char)flags;
    record->num_changes = t->num_changes - record->first_change;
    if (result)
        drop(t, record);
    release(t->values, num_names);
    return result;
}

static int
add_record(Tracer *t, Activation *a, PyFrameObject *frame, int kind, PyObject *text, int flags, const char *hidden)
{
    Record record;
    return fill_record(t, &record, a, frame, kind, text, flags, hidden) ? FAILED : append_record(t, &record);
}

/* Steps. */

/* Return the locals that a record says have changed, as the pairs of a Step. Neither they nor a Step can be in a
   cycle, so the garbage collector need not look at them. */
static PyObject *
changed_of(Tracer *t, Record *record)
{
    PyObject *changed = PyTuple_New(record->num_changes);
    for (Py_ssize_t i = 0; changed && i < record->num_changes; i++) {
        Change *change = &t->changes[record->first_change + i];
        PyObject *pair = PyTuple_Pack(2, change->name, change->text);
        if (pair == NULL) {
            Py_CLEAR(changed);
        } else {
            PyObject_GC_UnTrack(pair);
            PyTuple_SET_ITEM(changed, i, pair);
        }
    }
    if (changed && record->num_changes)
        PyObject_GC_UnTrack(changed);
    return changed;
}

static void
set_field(Tracer *t, PyObject *step, int field, PyObject *value)
{
    *(PyObject **)((char *)step + t->fields[field]) = value;
}

/* Return the Step of a record. */
static PyObject *
new_step(Tracer *t, Record *record)
{
    PyObject *step = t->step_type->tp_alloc(t->step_type, 0);
    if (step == NULL)
        return NULL;
    PyObject *deleted = record->deleted ? PyList_AsTuple(record->deleted) : Py_NewRef(no_items);
    set_field(t, step, KIND, Py_NewRef(PyTuple_GET_ITEM(t->kinds, record->kind)));
    set_field(t, step, CODE, Py_NewRef(record->entry->index));
    set_field(t, step, LINENO, PyLong_FromLong(record->line));
    set_field(t, step, DEPTH, PyLong_FromSsize_t(record->depth));
    set_field(t, step, CHANGED, changed_of(t, record));
    set_field(t, step, DELETED, deleted);
    set_field(t, step, VALUE, Py_NewRef(record->value ? record->value : Py_None));
    set_field(t, step, FLAGS, Py_NewRef(PyTuple_GET_ITEM(t->flags, record->flags)));
    set_field(t, step, EVALUATIONS, Py_NewRef(no_items));
    PyObject_GC_UnTrack(step);
    if (PyErr_Occurred())
        Py_CLEAR(step);
    return step;
}

PyDoc_STRVAR(build_steps_doc, "build_steps()\n--\n\nReturn what was recorded so far, a tuple of Step.");

static PyObject *
tracer_build_steps(PyObject *self, PyObject *Py_UNUSED(args))
{
    Tracer *t = (Tracer *)self;
    Py_ssize_t num_records = t->num_records;
    PyObject *steps = PyTuple_New(num_records);
    int was_collecting = PyGC_Disable(); /* it finds nothing here, and takes longer than all the rest */
    for (Py_ssize_t i = 0; steps && i < num_records; i++) {
        PyObject *step = new_step(t, &t->records[i]);
        if (step == NULL)
            Py_CLEAR(steps);
        else
            PyTuple_SET_ITEM(steps, i, step);
    }
    if (was_collecting)
        PyGC_Enable();
    return steps;
}

/* Events of one activation, as in activation.py. */

static Py_ssize_t
instruction_at(Entry *entry, int offset)
{
    Py_ssize_t index = offset >> 1;
    return 0 <= index && index < entry->num_ops ? index : entry->num_ops - 1;
}

static int
op_at(Entry *entry, int offset)
{
    return ((const unsigned char *)PyBytes_AS_STRING(entry->ops))[instruction_at(entry, offset)];
}

static const char *
hidden_locals(Entry *entry, int offset)
{
    return entry->shadowed && entry->rules && entry->rules[instruction_at(entry, offset)] ? entry->shadowed : NULL;
}

static int
release_held_back(Tracer *t, Activation *a)
{
    a->is_held_back = 0;
    return append_held_back(t);
}

/* Store the line that a line event reports, or NO_LINE when it is no step. */
static int
admit_line(Tracer *t, Activation *a, PyFrameObject *frame, int *number)
{
    Entry *entry = a->entry;
    if (a->is_silent) {
        *number = NO_LINE;
        return DONE;
    }
    if (a->is_held_back && release_held_back(t, a))
        return FAILED;
    a->by_line = entry->rules == NULL;
    if (a->by_line)
        return DONE;
    Py_ssize_t index = instruction_at(entry, PyFrame_GetLasti(frame));
    int found = entry->rules[index], previous = a->raw_line, rule = found ? found : *number;
    a->raw_line = *number;
    *number = rule == a->line && (previous != *number || found) ? NO_LINE : rule;
    if (a->looping && *number != NO_LINE && entry->loops[index] & LOOP_BODY)
        a->looping = 0;
    return DONE;
}

static int
on_line(Tracer *t, Activation *a, PyFrameObject *frame)
{
    int number = PyFrame_GetLineNumber(frame);
    if (number <= 0)
        number = a->line;
    if (!a->by_line && admit_line(t, a, frame, &number))
        return FAILED;
    if (number == NO_LINE)
        return refresh_locals(frame);
    a->line = number;
    return add_record(t, a, frame, PyTrace_LINE, NULL, 0, NULL);
}

static int
on_opcode(Tracer *t, Activation *a, PyFrameObject *frame)
{
    Entry *entry = a->entry;
    Py_ssize_t index = instruction_at(entry, PyFrame_GetLasti(frame));
    int number = entry->late ? entry->late[index] : 0, place = entry->loops ? entry->loops[index] : 0;
    int loop = place >> LOOP_BITS, enters_body = a->looping && loop == a->looping && place & LOOP_BODY;
    a->looping = place & LOOP_BACK || (place & LOOP_TEST && loop == a->looping) ? loop : 0;
    if (enters_body && (number = PyFrame_GetLineNumber(frame)) <= 0)
        number = a->line;
    if (!number || (number == a->line && !enters_body))
        return refresh_locals(frame);
    if (a->is_held_back && release_held_back(t, a))
        return FAILED;
    a->line = number;
    return add_record(t, a, frame, PyTrace_LINE, NULL, 0, NULL);
}

static int
on_first_call(Tracer *t, Activation *a, PyFrameObject *frame)
{
    if ((a->entry->late || a->entry->loops) && PyObject_SetAttr((PyObject *)frame, str_f_trace_opcodes, Py_True))
        return FAILED;
    if (add_record(t, a, frame, PyTrace_CALL, NULL, 0, NULL))
        return FAILED;
    t->depth = a->depth + 1;
    return DONE;
}

static int
on_activation_call(Tracer *t, Activation *a, PyFrameObject *frame)
{
    Entry *entry = a->entry;
    a->depth = t->depth;
    if (++a->num_calls == 1)
        return on_first_call(t, a, frame);
    int offset = PyFrame_GetLasti(frame);
    const char *hidden = hidden_locals(entry, offset);
    for (Py_ssize_t i = 0; i < entry->num_names; i++) {
        if (hidden && hidden[i])
            continue;
        hold(&a->locals[i], NULL);
        Py_CLEAR(a->locals[i].text);
        forget_walk(&a->locals[i]);
    }
    Record record;
    if (fill_record(t, &record, a, frame, PyTrace_CALL, NULL, RESUME, hidden))
        return FAILED;
    t->depth = a->depth + 1;
    if (!DELAY_RESUMED && op_at(entry, offset) != t->yield_value)
        return append_record(t, &record);
    t->held_back = record; /* until it is known whether the generator is being closed */
    t->has_held_back = 1;
    a->is_held_back = 1;
    a->by_line = 0;
    return DONE;
}

/* Ask one of the functions of bytecode.py. Return 1, 0 or FAILED. */
static int
ask(PyObject *function, Entry *entry, int offset)
{
    PyObject *answer = PyObject_CallFunction(function, "Oi", entry->code, offset);
    if (answer == NULL)
        return FAILED;
    int result = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return result;
}

/* Tell whether an exception is what ends a loop: 1, 0 or FAILED. */
static int
is_exhaustion(Tracer *t, Entry *entry, int offset, PyObject *error)
{
    Py_ssize_t index = instruction_at(entry, offset);
    const unsigned char *ops = (const unsigned char *)PyBytes_AS_STRING(entry->ops);
    while (ops[index] == t->cache && index)
        index--;
    if (!(PyBytes_AS_STRING(t->ops)[ops[index]] & OP_EXHAUSTS))
        return 0;
    if (PyErr_GivenExceptionMatches(error, PyExc_StopIteration))
        return 1;
    return PyErr_GivenExceptionMatches(error, PyExc_StopAsyncIteration) ? ask(t->ends_loop, entry, offset) : 0;
}

static int
on_exception(Tracer *t, Activation *a, PyFrameObject *frame, PyObject *error)
{
    Entry *entry = a->entry;
    int offset = PyFrame_GetLasti(frame), is_own, answer = 0;
    if (a->is_held_back) {
        if (t->has_held_back && PyErr_GivenExceptionMatches(error, PyExc_GeneratorExit))
            answer = ask(t->closes_silently, entry, offset);
        if (answer < 0)
            return FAILED;
        if (answer) {
            drop(t, &t->held_back);
            t->has_held_back = 0;
            a->is_held_back = 0;
            t->depth = a->depth;
            a->is_silent = 1;
            return refresh_locals(frame);
        }
        if (release_held_back(t, a))
            return FAILED;
    }
    answer = is_exhaustion(t, entry, offset, error);
    if (answer)
        return answer < 0 ? FAILED : refresh_locals(frame);
    PyObject *text = text_of(t, error, NULL, &is_own);
    if (text == NULL)
        return FAILED;
    count(t, PyUnicode_GET_LENGTH(text));
    int flags = t->cut ? TRUNCATED : 0;
    if (add_record(t, a, frame, PyTrace_EXCEPTION, text, flags, hidden_locals(entry, offset)))
        return FAILED;
    a->raised_offset = offset;
    a->raised_num_steps = t->num_records;
    return DONE;
}

static int
on_return(Tracer *t, Activation *a, PyFrameObject *frame, PyObject *value)
{
    Entry *entry = a->entry;
    if (a->is_silent) {
        a->is_silent = 0;
        return refresh_locals(frame);
    }
    if (a->is_held_back && release_held_back(t, a))
        return FAILED;
    int offset = PyFrame_GetLasti(frame), flags = UNWIND, is_own;
    int op = PyBytes_AS_STRING(t->ops)[op_at(entry, offset)];
    int was_raised = a->raised_offset == offset && a->raised_num_steps == t->num_records;
    PyObject *text = NULL;
    if ((op & OP_RETURNS) || ((op & OP_YIELDS) && (value != Py_None || !was_raised))) {
        flags = op & OP_RETURNS ? 0 : YIELD;
        text = text_of(t, value, NULL, &is_own);
        if (text == NULL)
            return FAILED;
        count(t, PyUnicode_GET_LENGTH(text));
        if (t->cut)
            flags |= TRUNCATED;
    }
    if (add_record(t, a, frame, PyTrace_RETURN, text, flags, hidden_locals(entry, offset)))
        return FAILED;
    t->depth = a->depth;
    if (a->depth == 0 && !(flags & YIELD)) {
        PyObject *code = PyObject_GetAttrString(t->recorder, "entry");
        if (code == NULL)
            return FAILED;
        t->finished = code == entry->code;
        Py_DECREF(code);
        if (t->finished)
            return PyObject_SetAttrString(t->recorder, "finished", Py_True);
    }
    return DONE;
}

/* Take note of an error of the recorder's own and switch tracing off; the error stays set. */
static int
fail(Tracer *t)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    if (PyErr_GivenExceptionMatches(type, PyExc_MemoryError)) {
        t->finished = 1;
        PyObject_SetAttrString(t->recorder, "out_of_memory", Py_True);
    } else if (PyErr_GivenExceptionMatches(type, PyExc_Exception)) {
        t->finished = 1;
        PyObject_SetAttrString(t->recorder, "failure", error);
    }
    if (t->finished)
        PyObject_SetAttrString(t->recorder, "finished", Py_True);
    PyEval_SetTrace(NULL, NULL);
    PyErr_Restore(type, error, traceback);
    return FAILED;
}

static int
handle(Tracer *t, Activation *a, PyFrameObject *frame, int what, PyObject *arg)
{
    int result = DONE;
    t->is_busy = 1;
    switch (what) {
    case PyTrace_LINE:
        result = on_line(t, a, frame);
        break;
    case PyTrace_CALL:
        result = on_activation_call(t, a, frame);
        break;
    case PyTrace_RETURN:
        result = on_return(t, a, frame, arg ? arg : Py_None);
        break;
    case PyTrace_EXCEPTION:
        if (arg && PyTuple_Check(arg) && PyTuple_GET_SIZE(arg) > 1)
            result = on_exception(t, a, frame, PyTuple_GET_ITEM(arg, 1));
        break;
    case PyTrace_OPCODE:
        result = on_opcode(t, a, frame);
        break;
    }
    t->is_busy = 0;
    return result ? fail(t) : DONE;
}

/* The running frames. */

static void
clear_stack(Tracer *t)
{
    while (t->num_running) {
        Activation *a = t->stack[--t->num_running].activation;
        Py_XDECREF(a);
    }
}

static int
push(Tracer *t, PyFrameObject *frame, Activation *a)
{
    if (grow((void **)&t->stack, t->num_running, &t->stack_capacity, sizeof(Running)))
        return FAILED;
    t->stack[t->num_running++] = (Running){frame, (Activation *)Py_XNewRef(a)};
    return DONE;
}

static Entry *
entry_of(Tracer *t, PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    Entry *entry = map_get(&t->entries, code);
    Py_DECREF(code);
    return entry;
}

/* Store the activation that is the frame's trace function, a new reference, or NULL. */
static int
find_activation(Tracer *t, PyFrameObject *frame, Entry *entry, Activation **found)
{
    PyObject *local = PyObject_GetAttr((PyObject *)frame, str_f_trace);
    if (local == NULL)
        return FAILED;
    if (Py_IS_TYPE(local, &ActivationType) && ((Activation *)local)->tracer == t &&
        ((Activation *)local)->entry == entry) {
        *found = (Activation *)local;
        return DONE;
    }
    Py_DECREF(local);
    *found = NULL;
    return DONE;
}

/* Let the top of the stack be this frame, which was not called while this function was the trace function. */
static int
resume_at(Tracer *t, PyFrameObject *frame)
{
    Activation *a = NULL;
    Entry *entry = entry_of(t, frame);
    clear_stack(t);
    if (entry != NULL && find_activation(t, frame, entry, &a))
        return FAILED;
    int result = push(t, frame, a);
    Py_XDECREF(a);
    return result;
}

static Activation *
new_activation(Tracer *t, Entry *entry)
{
    if (entry->index == NULL &&
        (entry->index = PyObject_CallMethodOneArg(t->recorder, str_index_of, entry->recorded)) == NULL)
        return NULL;
    Activation *a = PyObject_GC_NewVar(Activation, &ActivationType, entry->num_names);
    if (a == NULL)
        return NULL;
    a->tracer = (Tracer *)Py_NewRef(t);
    a->entry = entry;
    a->depth = a->num_calls = 0;
    a->raised_offset = -1;
    a->raised_num_steps = -1;
    a->line = a->raw_line = entry->firstlineno;
    a->by_line = entry->rules == NULL;
    a->is_held_back = a->is_silent = 0;
    a->looping = 0;
    memset(a->locals, 0, entry->num_names * sizeof(Local));
    PyObject_GC_Track(a);
    return a;
}

/* Take over the recursion limit that the program has set. */
static int
adopt_limit(Tracer *t)
{
    PyObject *found = PyObject_CallMethod(t->recorder, "adopt_limit", NULL);
    if (found == NULL || !PyArg_ParseTuple(found, "in", &t->interpreter_limit, &t->max_depth)) {
        Py_XDECREF(found);
        return FAILED;
    }
    Py_DECREF(found);
    /* Two less than Recorder._is_too_deep: that one runs two Python frames further up. */
    Py_XSETREF(t->lower_limit, PyLong_FromSsize_t(t->interpreter_limit - t->max_depth - t->room - 2));
    Py_XSETREF(t->upper_limit, PyLong_FromLong(t->interpreter_limit));
    return t->lower_limit && t->upper_limit ? DONE : FAILED;
}

/* Tell whether the activation that begins is one too many: 1, 0 or FAILED. */
static int
is_too_deep(Tracer *t, int is_recorded)
{
    if (Py_GetRecursionLimit() != t->interpreter_limit && adopt_limit(t))
        return FAILED;
    if (is_recorded)
        return t->depth >= t->max_depth;
    PyObject *done = PyObject_CallOneArg(t->set_limit, t->lower_limit);
    if (done == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_RecursionError))
            return FAILED;
        PyErr_Clear(); /* of the call above, in which nothing else can happen */
        return 1;
    }
    Py_DECREF(done);
    done = PyObject_CallOneArg(t->set_limit, t->upper_limit);
    Py_XDECREF(done);
    return done ? 0 : FAILED;
}

static int
on_call(Tracer *t, PyFrameObject *frame)
{
    Activation *a = NULL;
    Entry *entry = entry_of(t, frame);
    t->rejected = NULL;
    if (t->finished)
        return push(t, frame, NULL);
    int answer = is_too_deep(t, entry != NULL);
    if (answer < 0)
        return fail(t);
    if (answer) {
        t->rejected = frame;
        PyErr_SetString(PyExc_RecursionError, "maximum recursion depth exceeded");
        return FAILED;
    }
    if (entry == NULL)
        return push(t, frame, NULL);
    if (append_held_back(t))
        return fail(t);
    int flags = ((PyCodeObject *)entry->code)->co_flags;
    if (flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR) && find_activation(t, frame, entry, &a))
        return fail(t);
    if (a == NULL) {
        a = new_activation(t, entry);
        if (a == NULL || PyObject_SetAttr((PyObject *)frame, str_f_trace, (PyObject *)a)) {
            Py_XDECREF(a);
            return fail(t);
        }
    }
    int result = push(t, frame, a) ? fail(t) : handle(t, a, frame, PyTrace_CALL, NULL);
    Py_DECREF(a);
    return result;
}

/* The trace function, see PyEval_SetTrace. */
static int
trace(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    Tracer *t = (Tracer *)self;
    int result = DONE;
    if (t->is_busy) /* an event of another thread, or of what runs while a value is read */
        return DONE;
    if (what == PyTrace_CALL)
        return on_call(t, frame);
    if (frame == t->rejected || t->finished)
        return DONE;
    if ((!t->num_running || t->stack[t->num_running - 1].frame != frame) && resume_at(t, frame))
        return fail(t);
    Activation *a = t->stack[t->num_running - 1].activation;
    if (what != PyTrace_RETURN)
        return a ? handle(t, a, frame, what, arg) : DONE;
    t->num_running--;
    if (a != NULL) {
        result = handle(t, a, frame, what, arg);
        Py_DECREF(a);
    }
    return result;
}

/* The types. */

static int
event_of(PyObject *name)
{
    static const char *const names[] = {"call", "exception", "line", "return", "opcode"};
    static const int events[] = {PyTrace_CALL, PyTrace_EXCEPTION, PyTrace_LINE, PyTrace_RETURN, PyTrace_OPCODE};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (PyUnicode_CompareWithASCIIString(name, names[i]) == 0)
            return events[i];
    return -1;
}

/* Take the arguments of a trace function written in Python. Return 1 when there is something to do, 0, FAILED. */
static int
parse_event(Tracer *t, PyObject *args, PyFrameObject **frame, int *what, PyObject **arg)
{
    PyObject *event;
    if (!PyArg_ParseTuple(args, "O!UO", &PyFrame_Type, frame, &event, arg))
        return FAILED;
    *what = event_of(event);
    return *what >= 0 && !t->is_busy && !t->finished && *frame == PyEval_GetFrame();
}

/* Called where the program has put back the trace function: become the interpreter's own again. */
static PyObject *
tracer_call(PyObject *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    Tracer *t = (Tracer *)self;
    PyFrameObject *frame;
    PyObject *arg;
    int what, is_event = parse_event(t, args, &frame, &what, &arg);
    if (is_event < 0)
        return NULL;
    if (!is_event || what != PyTrace_CALL)
        Py_RETURN_NONE;
    PyObject *is_finished = PyObject_GetAttrString(t->recorder, "finished");
    if (is_finished == NULL)
        return NULL;
    t->finished = is_finished == Py_True;
    Py_DECREF(is_finished);
    if (t->finished)
        Py_RETURN_NONE;
    clear_stack(t);
    PyEval_SetTrace(trace, self);
    if (on_call(t, frame))
        return NULL;
    Activation *a = t->num_running ? t->stack[t->num_running - 1].activation : NULL;
    return Py_NewRef(a ? (PyObject *)a : Py_None);
}

/* Called as the frame's trace function where the program has a trace function of its own. */
static PyObject *
activation_call(PyObject *self, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    Activation *a = (Activation *)self;
    PyFrameObject *frame;
    PyObject *arg;
    int what, is_event = parse_event(a->tracer, args, &frame, &what, &arg);
    if (is_event < 0)
        return NULL;
    if (is_event && entry_of(a->tracer, frame) == a->entry) {
        clear_stack(a->tracer);
        if (handle(a->tracer, a, frame, what, arg))
            return NULL;
    }
    return Py_NewRef(self);
}

static int
activation_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((Activation *)self)->tracer);
    return 0;
}

static int
activation_clear(PyObject *self)
{
    return 0; /* the tracer's part breaks a cycle; without the tracer the entry would be gone */
}

static void
activation_dealloc(PyObject *self)
{
    Activation *a = (Activation *)self;
    PyObject_GC_UnTrack(self);
    for (Py_ssize_t i = 0; i < a->entry->num_names; i++) {
        hold(&a->locals[i], NULL);
        Py_XDECREF(a->locals[i].text);
        forget_walk(&a->locals[i]);
        PyMem_Free(a->locals[i].walk.words);
    }
    Py_DECREF(a->tracer);
    PyObject_GC_Del(self);
}

static PyTypeObject ActivationType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "opencwm.tracer._accelerator.Activation",
    .tp_basicsize = offsetof(Activation, locals),
    .tp_itemsize = sizeof(Local),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = activation_dealloc,
    .tp_traverse = activation_traverse,
    .tp_clear = activation_clear,
    .tp_call = activation_call,
};

static void
free_entry(Entry *entry)
{
    if (entry == NULL)
        return;
    Py_XDECREF(entry->code);
    Py_XDECREF(entry->recorded);
    Py_XDECREF(entry->names);
    Py_XDECREF(entry->ops);
    Py_XDECREF(entry->index);
    PyMem_Free(entry->rules);
    PyMem_Free(entry->late);
    PyMem_Free(entry->loops);
    PyMem_Free(entry->shadowed);
    PyMem_Free(entry);
}

static int
tracer_traverse(PyObject *self, visitproc visit, void *arg)
{
    Tracer *t = (Tracer *)self;
    Py_VISIT(t->recorder);
    Py_VISIT(t->renderer);
    for (Py_ssize_t i = 0; i < t->num_running; i++)
        Py_VISIT(t->stack[i].activation);
    for (size_t i = 0; i < t->shapes.num_places; i++) {
        Shape *shape = t->shapes.places[i].value;
        if (shape != NULL) {
            Py_VISIT(shape->type);
            Py_VISIT(shape->fields);
            Py_VISIT(shape->get_dict);
        }
    }
    return 0;
}

static int
tracer_clear(PyObject *self)
{
    Tracer *t = (Tracer *)self;
    t->finished = 1;
    clear_stack(t);
    Py_CLEAR(t->recorder);
    Py_CLEAR(t->renderer);
    return 0;
}

static void
tracer_dealloc(PyObject *self)
{
    Tracer *t = (Tracer *)self;
    PyObject_GC_UnTrack(self);
    tracer_clear(self);
    Py_XDECREF(t->closes_silently);
    Py_XDECREF(t->ends_loop);
    Py_XDECREF(t->set_limit);
    Py_XDECREF(t->kinds);
    Py_XDECREF(t->flags);
    Py_XDECREF(t->ops);
    Py_XDECREF(t->step_limit);
    Py_XDECREF(t->byte_limit);
    Py_XDECREF(t->step_type);
    Py_XDECREF(t->lower_limit);
    Py_XDECREF(t->upper_limit);
    if (t->has_held_back)
        drop(t, &t->held_back);
    for (Py_ssize_t i = 0; i < t->num_records; i++) {
        Py_XDECREF(t->records[i].value);
        Py_XDECREF(t->records[i].deleted);
    }
    for (Py_ssize_t i = 0; i < t->num_changes; i++)
        Py_DECREF(t->changes[i].text);
    for (size_t i = 0; i < t->entries.num_places; i++)
        free_entry(t->entries.places[i].value);
    for (size_t i = 0; i < t->shapes.num_places; i++)
        free_shape(t->shapes.places[i].value);
    PyMem_Free(t->entries.places);
    PyMem_Free(t->shapes.places);
    PyMem_Free(t->stack);
    PyMem_Free(t->values);
    PyMem_Free(t->records);
    PyMem_Free(t->changes);
    PyMem_Free(t->met.words);
    PyMem_Free(t->buffer);
    Py_TYPE(self)->tp_free(self);
}

/* Return an array of the lines by instruction, NULL with no error set when there are none. */
static int *
lines_by_instruction(PyObject *lines, Py_ssize_t num_ops)
{
    Py_ssize_t position = 0;
    PyObject *key, *value;
    if (!PyDict_GET_SIZE(lines))
        return NULL;
    int *found = PyMem_Calloc(num_ops, sizeof(int));
    if (found == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    while (PyDict_Next(lines, &position, &key, &value)) {
        long index = PyLong_AsLong(key) / 2;
        if (0 <= index && index < num_ops)
            found[index] = (int)PyLong_AsLong(value);
    }
    return found;
}

static char *
marked_names(PyObject *names, PyObject *marked)
{
    if (PyObject_Size(marked) <= 0)
        return NULL;
    char *found = PyMem_Calloc(PyTuple_GET_SIZE(names) + 1, 1);
    if (found == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++)
        found[i] = PySequence_Contains(marked, PyTuple_GET_ITEM(names, i)) > 0;
    return found;
}

static int
add_code(Tracer *t, PyObject *fields)
{
    PyObject *code, *recorded, *names, *ops, *rules, *late, *loops, *shadowed;
    int firstlineno;
    if (!PyArg_ParseTuple(fields, "O!OO!iSO!O!O!O", &PyCode_Type, &code, &recorded, &PyTuple_Type, &names,
                          &firstlineno, &ops, &PyDict_Type, &rules, &PyDict_Type, &late, &PyDict_Type, &loops, &shadowed))
        return FAILED;
    Entry *entry = PyMem_Calloc(1, sizeof(Entry));
    if (entry == NULL) {
        PyErr_NoMemory();
        return FAILED;
    }
    entry->code = Py_NewRef(code);
    entry->recorded = Py_NewRef(recorded);
    entry->names = Py_NewRef(names);
    entry->ops = Py_NewRef(ops);
    entry->num_names = PyTuple_GET_SIZE(names);
    entry->num_ops = PyBytes_GET_SIZE(ops);
    entry->firstlineno = firstlineno;
    entry->rules = lines_by_instruction(rules, entry->num_ops);
    entry->late = lines_by_instruction(late, entry->num_ops);
    entry->loops = lines_by_instruction(loops, entry->num_ops);
    entry->shadowed = marked_names(names, shadowed);
    t->most_names = Py_MAX(t->most_names, entry->num_names);
    if (PyErr_Occurred() || map_put(&t->entries, code, entry)) {
        free_entry(entry);
        return FAILED;
    }
    return DONE;
}

/* Find where a Step keeps its fields; `slots` are the descriptors of all of them, in order. */
static int
find_fields(Tracer *t, PyObject *slots)
{
    if (PyTuple_GET_SIZE(slots) != NUM_FIELDS) {
        PyErr_SetString(PyExc_TypeError, "the accelerator knows another Step");
        return FAILED;
    }
    for (int i = 0; i < NUM_FIELDS; i++) {
        PyObject *slot = PyTuple_GET_ITEM(slots, i);
        if (!Py_IS_TYPE(slot, &PyMemberDescr_Type)) {
            PyErr_SetString(PyExc_TypeError, "a field of Step is no slot");
            return FAILED;
        }
        t->fields[i] = ((PyMemberDescrObject *)slot)->d_member->offset;
        t->step_type = ((PyDescrObject *)slot)->d_type;
    }
    Py_INCREF(t->step_type);
    if (PyType_IS_GC(t->step_type))
        return DONE;
    PyErr_SetString(PyExc_TypeError, "Step is no heap type");
    return FAILED;
}

static int
check_tables(PyObject *kinds, PyObject *flags, PyObject *ops, Py_ssize_t max_nesting)
{
    if (PyTuple_GET_SIZE(kinds) == 4 && PyTuple_GET_SIZE(flags) == 16 && PyBytes_GET_SIZE(ops) == 256 &&
        max_nesting <= MAX_NESTING)
        return DONE;
    PyErr_SetString(PyExc_ValueError, "a table of the accelerator has another size");
    return FAILED;
}

static PyObject *
tracer_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"recorder",   "renderer",   "codes",           "slots",        "kinds",       "flags",
                            "ops",        "step_limit", "byte_limit",      "closes_silently", "ends_loop", "set_limit",
                            "yield_value", "cache",     "room",            "max_steps",    "max_chars_in_all",
                            "max_chars",  "max_elements", "max_nesting",   NULL};
    PyObject *recorder, *renderer, *codes, *slots, *kinds, *flags, *ops;
    PyObject *step_limit, *byte_limit, *closes_silently, *ends_loop, *set_limit;
    int yield_value, cache;
    Py_ssize_t room, max_steps, max_chars_in_all, max_chars, max_elements, max_nesting;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO!O!O!O!SOOOOOiinnnnnn", names, &recorder, &renderer,
                                     &PyList_Type, &codes, &PyTuple_Type, &slots, &PyTuple_Type, &kinds,
                                     &PyTuple_Type, &flags, &ops, &step_limit, &byte_limit, &closes_silently,
                                     &ends_loop, &set_limit, &yield_value, &cache, &room, &max_steps,
                                     &max_chars_in_all, &max_chars, &max_elements, &max_nesting) ||
        check_tables(kinds, flags, ops, max_nesting))
        return NULL;
    Tracer *t = (Tracer *)type->tp_alloc(type, 0);
    if (t == NULL)
        return NULL;
    t->recorder = Py_NewRef(recorder);
    t->renderer = Py_NewRef(renderer);
    t->kinds = Py_NewRef(kinds);
    t->flags = Py_NewRef(flags);
    t->ops = Py_NewRef(ops);
    t->step_limit = Py_NewRef(step_limit);
    t->byte_limit = Py_NewRef(byte_limit);
    t->closes_silently = Py_NewRef(closes_silently);
    t->ends_loop = Py_NewRef(ends_loop);
    t->set_limit = Py_NewRef(set_limit);
    t->yield_value = yield_value;
    t->cache = cache;
    t->room = room;
    t->max_steps = t->most_steps = max_steps;
    t->chars_left = max_chars_in_all;
    t->max_chars = max_chars;
    t->max_elements = max_elements;
    t->max_nesting = max_nesting;
    t->interpreter_limit = -1;
    int failed = find_fields(t, slots);
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(codes); i++)
        failed = add_code(t, PyList_GET_ITEM(codes, i));
    if (!failed) {
        t->values = PyMem_Calloc(t->most_names + 1, sizeof(PyObject *));
        if (t->values == NULL) {
            PyErr_NoMemory();
            failed = 1;
        }
    }
    if (failed)
        Py_CLEAR(t);
    return (PyObject *)t;
}

static PyMethodDef tracer_methods[] = {
    {"build_steps", tracer_build_steps, METH_NOARGS, build_steps_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject TracerType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "opencwm.tracer._accelerator.Tracer",
    .tp_doc = PyDoc_STR("A trace function for sys.settrace; opencwm.tracer.accelerator makes it."),
    .tp_basicsize = sizeof(Tracer),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = tracer_new,
    .tp_dealloc = tracer_dealloc,
    .tp_traverse = tracer_traverse,
    .tp_clear = tracer_clear,
    .tp_call = tracer_call,
    .tp_methods = tracer_methods,
};

static int
module_exec(PyObject *module)
{
    str_f_trace = PyUnicode_InternFromString("f_trace");
    str_f_trace_opcodes = PyUnicode_InternFromString("f_trace_opcodes");
    str_render = PyUnicode_InternFromString("render");
    str_cut = PyUnicode_InternFromString("cut");
    str_plain_layout = PyUnicode_InternFromString("plain_layout");
    str_end = PyUnicode_InternFromString("end");
    str_index_of = PyUnicode_InternFromString("index_of");
    no_items = PyTuple_New(0);
    bit_length = PyObject_GetAttrString((PyObject *)&PyLong_Type, "bit_length");
    if (PyErr_Occurred() || PyType_Ready(&ActivationType) < 0)
        return -1;
    return PyModule_AddType(module, &TracerType);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "opencwm.tracer._accelerator",
    .m_doc = PyDoc_STR("The compiled part of the tracer; see the C file."),
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__accelerator(void)
{
    return PyModuleDef_Init(&module_def);
}
