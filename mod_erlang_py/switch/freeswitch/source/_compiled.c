/* The compiled half of the compiled event source; compiled.py is the other, and says when it is used.

   FreeSWITCH calls on_event() for every event, in the thread that dispatches it. There, without the GIL and without a
   copy of the event, it is decided whether anybody wants it, and what is wanted is encoded, once in each form that is
   wanted, and put into a queue. take() gives Python what waits there.

   The parts, in this order:
     1. what is read of FreeSWITCH        no header of it is needed, and nothing is linked
     2. encoding                          the terms of etf/event.py, byte for byte
     3. items                             an encoded event, and how its headers are looked up in it
     4. sets of texts
     5. Event                             the Received of port.py
     6. Source                            what is wanted, the callback, the queue
     7. the module

   Threads and locks. A source has one mutex, which is held for a moment, also by who has the GIL; so whoever has the
   mutex never waits for the GIL, and never calls FreeSWITCH. FreeSWITCH holds a lock of its own while it calls
   on_event(), and to bind and unbind it waits for that lock: both are done without mutex and without GIL. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030a0000 /* one build for Python 3.10 and all that follow */
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#ifndef SOURCE
#define SOURCE "" /* the digest of this file, by which choice.py knows that it goes with the rest */
#endif

/* --- 1. what is read of FreeSWITCH: switch_event.h of 1.10 and 1.11. proof.py proves it at start. ------------------ */

typedef struct fs_header {
    char *name;
    char *value;
    char **array; /* of `idx` texts; when there are any, they are the value */
    int idx;
    unsigned long hash;
    struct fs_header *next;
} fs_header;

typedef struct {
    int event_id;
    int priority;
    char *owner;
    char *subclass_name;
    fs_header *headers;
    fs_header *last_header;
    char *body;
    void *bind_user_data; /* what was given to switch_event_bind_removable */
} fs_event;

enum { FS_CUSTOM = 0 }; /* the event_id of the events that have subclasses */

static struct {
    int (*bind)(const char *id, int event, const char *subclass, void (*)(fs_event *), void *user_data, void **node);
    int (*unbind)(void **node);
    int (*dup)(fs_event **copy, fs_event *event);
    void (*destroy)(fs_event **event);
} fs;

/* Has Python raise an error where this process is no FreeSWITCH. */
static int find_functions(void)
{
    static const struct {
        const char *name;
        void *place;
    } wanted[] = {
        {"switch_event_bind_removable", &fs.bind},
        {"switch_event_unbind", &fs.unbind},
        {"switch_event_dup", &fs.dup},
        {"switch_event_destroy", &fs.destroy},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *found = dlsym(RTLD_DEFAULT, wanted[i].name);
        if (!found) {
            PyErr_Format(PyExc_OSError, "this process has no %s", wanted[i].name);
            return 0;
        }
        memcpy(wanted[i].place, &found, sizeof found);
    }
    return 1;
}

/* --- 2. encoding ------------------------------------------------------------------------------------------------- */

/* The first two are the members of port.py's Form. PLAIN is BINARY without the URL-decoding of values: what is kept of
   an event when neither of the others has its values as they are. */
enum { STRING, BINARY, PLAIN, FORMS };

typedef struct {
    const char *bytes; /* NULL: there is none */
    size_t size;
} Text;

typedef struct {
    char *bytes;
    size_t size, room;
    int failed; /* for want of memory; what it has is of no use then */
} Buffer;

static const Text EVENT_SEQUENCE = {"Event-Sequence", 14}, BODY = {"body", 4};
static const char UNDEFINED[] = {119, 9, 'u', 'n', 'd', 'e', 'f', 'i', 'n', 'e', 'd'};

static Text text_of(const char *string)
{
    return (Text){string, string ? strlen(string) : 0};
}

/* Room for more bytes, at the buffer's end; NULL when there is no memory. */
static char *extend(Buffer *buffer, size_t more)
{
    if (buffer->room - buffer->size < more) {
        size_t room = buffer->room ? buffer->room : 4096; /* most events fit into it */
        while (room - buffer->size < more) {
            room *= 2;
        }
        char *bytes = buffer->failed ? NULL : realloc(buffer->bytes, room);
        if (!bytes) {
            buffer->failed = 1;
            return NULL;
        }
        buffer->bytes = bytes;
        buffer->room = room;
    }
    char *end = buffer->bytes + buffer->size;
    buffer->size += more;
    return end;
}

static void put(Buffer *buffer, const void *bytes, size_t size)
{
    char *to = extend(buffer, size);
    if (to && size) {
        memcpy(to, bytes, size);
    }
}

