// SPDX-License-Identifier: MIT
//
// The packet switch: says of each arriving TCP packet, by its four-tuple, whether it goes on, is dropped, is held or is sent to another host.
// eng/build-bpf.sh makes packet_switch.o of it, which Tcpcp.Linux embeds; a test makes it again and compares. It needs no header: what it uses of
// the kernel's interface is here. The map is made by the loader (src/Tcpcp.Linux/Switching), whose structures these are.
//
// Passed on untouched: what is not TCP, all fragments but the first, TCP behind IPv6 extension headers, and frames with a VLAN tag, which belong to
// another interface. So does every packet whose four-tuple is not in the map. Programs behind this one see what is passed on.

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

#define SECTION(name) __attribute__((section(name), used))
#define BIG_ENDIAN_16(value) __builtin_bswap16(value)

enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86DD, IPPROTO_TCP = 6, IP_OFFSET = 0x1FFF };
enum { TCX_NEXT = -1, TCX_DROP = 2 };
enum { BPF_HDR_START_NET = 1 };

// The beginning of the kernel's.
struct __sk_buff {
	u32 len;
	u32 pkt_type;
	u32 mark;
	u32 queue_mapping;
	u32 protocol;
	u32 vlan_present;
};

// Addresses and ports in network byte order, as they stand in a packet that arrives: its source is the peer.
struct connection {
	u32 peer[4];
	u32 local[4];
	u16 peer_port;
	u16 local_port;
	u32 version; // 4, where the rest of each address is 0, or 6
};

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

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_redirect)(u32 interface, u64 flags) = (void *)23;
static long (*const bpf_skb_load_bytes_relative)(const void *packet, u32 offset, void *to, u32 length, u32 start) = (void *)68;
static long (*const bpf_redirect_neigh)(u32 interface, void *next_hop, int length, u64 flags) = (void *)152;

static inline __attribute__((always_inline)) long load(struct __sk_buff *packet, u32 offset, void *to, u32 length)
{
	return bpf_skb_load_bytes_relative(packet, offset, to, length, BPF_HDR_START_NET);
}

SECTION("tcx/ingress") int packet_switch(struct __sk_buff *packet)
{
	struct connection connection = {};
	u32 transport;

	if (packet->vlan_present)
		return TCX_NEXT;
	if (packet->protocol == BIG_ENDIAN_16(ETH_P_IP)) {
		struct {
			u8 version_length;
			u8 service;
			u16 length;
			u16 id;
			u16 fragment;
			u8 ttl;
			u8 protocol;
			u16 checksum;
		} header;
		if (load(packet, 0, &header, sizeof(header)) || header.protocol != IPPROTO_TCP
		    || (header.fragment & BIG_ENDIAN_16(IP_OFFSET)))
			return TCX_NEXT;
		u32 addresses[2];
		if (load(packet, 12, addresses, sizeof(addresses)))
			return TCX_NEXT;
		connection.peer[0] = addresses[0];
		connection.local[0] = addresses[1];
		connection.version = 4;
		transport = (header.version_length & 0xF) * 4;
	} else if (packet->protocol == BIG_ENDIAN_16(ETH_P_IPV6)) {
		u8 next_header;
		if (load(packet, 6, &next_header, sizeof(next_header)) || next_header != IPPROTO_TCP
		    || load(packet, 8, connection.peer, sizeof(connection.peer) + sizeof(connection.local)))
			return TCX_NEXT;
		connection.version = 6;
		transport = 40;
	} else {
		return TCX_NEXT;
	}

	if (load(packet, transport, &connection.peer_port, 2 * sizeof(u16)))
		return TCX_NEXT;
	struct target *target = bpf_map_lookup_elem(&connections, &connection);
	if (!target)
		return TCX_NEXT;
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
