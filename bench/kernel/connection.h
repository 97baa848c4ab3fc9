/*
 * The smallest sequence of system calls that captures, closes and restores a connection and does what the library does: the same refusals, the same state (queues,
 * windows, timestamps, negotiated options, every socket option that a snapshot has), the gate's nft element and mark around it, sequence numbers read again.
 * The gate's table (inet tcpcp) must be there, and _GNU_SOURCE be defined.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MUST(call) must((long)(call), #call)

enum {
    GATE_MARK = 0x7C700000,
    GATE_MASK = (int)0xFFFF0000,
    LONG_USER_TIMEOUT_MS = 3600000,
    PACED_AHEAD_MS = 20,
    SIOCOUTQNSD_ = 0x894B,
    TCPOPT_MAXSEG_ = 2,
    TCPOPT_WINDOW_ = 3,
    TCPOPT_SACK_PERMITTED_ = 4,
    TCPOPT_TIMESTAMP_ = 8,
};

struct options {
    struct linger linger;
    uint64_t max_pacing_rate;
    int no_delay, cork, keep_alive, keep_idle, keep_interval, keep_count, user_timeout, not_sent_low_water, priority, mark, type_of_service, time_to_live,
        send_buffer, receive_buffer, buffer_lock, reuse_address, reuse_port, out_of_band_inline;
};

struct snapshot {
    struct sockaddr_in local, peer;
    struct tcp_info info;
    struct tcp_repair_window window;
    struct options options;
    char congestion[16];
    struct timespec clock_read_at;
    uint32_t rcv_nxt, write_seq, timestamp;
    int mss_clamp, unread;
    int unacknowledged, unsent; /* of those that are not acknowledged, the last are not sent */
    char *unread_bytes, *unacknowledged_bytes;
};

static struct {
    int socket;
    uint32_t sequence;
} nft;

static long must(long result, const char *call)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", call, strerror(errno));
        exit(1);
    }
    return result;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static int get(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    MUST(getsockopt(fd, level, name, &value, &length));
    return value;
}

static void get_value(int fd, int level, int name, void *value, socklen_t length)
{
    MUST(getsockopt(fd, level, name, value, &length));
}

static void set(int fd, int level, int name, int value)
{
    MUST(setsockopt(fd, level, name, &value, sizeof value));
}

static int length_of(int fd, unsigned long request)
{
    int value;
    MUST(ioctl(fd, request, &value));
    return value;
}

static void select_queue(int fd, int queue)
{
    set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
}

static uint32_t queue_sequence(int fd)
{
    return (uint32_t)get(fd, IPPROTO_TCP, TCP_QUEUE_SEQ);
}

/* ---- the gate ---- */

static void open_gate(void)
{
    int on = 1;
    nft.socket = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    MUST(setsockopt(nft.socket, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on));
    MUST(setsockopt(nft.socket, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on));
}

static char *begin(char *at, int type, int flags, int family, int resource)
{
    struct nlmsghdr *header = (struct nlmsghdr *)at;
    struct nfgenmsg *generic = (struct nfgenmsg *)(header + 1);
    *header = (struct nlmsghdr){ .nlmsg_len = sizeof *header + sizeof *generic, .nlmsg_type = type, .nlmsg_flags = flags | NLM_F_REQUEST,
                                 .nlmsg_seq = ++nft.sequence };
    *generic = (struct nfgenmsg){ .nfgen_family = family, .res_id = htons(resource) };
    return at + header->nlmsg_len;
}

static char *attribute(char *at, int type, int payload)
{
    *(struct nlattr *)at = (struct nlattr){ .nla_len = NLA_HDRLEN + payload, .nla_type = type };
    return at + NLA_HDRLEN;
}

static char *text(char *at, int type, const char *value)
{
    int bytes = strlen(value) + 1;
    memcpy(memset(attribute(at, type, bytes), 0, NLA_ALIGN(bytes)), value, bytes);
    return at + NLA_HDRLEN + NLA_ALIGN(bytes);
}