static void store_number(char *to, size_t number, int size)
{
    while (size--) {
        to[size] = (char)number;
        number >>= 8;
    }
}

static size_t load_number(const char *from, int size)
{
    size_t number = 0;
    while (size--) {
        number = number << 8 | (unsigned char)*from++;
    }
    return number;
}

static void put_head(Buffer *buffer, char tag, size_t number, int size)
{
    char *to = extend(buffer, 1 + (size_t)size);
    if (to) {
        *to = tag;
        store_number(to + 1, number, size);
    }
}

/* Whether read_text() can read it again. */
static int put_text(Buffer *buffer, int form, Text text)
{
    if (form != STRING) {
        put_head(buffer, 'm', text.size, 4); /* BINARY_EXT */
    } else if (text.size == 0) {
        put(buffer, "j", 1); /* NIL_EXT */
        return 1;
    } else if (text.size <= 65535) {
        put_head(buffer, 'k', text.size, 2); /* STRING_EXT */
    } else { /* LIST_EXT of SMALL_INTEGER_EXT: no STRING_EXT is as long */
        put_head(buffer, 'l', text.size, 4);
        char *to = extend(buffer, 2 * text.size);
        for (size_t i = 0; to && i < text.size; i++) {
            *to++ = 'a';
            *to++ = text.bytes[i];
        }
        put(buffer, "j", 1);
        return 0;
    }
    put(buffer, text.bytes, text.size);
    return 1;
}

static Text read_text(const char **at)
{
    const char tag = *(*at)++;
    const int width = tag == 'm' ? 4 : tag == 'k' ? 2 : 0;
    const size_t size = load_number(*at, width);
    const Text text = {*at + width, size};
    *at += width + size;
    return text;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* What sscanf("%2x"), by which switch_url_decode reads an escape, makes of what follows a `%`; -1 when nothing. White
   space does not count as one of its two characters; a sign does. */
static int escape(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || (*at >= '\t' && *at <= '\r'))) {
        at++;
    }
    const char sign = at < end && (*at == '+' || *at == '-') ? *at++ : 0;
    int number = at < end ? hex(*at) : -1;
    if (number >= 0 && !sign && at + 1 < end && hex(at[1]) >= 0) {
        number = number * 16 + hex(at[1]);
    }
    return number < 0 ? -1 : (sign == '-' ? -number : number) & 255;
}

/* As switch_url_decode: a text ends at a zero byte, and whatever an escape is made of, it is three characters long. So
   a text that is as long as before is the same. */
static Text url_decoded(Text text, Buffer *buffer)
{
    const char *at = text.bytes, *end = at + text.size;
    buffer->size = 0;
    char *to = extend(buffer, text.size);
    if (!to) {
        return text;
    }
    while (at < end) {
        const int number = *at == '%' && end - at > 2 ? escape(at + 1, end) : -1;
        if (number == 0) {
            break;
        }
        *to++ = number < 0 ? *at : (char)number;
        at += number < 0 ? 1 : 3;
    }
    return (Text){buffer->bytes, (size_t)(to - buffer->bytes)};
}

/* Events are shown as a copy of them is, by switch_event_dup, which all others who take events make first. It puts the
   subclass before all other headers; and it makes arrays anew. */

static int is_subclass(const fs_header *header)
{
    return !strcmp(header->name, "Event-Subclass");
}

/* Whether a copy has some array with other elements, which is not worth to be imitated: it loses those at the beginning
   that are empty, takes one apart that looks like an array itself, and joins it to an earlier header of its name. */
static int differs_from_copy(const fs_event *event)
{
    for (const fs_header *header = event->headers; header; header = header->next) {
        if (header->idx) {
            const char *first = header->array[0];
            if (!first || !*first || !strncmp(first, "ARRAY::", 7)) {
                return 1;
            }
            for (const fs_header *other = event->headers; other != header; other = other->next) {
                if (!strcasecmp(other->name, header->name)) {
                    return 1;
                }
            }
        }
    }
    return 0;
}

/* The value as a copy has it: the original lacks what was changed in an array since. */
static Text value_of(const fs_header *header, Buffer *buffer)
{
    if (!header->idx) {
        return text_of(header->value);
    }
    buffer->size = 0;
    put(buffer, "ARRAY::", header->idx > 1 ? 7 : 0);
    for (int i = 0; i < header->idx; i++) {
        const Text one = text_of(header->array[i]);
        put(buffer, "|:", i ? 2 : 0);
        put(buffer, one.bytes, one.size);
    }
    return (Text){buffer->size ? buffer->bytes : "", buffer->size};
}

