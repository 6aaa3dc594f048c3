# The lab network: namespaces as hosts, one bridge as the office switch, one router to an "outside" host.
# Sourced by record.sh. Everything made here carries LAB_PREFIX in its name and is removed by lab_down.

LAB_PREFIX=${WEIR_LAB_PREFIX:-wl-}
LAB_STATE=${WEIR_LAB_STATE:-/var/tmp/weir-lab-${LAB_PREFIX%-}}
LAB_DOMAIN=corp.example
GATEWAY=192.168.0.1
INTRANET=192.168.0.80
FILES=192.168.0.252
OUTSIDE_TRANSIT=192.0.2.2
WWW=198.51.100.10
NEWS=198.51.100.20
DROP=203.0.113.80

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }

# Runs a program on a host. `ip netns exec` binds the host's resolv.conf over the machine's; conf/enter gives
# hosts with accounts their own /etc.
on() { local host=$1; shift; ip netns exec "${LAB_PREFIX}$host" "$LAB/conf/enter" "$LAB_STATE/etc-$host" "$@"; }

# Starts a server on a host in the background; its output goes to the state folder.
start() {
  local host=$1 name=$2; shift 2
  setsid ip netns exec "${LAB_PREFIX}$host" "$LAB/conf/enter" "$LAB_STATE/etc-$host" "$@" \
    >"$LAB_STATE/log/$host-$name.log" 2>&1 </dev/null &
}

# Sets up a namespace. IPv6 is off: the lab tells an IPv4 story and needs no neighbour chatter.
make_namespace() {
  ip netns add "${LAB_PREFIX}$1"
  on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n "${LAB_PREFIX}$1" link set lo up
  mkdir -p "/etc/netns/${LAB_PREFIX}$1"
  printf 'search %s\nnameserver %s\n' "$LAB_DOMAIN" "$GATEWAY" >"/etc/netns/${LAB_PREFIX}$1/resolv.conf"
}

# Segmentation and checksum offload would put 64 kB packets with wrong checksums on the wire.
no_offload() { on "$1" ethtool -K "$2" tx off rx off sg off tso off gso off gro off >/dev/null 2>&1; }

# Plugs a host into the switch: NAME LAST_OCTET. The MAC is locally administered: 02, "WEIR", last octet.
plug() {
  local host=$1 octet=$2 mac
  mac=$(printf '02:57:45:49:52:%02x' "$octet")
  make_namespace "$host"
  ip -n "${LAB_PREFIX}switch" link add "p$octet" type veth peer name eth0 netns "${LAB_PREFIX}$host"
  ip -n "${LAB_PREFIX}$host" link set eth0 address "$mac" up
  ip -n "${LAB_PREFIX}switch" link set "p$octet" master br0 up
  no_offload "$host" eth0
  no_offload switch "p$octet"
}

# A host with a fixed address: NAME LAST_OCTET.
plug_fixed() {
  plug "$1" "$2"
  ip -n "${LAB_PREFIX}$1" addr add "192.168.0.$2/24" brd + dev eth0
  [ "192.168.0.$2" = "$GATEWAY" ] || ip -n "${LAB_PREFIX}$1" route add default via "$GATEWAY"
}

# A workstation: plugged in, no address until dhcp_up.
plug_workstation() { plug "pc$1" "$1"; }

dhcp_up() {
  local host=pc$1
  printf 'send host-name "%s";\nrequest subnet-mask, routers, domain-name-servers, domain-name;\n' "$host" \
    >"$LAB_STATE/$host.dhclient.conf"
  start "$host" dhclient dhclient -d -v -cf "$LAB_STATE/$host.dhclient.conf" -sf "$LAB/conf/dhclient-script" \
    -lf "$LAB_STATE/$host.leases" -pf "$LAB_STATE/$host.dhclient.pid" eth0
}

lab_up() {
  lab_down
  mkdir -p "$LAB_STATE"/{log,home,share}
  make_namespace switch
  ip -n "${LAB_PREFIX}switch" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
  ip -n "${LAB_PREFIX}switch" link set br0 up
  plug_fixed gw 1
  plug_fixed intranet 80
  plug_fixed files 252
  make_namespace outside
  ip -n "${LAB_PREFIX}gw" link add wan type veth peer name wan netns "${LAB_PREFIX}outside"
  ip -n "${LAB_PREFIX}gw" addr add 192.0.2.1/30 dev wan
  ip -n "${LAB_PREFIX}outside" addr add "$OUTSIDE_TRANSIT/30" dev wan
  for address in "$WWW" "$NEWS" "$DROP"; do ip -n "${LAB_PREFIX}outside" addr add "$address/32" dev lo; done
  ip -n "${LAB_PREFIX}gw" link set wan up
  ip -n "${LAB_PREFIX}outside" link set wan up
  no_offload gw wan
  no_offload outside wan
  ip -n "${LAB_PREFIX}outside" route add default via 192.0.2.1
  for net in 198.51.100.0/24 203.0.113.0/24; do ip -n "${LAB_PREFIX}outside" route add blackhole "$net"; done
  for net in 198.51.100.0/24 203.0.113.0/24; do ip -n "${LAB_PREFIX}gw" route add "$net" via "$OUTSIDE_TRANSIT"; done
  on gw sysctl -qw net.ipv4.ip_forward=1
}

# Ends what runs inside our namespaces (and nothing else), then removes them.
lab_down() {
  local name pids
  for name in $(ip netns list | awk -v p="^$LAB_PREFIX" '$1 ~ p {print $1}'); do
    pids=$(ip netns pids "$name")
    [ -z "$pids" ] || kill $pids 2>/dev/null
  done
  sleep 0.5
  for name in $(ip netns list | awk -v p="^$LAB_PREFIX" '$1 ~ p {print $1}'); do
    pids=$(ip netns pids "$name")
    [ -z "$pids" ] || kill -9 $pids 2>/dev/null
    ip netns del "$name"
    rm -rf "/etc/netns/$name"
  done
  rm -rf "$LAB_STATE"
}

# The observation point is the switch itself (a mirror port): each frame is seen once, both ways.
capture_start() {
  ip netns exec "${LAB_PREFIX}switch" tcpdump -i br0 -s 0 -B 32768 -Z root -w "$LAB_STATE/raw.pcap" 2>"$LAB_STATE/log/tcpdump.log" &
  CAPTURE_PID=$!
  sleep 1
  CASE_START=$(date +%s)
}

capture_stop() {
  sleep 1
  kill -TERM "$CAPTURE_PID"
  wait "$CAPTURE_PID" || true
  grep -q '^0 packets dropped by kernel' "$LAB_STATE/log/tcpdump.log" || { say "capture lost packets"; return 1; }
}

# Waits until so many seconds after the start of the capture.
at() {
  local wait_s=$((CASE_START + $1 - $(date +%s)))
  [ "$wait_s" -le 0 ] || sleep "$wait_s"
}

# Python packages of the lab's clients live beside the state, not in the system's Python.
VENV=${WEIR_LAB_VENV:-/var/tmp/weir-lab-venv}
install_python_package() {
  [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
  "$VENV/bin/pip" -q --disable-pip-version-check install "$1"
}
