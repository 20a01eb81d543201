/* The compiled half of the compiled event source; compiled.py is the other, and says when it is used.

   FreeSWITCH calls on_event() for every event, in the thread that dispatches it. There, without the GIL and without a
   copy of the event, it is decided whether anybody wants it, and what is wanted is encoded, once in each form that is
   wanted, and put into a queue. take() gives Python what waits there.

   How an event is read and encoded is in _events.h. Here are
     1. Batch                             that of switch/port, and what compiled_event.py needs of it
     2. Source                            what is wanted, the callback, the queue
     3. the module

   Threads and locks. A source has one mutex, which is held for a moment, also by who has the GIL; so whoever has the
   mutex never waits for the GIL, and never calls FreeSWITCH. FreeSWITCH holds a lock of its own while it calls
   on_event(), and to bind and unbind it waits for that lock: both are done without mutex and without GIL. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030a0000 /* one build for Python 3.10 and all that follow */
#include <Python.h>
#include <structmember.h>

#include <pthread.h>
#include <time.h>

#include "_events.h"

#ifndef SOURCE
#define SOURCE "" /* the digest of both files, by which choice.py knows that they go with the rest */
#endif

/* --- 1. Batch ---------------------------------------------------------------------------------------------------- */

typedef struct {
    PyTypeObject *batch_type;
    PyObject *forms[PLAIN]; /* the members of Form */
} State;

/* Items in a row that go the same way. They are numbered from 0. */
typedef struct {
    PyObject_HEAD
    Item *items;
    Py_ssize_t count;
    PyObject *name;
    PyObject *event_class;     /* CompiledEvent */
    PyObject *payloads[PLAIN]; /* lists that were asked for */
    Item *last;                /* that was looked at, and its number: who looks at all does so in turn */
    Py_ssize_t number;
} Batch;

/* Takes the items, also when it fails. */
static PyObject *new_batch(PyTypeObject *type, Item *items, Py_ssize_t count, PyObject *name, PyObject *event_class)
{
    Batch *batch = name ? PyObject_New(Batch, type) : NULL;
    if (!batch) {
        free_items(items);
        return NULL;
    }
    Py_INCREF(name);
    Py_INCREF(event_class);
    *batch = (Batch){batch->ob_base, items, count, name, event_class, {NULL}, items, 0};
    return (PyObject *)batch;
}

static void batch_dealloc(Batch *self)
{
    PyTypeObject *type = Py_TYPE(self);
    free_items(self->items);
    Py_DECREF(self->name);
    Py_DECREF(self->event_class);
    for (int form = 0; form < PLAIN; form++) {
        Py_XDECREF(self->payloads[form]);
    }
    PyObject_Free(self);
    Py_DECREF(type);
}

/* Has Python raise an error where this process is no FreeSWITCH. */
static int find_functions(void)
{
    const char *missing = missing_function();
    if (missing) {
        PyErr_Format(PyExc_OSError, "this process has no %s", missing);
    }
    return !missing;
}

static PyObject *bytes_or_none(Text text)
{
    if (!text.bytes) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize(text.bytes, (Py_ssize_t)text.size);
}

/* The number of a Form, or -1 with an error. */
static int form_of(const State *state, PyObject *wanted)
{
    for (int form = 0; form < PLAIN; form++) {
        if (wanted == state->forms[form]) {
            return form;
        }
    }
    PyErr_SetString(PyExc_ValueError, "no Form");
    return -1;
}

static PyObject *encoded_bytes(const Item *item, int form)
{
    const Text ready = item->encoded[form];
    if (ready.bytes) {
        return PyBytes_FromStringAndSize(ready.bytes, (Py_ssize_t)ready.size);
    }
    View view; /* the form was not wanted when the event came */
    view_item(&view, item);
    char *made = view.failed ? NULL : malloc(view.bytes);
    PyObject *bytes = made ? PyBytes_FromStringAndSize(made, encode(made, &view, form) - made) : PyErr_NoMemory();
    free(made);
    close_view(&view);
    return bytes;
}

static PyObject *batch_subclass(Batch *self, void *Py_UNUSED(closure))
{
    return bytes_or_none(self->items->subclass);
}

