/* What _compiled.c does with events where no Python is needed.

   1. what is read of FreeSWITCH        no header of it is needed, and nothing is linked
   2. a view of an event                as all others see it
   3. encoding                          the terms of etf/event.py, byte for byte
   4. items                             an encoded event, and how its headers are looked up in it
   5. sets of texts */

#include <dlfcn.h>
#include <search.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* The name of one that this process lacks, which is no FreeSWITCH then; NULL when it has them all. */
static const char *missing_function(void)
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
            return wanted[i].name;
        }
        if (memcmp(wanted[i].place, &found, sizeof found)) { /* once: other threads call it, without the GIL */
            memcpy(wanted[i].place, &found, sizeof found);
        }
    }
    return NULL;
}

/* --- 2. a view of an event --------------------------------------------------------------------------------------- */

typedef struct {
    const char *bytes; /* NULL: there is none */
    size_t size;
} Text;

typedef struct {
    Text name, value, decoded; /* decoded: the value without its URL-encoding */
} Header;

typedef struct block {
    struct block *next;
    char bytes[];
} Block;

/* An event, seen as a copy of it is: by switch_event_dup, which all others who take events make first. It puts the
   subclass before all other headers, and makes arrays anew. */
typedef struct {
    Text uuid, body;
    Header *headers, few[128];
    size_t count, room;
    size_t bytes; /* no form of it is longer */
    int altered;  /* whether some value is not what its decoding is */
    int failed;   /* for want of memory */
    Block *blocks; /* texts that were made for it */
} View;

enum { LONGEST = 65535 }; /* of a STRING_EXT */

static Text text_of(const char *string)
{
    return (Text){string, string ? strlen(string) : 0};
}

static void open_view(View *view)
{
    memset(view, 0, offsetof(View, few));
    memset(&view->count, 0, sizeof *view - offsetof(View, count));
    view->headers = view->few;
    view->room = sizeof view->few / sizeof *view->few;
    view->bytes = 64; /* what is not of a header */
}

static void close_view(View *view)
{
    while (view->blocks) {
        Block *next = view->blocks->next;
        free(view->blocks);
        view->blocks = next;
    }
    if (view->headers != view->few) {
        free(view->headers);
    }
}

