# Password guessing against OpenSSH with hydra: 60 wrong passwords, then the right one (the guessing succeeds).

SEED=41
WITH_SUCCESS=yes

case_prepare() {
  prepare_guessing 60
  start_sshd apps -o MaxAuthTries=2
}

case_play() { play_guessing ssh://$APPS -t 4 -w 1 -f; }
