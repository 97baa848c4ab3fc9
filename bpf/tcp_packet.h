// SPDX-License-Identifier: MIT
//
// What the programs of arriving TCP packets share. It needs no header of the kernel's: what they use of its interface is here.

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
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

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_skb_load_bytes_relative)(const void *packet, u32 offset, void *to, u32 length, u32 start) = (void *)68;
static long (*const bpf_redirect_neigh)(u32 interface, void *next_hop, int length, u64 flags) = (void *)152;

INLINE long load(struct __sk_buff *packet, u32 offset, void *to, u32 length)
{
	return bpf_skb_load_bytes_relative(packet, offset, to, length, BPF_HDR_START_NET);
}

// The addresses of a TCP packet, and where its ports are. Not of what the programs pass on untouched: see packet_switch.c.
INLINE int read_addresses(struct __sk_buff *packet, struct connection *connection, u32 *transport)
{
	if (packet->vlan_present)
		return 0;
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
			return 0;
		u32 addresses[2];
		if (load(packet, 12, addresses, sizeof(addresses)))
			return 0;
		connection->peer[0] = addresses[0];
		connection->local[0] = addresses[1];
		connection->version = 4;
		*transport = (header.version_length & 0xF) * 4;
	} else if (packet->protocol == BIG_ENDIAN_16(ETH_P_IPV6)) {
		u8 next_header;
		if (load(packet, 6, &next_header, sizeof(next_header)) || next_header != IPPROTO_TCP
		    || load(packet, 8, connection->peer, sizeof(connection->peer) + sizeof(connection->local)))
			return 0;
		connection->version = 6;
		*transport = 40;
	} else {
		return 0;
	}
	return 1;
}