/* Headers one after the other: of an event, or else of what was encoded of one. */
typedef struct {
    const char *subclass; /* that comes first */
    int begun;
    const fs_header *header;
    const char *at;
    uint32_t left;
} Pairs;

static Pairs pairs_of(const fs_event *event)
{
    return (Pairs){.subclass = event->subclass_name, .header = event->headers};
}

/* The next of them; 0 when there is none. buffer: for a value that is put together; of those that were read again,
   none is. */
static int next_pair(Pairs *pairs, Buffer *buffer, Text *name, Text *value)
{
    if (pairs->at) {
        if (!pairs->left) {
            return 0;
        }
        pairs->left--;
        pairs->at += 2;
        *name = read_text(&pairs->at);
        *value = read_text(&pairs->at);
        return 1;
    }
    if (pairs->subclass && !pairs->begun) {
        pairs->begun = 1;
        *name = text_of("Event-Subclass");
        *value = text_of(pairs->subclass);
        if (value->size) {
            return 1;
        }
    }
    while (pairs->header) {
        const fs_header *header = pairs->header;
        pairs->header = header->next;
        if (!pairs->subclass || !is_subclass(header)) {
            *name = text_of(header->name);
            *value = value_of(header, buffer);
            if (value->bytes) {
                return 1;
            }
        }
    }
    return 0;
}

/* Puts `[UUID | Headers]`, as EventEncoder.headers makes it, behind what is in the buffer, and counts the headers.
   Whether they can be read again from it as they are. */
static int encode(Buffer *out, Pairs pairs, Text uuid, Text body, int form, uint32_t *count)
{
    Buffer arrays = {0}, decoded = {0};
    Text name, value;
    const size_t start = out->size;
    int readable = 1;
    *count = 0;
    put(out, "l\0\0\0\0", 5);
    if (uuid.bytes) {
        readable &= put_text(out, form, uuid);
    } else {
        put(out, UNDEFINED, sizeof UNDEFINED);
    }
    while (next_pair(&pairs, &arrays, &name, &value)) {
        if (form != PLAIN && memchr(value.bytes, '%', value.size)) {
            const size_t before = value.size;
            value = url_decoded(value, &decoded);
            readable &= value.size == before;
        }
        put(out, "h\2", 2); /* SMALL_TUPLE_EXT of two */
        readable &= put_text(out, form, name);
        readable &= put_text(out, form, value);
        ++*count;
    }
    if (body.bytes) {
        put(out, "h\2", 2);
        put_text(out, form, BODY);
        readable &= put_text(out, form, body);
    }
    put(out, "j", 1);
    out->failed |= arrays.failed | decoded.failed;
    if (!out->failed) {
        store_number(out->bytes + start + 1, 1 + *count + (body.bytes != NULL), 4);
    }
    free(arrays.bytes);
    free(decoded.bytes);
    return readable;
}

/* --- 3. items ---------------------------------------------------------------------------------------------------- */

typedef struct {
    size_t start, size; /* in the item's memory; start 0: there is none */
} Part;

/* One block of memory, which begins with this. */
typedef struct item {
    struct item *next;
    size_t size; /* of the block */
    int type;    /* event_id */
    int kept;    /* the form in which headers are looked up */
    uint32_t count;
    int has_body;
    Part subclass;
    Part encoded[FORMS];
} Item;

static Text unique_id(const fs_event *event, Buffer *buffer)
{
    for (const fs_header *header = event->headers; header; header = header->next) {
        /* The first letter tells nearly all others. */
        if ((*header->name | 32) == 'u' && !strcasecmp(header->name, "Unique-ID")) {
            return value_of(header, buffer);
        }
    }
    return (Text){NULL, 0};
}

/* The event in these forms, a bit for each; NULL when there is no memory. */
static Item *encoded_item(const fs_event *event, unsigned forms)
{
    Item item = {.type = event->event_id, .kept = FORMS, .has_body = event->body != NULL};
    Buffer out = {0}, array = {0};
    extend(&out, sizeof item);
    if (event->event_id == FS_CUSTOM && event->subclass_name) {
        const Text subclass = text_of(event->subclass_name);
        item.subclass = (Part){out.size, subclass.size};
        put(&out, subclass.bytes, subclass.size);
    }
    const Text uuid = unique_id(event, &array), body = text_of(event->body);
    for (int form = 0; form < FORMS; form++) {
        if (form == PLAIN ? item.kept == FORMS : forms >> form & 1) {
            const size_t start = out.size;
            const int readable = encode(&out, pairs_of(event), uuid, body, form, &item.count);
            item.encoded[form] = (Part){start, out.size - start};
            if (readable && item.kept == FORMS) {
                item.kept = form;
            }
        }
    }
    free(array.bytes);
    if (out.failed || array.failed) {
        free(out.bytes);
        return NULL;
    }
    item.size = out.size;
    memcpy(out.bytes, &item, sizeof item);
    char *fitted = realloc(out.bytes, out.size);
    return (Item *)(fitted ? fitted : out.bytes);
}