/* Of several, nobody's call is watched. */
static PyObject *batch_uuid(Batch *self, void *Py_UNUSED(closure))
{
    Text uuid = {NULL, 0};
    if (self->count == 1) {
        pairs_of(self->items, &uuid);
    }
    return bytes_or_none(uuid);
}

/* events(): objects that look at each of them through the following. */
static PyObject *batch_events(Batch *self, PyObject *Py_UNUSED(nothing))
{
    PyObject *events = PyList_New(0);
    for (Py_ssize_t number = 0; events && number < self->count; number++) {
        PyObject *event = PyObject_CallFunction(self->event_class, "On", self, number);
        if (!event || PyList_Append(events, event) < 0) {
            Py_CLEAR(events);
        }
        Py_XDECREF(event);
    }
    return events;
}

/* NULL with an error when there is none of that number. */
static const Item *item_at(Batch *self, Py_ssize_t number)
{
    if (number < 0 || number >= self->count) {
        PyErr_SetString(PyExc_IndexError, "no such event");
        return NULL;
    }
    if (number < self->number) {
        self->last = self->items;
        self->number = 0;
    }
    for (; self->number < number; self->number++) {
        self->last = self->last->next;
    }
    return self->last;
}

static const Item *item_of_number(Batch *self, PyObject *number)
{
    const Py_ssize_t at = PyLong_AsSsize_t(number);
    return at == -1 && PyErr_Occurred() ? NULL : item_at(self, at);
}

/* uuid_of(number) */
static PyObject *batch_uuid_of(Batch *self, PyObject *number)
{
    const Item *item = item_of_number(self, number);
    Text uuid;
    if (!item) {
        return NULL;
    }
    pairs_of(item, &uuid);
    return bytes_or_none(uuid);
}

/* header_of(number, name) */
static PyObject *batch_header_of(Batch *self, PyObject *arguments)
{
    Py_ssize_t number, size;
    const char *name;
    if (!PyArg_ParseTuple(arguments, "ny#", &number, &name, &size)) {
        return NULL;
    }
    const Item *item = item_at(self, number);
    return item ? bytes_or_none(find(item, (Text){name, (size_t)size})) : NULL;
}

/* headers_of(number): a list of pairs */
static PyObject *batch_headers_of(Batch *self, PyObject *number)
{
    const Item *item = item_of_number(self, number);
    Text uuid, name, value;
    if (!item) {
        return NULL;
    }
    Pairs pairs = pairs_of(item, &uuid);
    PyObject *headers = PyList_New(0);
    while (headers && next_pair(&pairs, &name, &value)) {
        PyObject *pair = Py_BuildValue("y#y#", name.bytes, (Py_ssize_t)name.size, value.bytes, (Py_ssize_t)value.size);
        if (!pair || PyList_Append(headers, pair) < 0) {
            Py_CLEAR(headers);
        }
        Py_XDECREF(pair);
    }
    return headers;
}

/* body_of(number) */
static PyObject *batch_body_of(Batch *self, PyObject *number)
{
    const Item *item = item_of_number(self, number);
    return item ? bytes_or_none(body_of(item)) : NULL;
}

/* encoded(number, form) */
static PyObject *batch_encoded(Batch *self, PyObject *arguments)
{
    Py_ssize_t number;
    PyObject *wanted;
    if (!PyArg_ParseTuple(arguments, "nO", &number, &wanted)) {
        return NULL;
    }
    const int form = form_of(PyType_GetModuleState(Py_TYPE(self)), wanted);
    const Item *item = form < 0 ? NULL : item_at(self, number);
    return item ? encoded_bytes(item, form) : NULL;
}

/* payloads(form) */
static PyObject *batch_payloads(Batch *self, PyObject *wanted)
{
    const int form = form_of(PyType_GetModuleState(Py_TYPE(self)), wanted);
    if (form < 0) {
        return NULL;
    }
    if (!self->payloads[form]) {
        PyObject *payloads = PyList_New(self->count);
        Py_ssize_t at = 0;
        for (const Item *item = self->items; payloads && item; item = item->next) {
            PyObject *bytes = encoded_bytes(item, form);
            if (!bytes || PyList_SetItem(payloads, at++, bytes) < 0) {
                Py_CLEAR(payloads);
            }
        }
        self->payloads[form] = payloads;
    }
    Py_XINCREF(self->payloads[form]);
    return self->payloads[form];
}

