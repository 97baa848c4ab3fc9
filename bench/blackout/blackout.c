/*
 * The baseline of "./bench.sh blackout": a host's agent and its application, which pass a bulk flow with the same steps as tcpcp's, over a plain TCP connection.
 *
 *     blackout LINK_ADDRESS listen|connect SERVICE_ADDRESS SERVICE_PORT JOURNAL BYTES_PER_SECOND
 *
 * It makes the TAP interface "tcpcphold" and prints "tap". A line on standard input then names what was set up meanwhile: "HOLD_MAP TAP_INDEX FORWARD_MAP INDEX NEXT_HOP",
 * the pinned maps of the packet switches (bpf/packet_switch.c) and where packets are forwarded to; FORWARD_MAP is "-" on the host that is not the home of the address.
 * It prints "ready". Each further line, the number of a pass, passes the flow to the other host; the steps are printed as tcpcp prints them.
 */
#define _GNU_SOURCE
#include "../kernel/connection.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum {
    LINK_PORT = 7901,
    QUEUE_BYTES = 16 << 20,
    CHUNK_BYTES = 128 * 1024,
    LEAST_BYTES = 64 * 1024,
    LONGEST_BURST_MS = 5,
    FRAME_BYTES = 24 + 65536,
    MAX_FRAMES = 4096,
    HARDWARE_ADDRESS_OFFSET = 10, /* behind struct virtio_net_hdr */
};

static const uint64_t STEP = 0x9E3779B97F4A7C15;

/* ---- the application: one end of a flow, on a thread of its own, and the agent's questions on the other ---- */

struct flow {
    uint64_t sent, received;
};

static struct {
    struct flow flow;
    int socket, agent;
    double bytes_per_second;
    atomic_int stopping;
    pthread_t thread;
} application = { .socket = -1 };

/* The words that the bytes of the stream from a place on are in. */
static void fill(uint64_t *words, uint64_t from, uint64_t count)
{
    for (uint64_t i = from / 8, end = (from + count + 7) / 8; i < end; i++)
        *words++ = i * STEP;
}

