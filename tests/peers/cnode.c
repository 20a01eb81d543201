/* A C node (erl_interface's ei) that says what it hears, and sends what it is told: see foreign.py.
 *
 *   cnode NAME@HOST COOKIE
 *
 * stdin:  connect NODE     send NAME HEX     to HEX(pid) HEX     end of file: it dies
 * stdout: pid HEX          up NODE           got HEX             signal NUMBER          down          failed WHAT
 *
 * HEX is a term in the external format, its 131 first. It has one link at a time; pid and up come when there is one.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ei.h"

static ei_cnode node;
static int link_fd = -1;

static void hex(const char *word, const ei_x_buff *term) {
    printf("%s ", word);
    for (int i = 0; i < term->index; i++) printf("%02x", (unsigned char)term->buff[i]);
    printf("\n");
}

static void up(const char *name) {
    ei_x_buff term;
    erlang_pid self = *ei_self(&node);
    self.num = link_fd; /* as ei_reg_send has it */
    ei_x_new_with_version(&term);
    ei_x_encode_pid(&term, &self);
    hex("pid", &term);
    ei_x_free(&term);
    printf("up %s\n", name);
}

static void down(void) {
    close(link_fd);
    link_fd = -1;
    printf("down\n");
}

static void receive(void) {
    erlang_msg message;
    ei_x_buff term;
    ei_x_new(&term);
    switch (ei_xreceive_msg(link_fd, &message, &term)) {
    case ERL_TICK: break;
    case ERL_MSG:
        if (message.msgtype == ERL_SEND || message.msgtype == ERL_REG_SEND) hex("got", &term);
        else printf("signal %ld\n", message.msgtype);
        break;
    default: down();
    }
    ei_x_free(&term);
}

static int bytes(const char *text, char *out) {
    int size = strlen(text) / 2;
    for (int i = 0; i < size; i++) {
        unsigned byte;
        sscanf(text + 2 * i, "%2x", &byte);
        out[i] = byte;
    }
    return size;
}

static void obey(char *line) {
    char *word = strtok(line, " \n"), *first = strtok(NULL, " \n"), *second = strtok(NULL, " \n");
    char *term = malloc(strlen(second ? second : "") + 1), pid_term[1024];
    int done = -1;
    if (!strcmp(word, "connect")) {
        done = link_fd = ei_connect(&node, first);
        if (done >= 0) up(first);
    } else if (!strcmp(word, "send")) {
        done = ei_reg_send(&node, link_fd, first, term, bytes(second, term));
    } else if (!strcmp(word, "to")) {
        erlang_pid pid;
        int at = 1; /* behind the 131 */
        bytes(first, pid_term);
        ei_decode_pid(pid_term, &at, &pid);
        done = ei_send(link_fd, &pid, term, bytes(second, term));
    }
    if (done < 0) printf("failed %s\n", word);
    free(term);
}

int main(int count, char **arguments) {
    char alive[256], *line = NULL;
    size_t room = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct in_addr ip = {htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    if (count != 3) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0); /* select and getline see the same */
    ei_init();
    snprintf(alive, sizeof alive, "%.*s", (int)strcspn(arguments[1], "@"), arguments[1]);
    if (ei_connect_xinit(&node, strchr(arguments[1], '@') + 1, alive, arguments[1], &ip, arguments[2], getpid()) < 0 ||
        bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || listen(listening, 5) < 0 ||
        getsockname(listening, (struct sockaddr *)&address, &size) < 0 ||
        ei_publish(&node, ntohs(address.sin_port)) < 0)
        return 1;
    printf("ready\n");
    for (;;) {
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(0, &ready);
        FD_SET(link_fd < 0 ? listening : link_fd, &ready);
        if (select(FD_SETSIZE, &ready, NULL, NULL, NULL) < 0) return 1;
        if (FD_ISSET(0, &ready)) {
            if (getline(&line, &room, stdin) < 0) return 0;
            obey(line);
        } else if (link_fd >= 0) {
            if (FD_ISSET(link_fd, &ready)) receive();
        } else if (FD_ISSET(listening, &ready)) {
            ErlConnect peer;
            link_fd = ei_accept(&node, listening, &peer);
            if (link_fd >= 0) up(peer.nodename);
            else printf("failed accept\n");
        }
    }
}