static PyType_Slot batch_slots[] = {
    {Py_tp_doc, "The Batch of switch/port."},
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_members,
     (PyMemberDef[]){
         {"name", T_OBJECT_EX, offsetof(Batch, name), READONLY, NULL},
         {"count", T_PYSSIZET, offsetof(Batch, count), READONLY, NULL},
         {NULL, 0, 0, 0, NULL},
     }},
    {Py_tp_getset,
     (PyGetSetDef[]){
         {"subclass", (getter)batch_subclass, NULL, NULL, NULL},
         {"uuid", (getter)batch_uuid, NULL, NULL, NULL},
         {NULL, NULL, NULL, NULL, NULL},
     }},
    {Py_tp_methods,
     (PyMethodDef[]){
         {"events", (PyCFunction)batch_events, METH_NOARGS, NULL},
         {"uuid_of", (PyCFunction)batch_uuid_of, METH_O, NULL},
         {"header_of", (PyCFunction)batch_header_of, METH_VARARGS, NULL},
         {"headers_of", (PyCFunction)batch_headers_of, METH_O, NULL},
         {"body_of", (PyCFunction)batch_body_of, METH_O, NULL},
         {"encoded", (PyCFunction)batch_encoded, METH_VARARGS, NULL},
         {"payloads", (PyCFunction)batch_payloads, METH_O, NULL},
         {NULL, NULL, 0, NULL},
     }},
    {0, NULL},
};

#define PACKAGE "mod_erlang_py.switch.freeswitch.source._compiled."
enum { MADE_HERE = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION };
static PyType_Spec batch_spec = {PACKAGE "Batch", sizeof(Batch), 0, MADE_HERE, batch_slots};

/* --- 2. Source --------------------------------------------------------------------------------------------------- */

#define MAX_TYPES 1024 /* FreeSWITCH has 93 */

typedef struct {
    PyObject_HEAD
    PyObject *names;       /* of the types, by event_id */
    PyObject *event_class; /* CompiledEvent */
    int types;
    size_t max_count, max_bytes;
    void *node; /* the binding */
    pthread_mutex_t mutex;
    pthread_cond_t come;

    /* What follows is read and written with the mutex held alone. */
    unsigned char wanted[MAX_TYPES];
    void *subclasses, *watched; /* sets */
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
        /* Wanted.has() of switch/port; wanted is 2 where subclasses do not count. */
        if (self->wanted[type] == 2 || type != FS_CUSTOM || !subclass.size ||
            has(&self->subclasses, subclass)) {
            return 1;
        }
    }
    if (!self->watched) {
        return 0;
    }
    const fs_header *header = event->headers;
    while (header && !is_unique_id(header)) {
        header = header->next;
    }
    return header && header->value && has(&self->watched, text_of(header->value));
}

/* Takes the oldest `most` away, and more of them while those left have more than `most_bytes`. With the mutex held. */
static Item *take_oldest(Source *self, size_t most, size_t most_bytes)
{
    Item *first = self->first, *last = NULL;
    for (; self->first && (most || self->bytes > most_bytes); most -= most > 0) {
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
    Item *oldest = take_oldest(self, self->count / 5 + 1, self->max_bytes);
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
        Item *item = item_of(event, forms, self->max_bytes);
        pthread_mutex_lock(&self->mutex);
        Item *refused = append(self, item);
        pthread_mutex_unlock(&self->mutex);
        free_items(refused);
    }
}

/* Source(names, event_class, max_count, max_bytes): the names of all types by number, of which the last is ALL; what
   stands for single events; what the queue holds.
   It is bound to ALL from the start: to look at an event that nobody wants costs less than to bind and unbind types. */