static Item *item_of(fs_event *event, unsigned forms)
{
    if (!differs_from_copy(event)) {
        return encoded_item(event, forms);
    }
    fs_event *copy = NULL;
    Item *item = fs.dup(&copy, event) ? NULL : encoded_item(copy, forms);
    if (copy) {
        fs.destroy(&copy);
    }
    return item;
}

/* Its uuid, and its headers, as they are. */
static Pairs read_item(const Item *item, Text *uuid)
{
    Pairs pairs = {.at = (const char *)item + item->encoded[item->kept].start + 5, .left = item->count};
    if (*pairs.at == UNDEFINED[0]) {
        *uuid = (Text){NULL, 0};
        pairs.at += sizeof UNDEFINED;
    } else {
        *uuid = read_text(&pairs.at);
    }
    return pairs;
}

static Text find(const Item *item, Text wanted)
{
    Text uuid, name, value;
    Pairs pairs = read_item(item, &uuid);
    while (next_pair(&pairs, NULL, &name, &value)) {
        if (name.size == wanted.size && !strncasecmp(name.bytes, wanted.bytes, name.size)) {
            return value;
        }
    }
    return (Text){NULL, 0};
}

static void free_items(Item *item)
{
    while (item) {
        Item *next = item->next;
        free(item);
        item = next;
    }
}

/* --- 4. sets of texts -------------------------------------------------------------------------------------------- */

#define BUCKETS 1024 /* some thousand calls may be watched */

typedef struct member {
    struct member *next;
    size_t size;
    char bytes[];
} Member;

typedef struct {
    Member *buckets[BUCKETS];
    size_t count;
} Set;

/* Where it is, or would be put. */
static Member **place_of(Set *set, Text text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ (unsigned char)text.bytes[i]) * 16777619u;
    }
    Member **place = &set->buckets[hash % BUCKETS];
    while (*place && ((*place)->size != text.size || memcmp((*place)->bytes, text.bytes, text.size))) {
        place = &(*place)->next;
    }
    return place;
}

static Member *new_member(Text text)
{
    Member *member = malloc(sizeof *member + text.size);
    if (member) {
        member->next = NULL;
        member->size = text.size;
        memcpy(member->bytes, text.bytes, text.size);
    }
    return member;
}

/* What the caller is to free: the member itself when such a one is there already. */
static Member *add(Set *set, Member *member)
{
    Member **place = place_of(set, (Text){member->bytes, member->size});
    if (*place) {
        return member;
    }
    *place = member;
    set->count++;
    return NULL;
}

/* What the caller is to free. */
static Member *take_away(Set *set, Text text)
{
    Member **place = place_of(set, text), *member = *place;
    if (member) {
        *place = member->next;
        set->count--;
    }
    return member;
}

static void free_set(Set *set)
{
    for (int i = 0; set && i < BUCKETS; i++) {
        while (set->buckets[i]) {
            Member *next = set->buckets[i]->next;
            free(set->buckets[i]);
            set->buckets[i] = next;
        }
    }
    free(set);
}

/* --- 5. Event ---------------------------------------------------------------------------------------------------- */

typedef struct {
    PyTypeObject *event_type, *source_type;
    PyObject *forms[PLAIN]; /* the members of Form */
} State;

typedef struct {
    PyObject_HEAD
    Item *item;
    PyObject *name;
    PyObject *encoded[PLAIN]; /* bytes that were asked for */
} Event;

/* Takes the item, also when it fails. */
static PyObject *new_event(PyTypeObject *type, Item *item, PyObject *name)
{
    Event *event = PyObject_New(Event, type);
    if (!event) {
        free(item);
        return NULL;
    }
    Py_INCREF(name);
    event->item = item;
    event->name = name;
    memset(event->encoded, 0, sizeof event->encoded);
    return (PyObject *)event;
}

