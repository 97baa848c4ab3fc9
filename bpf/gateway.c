// SPDX-License-Identifier: MIT
//
// The gateway's switch: sends each arriving TCP packet of a service address to the backend that has its connection. Replies do not come by here. Built and
// embedded as packet_switch.c is; the maps are made by the loader (src/Tcpcp.Linux/Switching), whose structures these are.
//
// A connection that was passed has an entry. All others go by a hash of their four-tuple to a slot, and by the slot to a backend. While the backends of slots
// change, and after the state was lost, a slot has two: what opens goes to the new one, and is noted; what was open before, to the one before, or is dropped
// if that is not known.
//
// Passed on untouched: what is no service's, and what packet_switch.c passes on too.

#include "tcp_packet.h"

enum { AF_INET = 2, AF_INET6 = 10, BPF_ANY = 0 };
enum { FLAGS_OFFSET = 13, SYN = 0x02, ACK = 0x10 };
enum { SLOTS = 65537 };

struct service {
	u32 address[4];
	u32 port; // in network byte order, in the first two bytes
	u32 version;
};

struct entry {
	u32 backend;
	u32 orderer;
	u64 number;
	u64 packets; // both since the entry was set
	u64 bytes;
};

// Numbers of backends; 0: it is not known.
struct placement {
	u32 current;
	u32 before;
};

struct backend {
	u32 interface;
	u32 ipv4;
	u32 ipv6[4];
};

struct next_hop { // struct bpf_redir_neigh
	u32 family;
	u32 address[4];
};

extern struct map services;
extern struct map connections;
extern struct map opened;
extern struct map placements;
extern struct map backends;

static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;

// The same on every gateway: GatewaySwitch.SlotOf.
INLINE u32 slot_of(const struct connection *connection)
{
	const u32 *words = (const u32 *)connection;
	u32 hash = 0;

#pragma unroll
	for (u32 i = 0; i < sizeof(*connection) / sizeof(u32); i++) {
		hash = (hash ^ words[i]) * 0x9E3779B1;
		hash ^= hash >> 15;
	}
	return hash % SLOTS;
}

INLINE int send(u32 number, u32 version)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &number);
	if (!backend)
		return TCX_DROP;
	struct next_hop next_hop = {};
	if (version == 4) {
		next_hop.family = AF_INET;
		next_hop.address[0] = backend->ipv4;
	} else {
		next_hop.family = AF_INET6;
		__builtin_memcpy(next_hop.address, backend->ipv6, sizeof(next_hop.address));
	}
	return bpf_redirect_neigh(backend->interface, &next_hop, sizeof(next_hop), 0);
}

SECTION("tcx/ingress") int gateway(struct __sk_buff *packet)
{
	struct connection connection = {};
	struct service service = {};
	u32 transport;

	if (!read_addresses(packet, &connection, &transport))
		return TCX_NEXT;

	u8 flags;
	if (load(packet, transport, &connection.peer_port, 2 * sizeof(u16)) || load(packet, transport + FLAGS_OFFSET, &flags, sizeof(flags)))
		return TCX_NEXT;
	__builtin_memcpy(service.address, connection.local, sizeof(service.address));
	service.port = connection.local_port;
	service.version = connection.version;
	if (!bpf_map_lookup_elem(&services, &service))
		return TCX_NEXT;

	struct entry *entry = bpf_map_lookup_elem(&connections, &connection);
	if (entry) {
		__sync_fetch_and_add(&entry->packets, 1);
		__sync_fetch_and_add(&entry->bytes, packet->len);
		return send(entry->backend, connection.version);
	}

	u32 slot = slot_of(&connection);
	struct placement *placement = bpf_map_lookup_elem(&placements, &slot);
	if (!placement)
		return TCX_DROP;
	u32 current = placement->current;
	u32 before = placement->before;
	if (current != before) {
		u32 *opened_at = bpf_map_lookup_elem(&opened, &connection);
		if (opened_at)
			current = *opened_at;
		else if ((flags & (SYN | ACK)) == SYN)
			bpf_map_update_elem(&opened, &connection, &current, BPF_ANY);
		else
			current = before;
	}
	return current ? send(current, connection.version) : TCX_DROP;
}
