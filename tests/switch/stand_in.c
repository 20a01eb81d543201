/* What _compiled.c needs of libfreeswitch, and what its tests do: so the compiled event source can be tried without a
 * FreeSWITCH, under sanitizers that none could be run under. Events are delivered by whoever fires them, with the
 * bindings locked as the switch has them locked. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct header {
	char *name, *value, **array;
	int idx;
	unsigned long hash;
	struct header *next;
} header_t;

typedef struct {
	int event_id, priority;
	char *owner, *subclass_name;
	header_t *headers, *last_header;
	char *body;
	void *bind_user_data;
} event_t;

typedef struct node {
	void (*callback)(event_t *);
	void *user_data;
	struct node *next;
} node_t;

static pthread_rwlock_t bindings = PTHREAD_RWLOCK_INITIALIZER;
static node_t *nodes;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static int sequence;

int switch_event_bind_removable(const char *id, int event, const char *subclass, void (*callback)(event_t *),
								void *user_data, node_t **bound)
{
	node_t *node = malloc(sizeof(*node));
	(void)id, (void)event, (void)subclass;
	*node = (node_t){ callback, user_data, NULL };
	pthread_rwlock_wrlock(&bindings);
	node->next = nodes;
	nodes = node;
	pthread_rwlock_unlock(&bindings);
	*bound = node;
	return 0;
}

int switch_event_unbind(node_t **bound)
{
	node_t **place = &nodes;
	pthread_rwlock_wrlock(&bindings);
	while (*place != *bound) {
		place = &(*place)->next;
	}
	*place = (*bound)->next;
	pthread_rwlock_unlock(&bindings);
	free(*bound);
	*bound = NULL;
	return 0;
}

static void add(event_t *event, const char *name, const char *value)
{
	header_t *header = calloc(1, sizeof(*header));
	header->name = strdup(name);
	header->value = strdup(value);
	if (event->last_header) {
		event->last_header->next = header;
	} else {
		event->headers = header;
	}
	event->last_header = header;
}

static event_t *create(int event_id, const char *subclass)
{
	event_t *event = calloc(1, sizeof(*event));
	event->event_id = event_id;
	if (subclass) {
		event->subclass_name = strdup(subclass);
		add(event, "Event-Subclass", subclass);
	}
	return event;
}

int switch_event_dup(event_t **copy, event_t *event)
{
	*copy = create(event->event_id, event->subclass_name);
	for (header_t *header = event->headers; header; header = header->next) {
		if (!event->subclass_name || strcmp(header->name, "Event-Subclass")) {
			add(*copy, header->name, header->value);
		}
	}
	if (event->body) {
		(*copy)->body = strdup(event->body);
	}
	return 0;
}

void switch_event_destroy(event_t **event)
{
	header_t *header = (*event)->headers;
	while (header) {
		header_t *next = header->next;
		for (int i = 0; i < header->idx; i++) {
			free(header->array[i]);
		}
		free(header->array);
		free(header->name);
		free(header->value);
		free(header);
		header = next;
	}
	free((*event)->subclass_name);
	free((*event)->body);
	free(*event);
	*event = NULL;
}

/* Only of the first header of an event, or of one more: enough to have arrays that a copy has otherwise. */
void stand_in_add_array(event_t *event, const char *name, const char *value, const char *first, const char *second)
{
	add(event, name, value);
	header_t *header = event->last_header;
	header->idx = 2;
	header->array = malloc(2 * sizeof(*header->array));
	header->array[0] = strdup(first);
	header->array[1] = strdup(second);
}

event_t *stand_in_create(int event_id, const char *name, const char *subclass)
{
	char number[16];
	event_t *event = create(event_id, subclass);
	pthread_mutex_lock(&counting);
	snprintf(number, sizeof(number), "%d", ++sequence);
	pthread_mutex_unlock(&counting);
	add(event, "Event-Name", name);
	add(event, "Event-Sequence", number);
	return event;
}

void stand_in_add(event_t *event, const char *name, const char *value)
{
	if (*value) {
		add(event, name, value);
	}
}

void stand_in_set_body(event_t *event, const char *body)
{
	event->body = strdup(body);
}

static void deliver(event_t *event)
{
	pthread_rwlock_rdlock(&bindings);
	for (node_t *node = nodes; node; node = node->next) {
		event->bind_user_data = node->user_data;
		node->callback(event);
	}
	pthread_rwlock_unlock(&bindings);
}

void stand_in_fire(event_t *event)
{
	deliver(event);
	switch_event_destroy(&event);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The same event again and again, for so many seconds; the longest that one of them took. */
double stand_in_fire_for(event_t *event, double seconds)
{
	const double until = now() + seconds;
	double longest = 0;
	for (double began = now(), ended; began < until; began = ended) {
		deliver(event);
		ended = now();
		longest = ended - began > longest ? ended - began : longest;
	}
	switch_event_destroy(&event);
	return longest;
}