static void event_dealloc(Event *self)
{
    PyTypeObject *type = Py_TYPE(self);
    free(self->item);
    Py_DECREF(self->name);
    for (int form = 0; form < PLAIN; form++) {
        Py_XDECREF(self->encoded[form]);
    }
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *bytes_or_none(Text text)
{
    if (!text.bytes) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize(text.bytes, (Py_ssize_t)text.size);
}

static Text part_of(const Item *item, Part part)
{
    return (Text){part.start ? (const char *)item + part.start : NULL, part.size};
}

static PyObject *event_name(Event *self, void *unused)
{
    (void)unused;
    Py_INCREF(self->name);
    return self->name;
}

static PyObject *event_subclass(Event *self, void *unused)
{
    (void)unused;
    return bytes_or_none(part_of(self->item, self->item->subclass));
}

static PyObject *event_uuid(Event *self, void *unused)
{
    Text uuid;
    (void)unused;
    read_item(self->item, &uuid);
    return bytes_or_none(uuid);
}

/* sequence_number() of port.py. */
static PyObject *event_sequence(Event *self, void *unused)
{
    const Text text = find(self->item, EVENT_SEQUENCE);
    unsigned long long number = 0;
    (void)unused;
    for (size_t i = 0; i < text.size; i++) {
        if (text.size >= 20 || text.bytes[i] < '0' || text.bytes[i] > '9') {
            return PyLong_FromLong(0);
        }
        number = number * 10 + (unsigned)(text.bytes[i] - '0');
    }
    return PyLong_FromUnsignedLongLong(number);
}

static PyObject *event_header(Event *self, PyObject *name)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(name, &bytes, &size) < 0) {
        return NULL;
    }
    return bytes_or_none(find(self->item, (Text){bytes, (size_t)size}));
}

static PyObject *event_headers(Event *self, PyObject *unused)
{
    Text uuid, name, value;
    Pairs pairs = read_item(self->item, &uuid);
    PyObject *headers = PyList_New(0);
    (void)unused;
    while (headers && next_pair(&pairs, NULL, &name, &value)) {
        PyObject *pair = Py_BuildValue("y#y#", name.bytes, (Py_ssize_t)name.size, value.bytes, (Py_ssize_t)value.size);
        if (!pair || PyList_Append(headers, pair) < 0) {
            Py_CLEAR(headers);
        }
        Py_XDECREF(pair);
    }
    return headers;
}

/* In a form that was not wanted when the event came. */
static PyObject *encode_again(const Item *item, int form)
{
    Text uuid, body = {NULL, 0}, name, value;
    const Pairs pairs = read_item(item, &uuid);
    if (item->has_body) {
        Pairs all = {.at = pairs.at, .left = item->count + 1};
        while (next_pair(&all, NULL, &name, &value)) {
            body = value;
        }
    }
    Buffer out = {0};
    uint32_t count;
    encode(&out, pairs, uuid, body, form, &count);
    PyObject *bytes = out.failed ? PyErr_NoMemory() : PyBytes_FromStringAndSize(out.bytes, (Py_ssize_t)out.size);
    free(out.bytes);
    return bytes;
}

static PyObject *event_encoded(Event *self, PyObject *wanted)
{
    const State *state = PyType_GetModuleState(Py_TYPE(self));
    for (int form = 0; form < PLAIN; form++) {
        if (wanted == state->forms[form]) {
            PyObject **made = &self->encoded[form];
            if (!*made) {
                const Text ready = part_of(self->item, self->item->encoded[form]);
                *made = ready.bytes ? bytes_or_none(ready) : encode_again(self->item, form);
            }
            Py_XINCREF(*made);
            return *made;
        }
    }
    PyErr_SetString(PyExc_ValueError, "no Form");
    return NULL;
}

