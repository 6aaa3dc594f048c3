# Password guessing against telnetd with hydra: 40 wrong passwords.

SEED=86

case_prepare() {
  prepare_guessing 40
  start_telnetd
}

case_play() { play_guessing telnet://$APPS -t 8 -w 5; }
