# What people do at the workstations. Sourced by record.sh.

WORKSTATIONS="21:anna 22:ben 23:kim 33:dora"

plug_workstations() { local entry; for entry in $WORKSTATIONS; do plug_workstation "${entry%%:*}"; done; }

# All workstations are switched on within a few seconds and ask for a lease.
switch_on() { local entry; for entry in $WORKSTATIONS; do dhcp_up "${entry%%:*}"; sleep 1.3; done; }

# Works for a while in the background: OCTET USER SEED SECONDS [no-share].
work() { start "pc$1" "work$3" python3 "$LAB/clients/office_worker.py" "$2" "$(password_of "$2")" "$3" "$4" "${@:5}"; }

# One mistyped password on the file share, then the right one: what a normal user does now and then.
mistype_then_log_on() {
  local share=//files.$LAB_DOMAIN/projects
  on pc22 smbclient "$share" -s /dev/null -W CORP -U "ben%$(password_of ben)x" -c ls >/dev/null 2>&1
  sleep 4
  on pc22 smbclient "$share" -s /dev/null -W CORP -U "ben%$(password_of ben)" -c "ls; get plan2.txt /dev/null" >/dev/null 2>&1
}