static PyGetSetDef event_attributes[] = {
    {"name", (getter)event_name, NULL, NULL, NULL},
    {"subclass", (getter)event_subclass, NULL, NULL, NULL},
    {"uuid", (getter)event_uuid, NULL, NULL, NULL},
    {"sequence", (getter)event_sequence, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef event_methods[] = {
    {"header", (PyCFunction)event_header, METH_O, NULL},
    {"headers", (PyCFunction)event_headers, METH_NOARGS, NULL},
    {"encoded", (PyCFunction)event_encoded, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot event_slots[] = {
    {Py_tp_doc, "The Received of port.py."},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_getset, event_attributes},
    {Py_tp_methods, event_methods},
    {0, NULL},
};

static PyType_Spec event_spec = {
    "mod_erlang_py.switch.freeswitch.source._compiled.Event",
    sizeof(Event),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    event_slots,
};

/* --- 6. Source --------------------------------------------------------------------------------------------------- */

#define MAX_TYPES 1024 /* FreeSWITCH has 93 */

typedef struct {
    PyObject_HEAD
    PyTypeObject *event_type;
    PyObject *names; /* of the types, by event_id */
    int types;
    size_t max_count, max_bytes;
    void *node; /* the binding */
    pthread_mutex_t mutex;
    pthread_cond_t come;

    /* What follows is read and written with the mutex held alone. */
    unsigned char wanted[MAX_TYPES];
    Set *subclasses, *watched;
    unsigned forms;
    Item *first, *last;
    size_t count, bytes;
    unsigned long long lost;
    int waiting, woken, closed;
} Source;

/* With the mutex held. */
static int is_wanted(Source *self, const fs_event *event)
{
    const int type = event->event_id;
    if (type < 0 || type >= self->types) {
        return 0;
    }
    if (self->wanted[type]) {
        const Text subclass = text_of(event->subclass_name);
        /* Wanted.has() of port.py; wanted is 2 where subclasses do not count. */
        if (self->wanted[type] == 2 || type != FS_CUSTOM || !subclass.size ||
            *place_of(self->subclasses, subclass)) {
            return 1;
        }
    }
    if (!self->watched->count) {
        return 0;
    }
    Buffer array = {0};
    const Text uuid = unique_id(event, &array);
    const int watched = uuid.bytes && *place_of(self->watched, uuid);
    free(array.bytes);
    return watched;
}

/* Takes the oldest `most` away. With the mutex held. */
static Item *take_oldest(Source *self, size_t most)
{
    Item *first = self->first, *last = NULL;
    for (; self->first && most; most--) {
        last = self->first;
        self->first = last->next;
        self->count--;
        self->bytes -= last->size;
    }
    if (!last) {
        return NULL;
    }
    last->next = NULL;
    if (!self->first) {
        self->last = NULL;
    }
    return first;
}

/* Returns what there was no room for. With the mutex held. */
static Item *append(Source *self, Item *item)
{
    if (self->closed) {
        return item;
    }
    if (!item) {
        self->lost++;
        return NULL;
    }
    if (self->last) {
        self->last->next = item;
    } else {
        self->first = item;
    }
    self->last = item;
    self->count++;
    self->bytes += item->size;
    if (self->waiting) {
        pthread_cond_signal(&self->come);
    }
    if (self->count <= self->max_count && self->bytes <= self->max_bytes) {
        return NULL;
    }
    /* A fifth at once: losses that come in blocks are told of, and looked after, once each. */
    const size_t before = self->count;
    Item *oldest = take_oldest(self, self->count / 5 + 1);
    self->lost += before - self->count;
    return oldest;
}

/* Called by FreeSWITCH, in any of its threads, in several at once. */
static void on_event(fs_event *event)
{
    Source *self = event->bind_user_data;
    pthread_mutex_lock(&self->mutex);
    const int wanted = is_wanted(self, event);
    const unsigned forms = self->forms;
    pthread_mutex_unlock(&self->mutex);
    if (wanted) {
        Item *item = item_of(event, forms);
        pthread_mutex_lock(&self->mutex);
        Item *refused = append(self, item);
        pthread_mutex_unlock(&self->mutex);
        free_items(refused);
    }
}

/* Source(names, max_count, max_bytes): the names of all types by number, of which the last is ALL; what the queue holds.
   It is bound to ALL from the start: to look at an event that nobody wants costs less than to bind and unbind types. */
static PyObject *source_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    const State *state = PyType_GetModuleState(type);
    Py_ssize_t max_count, max_bytes;
    PyObject *names;
    (void)keywords;
    if (!PyArg_ParseTuple(arguments, "O!nn", &PyTuple_Type, &names, &max_count, &max_bytes) || !find_functions()) {
        return NULL;
    }
    if (PyTuple_Size(names) > MAX_TYPES) {
        PyErr_SetString(PyExc_ValueError, "too many event types");
        return NULL;
    }
    Source *self = (Source *)PyType_GenericAlloc(type, 0);
    if (!self) {
        return NULL;
    }
    Py_INCREF(state->event_type);
    self->event_type = state->event_type;
    Py_INCREF(names);
    self->names = names;
    self->types = (int)PyTuple_Size(names);
    self->max_count = (size_t)max_count;
    self->max_bytes = (size_t)max_bytes;
    self->subclasses = calloc(1, sizeof(Set));
    self->watched = calloc(1, sizeof(Set));
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->come, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int failed = 0;
    if (self->subclasses && self->watched) {
        Py_BEGIN_ALLOW_THREADS
        failed = fs.bind("mod_erlang_py", self->types - 1, NULL, on_event, self, &self->node);
        Py_END_ALLOW_THREADS
        if (!failed) {
            return (PyObject *)self;
        }
        PyErr_SetString(PyExc_OSError, "switch_event_bind_removable refused");
    } else {
        PyErr_NoMemory();
    }
    Py_DECREF(self);
    return NULL;
}

/* close(): what is called later does nothing. */
static PyObject *source_close(Source *self, PyObject *unused)
{
    (void)unused;
    pthread_mutex_lock(&self->mutex);
    self->closed = 1;
    void *node = self->node;
    self->node = NULL;
    Item *left = take_oldest(self, self->count);
    pthread_cond_broadcast(&self->come);
    pthread_mutex_unlock(&self->mutex);
    Py_BEGIN_ALLOW_THREADS
    if (node) {
        fs.unbind(&node); /* returns when on_event() is left, and is not called again */
    }
    free_items(left);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static void source_dealloc(Source *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(source_close(self, NULL));
    pthread_cond_destroy(&self->come);
    pthread_mutex_destroy(&self->mutex);
    free_set(self->subclasses);
    free_set(self->watched);
    Py_XDECREF(self->names);
    Py_XDECREF(self->event_type);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* want(types, subclasses, forms): for each type, by number, a byte: 0 unwanted, 1 wanted, 2 with all subclasses; a list
   of bytes; a bit for each form. */
static PyObject *source_want(Source *self, PyObject *arguments)
{
    const char *types;
    Py_ssize_t count;
    PyObject *subclasses;
    unsigned forms;
    if (!PyArg_ParseTuple(arguments, "y#O!I", &types, &count, &PyList_Type, &subclasses, &forms)) {
        return NULL;
    }
    if (count != self->types) {
        PyErr_SetString(PyExc_ValueError, "a byte for each type");
        return NULL;
    }
    Set *set = calloc(1, sizeof *set);
    for (Py_ssize_t i = 0; set && i < PyList_Size(subclasses); i++) {
        char *bytes;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyList_GetItem(subclasses, i), &bytes, &size) < 0) {
            free_set(set);
            return NULL;
        }
        Member *member = new_member((Text){bytes, (size_t)size});
        if (!member) {
            free_set(set);
            set = NULL;
        } else {
            free(add(set, member));
        }
    }
    if (!set) {
        return PyErr_NoMemory();
    }
    pthread_mutex_lock(&self->mutex);
    memcpy(self->wanted, types, (size_t)count);
    Set *before = self->subclasses;
    self->subclasses = set;
    self->forms = forms;
    pthread_mutex_unlock(&self->mutex);
    free_set(before);
    Py_RETURN_NONE;
}

static PyObject *source_watch(Source *self, PyObject *uuid)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(uuid, &bytes, &size) < 0) {
        return NULL;
    }
    Member *member = new_member((Text){bytes, (size_t)size});
    if (!member) {
        return PyErr_NoMemory();
    }
    pthread_mutex_lock(&self->mutex);
    member = add(self->watched, member);
    pthread_mutex_unlock(&self->mutex);
    free(member);
    Py_RETURN_NONE;
}

