// SPDX-License-Identifier: MIT
//
// Lets restored connections go on with the congestion window that they had. It is attached to the cgroup that their sockets are made in, and sees their events:
// the loader (src/Tcpcp.Linux/Congestion) notes a seed for a socket's cookie before it connects in repair mode. The seeded window would leave as one burst: so
// the loader limits the pacing rate too, and the limit is taken off here after some round trips of data, whether the loader lives still or not.
// eng/build-bpf.sh makes congestion_keep.o of it, which Tcpcp.Linux embeds; a test makes it again and compares. It needs no header.

typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef __INT32_TYPE__ s32;

#define SECTION(name) __attribute__((section(name), used))

enum { SOL_SOCKET = 1, SO_MAX_PACING_RATE = 47, IPPROTO_TCP = 6, TCP_BPF_IW = 1001, TCP_CLOSE = 7 };
enum { BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB = 4, BPF_SOCK_OPS_STATE_CB = 10, BPF_SOCK_OPS_RTT_CB = 12 };
enum { BPF_SOCK_OPS_STATE_CB_FLAG = 1 << 2, BPF_SOCK_OPS_RTT_CB_FLAG = 1 << 3 };

// The beginning of the kernel's.
struct bpf_sock_ops {
	u32 op;
	u32 args[4];
	u32 family;
	u32 remote_ip4;
	u32 local_ip4;
	u32 remote_ip6[4];
	u32 local_ip6[4];
	u32 remote_port;
	u32 local_port;
	u32 is_fullsock;
	u32 snd_cwnd;
	u32 srtt_us;
	u32 bpf_sock_ops_cb_flags;
	u32 state;
	u32 rtt_min;
	u32 snd_ssthresh;
	u32 rcv_nxt;
	u32 snd_nxt;
	u32 snd_una;
};

struct seed {
	u32 window; // segments
	u32 rate; // limit of the pacing rate in bytes a second
	u32 own_rate; // the application's own limit
	u32 round_trips; // until it holds again; 0: there is nothing to do after the start
	u32 round_end; // SND.NXT when the present round trip began
	u32 has_begun;
	u32 flags; // those that were set for this
	u32 unused;
};

extern struct map seeds;

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u64 (*const bpf_get_socket_cookie)(void *event) = (void *)46;
static long (*const bpf_setsockopt)(void *event, int level, int name, void *value, int length) = (void *)49;
static long (*const bpf_getsockopt)(void *event, int level, int name, void *value, int length) = (void *)57;
static long (*const bpf_sock_ops_cb_flags_set)(void *event, int flags) = (void *)59;

static void begin(struct bpf_sock_ops *event, struct seed *seed, u64 *cookie)
{
	u32 flags = event->bpf_sock_ops_cb_flags;

	bpf_setsockopt(event, IPPROTO_TCP, TCP_BPF_IW, &seed->window, sizeof(seed->window));
	if (!seed->round_trips) {
		bpf_map_delete_elem(&seeds, cookie);
		return;
	}
	seed->flags = (BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_RTT_CB_FLAG) & ~flags;
	bpf_sock_ops_cb_flags_set(event, flags | seed->flags);
}

static void end(struct bpf_sock_ops *event, struct seed *seed, u64 *cookie)
{
	u32 rate = seed->rate;

	// The application may have set its own meanwhile.
	bpf_getsockopt(event, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate));
	if (rate == seed->rate) {
		rate = seed->own_rate;
		bpf_setsockopt(event, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate));
	}
	bpf_sock_ops_cb_flags_set(event, event->bpf_sock_ops_cb_flags & ~seed->flags);
	bpf_map_delete_elem(&seeds, cookie);
}

// At an acknowledgement that gives a round-trip time: of data, so that a connection which waits keeps its limit until it sends.
static void acknowledged(struct bpf_sock_ops *event, struct seed *seed, u64 *cookie)
{
	if (seed->has_begun && (s32)(event->snd_una - seed->round_end) < 0)
		return;
	seed->has_begun = 1;
	seed->round_end = event->snd_nxt;
	if (seed->round_trips > 1)
		seed->round_trips--;
	else
		end(event, seed, cookie);
}

SECTION("sockops")
int keep_congestion(struct bpf_sock_ops *event)
{
	struct seed *seed;
	u64 cookie;

	if (event->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && event->op != BPF_SOCK_OPS_STATE_CB && event->op != BPF_SOCK_OPS_RTT_CB)
		return 1;
	cookie = bpf_get_socket_cookie(event);
	seed = bpf_map_lookup_elem(&seeds, &cookie);
	if (!seed)
		return 1;
	if (event->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		begin(event, seed, &cookie);
	else if (event->op == BPF_SOCK_OPS_RTT_CB)
		acknowledged(event, seed, &cookie);
	else if (event->args[1] == TCP_CLOSE)
		bpf_map_delete_elem(&seeds, &cookie);
	return 1;
}
