# Password guessing against xrdp with hydra: 40 wrong passwords.

SEED=96

case_prepare() {
  prepare_guessing 40
  start_xrdp
}

case_play() { play_guessing rdp://$APPS -t 2; }