static int receive_some(char *bytes, uint64_t *words)
{
    int count = recv(application.socket, bytes, CHUNK_BYTES, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
        return 0;
    MUST(count > 0 ? 0 : -1);
    fill(words, application.flow.received, count);
    if (memcmp((char *)words + application.flow.received % 8, bytes, count) != 0)
        fail("a byte is wrong");
    application.flow.received += count;
    return count;
}

static int send_some(uint64_t *words, int count)
{
    if (count < LEAST_BYTES)
        return 0;
    fill(words, application.flow.sent, count);
    int sent = send(application.socket, (char *)words + application.flow.sent % 8, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        return 0;
    application.flow.sent += MUST(sent);
    return sent;
}

static void *flow_on(void *unused)
{
    static char bytes[CHUNK_BYTES];
    static uint64_t words[CHUNK_BYTES / 8 + 2];
    long long last = nanoseconds(CLOCK_MONOTONIC);
    double allowed = 0, most = application.bytes_per_second * LONGEST_BURST_MS / 1000;
    while (!application.stopping) {
        long long now = nanoseconds(CLOCK_MONOTONIC);
        allowed += (now - last) / 1e9 * application.bytes_per_second;
        if (allowed > most)
            allowed = most;
        last = now;
        int received = receive_some(bytes, words), sent = send_some(words, allowed < CHUNK_BYTES ? (int)allowed : CHUNK_BYTES);
        allowed -= sent;
        if (received == 0 && sent == 0)
            poll(&(struct pollfd){ .fd = application.socket, .events = POLLIN }, 1, 1);
    }
    return unused;
}

static void start_flow(void)
{
    application.stopping = 0;
    if (pthread_create(&application.thread, NULL, flow_on, NULL) != 0)
        fail("no thread");
}

struct packet {
    char kind;
    struct flow flow;
};

static void post(int socket, char kind, struct flow flow, int descriptor)
{
    struct packet packet = { kind, flow };
    struct iovec part = { &packet, sizeof packet };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (descriptor >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    }
    MUST(sendmsg(socket, &message, 0));
}

static struct packet hear(int socket, int *descriptor)
{
    struct packet packet;
    struct iovec part = { &packet, sizeof packet };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    if (MUST(recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) != sizeof packet)
        exit(0); /* the other one has gone */
    if (CMSG_FIRSTHDR(&message) != NULL)
        memcpy(descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof *descriptor);
    return packet;
}

static void serve(int agent, const struct sockaddr_in *service, int is_first)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (is_first) {
        int listener = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
        MUST(bind(listener, (const struct sockaddr *)service, sizeof *service));
        MUST(listen(listener, 8));
        post(agent, 'L', application.flow, -1);
        application.socket = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        start_flow();
    }
    for (;;) {
        struct packet packet = hear(agent, &application.socket);
        switch (packet.kind) {
        case 'Q': /* quiesce, and hand over */
            application.stopping = 1;
            pthread_join(application.thread, NULL);
            post(agent, 'S', application.flow, application.socket);
            close(application.socket);
            break;
        case 'E': /* examine what has arrived */
            application.flow = packet.flow;
            post(agent, 'Y', packet.flow, -1);
            break;
        case 'G':
            start_flow();
            break;
        }
    }
}

/* ---- the packet switches and the hold ---- */

struct connection_key {
    uint32_t peer[4], local[4];
    uint16_t peer_port, local_port;
    uint32_t version;
};

struct switch_target {
    uint32_t verdict, interface, family, address[4], unused;
    uint64_t packets, bytes;
};

enum { HOLD = 2, REDIRECT = 3 };

static struct {
    int tap, hold_map, forward_map, link, application, journal;
    char hardware_address[6];
    struct switch_target hold, forward;
    struct snapshot snapshot;
    long long pass;
} agent;

static int open_map(const char *path)
{
    union bpf_attr attributes = { .pathname = (uint64_t)path };
    return MUST(syscall(SYS_bpf, BPF_OBJ_GET, &attributes, sizeof attributes));
}

static struct connection_key key_of(const struct sockaddr_in *local, const struct sockaddr_in *peer)
{
    return (struct connection_key){ .peer = { peer->sin_addr.s_addr }, .local = { local->sin_addr.s_addr }, .peer_port = peer->sin_port,
                                    .local_port = local->sin_port, .version = 4 };
}

static void set_switch(int map, const struct connection_key *key, const struct switch_target *target)
{
    union bpf_attr attributes = { .map_fd = map, .key = (uint64_t)key, .value = (uint64_t)target };
    MUST(syscall(SYS_bpf, target ? BPF_MAP_UPDATE_ELEM : BPF_MAP_DELETE_ELEM, &attributes, sizeof attributes));
}

static void make_tap(void)
{
    struct ifreq request = { .ifr_name = "tcpcphold", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    agent.tap = MUST(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    MUST(ioctl(agent.tap, TUNSETIFF, &request));
    MUST(ioctl(agent.tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN));
    MUST(fcntl(agent.tap, F_SETFL, O_NONBLOCK));
    MUST(ioctl(agent.tap, SIOCGIFHWADDR, &request));
    memcpy(agent.hardware_address, request.ifr_hwaddr.sa_data, sizeof agent.hardware_address);
}

/* What is held waits in the interface's ring until it is replayed: taken off first, since what is written comes in order only then. */
static int replay(const struct connection_key *key)
{
    static char *frames[MAX_FRAMES];
    static int lengths[MAX_FRAMES];
    int replayed = 0;
    for (int turn = 0; turn < 2; turn++) {
        int count = 0;
        for (; count < MAX_FRAMES; count++) {
            if (frames[count] == NULL)
                frames[count] = malloc(FRAME_BYTES);
            if ((lengths[count] = read(agent.tap, frames[count], FRAME_BYTES)) <= 0)
                break;
        }
        for (int i = 0; i < count; i++) {
            memcpy(frames[i] + HARDWARE_ADDRESS_OFFSET, agent.hardware_address, sizeof agent.hardware_address);
            MUST(write(agent.tap, frames[i], lengths[i]));
        }
        replayed += count;
        if (turn == 0)
            set_switch(agent.hold_map, key, NULL);
    }
    return replayed;
}

/* ---- the steps ---- */

static struct {
    const char *action;
    long long at;
} steps[16];
static int step_count;

static void step(const char *action)
{
    steps[step_count].action = action;
    steps[step_count++].at = nanoseconds(CLOCK_MONOTONIC);
}

static void print_steps(void)
{
    for (int i = 0; i < step_count; i++)
        printf("{\"pass\":\"%lld\",\"action\":\"%s\",\"monotonic_nanoseconds\":%lld}\n", agent.pass, steps[i].action, steps[i].at);
    step_count = 0;
    fflush(stdout);
}

static void record(const void *bytes, int count)
{
    MUST(pwrite(agent.journal, bytes, count, 0));
}

/* ---- between the two ---- */

static void send_message(const void *bytes, int count)
{
    for (const char *at = bytes; count > 0;) {
        int taken = MUST(send(agent.link, at, count, MSG_NOSIGNAL));
        at += taken;
        count -= taken;
    }
}

static void receive_message(void *bytes, int count)
{
    for (char *at = bytes; count > 0;) {
        int taken = MUST(recv(agent.link, at, count, 0));
        if (taken == 0)
            exit(0); /* the other one has gone */
        at += taken;
        count -= taken;
    }
}

static char receive_word(void)
{
    char word;
    receive_message(&word, 1);
    return word;
}

static void send_word(char word)
{
    send_message(&word, 1);
}

static void expect(char word)
{
    if (receive_word() != word)
        fail("an unexpected message");
}

struct offer {
    char word;
    long long pass;
    struct connection_key key;
};

struct transfer {
    struct flow flow;
    struct snapshot snapshot;
};

static void send_away(void)
{
    int fd = -1;
    post(agent.application, 'Q', (struct flow){ 0 }, -1);
    struct flow flow = hear(agent.application, &fd).flow;
    struct sockaddr_in local, peer;
    socklen_t length = sizeof local;
    MUST(getsockname(fd, (struct sockaddr *)&local, &length));
    MUST(getpeername(fd, (struct sockaddr *)&peer, &length));
    struct offer offer = { 'O', agent.pass, key_of(&local, &peer) };
    record(&offer, sizeof offer);
    send_message(&offer, sizeof offer);
    expect('R');

    if (agent.forward_map >= 0) {
        set_switch(agent.forward_map, &offer.key, &agent.forward);
        step("Diverted");
    } else {
        send_word('D');
        expect('A');
    }
    struct transfer transfer = { .flow = flow, .snapshot = agent.snapshot };
    freeze(fd, &transfer.snapshot);
    step("Frozen");
    capture(fd, &transfer.snapshot);
    step("Captured");
    record(&transfer, sizeof transfer);
    step("SendingRecorded");
    if (agent.forward_map >= 0)
        send_word('T');
    send_message(&transfer, sizeof transfer);
    send_message(transfer.snapshot.unread_bytes, transfer.snapshot.unread);
    send_message(transfer.snapshot.unacknowledged_bytes, transfer.snapshot.unacknowledged);
    step("Sent");
    expect('V');
    release(fd);
    change_gate(NFT_MSG_DELSETELEM, 0, &local, &peer);
    send_word('F');
    print_steps();
}

static void take(void)
{
    struct offer offer;
    receive_message((char *)&offer + 1, sizeof offer - 1);
    agent.pass = offer.pass;
    set_switch(agent.hold_map, &offer.key, &agent.hold);
    send_word('R');

    if (agent.forward_map >= 0) {
        expect('D');
        set_switch(agent.forward_map, &offer.key, NULL);
        step("Diverted");
        send_word('A');
    } else {
        expect('T');
    }
    struct transfer transfer;
    receive_message(&transfer, sizeof transfer);
    struct snapshot *snapshot = &transfer.snapshot;
    snapshot->unread_bytes = agent.snapshot.unread_bytes;
    snapshot->unacknowledged_bytes = agent.snapshot.unacknowledged_bytes;
    receive_message(snapshot->unread_bytes, snapshot->unread);
    receive_message(snapshot->unacknowledged_bytes, snapshot->unacknowledged);
    step("Received");
    change_gate(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, &snapshot->local, &snapshot->peer);
    int fd = restore(snapshot);
    step("Restored");
    post(agent.application, 'E', transfer.flow, fd);
    int none = -1;
    if (hear(agent.application, &none).kind != 'Y')
        fail("the application does not want it");
    record(&transfer, sizeof transfer);
    record(snapshot->unread_bytes, snapshot->unread);
    record(snapshot->unacknowledged_bytes, snapshot->unacknowledged);
    step("Accepted");
    record(&offer, sizeof offer);
    step("Activating");
    activate(fd, snapshot);
    post(agent.application, 'G', transfer.flow, -1);
    step("Woken");
    replay(&offer.key);
    step("Replayed");
    close(fd);
    step("Activated");
    send_word('V');
    print_steps();
    expect('F');
}

static void open_link(const char *address, int listens)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(LINK_PORT) };
    inet_pton(AF_INET, address, &at.sin_addr);
    int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (listens) {
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        MUST(bind(fd, (struct sockaddr *)&at, sizeof at));
        MUST(listen(fd, 1));
        puts("listening");
        fflush(stdout);
        agent.link = MUST(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
        close(fd);
    } else {
        MUST(connect(fd, (struct sockaddr *)&at, sizeof at));
        agent.link = fd;
    }
    set(agent.link, IPPROTO_TCP, TCP_NODELAY, 1);
}

int main(int count_of_arguments, char **arguments)
{
    if (count_of_arguments != 7)
        fail("usage: blackout LINK_ADDRESS listen|connect SERVICE_ADDRESS SERVICE_PORT JOURNAL BYTES_PER_SECOND");
    int listens = strcmp(arguments[2], "listen") == 0, ends[2];
    struct sockaddr_in service = { .sin_family = AF_INET, .sin_port = htons(atoi(arguments[4])) };
    inet_pton(AF_INET, arguments[3], &service.sin_addr);
    application.bytes_per_second = atof(arguments[6]);
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    if (MUST(fork()) == 0)
        serve(ends[1], &service, listens);
    close(ends[1]);
    agent.application = ends[0];
    agent.journal = MUST(open(arguments[5], O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    agent.snapshot.unread_bytes = malloc(QUEUE_BYTES);
    agent.snapshot.unacknowledged_bytes = malloc(QUEUE_BYTES);
    make_tap();
    open_gate();
    puts("tap");
    fflush(stdout);

    char hold_map[256], forward_map[256], next_hop[64];
    int forward_interface, tap_interface, none = -1;
    if (scanf("%255s %d %255s %d %63s", hold_map, &tap_interface, forward_map, &forward_interface, next_hop) != 5)
        fail("the set-up is missing");
    agent.hold_map = open_map(hold_map);
    agent.hold = (struct switch_target){ .verdict = HOLD, .interface = tap_interface };
    agent.forward_map = strcmp(forward_map, "-") == 0 ? -1 : open_map(forward_map);
    agent.forward = (struct switch_target){ .verdict = REDIRECT, .interface = forward_interface, .family = AF_INET };
    inet_pton(AF_INET, next_hop, agent.forward.address);
    if (listens)
        hear(agent.application, &none); /* it listens */
    open_link(arguments[1], listens);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd sources[] = { { .fd = 0, .events = POLLIN }, { .fd = agent.link, .events = POLLIN } };
        MUST(poll(sources, 2, -1));
        if (sources[1].revents != 0) {
            expect('O');
            take();
        } else if (sources[0].revents != 0) {
            char line[32];
            int length = MUST(read(0, line, sizeof line - 1)); /* one line: the next comes when this pass is done */
            if (length == 0)
                return 0;
            line[length] = 0;
            agent.pass = atoll(line);
            send_away();
        }
    }
}