static PyObject *source_unwatch(Source *self, PyObject *uuid)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(uuid, &bytes, &size) < 0) {
        return NULL;
    }
    pthread_mutex_lock(&self->mutex);
    Member *member = take_away(self->watched, (Text){bytes, (size_t)size});
    pthread_mutex_unlock(&self->mutex);
    free(member);
    Py_RETURN_NONE;
}

/* Until there is something to take; without the GIL. */
static void wait_for_events(Source *self, double timeout)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const double nanoseconds = (double)until.tv_nsec + (timeout - (double)(time_t)timeout) * 1e9;
    until.tv_sec += (time_t)timeout + (time_t)(nanoseconds / 1e9);
    until.tv_nsec = (long)nanoseconds % 1000000000;
    int over = 0;
    pthread_mutex_lock(&self->mutex);
    self->waiting = 1;
    while (!over && !self->first && !self->woken && !self->closed) {
        over = pthread_cond_timedwait(&self->come, &self->mutex, &until);
    }
    self->waiting = 0;
    pthread_mutex_unlock(&self->mutex);
}

/* take(timeout, most): a list of Event. */
static PyObject *source_take(Source *self, PyObject *arguments)
{
    double timeout;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(arguments, "dn", &timeout, &most)) {
        return NULL;
    }
    pthread_mutex_lock(&self->mutex);
    if (!self->first && !self->woken && !self->closed && timeout > 0) {
        pthread_mutex_unlock(&self->mutex);
        Py_BEGIN_ALLOW_THREADS
        wait_for_events(self, timeout);
        Py_END_ALLOW_THREADS
        pthread_mutex_lock(&self->mutex);
    }
    Item *item = self->woken || most <= 0 ? NULL : take_oldest(self, (size_t)most);
    self->woken = 0;
    pthread_mutex_unlock(&self->mutex);
    PyObject *events = PyList_New(0);
    while (events && item) {
        Item *next = item->next;
        PyObject *event = new_event(self->event_type, item, PyTuple_GetItem(self->names, item->type));
        if (!event || PyList_Append(events, event) < 0) {
            Py_CLEAR(events);
        }
        Py_XDECREF(event);
        item = next;
    }
    free_items(item);
    return events;
}

