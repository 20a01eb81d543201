/* What `make bench` and the tests have FreeSWITCH do, from a thread of bench_inside.py: it fires events and writes log
 * lines, at exact times, and takes nothing of the Python interpreter, whose users it is to measure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NANOSECONDS 1000000000LL
#define CUSTOM 0
#define BOTTOM 1
#define OWN_HEADERS 14 /* those that FreeSWITCH gives an event itself; with a subclass */
#define LOG_CHANNEL 0
#define LOG_DEBUG 7

typedef struct switch_event switch_event_t;
int switch_name_event(const char *name, int *type);
int switch_event_create_subclass_detailed(const char *file, const char *function, int line, switch_event_t **event,
                                          int type, const char *subclass);
int switch_event_dup(switch_event_t **event, switch_event_t *copied);
int switch_event_add_header_string(switch_event_t *event, int stack, const char *name, const char *value);
int switch_event_fire_detailed(const char *file, const char *function, int line, switch_event_t **event, void *data);
void switch_event_destroy(switch_event_t **event);
void switch_log_printf(int channel, const char *file, const char *function, int line, const char *user_data, int level,
                       const char *format, ...);

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

/* rate: a second, 0 for no limit. */
static void wait_for_turn(long long began, long number, long rate)
{
	long long due;
	struct timespec until;

	if (rate <= 0) return;
	due = began + number * NANOSECONDS / rate;
	until.tv_sec = due / NANOSECONDS;
	until.tv_nsec = due % NANOSECONDS;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR);
}

/* All are copies of one, so that firing costs little. subclass, uuid: "-" for none. */
void bench_fire(const char *name, const char *subclass, const char *uuid, long count, long rate, long headers)
{
	long long began = nanoseconds(CLOCK_MONOTONIC);
	switch_event_t *template = NULL;
	int type = CUSTOM, subclassed = strcmp(subclass, "-") != 0, has_uuid = strcmp(uuid, "-") != 0;
	char key[64], text[64];

	switch_name_event(name, &type);
	switch_event_create_subclass_detailed("bench", "fire", 0, &template, type, subclassed ? subclass : NULL);
	if (has_uuid) switch_event_add_header_string(template, BOTTOM, "Unique-ID", uuid);
	for (long number = 0; number < headers - OWN_HEADERS + !subclassed - has_uuid - 2; number++) {
		snprintf(key, sizeof(key), "variable_bench_header_%ld", number);
		snprintf(text, sizeof(text), number % 3 ? "sip:%ld@127.0.0.1:5060;transport=udp" : "a value, number %ld", number);
		switch_event_add_header_string(template, BOTTOM, key, text);
	}
	for (long number = 1; number <= count; number++) {
		switch_event_t *event = NULL;
		wait_for_turn(began, number, rate);
		switch_event_dup(&event, template);
		snprintf(text, sizeof(text), "%ld", number);
		switch_event_add_header_string(event, BOTTOM, "Number", text);
		snprintf(text, sizeof(text), "%lld", nanoseconds(CLOCK_REALTIME));
		switch_event_add_header_string(event, BOTTOM, "Sent", text);
		switch_event_fire_detailed("bench", "fire", 0, &event, NULL);
	}
	switch_event_destroy(&template);
}

void bench_log(long count, long rate)
{
	long long began = nanoseconds(CLOCK_MONOTONIC);
	for (long number = 1; number <= count; number++) {
		wait_for_turn(began, number, rate);
		switch_log_printf(LOG_CHANNEL, "bench.c", "bench_log", 1, NULL, LOG_DEBUG, "bench line %ld of %ld\n", number, count);
	}
}
