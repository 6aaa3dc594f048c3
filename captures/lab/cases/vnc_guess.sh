# Password guessing against a VNC server with hydra: 60 wrong passwords.

SEED=91

case_prepare() {
  LOGIN=()
  prepare_guessing 60
  start_vnc
}

case_play() { play_guessing vnc://$APPS -t 2; }