static void change_gate(int operation, int flags, const struct sockaddr_in *local, const struct sockaddr_in *peer)
{
    _Alignas(8) char message[256], answer[512];
    uint32_t key[4] = { local->sin_addr.s_addr, local->sin_port, peer->sin_addr.s_addr, peer->sin_port };
    char *at = begin(message, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
    struct nlmsghdr *element = (struct nlmsghdr *)at;
    at = begin(at, NFNL_SUBSYS_NFTABLES << 8 | operation, flags | NLM_F_ACK, NFPROTO_INET, 0);
    uint32_t sequence = nft.sequence;
    at = text(at, NFTA_SET_ELEM_LIST_TABLE, "tcpcp");
    at = text(at, NFTA_SET_ELEM_LIST_SET, "closed4");
    at = attribute(at, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, 3 * NLA_HDRLEN + sizeof key);
    at = attribute(at, NFTA_LIST_ELEM | NLA_F_NESTED, 2 * NLA_HDRLEN + sizeof key);
    at = attribute(at, NFTA_SET_ELEM_KEY | NLA_F_NESTED, NLA_HDRLEN + sizeof key);
    at = attribute(at, NFTA_DATA_VALUE, sizeof key);
    at = (char *)memcpy(at, key, sizeof key) + sizeof key;
    element->nlmsg_len = at - (char *)element;
    at = begin(at, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
    MUST(send(nft.socket, message, at - message, 0));
    MUST(recv(nft.socket, answer, sizeof answer, 0));
    const struct nlmsghdr *header = (struct nlmsghdr *)answer;
    if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_seq != sequence)
        fail("the gate gave an unexpected answer");
    errno = -((struct nlmsgerr *)(header + 1))->error;
    MUST(errno ? -1 : 0);
}

/* ---- capture ---- */

static void read_options(int fd, struct options *options)
{
    get_value(fd, SOL_SOCKET, SO_LINGER, &options->linger, sizeof options->linger);
    get_value(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &options->max_pacing_rate, sizeof options->max_pacing_rate);
    options->time_to_live = get(fd, IPPROTO_IP, IP_TTL);
    options->buffer_lock = get(fd, SOL_SOCKET, SO_BUF_LOCK);
    options->no_delay = get(fd, IPPROTO_TCP, TCP_NODELAY);
    options->cork = get(fd, IPPROTO_TCP, TCP_CORK);
    options->keep_alive = get(fd, SOL_SOCKET, SO_KEEPALIVE);
    options->keep_idle = get(fd, IPPROTO_TCP, TCP_KEEPIDLE);
    options->keep_interval = get(fd, IPPROTO_TCP, TCP_KEEPINTVL);
    options->keep_count = get(fd, IPPROTO_TCP, TCP_KEEPCNT);
    options->user_timeout = get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT);
    options->not_sent_low_water = get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT);
    options->priority = get(fd, SOL_SOCKET, SO_PRIORITY);
    options->type_of_service = get(fd, IPPROTO_IP, IP_TOS);
    options->send_buffer = get(fd, SOL_SOCKET, SO_SNDBUF);
    options->receive_buffer = get(fd, SOL_SOCKET, SO_RCVBUF);
    options->reuse_address = get(fd, SOL_SOCKET, SO_REUSEADDR);
    options->reuse_port = get(fd, SOL_SOCKET, SO_REUSEPORT);
    options->out_of_band_inline = get(fd, SOL_SOCKET, SO_OOBINLINE);
}

static void require_no_urgent_data(int fd)
{
    char byte;
    if (recv(fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) >= 0 || errno == EAGAIN)
        fail("urgent data");
}

