#!/bin/bash
# Counts what a README states about a case, with tshark. Usage: figures.sh FILE.pcap.zst
set -eu
PCAP=$(mktemp --suffix=.pcap)
trap 'rm -f "$PCAP"' EXIT
zstd -dqf "$1" -o "$PCAP"
fields() { tshark -r "$PCAP" -Y "$1" -T fields "${@:2}" 2>/dev/null; }
ends() { awk 'NR==1 {first=$1} {last=$1; n++} END {printf "%d packets, %.3f s to %.3f s\n", n, first, last}'; }

capinfos -cuae "$PCAP" | tail -n +2
echo "time order: $(capinfos -To "$PCAP" | tail -1 | awk '{print $NF}'); malformed: $(fields _ws.malformed -e frame.number | wc -l)"
echo "-- refused SMB log-ons (STATUS_LOGON_FAILURE), server client"
fields 'smb2.cmd==1 && smb2.flags.response==1 && smb2.nt_status==0xc000006d' -e ip.src -e ip.dst | sort | uniq -c
echo "-- accepted SMB log-ons"
fields 'smb2.cmd==1 && smb2.flags.response==1 && smb2.nt_status==0' -e ip.src -e ip.dst | sort | uniq -c
echo "-- SYN without ACK: source, targets, target ports, packets"
fields 'tcp.flags.syn==1 && tcp.flags.ack==0' -e ip.src -e ip.dst -e tcp.dstport |
  awk '{n[$1]++; if (!h[$1,$2]++) hosts[$1]++; if (!p[$1,$2,$3]++) ports[$1]++} END {for (s in n) print s, hosts[s], ports[s], n[s]}' | sort
echo "-- DNS answers by code (0 no error, 3 no such name)"
fields 'dns.flags.response==1' -e dns.flags.rcode | sort | uniq -c
echo "-- connections above 1 MB"
tshark -r "$PCAP" -q -z conv,tcp 2>/dev/null | awk '/<->/ && $11 == "MB"'
