/* The loop of erlang_py_events.py for scripts/bench.py, which compiles it where there is a C compiler: it fires at exact
 * times and takes nothing of the Python interpreter, whose users it is to measure. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

typedef struct switch_event switch_event_t;
int switch_event_dup(switch_event_t **event, switch_event_t *copied);
int switch_event_add_header_string(switch_event_t *event, int stack, const char *name, const char *value);
int switch_event_fire_detailed(const char *file, const char *function, int line, switch_event_t **event, void *data);

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* rate: events a second, 0 for no limit. */
void bench_fire(switch_event_t *copied, long count, long rate)
{
	long long began = nanoseconds(CLOCK_MONOTONIC);
	for (long number = 1; number <= count; number++) {
		switch_event_t *event = NULL;
		char text[32];
		if (rate > 0) {
			long long due = began + number * 1000000000LL / rate;
			struct timespec until = { due / 1000000000LL, due % 1000000000LL };
			while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR);
		}
		switch_event_dup(&event, copied);
		snprintf(text, sizeof(text), "%ld", number);
		switch_event_add_header_string(event, 0, "Number", text);
		snprintf(text, sizeof(text), "%lld", nanoseconds(CLOCK_REALTIME));
		switch_event_add_header_string(event, 0, "Sent", text);
		switch_event_fire_detailed("bench", "fire", 0, &event, NULL);
	}
}