static void freeze(int fd, struct snapshot *to)
{
    if (get(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP)
        fail("not TCP");
    get_value(fd, IPPROTO_TCP, TCP_INFO, &to->info, sizeof to->info);
    if (to->info.tcpi_state != 1)
        fail("not established");
    socklen_t length = sizeof to->local;
    MUST(getsockname(fd, (struct sockaddr *)&to->local, &length));
    length = sizeof to->peer;
    MUST(getpeername(fd, (struct sockaddr *)&to->peer, &length));
    to->options.mark = get(fd, SOL_SOCKET, SO_MARK);
    if ((to->options.mark & GATE_MASK) == GATE_MARK || get(fd, IPPROTO_TCP, TCP_REPAIR) == TCP_REPAIR_ON)
        fail("in a pass already");
    require_no_urgent_data(fd);
    char protocol[16] = "";
    get_value(fd, IPPROTO_TCP, TCP_ULP, protocol, sizeof protocol);
    if (protocol[0])
        fail("upper layer protocol");
    read_options(fd, &to->options);

    change_gate(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, &to->local, &to->peer);
    set(fd, SOL_SOCKET, SO_MARK, GATE_MARK);
    if (to->options.keep_alive)
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, LONG_USER_TIMEOUT_MS);
    set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
    to->unacknowledged = length_of(fd, SIOCOUTQ);
    to->unsent = to->unacknowledged > 0 ? length_of(fd, SIOCOUTQNSD_) : 0;
    if (to->unacknowledged > 0 && length_of(fd, SIOCOUTQ) != to->unacknowledged)
        fail("moved");
    require_no_urgent_data(fd);
    if (to->options.out_of_band_inline)
        return;
    int until_mark = length_of(fd, SIOCINQ);
    if (until_mark == 0) {
        if (length_of(fd, SIOCATMARK))
            fail("urgent mark");
    } else {
        set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
        int all = length_of(fd, SIOCINQ);
        set(fd, SOL_SOCKET, SO_OOBINLINE, 0);
        if (all != until_mark)
            fail("urgent mark");
    }
}

static void capture(int fd, struct snapshot *to)
{
    clock_gettime(CLOCK_MONOTONIC, &to->clock_read_at);
    to->timestamp = (uint32_t)get(fd, IPPROTO_TCP, TCP_TIMESTAMP);
    get_value(fd, IPPROTO_TCP, TCP_INFO, &to->info, sizeof to->info);
    get_value(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &to->window, sizeof to->window);
    to->mss_clamp = get(fd, IPPROTO_TCP, TCP_MAXSEG);

    select_queue(fd, TCP_RECV_QUEUE);
    to->rcv_nxt = queue_sequence(fd);
    to->unread = length_of(fd, SIOCINQ);
    if (to->unread > 0 && MUST(recv(fd, to->unread_bytes, to->unread, MSG_PEEK | MSG_DONTWAIT)) != to->unread)
        fail("moved");
    select_queue(fd, TCP_SEND_QUEUE);
    to->write_seq = queue_sequence(fd);
    if (to->unacknowledged > 0 && MUST(recv(fd, to->unacknowledged_bytes, to->unacknowledged, MSG_PEEK | MSG_DONTWAIT)) != to->unacknowledged)
        fail("moved");

    if (queue_sequence(fd) != to->write_seq || length_of(fd, SIOCOUTQ) != to->unacknowledged)
        fail("moved");
    select_queue(fd, TCP_RECV_QUEUE);
    if (queue_sequence(fd) != to->rcv_nxt || length_of(fd, SIOCINQ) != to->unread)
        fail("moved");
    select_queue(fd, TCP_NO_QUEUE);
    get_value(fd, IPPROTO_TCP, TCP_CONGESTION, to->congestion, sizeof to->congestion);
}

static void release(int fd)
{
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    MUST(connect(fd, &nowhere, sizeof nowhere));
    MUST(close(fd));
}

/* ---- restore ---- */

static void send_all(int fd, const char *bytes, int count)
{
    while (count > 0) {
        int taken = MUST(send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL));
        bytes += taken;
        count -= taken;
    }
}

static void receive_all(int fd, const char *bytes, int count)
{
    while (count > 0) {
        int taken = MUST(send(fd, bytes, count < 65536 ? count : 65536, MSG_DONTWAIT | MSG_NOSIGNAL));
        bytes += taken;
        count -= taken;
    }
}

static void set_negotiated(int fd, const struct snapshot *from)
{
    struct tcp_repair_opt options[4] = {
        { TCPOPT_MAXSEG_, from->mss_clamp },
        { TCPOPT_WINDOW_, from->info.tcpi_snd_wscale | (uint32_t)from->info.tcpi_rcv_wscale << 16 },
    };
    int count = 2;
    if (from->info.tcpi_options & TCPI_OPT_SACK)
        options[count++].opt_code = TCPOPT_SACK_PERMITTED_;
    if (from->info.tcpi_options & TCPI_OPT_TIMESTAMPS)
        options[count++].opt_code = TCPOPT_TIMESTAMP_;
    MUST(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, count * sizeof options[0]));
}

