/*
 * The baseline of "./bench.sh kernel": captures, closes and restores connections in place, as connection.h does it.
 *
 *     pass LISTEN_ADDRESS COUNT QUEUE_BYTES [second-thread]
 *
 * Makes COUNT connections over loopback and prints "ready". Each line on standard input, "FIRST COUNT", is a turn: it passes so many of them once, one after the
 * other, and prints the nanoseconds that it took, and those of processor time.
 * The gate's table (inet tcpcp) must be there. With "second-thread" another thread sleeps meanwhile: a process that has one shares its descriptor table, and the
 * kernel then counts the references to a file in every system call, as for every program with threads.
 */
#define _GNU_SOURCE
#include "connection.h"

#include <pthread.h>

enum { PEER_RECEIVE_BUFFER = 4096 };

static void make_connection(int listener, const struct sockaddr_in *address, int queue_bytes, int *own, int *peer)
{
    *peer = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (queue_bytes > 0)
        set(*peer, SOL_SOCKET, SO_RCVBUF, PEER_RECEIVE_BUFFER);
    MUST(connect(*peer, (const struct sockaddr *)address, sizeof *address));
    *own = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

static void fill_queues(int own, int peer, int queue_bytes)
{
    static const char zeroes[1 << 20];
    struct timespec pause = { .tv_nsec = 100000 };
    send_all(peer, zeroes, queue_bytes);
    while (length_of(own, SIOCINQ) < queue_bytes)
        nanosleep(&pause, NULL);
    send_all(own, zeroes, queue_bytes);
    for (int quiet = 0; quiet < 2; quiet++) { /* until what the peer takes no longer changes the length */
        int missing = queue_bytes - length_of(own, SIOCOUTQ);
        if (missing > 0)
            send_all(own, zeroes, missing), quiet = 0;
        nanosleep(&pause, NULL);
    }
}

static void *sleep_for_ever(void *unused)
{
    for (;;)
        pause();
    return unused;
}

int main(int count_of_arguments, char **arguments)
{
    int second_thread = count_of_arguments == 5 && strcmp(arguments[4], "second-thread") == 0;
    if (count_of_arguments != 4 && !second_thread)
        fail("usage: pass LISTEN_ADDRESS COUNT QUEUE_BYTES [second-thread]");
    pthread_t thread;
    if (second_thread && pthread_create(&thread, NULL, sleep_for_ever, NULL) != 0)
        fail("no second thread");
    int count = atoi(arguments[2]), queue_bytes = atoi(arguments[3]);
    open_gate();

    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    int listener = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1)
        fail("not an IPv4 address");
    set(listener, SOL_SOCKET, SO_REUSEADDR, 1); /* as servers do; connections inherit it */
    MUST(bind(listener, (struct sockaddr *)&address, sizeof address));
    MUST(listen(listener, 128));
    MUST(getsockname(listener, (struct sockaddr *)&address, &length));

    int *own = calloc(count, sizeof *own), *peer = calloc(count, sizeof *peer);
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    snapshot->unread_bytes = malloc(queue_bytes + 1);
    snapshot->unacknowledged_bytes = malloc(queue_bytes + 1);
    for (int i = 0; i < count; i++) {
        make_connection(listener, &address, queue_bytes, &own[i], &peer[i]);
        if (queue_bytes > 0)
            fill_queues(own[i], peer[i], queue_bytes);
    }

    puts("ready");
    fflush(stdout);
    int first, turn;
    while (scanf("%d %d", &first, &turn) == 2) {
        if (first < 0 || turn < 0 || first + turn > count)
            fail("there are not so many connections");
        long long start = nanoseconds(CLOCK_MONOTONIC), processor_start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = first; i < first + turn; i++) {
            freeze(own[i], snapshot);
            if (snapshot->unacknowledged != snapshot->unsent)
                fail("data in flight, which is not measured here");
            capture(own[i], snapshot);
            release(own[i]);
            own[i] = restore(snapshot);
            activate(own[i], snapshot);
        }
        printf("%lld %lld\n", nanoseconds(CLOCK_MONOTONIC) - start, nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - processor_start);
        fflush(stdout);
    }
    return 0;
}
