/* C nodes that receive events and do not decode them: where an Erlang node's own work would be most of what is measured.
 *
 *   thin NODE COOKIE LINKS COUNT IDLE_MS SUBCLASS
 *
 * LINKS nodes connect to NODE with ei and ask for the CUSTOM events of SUBCLASS as any C node does: register_event_handler,
 * {event, 'CUSTOM', SUBCLASS}. "listening" is printed. From then on frames are read and cut by their lengths; of each that
 * holds an event the headers Number and Sent, its last two, are looked at: an event that is lost or out of order is seen.
 *
 * It ends when each link has the event COUNT, or nothing has come for IDLE_MS, or stdin ends; and prints a line of JSON:
 * what came to all of them, how many of it out of order, the microseconds from when the first was sent until the last
 * came, and those that an event was on its way: p50, p99, the longest. With COUNT 0 it only holds the links until stdin
 * ends.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ei.h"

#define ROOM (1 << 20)
#define FIRST_EVENT_MS 60000
#define TAIL 160 /* of an event: Number and Sent lie in it */

typedef struct {
	ei_cnode node;
	int fd;
	unsigned char *bytes;
	size_t filled;
	long last; /* the number of the last event */
	int done;
} link_t;

static long count, received, room, disordered;
static unsigned *delays; /* microseconds */
static long long first_at, last_at;

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void fail(const char *what)
{
	printf("failed %s\n", what);
	exit(1);
}

static void ask(link_t *link, ei_x_buff *term)
{
	if (ei_reg_send(&link->node, link->fd, "bench", term->buff, term->index) < 0) fail("to send");
	for (;;) {
		erlang_msg message;
		ei_x_buff answer;
		char atom[MAXATOMLEN] = "";
		int got, version, at = 0;
		ei_x_new(&answer);
		got = ei_xreceive_msg_tmo(link->fd, &message, &answer, 20000);
		if (got == ERL_ERROR) fail("to be answered");
		if (got == ERL_MSG && (message.msgtype == ERL_SEND || message.msgtype == ERL_REG_SEND)) {
			ei_decode_version(answer.buff, &at, &version);
			if (ei_decode_atom(answer.buff, &at, atom) < 0 || strcmp(atom, "ok")) fail("to be answered ok");
		}
		ei_x_free(&answer);
		if (*atom) return;
	}
}

static void open_link(link_t *link, int number, char *switch_node, const char *cookie, const char *subclass)
{
	char alive[64], name[128];
	struct in_addr address = {htonl(INADDR_LOOPBACK)};
	ei_x_buff term;

	snprintf(alive, sizeof(alive), "thin%d_%d", (int)getpid(), number);
	snprintf(name, sizeof(name), "%s@localhost", alive);
	if (ei_connect_xinit(&link->node, "localhost", alive, name, &address, cookie, getpid()) < 0) fail("to be a node");
	if ((link->fd = ei_connect(&link->node, switch_node)) < 0) fail("to connect");
	ei_x_new_with_version(&term);
	ei_x_encode_atom(&term, "register_event_handler");
	ask(link, &term);
	ei_x_free(&term);
	ei_x_new_with_version(&term);
	ei_x_encode_tuple_header(&term, 3);
	ei_x_encode_atom(&term, "event");
	ei_x_encode_atom(&term, "CUSTOM");
	ei_x_encode_atom(&term, subclass);
	ask(link, &term);
	ei_x_free(&term);
	link->bytes = malloc(ROOM);
	link->filled = 0;
	link->last = 0;
	link->done = 0;
}

/* The digits of the value of the last header of that name: a list of characters or a binary. -1 where there is none. */
static long long value_of(const unsigned char *tail, size_t size, const char *key)
{
	const size_t length = strlen(key);
	const unsigned char *end = tail + size, *at = end - length;
	long long value = 0;

	while (at >= tail && memcmp(at, key, length)) at--;
	if (at < tail) return -1;
	at += length;
	at += *at == ERL_STRING_EXT ? 3 : 5;
	while (at < end && *at >= '0' && *at <= '9') value = value * 10 + *at++ - '0';
	return value;
}