static uint32_t advanced_timestamp(const struct snapshot *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t elapsed_ns = (now.tv_sec - from->clock_read_at.tv_sec) * 1000000000LL + now.tv_nsec - from->clock_read_at.tv_nsec;
    uint32_t microseconds = from->timestamp & 1;
    if (from->info.tcpi_last_data_sent < PACED_AHEAD_MS)
        elapsed_ns += PACED_AHEAD_MS * 1000000LL; /* the timestamps of a paced segment may be ahead of its sending so much */
    return (((from->timestamp & ~1u) + (uint32_t)(elapsed_ns / (microseconds ? 1000 : 1000000)) + 2) & ~1u) | microseconds;
}

static void write_dormant_options(int fd, const struct snapshot *from)
{
    const struct options *options = &from->options;
    if (options->type_of_service)
        set(fd, IPPROTO_IP, IP_TOS, options->type_of_service);
    set(fd, IPPROTO_IP, IP_TTL, options->time_to_live);
    if (options->type_of_service || options->priority)
        set(fd, SOL_SOCKET, SO_PRIORITY, options->priority);
    if (options->max_pacing_rate != UINT64_MAX)
        MUST(setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &options->max_pacing_rate, sizeof options->max_pacing_rate));
    if (options->out_of_band_inline)
        set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    if (options->reuse_port)
        set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (options->not_sent_low_water != 0 && options->not_sent_low_water != -1)
        set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, options->not_sent_low_water);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, options->keep_idle);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, options->keep_interval);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, options->keep_count);
    if (options->buffer_lock)
        fail("a locked buffer, which is not measured here");
    char congestion[16] = "";
    get_value(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, sizeof congestion);
    if (strcmp(congestion, from->congestion) != 0)
        MUST(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, from->congestion, strlen(from->congestion)));
}

static int restore(const struct snapshot *from)
{
    int fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    set(fd, SOL_SOCKET, SO_MARK, GATE_MARK);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, LONG_USER_TIMEOUT_MS);
    set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
    select_queue(fd, TCP_RECV_QUEUE);
    set(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, (int)(from->rcv_nxt - from->unread));
    select_queue(fd, TCP_SEND_QUEUE);
    set(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, (int)(from->write_seq - from->unacknowledged));
    MUST(bind(fd, (const struct sockaddr *)&from->local, sizeof from->local));
    MUST(connect(fd, (const struct sockaddr *)&from->peer, sizeof from->peer));
    set_negotiated(fd, from);
    if (from->info.tcpi_options & TCPI_OPT_TIMESTAMPS)
        set(fd, IPPROTO_TCP, TCP_TIMESTAMP, (int)advanced_timestamp(from));
    MUST(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0));
    if (from->unread > 0) {
        select_queue(fd, TCP_RECV_QUEUE);
        receive_all(fd, from->unread_bytes, from->unread);
    }
    if (from->unacknowledged > from->unsent) {
        select_queue(fd, TCP_SEND_QUEUE);
        send_all(fd, from->unacknowledged_bytes, from->unacknowledged - from->unsent);
    }
    MUST(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &from->window, sizeof from->window));
    select_queue(fd, TCP_NO_QUEUE);
    write_dormant_options(fd, from);
    return fd;
}

static void activate(int fd, const struct snapshot *from)
{
    const struct options *options = &from->options;
    set(fd, SOL_SOCKET, SO_MARK, options->mark);
    change_gate(NFT_MSG_DELSETELEM, 0, &from->local, &from->peer);
    set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    if (from->unsent > 0)
        set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options->cork)
        set(fd, IPPROTO_TCP, TCP_CORK, 1);
    send_all(fd, from->unacknowledged_bytes + from->unacknowledged - from->unsent, from->unsent);
    if ((from->unsent > 0) != (options->no_delay != 0))
        set(fd, IPPROTO_TCP, TCP_NODELAY, options->no_delay);
    if (options->reuse_address)
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options->user_timeout);
    if (options->keep_alive)
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (options->linger.l_onoff)
        MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &options->linger, sizeof options->linger));
}

static long long nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}
