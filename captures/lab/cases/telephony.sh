# Calls between two telephones by way of a registrar; then a search for telephone servers and numbers, and two floods.

case_prepare() {
  plug_workstations
  plug_fixed apps 70
  start_office
  sed "s/@ADDRESS@/$APPS/" "$LAB/conf/kamailio.cfg" >"$LAB_STATE/kamailio.cfg"
  start apps kamailio kamailio -f "$LAB_STATE/kamailio.cfg" -DD -E -u root -P "$LAB_STATE/kamailio.pid" -Y "$LAB_STATE"
  mkdir -p "$LAB_STATE/sip"
}

# Runs sipp on a host: OCTET and options. It writes screens, not logs.
sip() {
  local octet=$1; shift
  on "pc$octet" sh -c 'cd "$0" && exec timeout 60 sipp -i "$@" -nostdin' "$LAB_STATE/sip" "192.168.0.$octet" "$@" \
    >>"$LAB_STATE/log/sipp.log" 2>&1
}

case_play() {
  switch_on
  work 21 anna 201 180
  work 23 kim 202 180
  at 20
  sip 22 -sf "$LAB/conf/sip_register.xml" -s 102 -m 1 -p 5062 $APPS:5060
  start pc22 phone sh -c "cd $LAB_STATE/sip && exec timeout 170 sipp -sn uas -i 192.168.0.22 -p 5060 -nostdin"
  say "five calls"
  sip 21 -sn uac -s 102 -m 5 -r 1 -rp 5000 -d 4000 -p 5060 $APPS:5060
  at 75
  say "search for servers"
  on pc33 timeout 60 svmap -p 5060 198.51.100.0/24 >>"$LAB_STATE/log/sipvicious.log" 2>&1
  at 95
  say "search for numbers"
  on pc33 timeout 40 svwar -m REGISTER -e 100-220 $APPS >>"$LAB_STATE/log/sipvicious.log" 2>&1
  at 120
  say "flood of registrations"
  sip 33 -sf "$LAB/conf/sip_register_flood.xml" -m 3000 -r 300 -p 5070 $APPS:5060
  at 150
  say "flood of calls"
  sip 33 -sf "$LAB/conf/sip_invite_flood.xml" -m 3000 -r 300 -p 5071 $APPS:5060
  at 180
}