static PyObject *source_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords))
{
    Py_ssize_t max_count, max_bytes;
    PyObject *names, *event_class;
    if (!PyArg_ParseTuple(arguments, "O!Onn", &PyTuple_Type, &names, &event_class, &max_count, &max_bytes) ||
        !find_functions()) {
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
    Py_INCREF(names);
    self->names = names;
    Py_INCREF(event_class);
    self->event_class = event_class;
    self->types = (int)PyTuple_Size(names);
    self->max_count = (size_t)max_count;
    self->max_bytes = (size_t)max_bytes;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->come, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int failed;
    Py_BEGIN_ALLOW_THREADS
    failed = fs.bind("mod_erlang_py", self->types - 1, NULL, on_event, self, &self->node);
    Py_END_ALLOW_THREADS
    if (failed) {
        PyErr_SetString(PyExc_OSError, "switch_event_bind_removable refused");
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* The mutex, for a thread that has the GIL: it lets go of it while another has the mutex, who may not run just now; and
   of the mutex again before it waits for the GIL. */
static void lock(Source *self)
{
    while (pthread_mutex_trylock(&self->mutex)) {
        Py_BEGIN_ALLOW_THREADS
        pthread_mutex_lock(&self->mutex);
        pthread_mutex_unlock(&self->mutex);
        Py_END_ALLOW_THREADS
    }
}

/* close(): what is called later does nothing. */
static PyObject *source_close(Source *self, PyObject *Py_UNUSED(nothing))
{
    lock(self);
    self->closed = 1;
    void *node = self->node;
    self->node = NULL;
    Item *left = take_oldest(self, self->count, SIZE_MAX);
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
    tdestroy(self->subclasses, free);
    tdestroy(self->watched, free);
    Py_XDECREF(self->names);
    Py_XDECREF(self->event_class);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* 0 with an error when it is no bytes. */
static int read_bytes(PyObject *given, Text *text)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(given, &bytes, &size) < 0) {
        return 0;
    }
    *text = (Text){bytes, (size_t)size};
    return 1;
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
    void *set = NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(subclasses); i++) {
        Text subclass;
        if (!read_bytes(PyList_GetItem(subclasses, i), &subclass) || !(add(&set, subclass) || PyErr_NoMemory())) {
            tdestroy(set, free);
            return NULL;
        }
    }
    lock(self);
    memcpy(self->wanted, types, (size_t)count);
    void *before = self->subclasses;
    self->subclasses = set;
    self->forms = forms;
    pthread_mutex_unlock(&self->mutex);
    tdestroy(before, free);
    Py_RETURN_NONE;
}

static PyObject *source_watch(Source *self, PyObject *given)
{
    Text uuid;
    if (!read_bytes(given, &uuid)) {
        return NULL;
    }
    lock(self);
    const int added = add(&self->watched, uuid);
    pthread_mutex_unlock(&self->mutex);
    if (!added) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

static PyObject *source_unwatch(Source *self, PyObject *given)
{
    Text uuid;
    if (!read_bytes(given, &uuid)) {
        return NULL;
    }
    lock(self);
    take_away(&self->watched, uuid);
    pthread_mutex_unlock(&self->mutex);
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

/* Whether a call of theirs is watched: such an event is in a batch of its own. With the mutex held. */
static int is_watched(Source *self, const Item *item)
{
    Text uuid = {NULL, 0};
    if (self->watched) {
        pairs_of(item, &uuid);
    }
    return uuid.bytes && has(&self->watched, uuid);
}

static int same_way(const Item *one, const Item *other)
{
    return one->type == other->type && one->subclass.size == other->subclass.size &&
           (!one->subclass.size || !memcmp(one->subclass.bytes, other->subclass.bytes, one->subclass.size));
}

/* Cuts a batch off the items' beginning; the rest. With the mutex held, since it looks at what is watched. */
static Item *cut_batch(Source *self, Item *items, size_t *count)
{
    Item *last = items;
    *count = 1;
    if (!is_watched(self, items)) {
        for (; last->next && same_way(items, last->next) && !is_watched(self, last->next); last = last->next) {
            ++*count;
        }
    }
    Item *rest = last->next;
    last->next = NULL;
    return rest;
}

/* take(timeout, most): a list of Batch. */
static PyObject *source_take(Source *self, PyObject *arguments)
{
    const State *state = PyType_GetModuleState(Py_TYPE(self));
    double timeout;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(arguments, "dn", &timeout, &most)) {
        return NULL;
    }
    lock(self);
    if (!self->first && !self->woken && !self->closed && timeout > 0) {
        pthread_mutex_unlock(&self->mutex);
        Py_BEGIN_ALLOW_THREADS
        wait_for_events(self, timeout);
        Py_END_ALLOW_THREADS
        lock(self);
    }
    Item *items = self->woken || most <= 0 ? NULL : take_oldest(self, (size_t)most, SIZE_MAX);
    self->woken = 0;
    pthread_mutex_unlock(&self->mutex);
    PyObject *batches = PyList_New(0);
    while (batches && items) {
        size_t count;
        lock(self);
        Item *rest = cut_batch(self, items, &count);
        pthread_mutex_unlock(&self->mutex);
        PyObject *name = PyTuple_GetItem(self->names, items->type);
        PyObject *batch = new_batch(state->batch_type, items, (Py_ssize_t)count, name, self->event_class);
        if (!batch || PyList_Append(batches, batch) < 0) {
            Py_CLEAR(batches);
        }
        Py_XDECREF(batch);
        items = rest;
    }
    free_items(items);
    return batches;
}

/* lost(): since the last call. */
static PyObject *source_lost(Source *self, PyObject *Py_UNUSED(nothing))
{
    lock(self);
    const unsigned long long lost = self->lost;
    self->lost = 0;
    pthread_mutex_unlock(&self->mutex);
    return PyLong_FromUnsignedLongLong(lost);
}

static PyObject *source_wake(Source *self, PyObject *Py_UNUSED(nothing))
{
    lock(self);
    self->woken = 1;
    pthread_cond_signal(&self->come);
    pthread_mutex_unlock(&self->mutex);
    Py_RETURN_NONE;
}

static PyType_Slot source_slots[] = {
    {Py_tp_doc, "Most of the EventSource of switch/port; compiled.py has the rest."},
    {Py_tp_new, source_new},
    {Py_tp_dealloc, source_dealloc},
    {Py_tp_methods,
     (PyMethodDef[]){
         {"want", (PyCFunction)source_want, METH_VARARGS, NULL},
         {"watch", (PyCFunction)source_watch, METH_O, NULL},
         {"unwatch", (PyCFunction)source_unwatch, METH_O, NULL},
         {"take", (PyCFunction)source_take, METH_VARARGS, NULL},
         {"lost", (PyCFunction)source_lost, METH_NOARGS, NULL},
         {"wake", (PyCFunction)source_wake, METH_NOARGS, NULL},
         {"close", (PyCFunction)source_close, METH_NOARGS, NULL},
         {NULL, NULL, 0, NULL},
     }},
    {0, NULL},
};

static PyType_Spec source_spec = {PACKAGE "Source", sizeof(Source), 0, Py_TPFLAGS_DEFAULT, source_slots};

/* --- 3. the module ----------------------------------------------------------------------------------------------- */

/* read(address, name, event_class, forms): a switch_event_t of that type, read as on_event() reads it: a Batch. */
static PyObject *module_read(PyObject *module, PyObject *arguments)
{
    const State *state = PyModule_GetState(module);
    unsigned long long address;
    PyObject *name, *event_class;
    unsigned forms;
    if (!PyArg_ParseTuple(arguments, "KUOI", &address, &name, &event_class, &forms) || !find_functions()) {
        return NULL;
    }
    Item *item = item_of((fs_event *)(uintptr_t)address, forms, UINT32_MAX);
    return item ? new_batch(state->batch_type, item, 1, name, event_class) : PyErr_NoMemory();
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
    state->batch_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &batch_spec, NULL);
    PyObject *source_type = PyType_FromModuleAndSpec(module, &source_spec, NULL);
    const int failed = !state->batch_type || PyModule_AddType(module, state->batch_type) < 0 || !source_type ||
                       PyModule_AddType(module, (PyTypeObject *)source_type) < 0;
    Py_XDECREF(source_type);
    return failed ? -1 : PyModule_AddStringConstant(module, "SOURCE", SOURCE);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

/* The module is imported anew with each start of the node (erlang_py.py), and the one before goes. */
static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->batch_type);
    Py_VISIT(state->forms[STRING]);
    Py_VISIT(state->forms[BINARY]);
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->batch_type);
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