/* Room for a text, as long as the view is open; NULL when there is no memory. */
static char *make_text(View *view, size_t size)
{
    Block *block = malloc(sizeof *block + size + 1);
    if (!block) {
        view->failed = 1;
        return NULL;
    }
    block->next = view->blocks;
    view->blocks = block;
    return block->bytes;
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
static Text url_decoded(View *view, Text text)
{
    const char *at = text.bytes, *end = at + text.size;
    char *made, *to = made = make_text(view, text.size);
    while (to && at < end) {
        const int number = *at == '%' && end - at > 2 ? escape(at + 1, end) : -1;
        if (number == 0) {
            break;
        }
        *to++ = number < 0 ? *at : (char)number;
        at += number < 0 ? 1 : 3;
    }
    return (Text){made, (size_t)(to - made)};
}

static size_t encoded_size(Text text)
{
    return 6 + (text.size > LONGEST ? 2 : 1) * text.size;
}

static void add_header(View *view, Text name, Text value)
{
    if (view->count == view->room) {
        Header *more = malloc(2 * view->room * sizeof *more);
        if (!more) {
            view->failed = 1;
            return;
        }
        memcpy(more, view->headers, view->count * sizeof *more);
        if (view->headers != view->few) {
            free(view->headers);
        }
        view->headers = more;
        view->room *= 2;
    }
    Header *header = &view->headers[view->count++];
    *header = (Header){name, value, value};
    if (memchr(value.bytes, '%', value.size)) {
        header->decoded = url_decoded(view, value);
        view->altered |= header->decoded.size != value.size;
    }
    view->bytes += 2 + encoded_size(name) + encoded_size(value);
}

/* The value of an array as a copy has it: the original's lacks what was changed in the array since. */
static Text joined(View *view, const fs_header *header)
{
    size_t size = 7;
    for (int i = 0; i < header->idx; i++) {
        size += 2 + text_of(header->array[i]).size;
    }
    char *made, *to = made = make_text(view, size);
    if (!made) {
        return (Text){"", 0};
    }
    if (header->idx > 1) {
        to = mempcpy(to, "ARRAY::", 7);
    }
    for (int i = 0; i < header->idx; i++) {
        const Text one = text_of(header->array[i]);
        to = i ? mempcpy(to, "|:", 2) : to;
        to = one.size ? mempcpy(to, one.bytes, one.size) : to;
    }
    return (Text){made, (size_t)(to - made)};
}

/* Whether a copy has this array with other elements, which is not worth to be imitated: it loses those at the beginning
   that are empty, takes one apart that looks like an array itself, and joins it to an earlier header of its name. */
static int differs_in_copy(const fs_event *event, const fs_header *array)
{
    const char *first = array->array[0];
    if (!first || !*first || !strncmp(first, "ARRAY::", 7)) {
        return 1;
    }
    for (const fs_header *other = event->headers; other != array; other = other->next) {
        if (!strcasecmp(other->name, array->name)) {
            return 1;
        }
    }
    return 0;
}

static int is_unique_id(const fs_header *header)
{
    return (*header->name | 32) == 'u' && !strcasecmp(header->name, "Unique-ID"); /* the first letter tells nearly all */
}

/* 0 when a copy is to be looked at instead, and this is none. */
static int view_event(View *view, const fs_event *event, int is_copy)
{
    open_view(view);
    if (event->subclass_name && *event->subclass_name) {
        add_header(view, text_of("Event-Subclass"), text_of(event->subclass_name));
    }
    for (const fs_header *header = event->headers; header; header = header->next) {
        if (event->subclass_name && *header->name == 'E' && !strcmp(header->name, "Event-Subclass")) {
            continue;
        }
        if (header->idx && !is_copy && differs_in_copy(event, header)) {
            return 0;
        }
        const Text value = header->idx ? joined(view, header) : text_of(header->value);
        if (!view->uuid.bytes && is_unique_id(header)) {
            view->uuid = value;
        }
        if (value.bytes) {
            add_header(view, text_of(header->name), value);
        }
    }
    view->body = text_of(event->body);
    view->bytes += encoded_size(view->uuid) + encoded_size(view->body);
    return 1;
}

/* --- 3. encoding ------------------------------------------------------------------------------------------------- */

/* The first two are the members of switch/port's Form. PLAIN is BINARY without the URL-decoding of values: what is kept
   of an event when neither of the others has its values as they are. */
enum { STRING, BINARY, PLAIN, FORMS };

static const char UNDEFINED[] = {119, 9, 'u', 'n', 'd', 'e', 'f', 'i', 'n', 'e', 'd'};

static char *store_number(char *to, size_t number, int size)
{
    for (int i = size; i--; number >>= 8) {
        to[i] = (char)number;
    }
    return to + size;
}

static size_t load_number(const char *from, int size)
{
    size_t number = 0;
    while (size--) {
        number = number << 8 | (unsigned char)*from++;
    }
    return number;
}

static char *store_text(char *to, int form, Text text)
{
    if (form != STRING) {
        *to = 'm'; /* BINARY_EXT */
        to = store_number(to + 1, text.size, 4);
    } else if (text.size == 0) {
        *to++ = 'j'; /* NIL_EXT */
    } else if (text.size <= LONGEST) {
        *to = 'k'; /* STRING_EXT */
        to = store_number(to + 1, text.size, 2);
    } else { /* LIST_EXT of SMALL_INTEGER_EXT */
        *to = 'l';
        to = store_number(to + 1, text.size, 4);
        for (size_t i = 0; i < text.size; i++) {
            *to++ = 'a';
            *to++ = text.bytes[i];
        }
        *to++ = 'j';
        return to;
    }
    return text.size ? mempcpy(to, text.bytes, text.size) : to;
}

/* What store_text() stored, but for a text in STRING that is over LONGEST. */
static Text load_text(const char **at)
{
    const char tag = *(*at)++;
    const int width = tag == 'm' ? 4 : tag == 'k' ? 2 : 0;
    const Text text = {*at + width, load_number(*at, width)};
    *at += (size_t)width + text.size;
    return text;
}

static char *store_pair(char *to, int form, Text name, Text value)
{
    *to++ = 'h'; /* SMALL_TUPLE_EXT */
    *to++ = 2;
    return store_text(store_text(to, form, name), form, value);
}

/* `[UUID | Headers]`, as EventEncoder.headers makes it. Returns its end; view->bytes are enough. */
static char *encode(char *to, const View *view, int form)
{
    *to = 'l'; /* LIST_EXT */
    to = store_number(to + 1, 1 + view->count + (view->body.bytes != NULL), 4);
    to = view->uuid.bytes ? store_text(to, form, view->uuid) : mempcpy(to, UNDEFINED, sizeof UNDEFINED);
    for (size_t i = 0; i < view->count; i++) {
        const Header *header = &view->headers[i];
        to = store_pair(to, form, header->name, form == PLAIN ? header->value : header->decoded);
    }
    if (view->body.bytes) {
        to = store_pair(to, form, (Text){"body", 4}, view->body);
    }
    *to++ = 'j';
    return to;
}

/* --- 4. items ---------------------------------------------------------------------------------------------------- */

/* An encoded event: one block of memory, which begins with this. */
typedef struct item {
    struct item *next;
    size_t size; /* of what of its block is in use */
    int type;    /* event_id */
    int kept;    /* the form in which its headers are looked up: their values are as they were */
    int has_body;
    uint32_t count;       /* of headers */
    Text subclass;        /* within the block, as all that follows */
    Text encoded[FORMS];
} Item;

/* The event in these forms, a bit for each; NULL when there is no memory, or it might need more than `most` bytes. */
static Item *new_item(const View *view, const fs_event *event, unsigned forms, size_t most)
{
    const int readable = !view->altered && view->bytes <= LONGEST; /* else some text may be a list */
    int kept = PLAIN, count = 0;
    for (int form = PLAIN; form-- > 0;) {
        if (forms >> form & 1) {
            count++;
            kept = readable || (form == BINARY && !view->altered) ? form : kept;
        }
    }
    count += kept == PLAIN;
    const Text subclass = event->event_id == FS_CUSTOM ? text_of(event->subclass_name) : (Text){NULL, 0};
    const size_t room = sizeof(Item) + subclass.size + (size_t)count * view->bytes;
    Item *item = view->failed || room > most ? NULL : malloc(room);
    if (!item) {
        return NULL;
    }
    *item = (Item){.type = event->event_id, .kept = kept, .has_body = view->body.bytes != NULL,
                   .count = (uint32_t)view->count};
    char *at = (char *)(item + 1);
    if (subclass.bytes) {
        item->subclass = (Text){at, subclass.size};
        at = mempcpy(at, subclass.bytes, subclass.size);
    }
    for (int form = 0; form < FORMS; form++) {
        if (form == PLAIN ? kept == PLAIN : forms >> form & 1) {
            char *end = encode(at, view, form);
            item->encoded[form] = (Text){at, (size_t)(end - at)};
            at = end;
        }
    }
    item->size = (size_t)(at - (char *)item);
    return item;
}

/* most: bytes, UINT32_MAX at most: then no length in it is over four bytes. */
static Item *item_of(fs_event *event, unsigned forms, size_t most)
{
    View view;
    fs_event *copy = NULL;
    Item *item = NULL;
    if (view_event(&view, event, 0)) {
        item = new_item(&view, event, forms, most);
    } else if (!fs.dup(&copy, event)) {
        close_view(&view);
        view_event(&view, copy, 1);
        item = new_item(&view, copy, forms, most);
    }
    close_view(&view);
    if (copy) {
        fs.destroy(&copy);
    }
    return item;
}

/* Headers one after the other, as they were. */
typedef struct {
    const char *at;
    uint32_t left;
} Pairs;

static Pairs pairs_of(const Item *item, Text *uuid)
{
    const char *at = item->encoded[item->kept].bytes + 5;
    if (*at == UNDEFINED[0]) {
        *uuid = (Text){NULL, 0};
        at += sizeof UNDEFINED;
    } else {
        *uuid = load_text(&at);
    }
    return (Pairs){at, item->count};
}

/* 0 when there is none any more. */
static int next_pair(Pairs *pairs, Text *name, Text *value)
{
    if (!pairs->left) {
        return 0;
    }
    pairs->left--;
    pairs->at += 2;
    *name = load_text(&pairs->at);
    *value = load_text(&pairs->at);
    return 1;
}

static Text find(const Item *item, Text wanted)
{
    Text uuid, name, value;
    Pairs pairs = pairs_of(item, &uuid);
    while (next_pair(&pairs, &name, &value)) {
        if (name.size == wanted.size && !strncasecmp(name.bytes, wanted.bytes, name.size)) {
            return value;
        }
    }
    return (Text){NULL, 0};
}

/* It is encoded as one more header, the last. */
static Text body_of(const Item *item)
{
    Text uuid, name, body = {NULL, 0};
    Pairs pairs = pairs_of(item, &uuid);
    pairs.left += item->has_body != 0;
    while (item->has_body && next_pair(&pairs, &name, &body)) {
    }
    return body;
}

static void view_item(View *view, const Item *item)
{
    Text name, value;
    open_view(view);
    Pairs pairs = pairs_of(item, &view->uuid);
    while (next_pair(&pairs, &name, &value)) {
        add_header(view, name, value);
    }
    view->body = body_of(item);
    view->bytes += encoded_size(view->uuid) + encoded_size(view->body);
}

static void free_items(Item *item)
{
    while (item) {
        Item *next = item->next;
        free(item);
        item = next;
    }
}

/* --- 5. sets of texts: search.h's trees, which no choice of texts makes slow --------------------------------------- */

/* By size first: of what is looked for, and of what is there. */
static int compare(const void *one, const void *other)
{
    const Text *a = one, *b = other;
    return a->size != b->size ? (a->size < b->size ? -1 : 1) : memcmp(a->bytes, b->bytes, a->size);
}

static int has(void *const *set, Text text)
{
    return tfind(&text, set, compare) != NULL;
}

/* 0 when there is no memory. */
static int add(void **set, Text text)
{
    Text *copy = malloc(sizeof *copy + text.size);
    if (!copy) {
        return 0;
    }
    *copy = (Text){memcpy(copy + 1, text.bytes, text.size), text.size};
    Text *const *place = tsearch(copy, set, compare);
    if (!place || *place != copy) {
        free(copy);
    }
    return place != NULL;
}

static void take_away(void **set, Text text)
{
    Text *const *place = tfind(&text, set, compare);
    if (place) {
        Text *found = *place;
        tdelete(found, set, compare);
        free(found);
    }
}