/* lost(): since the last call. */
static PyObject *source_lost(Source *self, PyObject *unused)
{
    (void)unused;
    pthread_mutex_lock(&self->mutex);
    const unsigned long long lost = self->lost;
    self->lost = 0;
    pthread_mutex_unlock(&self->mutex);
    return PyLong_FromUnsignedLongLong(lost);
}

static PyObject *source_wake(Source *self, PyObject *unused)
{
    (void)unused;
    pthread_mutex_lock(&self->mutex);
    self->woken = 1;
    pthread_cond_signal(&self->come);
    pthread_mutex_unlock(&self->mutex);
    Py_RETURN_NONE;
}

static PyMethodDef source_methods[] = {
    {"want", (PyCFunction)source_want, METH_VARARGS, NULL},
    {"watch", (PyCFunction)source_watch, METH_O, NULL},
    {"unwatch", (PyCFunction)source_unwatch, METH_O, NULL},
    {"take", (PyCFunction)source_take, METH_VARARGS, NULL},
    {"lost", (PyCFunction)source_lost, METH_NOARGS, NULL},
    {"wake", (PyCFunction)source_wake, METH_NOARGS, NULL},
    {"close", (PyCFunction)source_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot source_slots[] = {
    {Py_tp_doc, "Most of the EventSource of port.py; compiled.py has the rest."},
    {Py_tp_new, source_new},
    {Py_tp_dealloc, source_dealloc},
    {Py_tp_methods, source_methods},
    {0, NULL},
};

static PyType_Spec source_spec = {
    "mod_erlang_py.switch.freeswitch.source._compiled.Source",
    sizeof(Source),
    0,
    Py_TPFLAGS_DEFAULT,
    source_slots,
};

/* --- 7. the module ----------------------------------------------------------------------------------------------- */

/* read(address, name, forms): a switch_event_t of that type, read as on_event() reads it. */
static PyObject *module_read(PyObject *module, PyObject *arguments)
{
    const State *state = PyModule_GetState(module);
    unsigned long long address;
    PyObject *name;
    unsigned forms;
    if (!PyArg_ParseTuple(arguments, "KUI", &address, &name, &forms) || !find_functions()) {
        return NULL;
    }
    Item *item = item_of((fs_event *)(uintptr_t)address, forms);
    return item ? new_event(state->event_type, item, name) : PyErr_NoMemory();
}

static PyMethodDef module_methods[] = {
    {"read", module_read, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int module_exec(PyObject *module)
{
    static const char *const members[PLAIN] = {"STRING", "BINARY"};
    State *state = PyModule_GetState(module);
    PyObject *port = PyImport_ImportModule("mod_erlang_py.switch.port");
    PyObject *forms = port ? PyObject_GetAttrString(port, "Form") : NULL;
    Py_XDECREF(port);
    for (int form = 0; forms && form < PLAIN; form++) {
        state->forms[form] = PyObject_GetAttrString(forms, members[form]);
        if (!state->forms[form]) {
            Py_CLEAR(forms);
        }
    }
    if (!forms) {
        return -1;
    }
    Py_DECREF(forms);
    state->event_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &event_spec, NULL);
    state->source_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &source_spec, NULL);
    if (!state->event_type || !state->source_type) {
        return -1;
    }
    if (PyModule_AddType(module, state->event_type) < 0 || PyModule_AddType(module, state->source_type) < 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "SOURCE", SOURCE);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

/* The module is imported anew with each start of the node (erlang_py.py), and the one before goes. */
static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->event_type);
    Py_VISIT(state->source_type);
    Py_VISIT(state->forms[STRING]);
    Py_VISIT(state->forms[BINARY]);
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->event_type);
    Py_CLEAR(state->source_type);
    Py_CLEAR(state->forms[STRING]);
    Py_CLEAR(state->forms[BINARY]);
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
}

static PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_compiled",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&module_definition);
}
