// SPDX-License-Identifier: MIT
//
// A congestion control that no connection has for longer than two system calls: when it is chosen for a restored socket, it gives it what the repair interface cannot: the
// slow start threshold, and that ECN was agreed on. Then the loader (src/Tcpcp.Linux/Congestion) chooses the real one, which leaves both alone.
// The offsets of the kernel's fields are numbers that stand for them: the loader puts the kernel's own (/sys/kernel/btf/vmlinux) in their places.
// eng/build-bpf.sh makes congestion_start.o of it, which Tcpcp.Linux embeds; a test makes it again and compares. It needs no header.

typedef __UINT8_TYPE__ u8;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

#define SECTION(name) __attribute__((section(name), used))

// Read or written by exactly one instruction each; no other offset of this program is in their range.
enum { SKC_COOKIE = 0x7c00, SND_CWND = 0x7c10, SND_SSTHRESH = 0x7c20, ECN_FLAGS = 0x7c30 };
#define FIELD(type, socket, offset) (*(volatile type *)((char *)(socket) + (offset)))

enum { TCP_ECN_OK = 1 };

struct start {
	u32 slow_start_threshold; // segments; 0: that of a new connection
	u32 has_ecn;
};

extern struct map starts;

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;

SECTION("struct_ops/init")
void init(u64 *arguments)
{
	void *socket = (void *)arguments[0];
	u64 cookie = FIELD(u64, socket, SKC_COOKIE);
	struct start *start = bpf_map_lookup_elem(&starts, &cookie);

	if (!start)
		return;
	if (start->slow_start_threshold)
		FIELD(u32, socket, SND_SSTHRESH) = start->slow_start_threshold;
	if (start->has_ecn)
		FIELD(u8, socket, ECN_FLAGS) = TCP_ECN_OK;
}

// What the kernel requires of every congestion control.

SECTION("struct_ops/ssthresh")
u32 ssthresh(u64 *arguments)
{
	u32 window = FIELD(u32, arguments[0], SND_CWND);

	return window > 4 ? window / 2 : 2;
}

SECTION("struct_ops/undo_cwnd")
u32 undo_cwnd(u64 *arguments)
{
	return FIELD(u32, arguments[0], SND_CWND);
}

SECTION("struct_ops/cong_avoid")
void cong_avoid(u64 *arguments)
{
	(void)arguments;
}