static void take(link_t *link, const unsigned char *frame, size_t size)
{
	const unsigned char *tail = size > TAIL ? frame + size - TAIL : frame;
	const size_t tail_size = frame + size - tail;
	const long long number = value_of(tail, tail_size, "Number"), sent = value_of(tail, tail_size, "Sent");
	long long delay;

	if (number < 0 || sent < 0 || received == room) return;
	last_at = nanoseconds(CLOCK_REALTIME);
	if (!first_at) first_at = sent;
	delay = (last_at - sent) / 1000;
	delays[received++] = delay > 0 ? delay : 0;
	if (number != link->last + 1) disordered++;
	link->last = number;
	if (number == count) link->done = 1;
}

static void answer_tick(const link_t *link)
{
	if (send(link->fd, "\0\0\0\0", 4, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) fail("to answer a tick");
}

/* Whole frames; what is left of one stays. */
static void cut(link_t *link)
{
	size_t at = 0;
	while (link->filled - at >= 4) {
		const unsigned char *frame = link->bytes + at;
		const size_t size = (size_t)frame[0] << 24 | frame[1] << 16 | frame[2] << 8 | frame[3];
		if (size + 4 > ROOM) fail("by a frame that is too long");
		if (link->filled - at < size + 4) break;
		if (size == 0) answer_tick(link);
		else if (count) take(link, frame + 4, size);
		at += size + 4;
	}
	memmove(link->bytes, link->bytes + at, link->filled - at);
	link->filled -= at;
}

static int by_size(const void *one, const void *other)
{
	const unsigned a = *(const unsigned *)one, b = *(const unsigned *)other;
	return a < b ? -1 : a > b;
}

static unsigned share(double part)
{
	long at = received * part;
	return received ? delays[at < received ? at : received - 1] : 0;
}

int main(int arguments, char **argument)
{
	struct rlimit descriptors;
	struct pollfd *ready;
	link_t *links;
	long number_of_links, left;
	int idle;

	if (arguments != 7) return 2;
	number_of_links = atol(argument[3]);
	count = atol(argument[4]);
	idle = atoi(argument[5]);
	getrlimit(RLIMIT_NOFILE, &descriptors);
	descriptors.rlim_cur = descriptors.rlim_max;
	setrlimit(RLIMIT_NOFILE, &descriptors);
	setvbuf(stdout, NULL, _IOLBF, 0);
	links = calloc(number_of_links, sizeof(*links));
	ready = calloc(number_of_links + 1, sizeof(*ready));
	room = number_of_links * count;
	delays = malloc((room + 1) * sizeof(*delays));
	ei_init();
	ready[0] = (struct pollfd){.fd = 0, .events = POLLIN};
	for (long at = 0; at < number_of_links; at++) {
		open_link(&links[at], at, argument[1], argument[2], argument[6]);
		ready[at + 1] = (struct pollfd){.fd = links[at].fd, .events = POLLIN};
	}
	printf("listening\n");
	left = number_of_links;
	while (left) {
		int found = poll(ready, number_of_links + 1, !count ? -1 : first_at ? idle : FIRST_EVENT_MS);
		if (found == 0 || ready[0].revents) break;
		for (long at = 0; at < number_of_links; at++) {
			link_t *link = &links[at];
			if (ready[at + 1].revents) {
				ssize_t got = recv(link->fd, link->bytes + link->filled, ROOM - link->filled, MSG_DONTWAIT);
				if (got == 0) fail("by a link that went down");
				if (got > 0) link->filled += got;
				cut(link);
				if (link->done == 1) left--, link->done = 2;
			}
		}
	}
	qsort(delays, received, sizeof(*delays), by_size);
	printf("{\"received\": %ld, \"disordered\": %ld, \"microseconds\": %lld, \"p50\": %u, \"p99\": %u, \"longest\": %u}\n",
	       received, disordered, (last_at - first_at) / 1000, share(0.5), share(0.99), share(1));
	return 0;
}
