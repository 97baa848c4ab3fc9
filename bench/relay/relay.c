// The least that a relay does, to see what splice(2) is worth: relay ADDRESS PORT SERVER PORT copy|splice. A thread for each direction; it ends when it is killed.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 64 << 10, PIPE = 1 << 20 };

struct direction {
    int from, to;
};

static bool is_splicing;
static struct sockaddr_in server;

static struct sockaddr_in address_of(const char *host, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        errx(2, "%s is no IPv4 address", host);
    return address;
}

static void copy(int from, int to) {
    char *buffer = malloc(CHUNK);
    ssize_t count;
    while (buffer && (count = read(from, buffer, CHUNK)) > 0)
        for (ssize_t done = 0, written; done < count; done += written)
            if ((written = write(to, buffer + done, (size_t)(count - done))) <= 0) {
                free(buffer);
                return;
            }
    free(buffer);
}

static void splice_all(int from, int to) {
    int ends[2];
    if (pipe(ends) != 0)
        return;
    fcntl(ends[1], F_SETPIPE_SZ, PIPE);
    ssize_t count;
    bool is_open = true;
    while (is_open && (count = splice(from, NULL, ends[1], NULL, PIPE, SPLICE_F_MOVE)) > 0)
        for (ssize_t moved; is_open && count > 0; count -= moved)
            is_open = (moved = splice(ends[0], NULL, to, NULL, (size_t)count, SPLICE_F_MOVE)) > 0;
    close(ends[0]);
    close(ends[1]);
}

static void *carry(void *argument) {
    struct direction *way = argument;
    (is_splicing ? splice_all : copy)(way->from, way->to);
    shutdown(way->to, SHUT_WR);
    shutdown(way->from, SHUT_RD);
    return NULL;
}

static void *serve(void *argument) {
    int client = (int)(intptr_t)argument, one = 1, target = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (target >= 0 && connect(target, (struct sockaddr *)&server, sizeof server) == 0) {
        struct direction up = {client, target}, down = {target, client};
        pthread_t other;
        if (pthread_create(&other, NULL, carry, &up) == 0) {
            carry(&down);
            pthread_join(other, NULL);
        }
    }
    close(target);
    close(client);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 6)
        errx(2, "usage: relay ADDRESS PORT SERVER PORT copy|splice");
    struct sockaddr_in own = address_of(argv[1], argv[2]);
    server = address_of(argv[3], argv[4]);
    is_splicing = strcmp(argv[5], "splice") == 0;
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&own, sizeof own) != 0 || listen(listener, 1024) != 0)
        err(1, "%s:%s", argv[1], argv[2]);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        pthread_t thread;
        if (client < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0)
            pthread_detach(thread);
        else
            close(client);
    }
}
