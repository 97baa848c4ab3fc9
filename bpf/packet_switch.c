// SPDX-License-Identifier: MIT
//
// The packet switch: says of each arriving TCP packet, by its four-tuple, whether it goes on, is dropped, is held or is sent to another host.
// eng/build-bpf.sh makes packet_switch.o of it, which Tcpcp.Linux embeds; a test makes it again and compares. The map is made by
// the loader (src/Tcpcp.Linux/Switching), whose structures these are.
//
// Passed on untouched: what is not TCP, all fragments but the first, TCP behind IPv6 extension headers, and frames with a VLAN tag, which belong to
// another interface. So does every packet whose four-tuple is not in the map. Programs behind this one see what is passed on.
//
// A connection that is held is released after a number of packets: only when the holder has let all of them arrive may the next one go on, or it would overtake them.

#include "tcp_packet.h"

enum verdict { PASS, DROP, HOLD, REDIRECT };

struct target {
	u32 verdict;
	u32 interface;
	struct { // struct bpf_redir_neigh
		u32 family;
		u32 address[4];
	} next_hop;
	u32 unused;
	u64 packets; // both since the target was set
	u64 bytes;
};

extern struct map connections;
extern struct map releases;

static long (*const bpf_redirect)(u32 interface, u64 flags) = (void *)23;

SECTION("tcx/ingress") int packet_switch(struct __sk_buff *packet)
{
	struct connection connection = {};
	u32 transport;

	if (!read_addresses(packet, &connection, &transport))
		return TCX_NEXT;
	if (load(packet, transport, &connection.peer_port, 2 * sizeof(u16)))
		return TCX_NEXT;
	struct target *target = bpf_map_lookup_elem(&connections, &connection);
	if (!target)
		return TCX_NEXT;
	if (target->verdict == HOLD) {
		u64 *released = bpf_map_lookup_elem(&releases, &connection);
		if (released && *released == target->packets)
			return TCX_NEXT;
	}
	__sync_fetch_and_add(&target->packets, 1);
	__sync_fetch_and_add(&target->bytes, packet->len);
	switch (target->verdict) {
	case DROP:
		return TCX_DROP;
	case HOLD:
		return bpf_redirect(target->interface, 0);
	case REDIRECT:
		return bpf_redirect_neigh(target->interface, &target->next_hop, sizeof(target->next_hop), 0);
	default:
		return TCX_NEXT;
	}
}
